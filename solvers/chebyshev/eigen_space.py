"""Coefficients in the eigenvectors of the Laplacian with the boundary conditions of a problem."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Grid
from solvers.chebyshev.boundary_closure import BoundaryClosure, FaceCondition
from solvers.chebyshev.fast_diagonalisation import FastDiagonalisation
from solvers.chebyshev.steady_lift import SteadyLift
from solvers.chebyshev.tensor_products import apply_along, apply_to_all


class EigenSpace:
    """Values on a tensor grid as a lift with the boundary data, plus a sum of eigenvectors.

    Args:
        grid: Chebyshev and periodic axes.
        faces: Conditions of the Chebyshev axes, constant along each face but for the data.
        device: Where the values live.
    """

    def __init__(
        self, grid: Grid, faces: dict[int, tuple[FaceCondition, FaceCondition]], device: torch.device
    ) -> None:
        """Prepare the matrices of both ways."""
        self.product_grid = grid
        self.closure = BoundaryClosure(grid, faces, device)
        self.fast = FastDiagonalisation(grid, faces, device)
        self.lift = SteadyLift(self.closure, self.fast)
        self._synthesis = [
            completion @ vectors
            for completion, vectors in zip(self.fast.completions, self.fast.vectors, strict=True)
        ]

    @property
    def wavenumbers(self) -> tuple[Tensor, ...]:
        """Position of each eigenvector in its axis, from smooth to rough, shaped to broadcast to a state."""
        result = []
        for number, eigenvalues in enumerate(self.fast.eigenvalues):
            position = (-eigenvalues).argsort().argsort().double()
            result.append(position.reshape(-1, *(1,) * (self.product_grid.dimension - 1 - number)))
        return tuple(result)

    def to_grid(self, state: Float[Tensor, "... *inner"]) -> Float[Tensor, "... *shape"]:
        """Values at all points; they meet the boundary conditions."""
        return self.lift.values + apply_to_all(self._synthesis, state)

    def to_state(self, values: Float[Tensor, "... *shape"]) -> Float[Tensor, "... *inner"]:
        """Coefficients of the difference of values and lift; the values on the faces do not matter."""
        return self.rate_to_state(values - self.lift.values)

    def rate_to_state(self, values: Float[Tensor, "... *shape"]) -> Float[Tensor, "... *inner"]:
        """Coefficients of values at the inner points, no lift subtracted: of a rate of change."""
        return self.fast.to_coefficients(self.closure.inner(values))

    def derivative(
        self, values: Float[Tensor, "... *shape"], number: int, order: int
    ) -> Float[Tensor, "... *shape"]:
        """Derivative along an axis by its number."""
        matrix = (self.closure.first if order == 1 else self.closure.second)[number]
        return apply_along(matrix, values, number - self.product_grid.dimension)
