"""What a Gaussian process knows of a solution: mean and standard deviation, anywhere, with derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field, Grid
from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.error_draws import ErrorDraws
from pdeops.gp.kernel_factor import along


@dataclass(frozen=True, eq=False)
class Posterior:
    """Mean and uncertain directions of one solution.

    Args:
        bases: Functions of each axis.
        coefficients: Of the mean, shape (*ranks).
        errors: Draws of what the mean may be wrong by.
    """

    bases: tuple[AxisBasis, ...]
    coefficients: Float64[Tensor, "*ranks"]
    errors: ErrorDraws

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

        Raises:
            ValueError: There are other coordinates than the solution has, or points outside of its box.
        """
        return summed(self.bases, self._places(grid, times, orders), self.coefficients[None], orders)[0]

    def standard_deviation(
        self,
        grid: Grid,
        orders: Sequence[int] | None = None,
        times: Float64[Tensor, " time"] | None = None,
    ) -> Float64[Tensor, "..."]:
        """Posterior standard deviation, see `mean`.

        Its own relative error is about one over the root of twice the number of draws.
        """
        points = self._places(grid, times, orders)
        errors = summed(self.bases, points, self.errors.solutions, orders)
        errors -= summed(self.bases, points, self.errors.waves, orders, AxisBasis.waves)
        scales = self.errors.scales[min(sum(orders or ()), 1)]
        errors *= scales.reshape(-1, *[1] * len(points))
        errors += summed(self.bases, points, self.errors.responses, orders)
        return errors.square().mean(dim=0).sqrt()

    def _places(self, grid: Grid, times: Tensor | None, orders: Sequence[int] | None) -> list[Tensor]:
        """Points of each coordinate, the times first where there are any."""
        points = [axis.points for axis in grid.axes]
        if times is not None:
            points.insert(0, torch.as_tensor(times).detach().to("cpu", torch.float64))
        if len(points) != len(self.bases) or (orders is not None and len(orders) != len(points)):
            raise ValueError(
                f"a posterior of {len(self.bases)} coordinates: expected as many of grid and times, and as "
                f"many orders, got {len(points)} coordinates and orders {orders}; try times=solution.times "
                "for an equation in time"
            )
        for place, basis in zip(points, self.bases, strict=True):
            lower, upper = basis.reach
            slack = 1e-9 * (upper - lower)
            if bool((place < lower - slack).any() or (place > upper + slack).any()):
                raise ValueError(
                    f"a posterior on [{lower:g}, {upper:g}]: expected points within, got some from "
                    f"{place.min().item():g} to {place.max().item():g}; nothing is known there"
                )
        return points


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


@dataclass(frozen=True, eq=False)
class GaussianProcessReport:
    """How a solve ended, as `SolveReport` of the classical solvers has it.

    Args:
        status: ``"converged"``, or ``"under-resolved"`` where equation and conditions are not met.
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
        report: How the solve of the whole batch ended.
    """

    standard_deviation: Field | None = None
    posteriors: tuple[Posterior, ...] = ()
    report: GaussianProcessReport | None = None

    def to(
        self,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        non_blocking: bool = False,
    ) -> GaussianProcessSolution:
        """Move values and deviation; see `Field.to`. The posteriors stay."""
        values = self.values.to(device=device, dtype=dtype, non_blocking=non_blocking)
        spread = self.standard_deviation
        spread = None if spread is None else spread.to(device, dtype, non_blocking)
        return replace(self, values=values, standard_deviation=spread)

    def sample(self, index: int | slice | Tensor) -> GaussianProcessSolution:
        """Return some samples with their deviations and posteriors; see `Field.sample`."""
        index = slice(index, index + 1 or None) if isinstance(index, int) else index
        spread = None if self.standard_deviation is None else self.standard_deviation.sample(index)
        numbers = torch.arange(len(self.posteriors))[index.cpu() if isinstance(index, Tensor) else index]
        return replace(
            self,
            values=self.values[index],
            standard_deviation=spread,
            posteriors=tuple(self.posteriors[number] for number in numbers.tolist()),
        )

    def snapshot(self, index: int) -> GaussianProcessSolution:
        """Return the frame of one time with its deviation; see `Field.snapshot`."""
        spread = None if self.standard_deviation is None else self.standard_deviation.snapshot(index)
        values = super().snapshot(index).values
        return replace(self, values=values, times=None, standard_deviation=spread)

    def resample(self, domain: Domain) -> Field:
        """Return the mean on another domain, a plain `Field`: the posteriors know the deviation there."""
        if domain == self.domain:
            return self
        return Field(self.values, self.domain, self.channels, self.units, self.times).resample(domain)
