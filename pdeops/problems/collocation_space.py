"""Fourier coefficients of everything that a periodic grid holds."""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdeops.domains import Grid


class CollocationSpace:
    """All Fourier coefficients of a periodic grid, not de-aliased: for residuals, which live on the grid.

    Args:
        grid: Periodic on every axis.
        like: A tensor whose device and dtype are taken.

    Failure mode: Products formed on this grid alias; solvers need a space of their own that cuts them.
    """

    def __init__(self, grid: Grid, like: Tensor) -> None:
        self.points = tuple(points.to(like) for points in grid.coordinates)
        self._shape = grid.shape
        waves = []
        for number, axis in enumerate(grid.axes):
            frequencies = torch.fft.rfftfreq if number == grid.dimension - 1 else torch.fft.fftfreq
            k = (
                2
                * math.pi
                / axis.length
                * axis.num_points
                * frequencies(axis.num_points, dtype=torch.float64)
            )
            waves.append(k.reshape(-1, *(1,) * (grid.dimension - 1 - number)).to(like))
        self.wavenumbers = tuple(waves)

    def to_grid(self, spectrum: Complex[Tensor, "... *modes"]) -> Float[Tensor, "... *shape"]:
        """Values at the grid's points."""
        return torch.fft.irfftn(spectrum, s=self._shape, dim=self._dims, norm="forward")

    def to_spectrum(self, values: Float[Tensor, "... *shape"]) -> Complex[Tensor, "... *modes"]:
        """Coefficients of values, laid out as by ``rfftn``."""
        return torch.fft.rfftn(values, dim=self._dims, norm="forward")

    @property
    def _dims(self) -> tuple[int, ...]:
        return tuple(range(-len(self._shape), 0))
