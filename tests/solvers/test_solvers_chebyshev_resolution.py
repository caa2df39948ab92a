"""The size of the highest coefficients."""

import math

import pytest
import torch

from pdeops.domains import Grid
from solvers.chebyshev.resolution import spectral_tail


def test_tail_is_the_size_of_the_highest_polynomials_and_waves():
    grid = Grid.box((21, 16), ("chebyshev", "periodic"), lower=(-1.0, 0.0))
    x, y = grid.coordinates
    smooth = torch.ones_like(x)
    values = torch.stack(
        [
            smooth,
            smooth + 1e-3 * torch.cos(19 * torch.arccos(x)),  # among the highest three of 21
            smooth + 1e-3 * torch.cos(17 * torch.arccos(x)),  # below them
            2 * smooth + 1e-3 * torch.cos(2 * math.pi * 8 * y),  # the highest wave of 16 points
            0 * smooth,
        ]
    )
    tails = spectral_tail(values, grid)
    assert tails[[0, 2, 4]].abs().max() < 1e-14
    assert tails[1].item() == pytest.approx(1e-3, rel=1e-10)
    assert tails[3].item() == pytest.approx(5e-4, rel=1e-10)


def test_tail_of_a_pole_is_about_the_error_of_the_interpolant():
    # Coefficients of 1 / (2 + x) fall by r = 2 - sqrt(3) each; on 16 points the 16th adds to the 14th.
    grid = Grid.box((16,), "chebyshev", lower=(-1.0,))
    tail = spectral_tail((1 / (2 + grid.axes[0].points))[None], grid).item()
    ratio = 2 - math.sqrt(3)
    assert tail == pytest.approx(2 * ratio**14 * (1 + ratio**2), rel=1e-3)
