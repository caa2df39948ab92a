"""What a Gaussian process knows of a solution: mean and standard deviation, anywhere, with derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import scipy.fft
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Field, Grid
from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.kernel_factor import along
from pdeops.gp.tensor_collocation import (
    ROUNDING,
    Collocated,
    LinearisedSystem,
    TensorCollocation,
    weighted_sum,
)

NOISE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Posterior:
    """Mean and uncertain directions of one solution.

    Args:
        bases: Functions of each axis.
        coefficients: Of the mean, shape (*ranks).
        drawn: Waves of draws from the prior, shape (draws, *waves), see `draw_errors`.
        solved: Coefficients of the solutions for their data, shape (draws, *ranks).
    """

    bases: tuple[AxisBasis, ...]
    coefficients: Float64[Tensor, "*ranks"]
    drawn: Float64[Tensor, "draws *waves"]
    solved: Float64[Tensor, "draws *ranks"]

    def mean(
        self,
        grid: Grid,
        orders: Sequence[int] | None = None,
        times: Float64[Tensor, " time"] | None = None,
    ) -> Float64[Tensor, "..."]:
        """Mean of the solution, or of a derivative, on any grid within the box.

        Args:
            grid: Where; only its points matter. All coordinates, or those of space if there are times.
            orders: Order of the derivative along each axis, the time first if there are times; values by
                default.
            times: When.

        Returns:
            Values at the points of the grid, shape (*shape), or (time, *shape) with times.
        """
        return summed(self.bases, places(grid, times), self.coefficients[None], orders)[0]

    def standard_deviation(
        self,
        grid: Grid,
        orders: Sequence[int] | None = None,
        times: Float64[Tensor, " time"] | None = None,
    ) -> Float64[Tensor, "..."]:
        """Posterior standard deviation, see `mean`.

        Its own relative error is about one over the root of twice the number of draws.
        """
        points = places(grid, times)
        found = summed(self.bases, points, self.solved, orders)
        drawn = summed(self.bases, points, self.drawn, orders, AxisBasis.waves)
        return (found - drawn).square().mean(dim=0).sqrt()


def summed(
    bases: Sequence[AxisBasis],
    points: Sequence[Tensor],
    coefficients: Tensor,
    orders: Sequence[int] | None = None,
    functions: Callable[[AxisBasis, Tensor, int], Tensor] = AxisBasis.at,
) -> Tensor:
    """Sum over the functions of each axis, at a tensor grid of points.

    Args:
        bases: Functions of each axis.
        points: Points of each coordinate.
        coefficients: Shape (any, *ranks).
        orders: Order of the derivative along each axis; values by default.
        functions: `AxisBasis.at`, or `AxisBasis.waves` for coefficients of these.

    Returns:
        Values, shape (any, *points).
    """
    orders = orders or [0] * len(points)
    for number, (place, basis, order) in enumerate(zip(points, bases, orders, strict=True)):
        coefficients = along(functions(basis, place, order).to(coefficients), coefficients, number + 1)
    return coefficients


def places(grid: Grid, times: Tensor | None) -> list[Tensor]:
    """Points of each coordinate, the times first where there are any."""
    points = [axis.points for axis in grid.axes]
    return points if times is None else [times.detach().to("cpu", torch.float64), *points]


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


def residual_sizes(residual: Float64[Tensor, "*shape"]) -> Float64[Tensor, " 2"]:
    """Norm of a residual, and of its waves over the squares of their numbers: about what it does to u.

    Args:
        residual: The equation's residual at the points of a grid.

    Returns:
        Both norms.
    """
    waves = torch.from_numpy(scipy.fft.dctn(residual.cpu().numpy(), norm="ortho"))
    squares = torch.zeros_like(waves)
    for number, count in enumerate(waves.shape):
        halves = torch.arange(count, dtype=torch.float64) + 0.5
        squares += halves.square().reshape([-1 if n == number else 1 for n in range(waves.ndim)])
    return torch.stack([waves.norm(), (waves / squares).norm()])


def draw_errors(
    collocation: TensorCollocation, found: Collocated, draws: int, seed: int
) -> tuple[Float64[Tensor, "draws *waves"], Float64[Tensor, "draws *ranks"]]:
    r"""Draws from the prior, and what the solver makes of their data.

    A draw has all waves of the prior, also those that the functions leave out. Its source and its boundary
    data go through the linearised solve as those of the problem did. Its error is scaled by how much larger
    the misfit of the problem is than that of the draw: so a solution that the prior holds for unlikely has
    wide intervals. "Larger" by that of `residual_sizes`, or of what is missed on the faces, which says most over all
    draws: a solution that is smoother than the prior has its misfit in slower waves, and these make larger
    errors. Noise of the size of
    rounding in the source is added: the phase of its fastest wave, in units of the last place, and one number
    for all points of the same coordinate, for they share the rounding of its waves.

    Args:
        collocation: Functions and equation.
        found: The solution.
        draws: Number of draws.
        seed: Of the draws.

    Returns:
        Coefficients of the waves of each draw and of the solution for its data, both scaled.

    Good values: 32 draws: deviations to 13 %.

    Failure mode: One solve has one error, smooth over the box: coverage is near its level over many problems,
        and may be anything for one. Over many, deviations are about one and a half times the error; where the
        error is a tenth of the solution or more they mean nothing.

    Source: Matheron's rule, Wilson et al. (2021), arXiv:2011.04026.
    """
    generator = torch.Generator().manual_seed(seed)
    values = collocation.derivatives(found.coefficients)
    slopes = collocation.equation.jacobian(values)
    system = LinearisedSystem(collocation, slopes)
    largest = max((slopes[orders] * values[orders]).square().mean().sqrt().item() for orders in slopes)
    phase = max(
        (basis.speeds.max() * (basis.points[-1] - basis.points[0])).item() for basis in collocation.bases
    )
    rounding = min(ROUNDING * phase / math.sqrt(12) * largest, found.noise)

    residual = collocation.equation.residual(values)
    floor = found.noise / max(residual.square().mean().sqrt().item(), 1e-300)
    sizes = floor * residual_sizes(residual)
    counts = [basis.num_waves for basis in collocation.bases]
    missed, seen = collocation.missed(collocation.faces)
    # A remainder of the size of rounding says nothing.
    missed = missed if missed > 10 * ROUNDING * seen else 0.0
    drawn, solved, responses, ratios = [], [], [], []
    for _ in range(draws):
        waves = torch.randn(counts, generator=generator, dtype=torch.float64).to(found.coefficients)
        source = weighted_sum(slopes, collocation.wave_derivatives(waves))
        faces = collocation.wave_faces(waves)
        coefficients = collocation.lifted(collocation.on_functions(faces))
        for _ in range(2):  # as in `TensorCollocation.solve`
            left = source - weighted_sum(slopes, collocation.derivatives(coefficients))
            coefficients = coefficients + collocation.spread(system.solve(collocation.tested(left)))
        left = source - weighted_sum(slopes, collocation.derivatives(coefficients))
        noise = torch.zeros_like(source)
        for number, count in enumerate(source.shape):
            line = rounding * torch.randn(count, generator=generator, dtype=torch.float64).to(source)
            noise += line.reshape([-1 if n == number else 1 for n in range(source.ndim)])
        response = collocation.spread(system.solve(collocation.tested(noise), NOISE_TOLERANCE))
        drawn.append(waves)
        solved.append(coefficients)
        responses.append(response)
        own, size = collocation.missed(faces)
        ratio = missed / max(own, ROUNDING * size, 1e-300)
        ratios.append(torch.cat([sizes / residual_sizes(left), sizes.new_tensor([ratio])]))
    both = torch.stack(ratios)
    chosen = both[:, both.square().sum(dim=0).argmax()].to(found.coefficients)
    scale = chosen.reshape(-1, *[1] * found.coefficients.ndim)
    return scale * torch.stack(drawn), scale * torch.stack(solved) + torch.stack(responses)
