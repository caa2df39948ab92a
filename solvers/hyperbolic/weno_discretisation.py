"""Fifth order: differences of reconstructed fluxes."""

from __future__ import annotations

from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Grid
from pdeops.problems.conservation_law import ConservationLaw
from solvers.hyperbolic.face_discretisation import FaceDiscretisation, cell_positions
from solvers.hyperbolic.weno import weno5

MARGIN = 0.1
"""Part of the fastest speed by which the speeds of a stencil are spread before the flux is split.

Without it the slowest waves drop out of the split flux wherever they are alone, what is left is flat to
second order at their crests, and the weights lose two orders there."""

GRADIENT_WEIGHTS = tuple(weight / 180 for weight in (-2, 25, -245, 245, -25, 2))
"""Differences of these over the spacing are the central second difference of order six."""


class WenoDiscretisation(FaceDiscretisation):
    """Conservative differences of point values; see `WenoSolver`."""

    ghost_width: ClassVar[int] = 3
    diffusion_factor: ClassVar[float] = 68 / 45

    def __init__(self, problem: ConservationLaw, grid: Grid, device: torch.device) -> None:
        super().__init__(problem, grid, device)
        self._extended_points = [
            self.coordinates_along(number, cell_positions(axis, self.ghost_width))
            for number, axis in enumerate(grid.axes)
        ]

    def transport(
        self, extended: Float[Tensor, "batch channels *extended"], number: int
    ) -> Float[Tensor, "batch channels *faces"]:
        """Fluxes split into a part that goes up and one that goes down, each reconstructed from upwind."""
        dim = number + 2
        points = self._extended_points[number]
        fluxes = self._around_faces(self.law.fluxes(number, extended, points), dim)
        values = self._around_faces(extended, dim)
        lowest, highest = self.law.speeds(number, extended, points)
        # One pair of speeds a stencil: only then is the split flux as smooth as the data.
        slowest = reduce(torch.minimum, self._around_faces(lowest[:, None], dim))
        fastest = reduce(torch.maximum, self._around_faces(highest[:, None], dim))
        margin = MARGIN * torch.maximum(slowest.abs(), fastest.abs())
        slowest, fastest = (slowest - margin).clamp(max=0), (fastest + margin).clamp(min=0)
        width = fastest - slowest
        width = torch.where(width > 0, width, 1.0)
        upward = [fastest / width * (f - slowest * u) for f, u in zip(fluxes, values, strict=True)]
        downward = [-slowest / width * (f - fastest * u) for f, u in zip(fluxes, values, strict=True)]
        return weno5(upward[:5]) + weno5(downward[:0:-1])

    def gradient(
        self, extended: Float[Tensor, "batch channels *extended"], number: int
    ) -> Float[Tensor, "batch channels *faces"]:
        """Central difference over six cells."""
        parts = self._around_faces(extended, number + 2)
        weighted = [weight * part for weight, part in zip(GRADIENT_WEIGHTS, parts, strict=True)]
        return reduce(torch.add, weighted) / self.grid.axes[number].spacing

    def _around_faces(self, extended: Tensor, dim: int) -> list[Tensor]:
        """Values in the six cells around each face, lowest first."""
        count = extended.shape[dim] - 5
        return [extended.narrow(dim, offset, count) for offset in range(6)]
