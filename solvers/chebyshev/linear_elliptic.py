"""The linear elliptic operator on the inner points of a tensor grid, and its inverse."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from solvers.chebyshev.boundary_closure import BoundaryClosure
from solvers.chebyshev.fast_diagonalisation import FastDiagonalisation
from solvers.chebyshev.gmres import GMRESResult, batched_gmres
from solvers.chebyshev.tensor_products import apply_along

GAP = 0.5
MOST_MOVES = 20
"""Eigenvalues of the preconditioner are kept this far from zero, in units of one over the side squared, where
they are 12 apart on average in two dimensions; so that one or two moves of the shift are enough."""


class LinearElliptic:
    r"""The operator :math:`-\Delta u - b \cdot \nabla u + r u` with its boundary conditions.

    An equation :math:`-\nabla \cdot (a \nabla u) + c\, u = f` has this form after division by a, with
    :math:`b = \nabla \log a` and :math:`r = c / a`. The fast inverse of :math:`\sigma - \Delta` then
    differs from the exact one by lower derivatives only, so that GMRES converges ever faster, in a number
    of iterations that does not depend on the grid and only weakly on the contrast of a. Sigma is the mean
    of r, also where that is negative (Helmholtz).

    Args:
        closure: The conditions; only their homogeneous part enters `apply`.
        fast: The basis of the Laplacian with these conditions.
        drift: The components of b (1 / length) at inner points, shape (batch, *inner) each; empty for a
            constant a.
        reaction: r (1 / length^2), same shape.
        singular: Whether constants are in the null space; they are then pinned: one times the mean of u over
            the unknowns is added, and the caller chooses the mean.
    """

    def __init__(
        self,
        closure: BoundaryClosure,
        fast: FastDiagonalisation,
        drift: tuple[Float64[Tensor, "batch *inner"], ...],
        reaction: Float64[Tensor, "batch *inner"],
        *,
        singular: bool = False,
    ) -> None:
        """Choose the shift of the preconditioner."""
        self.closure = closure
        self.homogeneous = closure.homogeneous
        self.fast = fast
        self.drift = drift
        self.reaction = reaction
        self.singular = singular
        self.is_constant = self._is_constant()
        self.shift = reaction.flatten(1).mean(dim=1)
        if not self.is_constant and not singular:
            self.shift = self._away_from_resonance(self.shift)

    def apply(self, values: Float64[Tensor, "batch *inner"]) -> Float64[Tensor, "batch *inner"]:
        """The operator with homogeneous conditions."""
        result = self.forward(values, self.homogeneous)
        if self.singular:
            result = result + values.flatten(1).mean(dim=1).reshape(-1, *(1,) * (values.ndim - 1))
        return result

    def forward(
        self, values: Float64[Tensor, "batch *inner"], closure: BoundaryClosure
    ) -> Float64[Tensor, "batch *inner"]:
        """The operator with the conditions of a closure, data included."""
        result = self.reaction * values
        dimension = closure.grid.dimension
        for number in range(dimension):
            dim = number - dimension
            lines = closure.lines(values, number)
            rows = slice(1, -1) if number in closure.faces else slice(None)
            result = result - apply_along(closure.second[number][rows], lines, dim)
            if self.drift:
                result = result - self.drift[number] * apply_along(closure.first[number][rows], lines, dim)
        return result

    def precondition(self, values: Float64[Tensor, "batch *inner"]) -> Float64[Tensor, "batch *inner"]:
        """The fast inverse of the constant part; exact up to rounding where `is_constant`."""
        return self.fast.solve(values, self.shift, self.singular)

    def solve(
        self,
        right_side: Float64[Tensor, "batch *inner"],
        *,
        tolerance: float,
        max_iterations: int,
        restart: int = 80,
    ) -> GMRESResult:
        """Solve with homogeneous conditions.

        Args:
            right_side: Right side at inner points.
            tolerance: See `batched_gmres`.
            max_iterations: Likewise.
            restart: Likewise.

        Returns:
            The solution; one iteration is enough where the coefficients are constant, a second one removes
            rounding.
        """
        return batched_gmres(
            self.apply,
            right_side,
            self.precondition,
            tolerance=tolerance,
            max_iterations=max_iterations,
            restart=restart,
        )

    def _is_constant(self) -> bool:
        spread = self.reaction.flatten(1)
        varies = (spread.amax(dim=1) - spread.amin(dim=1)) > 1e-14 * spread.abs().amax(dim=1)
        same = all(side.is_constant for sides in self.closure.faces.values() for side in sides)
        return not self.drift and same and not bool(varies.any())

    def _away_from_resonance(self, shift: Tensor) -> Tensor:
        """Move a shift that makes an eigenvalue of the preconditioner nearly zero; it need not be exact."""
        gap = GAP / max(axis.length for axis in self.closure.grid.axes) ** 2
        symbol = self.fast.symbol().flatten()
        for _ in range(MOST_MOVES):
            too_close = (shift[:, None] - symbol).abs().amin(dim=1) < gap
            if not bool(too_close.any()):
                break
            shift = torch.where(too_close, shift + 2 * gap, shift)
        return shift
