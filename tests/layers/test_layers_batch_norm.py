"""Batch normalisation in 1 to 3 dimensions."""

import pytest
import torch

from pdeops.domains import Grid
from pdeops.layers import BatchNorm
from pdeops.operators import LSM, T1UNet, UNet


@pytest.mark.parametrize("shape", [(7,), (5, 4), (3, 4, 2)])
def test_channels_have_mean_zero_and_variance_one(shape: tuple[int, ...]) -> None:
    values = 3 + 2 * torch.randn(4, 2, *shape).double()
    norm = BatchNorm(2).double()
    result = norm(values).movedim(1, 0).flatten(1)
    torch.testing.assert_close(result.mean(dim=1), torch.zeros(2).double())
    torch.testing.assert_close(result.var(dim=1, correction=0), torch.ones(2).double(), rtol=1e-5, atol=0)


def test_an_evaluation_uses_running_means_and_takes_a_single_value() -> None:
    values = 3 + 2 * torch.randn(4, 2, 7).double()
    norm = BatchNorm(2).double()
    norm(values)
    lines = values.movedim(1, 0).flatten(1)
    # From 0 and 1, a tenth of the way to the batch.
    mean, variance = 0.1 * lines.mean(dim=1), 0.9 + 0.1 * lines.var(dim=1)
    expected = (values[:1, :, :1] - mean[:, None]) / (variance[:, None] + 1e-5).sqrt()
    torch.testing.assert_close(norm.eval()(values[:1, :, :1]), expected)


@pytest.mark.parametrize("operator", [LSM, UNet, T1UNet])
def test_nothing_to_average_is_named(operator: type[LSM | UNet | T1UNet]) -> None:
    options = {"modes": 8} if operator is T1UNet else {}
    network = operator(1, 1, Grid.periodic((8, 8)), width=8, depth=3, **options)
    with pytest.raises(ValueError, match="try a larger batch or a smaller depth"):
        network(torch.randn(1, 1, 8, 8))
    assert network(torch.randn(2, 1, 8, 8)).isfinite().all()
    assert network.eval()(torch.randn(1, 1, 8, 8)).isfinite().all()
