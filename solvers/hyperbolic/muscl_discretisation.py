"""Second order: limited linear functions in the cells, and a Riemann solver at the faces."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Grid
from pdeops.problems.conservation_law import ConservationLaw
from solvers.hyperbolic.face_discretisation import FaceDiscretisation, cell_positions
from solvers.hyperbolic.limiter import Limiter
from solvers.hyperbolic.numerical_flux import NumericalFlux


class MusclDiscretisation(FaceDiscretisation):
    """Finite volumes on cell averages; see `FiniteVolumeSolver`.

    Args:
        problem: See `FaceDiscretisation`.
        grid: See `FaceDiscretisation`.
        device: See `FaceDiscretisation`.
        limiter: Slopes in the cells.
        numerical_flux: Flux between the states at a face.
    """

    ghost_width: ClassVar[int] = 2
    diffusion_factor: ClassVar[float] = 1.0

    def __init__(
        self,
        problem: ConservationLaw,
        grid: Grid,
        device: torch.device,
        *,
        limiter: Limiter,
        numerical_flux: NumericalFlux,
    ) -> None:
        super().__init__(problem, grid, device)
        self._limiter = limiter
        self._numerical_flux = numerical_flux
        self._faces = [
            self.coordinates_along(number, cell_positions(axis, 1)[1:] - axis.spacing / 2)
            for number, axis in enumerate(grid.axes)
        ]

    def transport(
        self, extended: Float[Tensor, "batch channels *extended"], number: int
    ) -> Float[Tensor, "batch channels *faces"]:
        """Numerical flux of the states on both sides of each face."""
        dim = number + 2
        jumps = extended.diff(dim=dim)
        count = jumps.shape[dim] - 1
        slopes = self._limiter.slope(jumps.narrow(dim, 0, count), jumps.narrow(dim, 1, count))
        cells = extended.narrow(dim, 1, count)
        lower = (cells + slopes / 2).narrow(dim, 0, count - 1)
        upper = (cells - slopes / 2).narrow(dim, 1, count - 1)
        faces = self._faces[number]
        law = self.law
        return self._numerical_flux.through(
            (lower, upper),
            (law.fluxes(number, lower, faces), law.fluxes(number, upper, faces)),
            (law.speeds(number, lower, faces), law.speeds(number, upper, faces)),
        )

    def gradient(
        self, extended: Float[Tensor, "batch channels *extended"], number: int
    ) -> Float[Tensor, "batch channels *faces"]:
        """Difference of the two cells at a face."""
        dim = number + 2
        jumps = extended.diff(dim=dim)
        return jumps.narrow(dim, 1, jumps.shape[dim] - 2) / self.grid.axes[number].spacing
