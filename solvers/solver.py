"""What every classical solver takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import StrEnum
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.problems import Problem


class SolveStatus(StrEnum):
    """How a solve ended; `diagnosis` says what to look at."""

    CONVERGED = "converged"
    STEP_LIMIT = "step_limit"
    ITERATION_LIMIT = "iteration_limit"
    STAGNATION = "stagnation"
    BLOW_UP = "blow_up"
    BREAKDOWN = "breakdown"

    @property
    def diagnosis(self) -> str:
        """What the status means and the usual causes."""
        return _DIAGNOSES[self]


_DIAGNOSES = {
    SolveStatus.CONVERGED: "the tolerance was met, or all steps of a given size were made with finite values",
    SolveStatus.STEP_LIMIT: (
        "halving the time step up to the limit did not meet the tolerance: (a) the solution is not resolved "
        "by the grid, so try more points; (b) the tolerance is near rounding, so try a larger one; (c) the "
        "output times are far apart, so try a larger max_steps"
    ),
    SolveStatus.ITERATION_LIMIT: (
        "the residual did not fall below the tolerance within the allowed iterations: (a) it fell steadily, "
        "so try a larger max_iterations; (b) it levelled off, so rounding sets the limit: try a larger "
        "tolerance; (c) it hardly fell, so the coefficient's contrast is too much for the preconditioner"
    ),
    SolveStatus.STAGNATION: (
        "the residual that the iteration updates met the tolerance, but the one computed from the solution "
        "is more than ten times larger: rounding sets the limit, so try a larger tolerance"
    ),
    SolveStatus.BLOW_UP: (
        "values became infinite or NaN: (a) the time step is too large for the nonlinear part, so try "
        "a smaller one or time_step=None; (b) the initial data is far larger than intended; (c) the grid "
        "does not resolve the solution, so try more points or a larger viscosity"
    ),
    SolveStatus.BREAKDOWN: (
        "a search direction has no positive energy: the matrix is not symmetric positive definite, so look "
        "for a coefficient that is not positive or not finite"
    ),
}


@dataclass(frozen=True, eq=False)
class SolveReport:
    """What a solve cost and how sure it is.

    Args:
        status: How it ended.
        message: One sentence with the numbers.
        seconds: Wall time.
        num_steps: Time steps a sample in the returned solution, shape (batch,), or None for a steady problem.
        error_estimate: Estimated relative L2 error in time a sample, shape (batch,): the sum of the estimates
            of the output intervals. None where no estimate was asked for.
        iterations: Iterations a sample, shape (batch,), or None for a time-dependent problem.
        residual_history: Relative residual norm, shape (iterations + 1, batch), or None for a time-dependent
            problem.
    """

    status: SolveStatus
    message: str
    seconds: float
    num_steps: Tensor | None = None
    error_estimate: Tensor | None = None
    iterations: Tensor | None = None
    residual_history: Tensor | None = None


class SolverError(RuntimeError):
    """A solve that gave no solution to be trusted; `report` says how far it came."""

    def __init__(self, report: SolveReport) -> None:
        """Join the message and the diagnosis of the status."""
        super().__init__(f"{report.status.value}: {report.message}; {report.status.diagnosis}")
        self.report = report


@dataclass(frozen=True, eq=False)
class Solution(Field):
    """A field that a solver made, with the report on how it was made.

    Args:
        values: See `Field`; float64.
        domain: See `Field`.
        channels: See `Field`.
        units: See `Field`.
        times: See `Field`.
        report: Status, cost and error estimate.
    """

    report: SolveReport = field(kw_only=True)


class Solver(ABC):
    """A numerical method. Subclasses are frozen dataclasses whose fields are the numerical settings.

    `time_order` and `space_order` declare the order of convergence in the L2 norm for smooth data, None where
    the method has no time or space to refine, `math.inf` for faster than any power; the tests measure the
    slope.
    """

    time_order: ClassVar[float | None]
    space_order: ClassVar[float | None]

    @abstractmethod
    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve the problem for a batch of inputs.

        Args:
            problem: Equation and physical parameters.
            inputs: Initial data or coefficients by name, all on `domain` and on one device; computed in
                float64.
            domain: Where the solution is wanted.
            times: Output times (time,), ascending, not negative; None for a steady problem.

        Returns:
            The solution on the device of the inputs, float64, sample by sample independent of the rest of the
            batch.

        Raises:
            ValueError: The problem, domain or times do not fit the method.
            SolverError: The method did not reach a solution.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """The numerical settings as plain values, with the name of the method: part of a data set's key."""
        if not is_dataclass(self):
            raise TypeError(f"expected {type(self).__name__} to be a dataclass; decorate it")
        return {"solver": type(self).__name__, **asdict(self)}


def input_values(
    problem: Problem, inputs: Mapping[str, Field], domain: Domain
) -> Float[Tensor, "batch *rest"]:
    """The values of a problem's only input in float64, after checking that they can be solved for.

    Args:
        problem: Names the input.
        inputs: Input fields by name.
        domain: The domain asked for.

    Returns:
        Values (batch, channels, *domain.shape).

    Raises:
        ValueError: The input is missing, lives elsewhere, or holds values that are not finite.
    """
    name = problem.inputs[0].name
    if name not in inputs:
        raise ValueError(f"{problem.name}: expected an input {name!r}, got {sorted(inputs)}")
    given = inputs[name]
    if given.domain != domain:
        raise ValueError(
            f"{problem.name}: expected {name!r} on the domain asked for, {domain}, got it on {given.domain}; "
            "try field.resample(domain)"
        )
    values = given.values.to(torch.float64)
    bad = torch.nonzero(~torch.isfinite(values).flatten(1).all(1)).flatten().tolist()
    if bad:
        raise ValueError(
            f"{problem.name}: expected finite values of {name!r}, got NaN or infinity in samples {bad}"
        )
    return values
