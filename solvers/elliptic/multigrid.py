"""Geometric multigrid for diffusion with a variable coefficient on a box of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from solvers.elliptic.cell_axis import CellAxis
from solvers.elliptic.flux_balance import FluxBalance

COARSEST_UNKNOWNS = 64
"""At most so many unknowns are solved for directly."""


class Multigrid:
    r"""One V-cycle: an approximate inverse of a `FluxBalance`, symmetric positive definite.

    * Levels: cells are joined in pairs along every axis that is not already much coarser than the others, so
      stretched cells are first made square. Sizes need not be even.
    * Coarse operators: transmissibilities of coarse faces, see `FluxBalance.coarsened`.
    * Interpolation: linear between cell centres along each axis; restriction is its transpose.
    * Smoother: Chebyshev polynomial of Jacobi steps on the upper three quarters of the spectrum. It is
      symmetric, takes the same work on every device, and needs no estimate, as the eigenvalues of D^-1 A are
      below 2.
    * Coarsest level: Cholesky factors.

    Work a cycle is about 2 (smoothing_steps + 1) products with A, times 4/3 in two dimensions.

    Args:
        operator: The matrices of the batch.
        axes: Widths of the cells around the unknowns, one `CellAxis` an axis.
        smoothing_steps: Degree of the smoother, before and after each coarse correction. Good values: 2 or 3.

    References:
        | M. Khalil, P. Wesseling, 1992, Vertex-centered and cell-centered multigrid for interface problems,
        | doi:10.1016/0021-9991(92)90127-J
        | M. Adams et al., 2003, Parallel multigrid smoothing: polynomial versus Gauss-Seidel,
        | doi:10.1016/S0021-9991(03)00194-3
    """

    def __init__(self, operator: FluxBalance, axes: Sequence[CellAxis], *, smoothing_steps: int = 2) -> None:
        self.smoothing_steps = smoothing_steps
        self.operators = [operator]
        self.axes = [tuple(axes)]
        self.coarsened_dims: list[list[int]] = []
        while math.prod(self.operators[-1].shape) > COARSEST_UNKNOWNS:
            fine = self.axes[-1]
            narrowest = min(axis.width for axis in fine if axis.num_cells > 1)
            dims = [i for i, axis in enumerate(fine) if axis.num_cells > 1 and axis.width < 1.5 * narrowest]
            self.coarsened_dims.append(dims)
            self.axes.append(tuple(axis.joined() if i in dims else axis for i, axis in enumerate(fine)))
            self.operators.append(self.operators[-1].coarsened({i: fine[i].face_factors for i in dims}))
        self._inverse_diagonals = [1 / level.diagonal for level in self.operators]
        self._factors = torch.linalg.cholesky(self.operators[-1].dense())

    @property
    def num_levels(self) -> int:
        """Number of grids, the finest included."""
        return len(self.operators)

    def __call__(self, residual: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """One V-cycle from zero: the approximate solution of A e = residual."""
        return self._cycle(residual, 0)

    def _cycle(self, residual: Tensor, level: int) -> Tensor:
        if level == self.num_levels - 1:
            return torch.cholesky_solve(residual.flatten(1)[..., None], self._factors).reshape(residual.shape)
        operator = self.operators[level]
        dims = self.coarsened_dims[level]
        correction = self._smooth(residual, level)
        remaining = residual - operator(correction)
        for axis in dims:
            remaining = self.axes[level][axis].restrict(remaining, axis + 1)
        coarse = self._cycle(remaining, level + 1)
        for axis in dims:
            coarse = self.axes[level][axis].interpolate(coarse, axis + 1)
        correction = correction + coarse
        return correction + self._smooth(residual - operator(correction), level)

    def _smooth(self, residual: Tensor, level: int) -> Tensor:
        """Chebyshev iteration from zero for eigenvalues of D^-1 A in [0.5, 2] (Saad, algorithm 12.1)."""
        upper, lower = 2.0, 0.5
        centre, radius = (upper + lower) / 2, (upper - lower) / 2
        inverse_diagonal = self._inverse_diagonals[level]
        ratio = radius / centre
        update = inverse_diagonal * residual / centre
        correction = update
        for _ in range(self.smoothing_steps - 1):
            residual = residual - self.operators[level](update)
            new_ratio = 1 / (2 * centre / radius - ratio)
            update = new_ratio * ratio * update + 2 * new_ratio / radius * inverse_diagonal * residual
            ratio = new_ratio
            correction = correction + update
        return correction
