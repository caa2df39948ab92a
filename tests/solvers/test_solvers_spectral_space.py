"""The Fourier space: round trips, wavenumbers, and products without aliasing."""

import math

import pytest
import torch

from pdeops.domains import Grid
from solvers import FourierSpace

GRIDS = [
    Grid.periodic((16,)),
    Grid.periodic((15,), lengths=(2.5,)),
    Grid.periodic((12, 21), lengths=(1.0, 3.0)),
    Grid.periodic((13, 10)),
    Grid.periodic((8, 9, 10), lengths=(1.0, 2.0, 0.5)),
]
IDS = ["1d even", "1d odd", "2d not square", "2d odd and even", "3d"]


def polynomial(grid, band, generator):
    """A real trigonometric polynomial as a function of a grid: values anywhere from the same random waves."""
    waves = torch.cartesian_prod(*(torch.arange(-k, k + 1) for k in band)).reshape(-1, len(band)).double()
    amplitudes = torch.randn(2, len(waves), generator=generator).double()

    def values(target):
        phase = sum(
            2 * math.pi / axis.length * waves[:, i] * x[..., None]
            for i, (axis, x) in enumerate(zip(grid.axes, target.coordinates, strict=True))
        )
        return (amplitudes[0] * torch.cos(phase) + amplitudes[1] * torch.sin(phase)).sum(-1)

    return values


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("pad", [False, True], ids=["truncate", "pad"])
@pytest.mark.parametrize("grid", GRIDS, ids=IDS)
class TestEveryGrid:
    def test_a_polynomial_of_the_band_survives_the_round_trip(self, grid, pad, generator):
        space = FourierSpace(grid, pad_products=pad)
        values = polynomial(grid, space.band, generator)(space.product_grid)
        spectrum = space.to_spectrum(values)
        assert tuple(spectrum.shape) == space.spectral_shape
        torch.testing.assert_close(space.to_grid(spectrum), values, rtol=0, atol=1e-11)

    def test_the_full_band_holds_all_but_the_nyquist_wave(self, grid, pad, generator):
        space = FourierSpace(grid, pad_products=pad)
        values = polynomial(grid, space.full_band, generator)(grid)
        torch.testing.assert_close(
            space.full_to_grid(space.full_spectrum(values)), values, rtol=0, atol=1e-11
        )

    def test_derivatives_are_exact(self, grid, pad, generator):
        space = FourierSpace(grid, pad_products=pad)
        axis = grid.axes[0]
        wave = 2 * math.pi / axis.length * space.band[0]
        x = space.points[0]
        derivative = space.to_grid(1j * space.wavenumbers[0] * space.to_spectrum(torch.sin(wave * x)))
        torch.testing.assert_close(derivative, wave * torch.cos(wave * x), rtol=0, atol=1e-10)

    def test_the_kept_part_of_a_square_is_free_of_aliasing(self, grid, pad, generator):
        space = FourierSpace(grid, pad_products=pad)
        function = polynomial(grid, space.band, generator)
        # On a grid that holds every wave of the square nothing can alias.
        fine = FourierSpace(grid.with_shape([4 * n for n in grid.shape]))
        exact = fine.to_spectrum(function(fine.grid) ** 2)
        for dim, k in zip(range(-grid.dimension, 0), space.band, strict=True):
            last = dim == -1
            kept = list(range(k + 1)) + ([] if last else list(range(exact.shape[dim] - k, exact.shape[dim])))
            exact = exact.index_select(dim, torch.tensor(kept))
        values = space.to_grid(space.to_spectrum(function(space.product_grid)))
        assert (space.to_spectrum(values**2) - exact).abs().max() < 1e-12 * exact.abs().max()

    def test_insert_undoes_truncate_and_leaves_the_rest(self, grid, pad, generator):
        space = FourierSpace(grid, pad_products=pad)
        full = space.full_spectrum(torch.randn(2, *grid.shape, generator=generator).double())
        band = space.truncate(full)
        torch.testing.assert_close(space.insert(full, band), full, rtol=0, atol=0)
        doubled = space.insert(full, 2 * band)
        torch.testing.assert_close(space.truncate(doubled), 2 * band, rtol=0, atol=0)
        changed = (doubled != full).sum()
        assert changed == (band != 0).sum()


def test_a_cube_does_alias_so_the_docstring_is_right():
    grid = Grid.periodic((16,))
    space = FourierSpace(grid)
    x = space.points[0]
    wave = torch.cos(2 * math.pi * space.band[0] * x)  # K = 5: the cube reaches 15, which looks like 1
    spectrum = space.to_spectrum(wave**3)
    assert spectrum[1].abs() > 0.1


def test_spectra_mean_the_same_on_every_grid():
    function = polynomial(Grid.periodic((16, 16)), (3, 3), torch.Generator().manual_seed(0))
    coarse, fine = (FourierSpace(Grid.periodic(shape)) for shape in ((16, 14), (24, 33)))
    mean_coarse, mean_fine = (s.to_spectrum(function(s.grid))[0, :4] for s in (coarse, fine))
    torch.testing.assert_close(mean_coarse, mean_fine, rtol=0, atol=1e-12)


def test_the_nyquist_wave_is_dropped():
    grid = Grid.periodic((8,))
    nyquist = torch.tensor([1.0, -1.0] * 4).double()
    assert FourierSpace(grid).full_spectrum(nyquist).abs().max() < 1e-15


def test_other_axes_and_tiny_grids_are_refused():
    with pytest.raises(ValueError, match=r"periodic axes, got 'cells'.*Grid\.periodic"):
        FourierSpace(Grid.box((8, 8), "cells"))
    with pytest.raises(ValueError, match="4 points or more, got 3"):
        FourierSpace(Grid.periodic((3,)))
