"""Losses against closed forms, and the frequency loss against the data-space loss."""

import math

import pytest
import torch

from pdeops.data import Normaliser
from pdeops.domains import Grid
from pdeops.layers import TruncatedTransform
from pdeops.training.frequency_loss import FrequencyRelativeL2, physical_coefficients
from pdeops.training.losses import RelativeH1, RelativeL2


def wave(grid, k):
    return torch.sin(2 * math.pi * k * grid.coordinates[0])


def test_relative_l2_is_the_mean_over_samples_of_one_norm_over_channels():
    grid = Grid.periodic((16,))
    one, three = wave(grid, 1), wave(grid, 3)
    target = torch.stack([torch.stack([one, three]), torch.stack([2 * one, 0 * one])])
    # Differences 0.3 in one channel of two, and 0.5 of a channel with amplitude two.
    prediction = target + torch.stack(
        [torch.stack([0.3 * three, 0 * one]), torch.stack([0.5 * one, 0 * one])]
    )
    expected = (0.3 / math.sqrt(2) + 0.5 / 2) / 2
    assert RelativeL2()(prediction, target, grid).item() == pytest.approx(expected, rel=1e-12)


def test_relative_h1_weights_a_wave_by_one_plus_its_wavenumber_squared():
    grid = Grid.periodic((32,), lengths=(2 * math.pi,))
    (x,) = grid.coordinates
    target, error = torch.sin(x)[None, None], 0.1 * torch.sin(5 * x)[None, None]
    expected = 0.1 * math.sqrt((1 + 25) / (1 + 1))
    assert RelativeH1()(target + error, target, grid).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["periodic", "nodes", "cells", "chebyshev"])
def test_relative_l2_of_a_constant_offset_does_not_depend_on_the_grid(kind):
    for shape in ((8, 12), (21, 9)):
        grid = Grid.box(shape, kind)
        target = torch.full((1, 1, *shape), 4.0, dtype=torch.float64)
        assert RelativeL2()(target - 1, target, grid).item() == pytest.approx(0.25, rel=1e-12)


def test_a_perfect_prediction_has_a_finite_gradient():
    grid = Grid.periodic((8,))
    target = wave(grid, 1).expand(2, 1, 8)
    prediction = target.clone().requires_grad_()
    RelativeL2()(prediction, target, grid).backward()
    assert torch.equal(prediction.grad, torch.zeros_like(target))


@pytest.mark.parametrize(
    ("kind", "shape"), [("periodic", (16, 12)), ("cells", (12, 15)), ("nodes", (13, 16))]
)
def test_frequency_loss_equals_the_data_space_loss_with_its_truncated_tail(kind, shape):
    torch.manual_seed(0)
    grid = Grid.box(shape, kind, upper=(2.0, 0.5))
    transform = TruncatedTransform.of_grid(grid, modes=(5, 7))
    target = torch.randn(3, 2, *shape, dtype=torch.float64) + 2.0
    coefficients = torch.randn(3, 2, 5, 7, dtype=torch.float64, requires_grad=True)
    frequency = FrequencyRelativeL2()(coefficients, target, grid, transform)
    data = RelativeL2()(transform.inverse(coefficients, shape), target, grid)
    assert frequency.item() == pytest.approx(data.item(), rel=1e-12)
    gradients = [torch.autograd.grad(loss, coefficients)[0] for loss in (frequency, data)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-13)


def test_frequency_loss_of_a_good_prediction_is_right_in_single_precision():
    torch.manual_seed(0)
    grid = Grid.periodic((32,))
    transform = TruncatedTransform.of_grid(grid, modes=(31,))
    coefficients = torch.randn(4, 1, 31)
    target = transform.inverse(coefficients, grid.shape)
    loss = FrequencyRelativeL2()(coefficients * (1 + 1e-5), target, grid, transform)
    assert loss.item() == pytest.approx(1e-5, rel=0.05)


def test_coefficients_of_normalised_fields_go_back_to_physical_units_with_the_constant_mode():
    torch.manual_seed(0)
    grid = Grid.box((12, 10), "cells")
    transform = TruncatedTransform.of_grid(grid, modes=(4, 6))
    normaliser = Normaliser(torch.tensor([3.0, -0.5]), torch.tensor([2.0, 10.0]))
    coefficients = torch.randn(2, 2, 4, 6, dtype=torch.float64)
    physical = physical_coefficients(coefficients, normaliser.inverse, transform, grid.shape)
    expected = transform(normaliser.inverse(transform.inverse(coefficients, grid.shape)))
    torch.testing.assert_close(physical, expected, rtol=1e-10, atol=1e-10)


def test_a_scale_that_varies_in_space_is_refused():
    def pointwise(values):
        return values * torch.linspace(1, 2, 8)

    with pytest.raises(ValueError, match="one scale a channel"):
        physical_coefficients(torch.zeros(1, 1, 4), pointwise, lambda values: values[..., :4], (8,))


def test_coefficients_of_another_shape_are_refused():
    grid = Grid.periodic((8,))
    transform = TruncatedTransform.of_grid(grid, modes=(5,))
    with pytest.raises(ValueError, match=r"expected coefficients of shape \(2, 1, 5\), got \(2, 1, 4\)"):
        FrequencyRelativeL2()(torch.zeros(2, 1, 4), torch.ones(2, 1, 8), grid, transform)
