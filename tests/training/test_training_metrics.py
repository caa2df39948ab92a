"""Metrics: exact with unequal batches; spectra by closed forms."""

import math

import pytest
import torch

from pdeops.domains import Grid
from pdeops.domains.spectrum import energy_spectrum, resolved_wavenumber
from pdeops.training.metrics import RelativeError
from pdeops.training.spectrum_metric import SpectrumError


@pytest.mark.parametrize("kind", ["l2", "h1"])
def test_an_unequal_last_batch_does_not_count_more(kind):
    grid = Grid.periodic((8,))
    target = torch.ones(5, 1, 8)
    prediction = target + torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6])[:, None, None]
    metric = RelativeError(kind)
    for part in (slice(0, 4), slice(4, 5), slice(5, 5)):
        metric.update(prediction[part], target[part], grid)
    assert metric.compute().item() == pytest.approx((4 * 0.1 + 0.6) / 5, rel=1e-6)


@pytest.mark.parametrize("shape", [(16, 16), (15, 20), (32,)])
def test_the_shells_of_a_spectrum_sum_to_half_the_mean_square(shape):
    torch.manual_seed(0)
    values = torch.randn(3, 2, *shape, dtype=torch.float64)
    _, energies = energy_spectrum(values, Grid.periodic(shape))
    expected = values.square().flatten(start_dim=2).mean(dim=-1) / 2
    torch.testing.assert_close(energies.sum(dim=-1), expected, rtol=1e-12, atol=0)


def test_a_wave_is_in_the_shell_of_its_wavenumber_in_units_of_the_longest_side():
    grid = Grid.periodic((32, 16), lengths=(2.0, 1.0))
    x, y = grid.coordinates
    # Wavenumber (3, 4) on the box of the longest side: 3 periods over x, 2 over y.
    wavenumbers, energies = energy_spectrum(torch.cos(2 * math.pi * (1.5 * x + 2 * y)), grid)
    assert int(energies.argmax()) == 5
    assert energies[5].item() == pytest.approx(0.25, rel=1e-12)
    assert wavenumbers[5] == 5
    assert resolved_wavenumber(grid) == 16


def test_a_spectrum_needs_periodic_axes():
    with pytest.raises(ValueError, match="expected periodic axes"):
        energy_spectrum(torch.zeros(8, 8), Grid.box((8, 8)))


def test_spectrum_error_counts_decades_of_lost_energy():
    torch.manual_seed(0)
    grid = Grid.periodic((16, 16))
    target = torch.randn(4, 1, 16, 16, dtype=torch.float64)
    metric = SpectrumError(grid)
    metric.update(target / 10, target)  # amplitude a tenth, energy two decades less, in every shell
    assert metric.compute().item() == pytest.approx(2.0, rel=1e-10)


def test_spectrum_error_of_a_shell_without_predicted_energy_is_its_distance_from_what_is_resolved():
    grid = Grid.periodic((32,))
    (x,) = grid.coordinates

    def wave(number, energy):  # cos^2 has the mean 1/2, and the energy is half the mean square
        return (4 * energy) ** 0.5 * torch.cos(2 * math.pi * number * x)

    # Shell 3 has 1e-5 of the energy, shell 4 too little to be resolved.
    target = wave(1, 1 - 1e-5) + wave(3, 1e-5) + wave(4, 1e-13)
    metric = SpectrumError(grid)
    metric.update(wave(1, 1 - 1e-5).expand(1, 1, 32), target.expand(1, 1, 32))
    assert metric.compute().item() == pytest.approx((0 + 7) / 2, rel=1e-6)
