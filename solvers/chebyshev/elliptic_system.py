"""An elliptic problem collocated on a tensor grid."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from pdeops.domains import Field, Grid
from pdeops.problems import EllipticProblem
from solvers.chebyshev.boundary_closure import BoundaryClosure, face_conditions
from solvers.chebyshev.fast_diagonalisation import FastDiagonalisation
from solvers.chebyshev.linear_elliptic import LinearElliptic
from solvers.chebyshev.resolution import spectral_tail
from solvers.chebyshev.tensor_products import apply_along

UNRESOLVED = 0.03
"""Highest coefficients of the diffusion, relative to the largest, above which its gradient means nothing."""


class EllipticSystem:
    r"""The equation :math:`-\Delta u - \nabla \log a \cdot \nabla u + g(u)/a = f/a` at the inner points.

    Args:
        problem: The equation and its boundary conditions.
        inputs: Inputs by name, on the grid.
        grid: Chebyshev and periodic axes.

    Raises:
        ValueError: A coefficient of diffusion is not positive or not resolved, or a coefficient or source is
            not finite.
    """

    def __init__(self, problem: EllipticProblem, inputs: dict[str, Field], grid: Grid) -> None:
        """Evaluate the coefficients."""
        self.problem, self.inputs, self.grid = problem, inputs, grid
        self.diffusion = self._values("diffusion", problem.diffusion)
        bad = torch.nonzero((self.diffusion <= 0).flatten(1).any(1)).flatten().tolist()
        if bad:
            raise ValueError(
                f"{problem.name}: expected a positive diffusion, got "
                f"{self.diffusion.min().item():g} in samples {bad}"
            )
        tail = spectral_tail(self.diffusion, grid)
        rough = torch.nonzero(tail > UNRESOLVED).flatten().tolist()
        if rough:
            raise ValueError(
                f"{problem.name}: expected a diffusion that the grid resolves, got highest coefficients of "
                f"{tail.max().item():.2g} of the largest in samples {rough}; try more points, or finite "
                "volumes or elements where the diffusion jumps"
            )
        self.source = self._values("source", problem.source)
        device = self.diffusion.device
        faces = face_conditions(problem, grid, self.diffusion)
        self.closure = BoundaryClosure(grid, faces, device)
        self.fast = FastDiagonalisation(grid, faces, device)
        self.drift = self._drift()
        self.is_closed = all(side.is_neumann for sides in faces.values() for side in sides)

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return len(self.diffusion)

    def linearised(
        self,
        unknown: Float64[Tensor, "batch *shape"] | None = None,
        is_flow: Bool[Tensor, " batch"] | None = None,
    ) -> LinearElliptic:
        """The linear operator; for a nonlinear reaction the derivative of the equation.

        Args:
            unknown: Values of u at all points; None for a linear reaction.
            is_flow: Samples whose reaction is raised by a constant until it is nowhere negative: with this
                operator in place of the Jacobian, a step goes down the energy of the problem.

        Returns:
            The operator with homogeneous conditions.
        """
        slope = self._values("reaction", self.problem.reaction_slope, unknown)
        reaction = self.closure.inner(slope / self.diffusion)
        if is_flow is not None:
            lowest = reaction.flatten(1).amin(dim=1).clamp_max(0.0)
            raised = torch.where(is_flow, -lowest, 0.0)
            reaction = reaction + raised.reshape(-1, *(1,) * self.grid.dimension)
        singular = self.is_closed and bool((reaction == 0).all())
        return LinearElliptic(self.closure, self.fast, self.drift, reaction, singular=singular)

    def right_side(self, operator: LinearElliptic) -> Float64[Tensor, "batch *inner"]:
        """Source, constant part of a linear reaction, and boundary data, moved to the right."""
        constant = self._values("reaction", self.problem.reaction_at_zero)
        load = self.closure.inner((self.source - constant) / self.diffusion)
        return load - operator.forward(torch.zeros_like(load), self.closure)

    def residual(self, inner: Float64[Tensor, "batch *inner"]) -> Float64[Tensor, "batch *inner"]:
        """Left minus right side at the inner points, for any reaction."""
        zero = LinearElliptic(self.closure, self.fast, self.drift, torch.zeros_like(inner))
        reaction = self._values("reaction", self.problem.reaction, self.closure.complete(inner))
        return zero.forward(inner, self.closure) + self.closure.inner(
            (reaction - self.source) / self.diffusion
        )

    def imbalance(self) -> tuple[Tensor, Tensor]:
        r"""What source and fluxes bring in, :math:`\int f - g(0) + \oint q`, and the sum of their sizes.

        Returns:
            Both a sample, shape (batch,).
        """
        constant = self._values("reaction", self.problem.reaction_at_zero)
        weights = self.grid.quadrature_weights.to(self.source)
        load = (self.source - constant).flatten(1)
        total, size = load @ weights.flatten(), load.abs() @ weights.flatten()
        for number, sides in self.closure.faces.items():
            axis = self.grid.axes[number]
            for position, side in zip((0, -1), sides, strict=True):
                face = weights.select(number, position).flatten() / axis.weights[position].item()
                total = total + side.data.flatten(1) @ face
                size = size + side.data.flatten(1).abs() @ face
        return total, size

    def _drift(self) -> tuple[Tensor, ...]:
        spread = self.diffusion.flatten(1)
        if bool((spread.amax(dim=1) - spread.amin(dim=1) <= 1e-14 * spread.amax(dim=1)).all()):
            return ()
        dimension = self.grid.dimension
        return tuple(
            self.closure.inner(apply_along(first, self.diffusion, number - dimension) / self.diffusion)
            for number, first in enumerate(self.closure.first)
        )

    def _values(self, name: str, expression: object, unknown: Tensor | None = None) -> Tensor:
        values = self.problem.coefficient_values(expression, self.inputs, self.grid, unknown=unknown)
        # A nonlinear reaction may overflow at a trial step of Newton's method, which is then damped.
        bad = torch.nonzero(~torch.isfinite(values).flatten(1).all(1)).flatten().tolist()
        if bad and unknown is None:
            raise ValueError(
                f"{self.problem.name}: expected a finite {name}, got NaN or infinity in samples {bad}"
            )
        return values
