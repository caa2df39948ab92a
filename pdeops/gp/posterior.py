"""What a Gaussian process knows of a solution: its mean and standard deviation, anywhere, with derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Field, Grid
from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.kernel_factor import along
from pdeops.gp.tensor_collocation import ROUNDING, Collocated, LinearisedSystem, TensorCollocation

SAMPLE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Posterior:
    """Mean and uncertain directions of one solution.

    Args:
        bases: Functions of each axis.
        coefficients: Of the mean, shape (*ranks).
        deviations: Draws from the posterior minus the mean, shape (draws, *ranks).
    """

    bases: tuple[AxisBasis, ...]
    coefficients: Float64[Tensor, "*ranks"]
    deviations: Float64[Tensor, "draws *ranks"]

    def mean(self, grid: Grid, orders: Sequence[int] | None = None) -> Float64[Tensor, " *shape"]:
        """Mean of the solution, or of a derivative, on any grid within the box.

        Args:
            grid: Where; only its points matter.
            orders: Order of the derivative along each axis; values by default.

        Returns:
            Values at the points of the grid.
        """
        return self._on(grid, orders, self.coefficients[None])[0]

    def standard_deviation(self, grid: Grid, orders: Sequence[int] | None = None) -> Float64[Tensor, " *shape"]:
        """Posterior standard deviation, see `mean`; its own relative error is about one over the root of
        twice the number of draws."""
        return self._on(grid, orders, self.deviations).square().mean(dim=0).sqrt()

    def _on(self, grid: Grid, orders: Sequence[int] | None, coefficients: Tensor) -> Tensor:
        orders = orders or [0] * grid.dimension
        for number, (axis, basis, order) in enumerate(zip(grid.axes, self.bases, orders, strict=True)):
            coefficients = along(basis.at(axis.points, order).to(coefficients), coefficients, number + 1)
        return coefficients


@dataclass(frozen=True, eq=False)
class GaussianProcessReport:
    """How a solve ended, as `SolveReport` of the classical solvers has it.

    Args:
        status: ``"converged"`` or ``"iteration_limit"``.
        message: One sentence with the numbers.
        seconds: Wall time.
        iterations: Newton steps, shape (batch,).
        residual_history: Relative residual norm, shape (steps + 1, batch).
    """

    status: str
    message: str
    seconds: float
    iterations: Tensor
    residual_history: Tensor


@dataclass(frozen=True, eq=False)
class GaussianProcessSolution(Field):
    """Mean of the posterior on the grid asked for, with what else is known.

    Args:
        values: See `Field`.
        domain: See `Field`.
        channels: See `Field`.
        units: See `Field`.
        times: See `Field`.
        standard_deviation: Posterior standard deviation on the same grid.
        posteriors: One a sample: mean and deviation anywhere, with derivatives.
        report: How the solve ended.
    """

    standard_deviation: Field | None = None
    posteriors: tuple[Posterior, ...] = ()
    report: GaussianProcessReport | None = None


def draw_deviations(
    collocation: TensorCollocation, found: Collocated, draws: int, seed: int
) -> Float64[Tensor, "draws *ranks"]:
    r"""Draws from the posterior minus its mean.

    The residual that is left at the points of the grid is taken for noise of the equation, white, and what
    the functions leave of the boundary data for noise of that; the linearised solve maps noise to solutions.
    This is the posterior for the noise precision that is most likely, in the limit of a wide prior: exact for
    linear problems, Laplace's approximation for others. No covariance matrix is formed.

    Args:
        collocation: Functions and equation.
        found: The solution.
        draws: Number of draws.
        seed: Of the noise.

    Returns:
        Coefficients of the draws.

    Good values: 64 draws: deviations to 9 %.

    Failure mode: A residual that is not white (a solution that the functions cannot say) is underestimated.
    """
    generator = torch.Generator().manual_seed(seed)
    derivatives = collocation.derivatives(found.coefficients)
    coefficients = collocation.equation.jacobian(derivatives)
    system = LinearisedSystem(collocation, coefficients)
    scale = ROUNDING * found.coefficients.abs().max().item()
    result = []
    for _ in range(draws):
        faces = [
            torch.randn(condition.data.shape, generator=generator, dtype=torch.float64)
            * max(condition.misfit, scale)
            for condition in collocation.conditions
        ]
        lifted = collocation.lifted(faces)
        noise = torch.randn(collocation.grid.shape, generator=generator, dtype=torch.float64) * found.noise
        moved = collocation.derivatives(lifted)
        terms = [coefficients[orders] * moved[orders] for orders in coefficients]
        right = noise.to(found.coefficients) - torch.stack(terms).sum(dim=0)
        tested = collocation.tested(right)
        result.append(lifted + collocation.spread(system.solve(tested, SAMPLE_TOLERANCE)))
    return torch.stack(result)
