"""What every classical solver takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.problems import Problem


class SolveStatus(StrEnum):
    """How a solve ended; `diagnosis` says what to look at."""

    CONVERGED = "converged"
    UNDER_RESOLVED = "under_resolved"
    STEP_LIMIT = "step_limit"
    ITERATION_LIMIT = "iteration_limit"
    STAGNATION = "stagnation"
    BLOW_UP = "blow_up"
    BREAKDOWN = "breakdown"
    SINGULAR = "singular"

    @property
    def diagnosis(self) -> str:
        """What the status means and the usual causes."""
        return _DIAGNOSES[self]


_DIAGNOSES = {
    SolveStatus.CONVERGED: "the tolerance was met, or all steps of a given size were made with finite values",
    SolveStatus.UNDER_RESOLVED: (
        "the steps are accurate, but the shortest waves of the grid are too strong for a right field: "
        "(a) try more points; (b) a larger viscosity or diffusivity; (c) for shocks, a finite volume solver"
    ),
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
        "the residual of the solution no longer falls and is more than ten times the tolerance: (a) rounding "
        "sets the limit, so try a larger tolerance; (b) Newton's method is near a turning point of the "
        "solutions or a local minimum of the residual, so try more points or a smaller nonlinearity"
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
    SolveStatus.SINGULAR: (
        "the matrix has no inverse to rounding: (a) the boundary conditions leave a constant or a motion "
        "free, so fix it on some part; (b) a reaction coefficient hits an eigenvalue (resonance), so change "
        "it a little"
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
        solver: Name of the method, set by `solvers.solve`.
    """

    status: SolveStatus
    message: str
    seconds: float
    num_steps: Tensor | None = None
    error_estimate: Tensor | None = None
    iterations: Tensor | None = None
    residual_history: Tensor | None = None
    solver: str = ""


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

    def solved_by(self, solver: Solver) -> Solution:
        """The same solution with the name of its solver in the report."""
        return replace(self, report=replace(self.report, solver=type(solver).__name__))


class Solver(ABC):
    """A numerical method. Subclasses are frozen dataclasses whose fields are the numerical settings.

    `time_order` and `space_order` declare the order of convergence in the L2 norm for smooth data, None where
    the method has no time or space to refine, `math.inf` for faster than any power; the tests measure the
    slope.
    """

    time_order: ClassVar[float | None]
    space_order: ClassVar[float | None]

    @abstractmethod
    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Why the method cannot solve a problem on a domain.

        Args:
            problem: Equation, parameters and boundary conditions.
            domain: One that the problem can be posed on.

        Returns:
            The reason in words ("expected periodic axes, got nodes for 'x'"), or None if it can.
        """

    def prefers(self, problem: Problem, domain: Domain) -> bool:
        """Whether to take this method before those that stand before it in the catalogue; rarely so.

        Args:
            problem: See `unsuited`.
            domain: See `unsuited`.

        Returns:
            Whether the methods before it could solve the problem, but badly (shocks by Fourier waves).
        """
        return False

    def check(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None
    ) -> None:
        """Check everything that `solve` is given; every `solve` begins with it.

        Args:
            problem: See `solve`.
            inputs: See `solve`.
            domain: See `solve`.
            times: See `solve`.

        Raises:
            ValueError: The problem cannot be posed on the domain, the method does not fit, inputs are
                missing or live elsewhere, times are missing, not ascending, or given to a steady problem.
        """
        problem.check_domain(domain)
        reason = self.unsuited(problem, domain)
        if reason is not None:
            raise ValueError(f"{type(self).__name__} for {problem.name}: {reason}; try another solver")
        problem.check_inputs(inputs)
        sizes = {name: len(checked_values(problem, name, inputs, domain)) for name in inputs}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"{problem.name}: expected as many samples of every input, got {sizes}")
        if problem.steady and times is not None:
            raise ValueError(
                f"{problem.name}: expected times=None for a steady problem, got {times.tolist()}"
            )
        if not problem.steady:
            checked_times(times)

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


def checked_times(times: Tensor | None) -> Float64[Tensor, " time"]:
    """Output times in float64 on the CPU.

    Args:
        times: Output times.

    Returns:
        The same times.

    Raises:
        ValueError: They are missing, not finite, negative, or not ascending.
    """
    if times is None:
        raise ValueError(
            "expected output times for a time-dependent problem, got None; try torch.tensor([1.0])"
        )
    if not isinstance(times, Tensor):
        raise TypeError(f"expected times as a tensor, got a {type(times).__name__}; try torch.tensor([1.0])")
    checked = times.detach().to("cpu", torch.float64)
    if checked.ndim != 1 or len(checked) == 0:
        raise ValueError(
            f"expected times of shape (time,), got {tuple(times.shape)}; try torch.tensor([1.0])"
        )
    if not torch.isfinite(checked).all() or checked[0] < 0 or (checked.diff() <= 0).any():
        raise ValueError(f"expected finite, ascending times from 0 on, got {checked.tolist()}")
    return checked


def checked_values(
    problem: Problem, name: str, inputs: Mapping[str, Field], domain: Domain
) -> Float64[Tensor, "batch *shape"]:
    """The values of one input in float64, after checking that they can be solved for.

    Args:
        problem: Names the inputs.
        name: The input wanted.
        inputs: Input fields by name.
        domain: The domain asked for.

    Returns:
        Values (batch, *domain.shape).

    Raises:
        ValueError: The input is missing, lives elsewhere, or holds values that are not finite.
    """
    if name not in inputs:
        raise ValueError(f"{problem.name}: expected an input {name!r}, got {sorted(inputs)}")
    given = inputs[name]
    if given.domain != domain:
        raise ValueError(
            f"{problem.name}: expected {name!r} on the domain asked for, {domain}, got it on {given.domain}; "
            "try field.resample(domain)"
        )
    values = given.values[:, 0].to(torch.float64)
    bad = torch.nonzero(~torch.isfinite(values).flatten(1).all(1)).flatten().tolist()
    if bad:
        raise ValueError(
            f"{problem.name}: expected finite values of {name!r}, got NaN or infinity in samples {bad}"
        )
    return values


def initial_values(
    problem: Problem, inputs: Mapping[str, Field], domain: Domain
) -> Float64[Tensor, "batch channels *shape"]:
    """The initial values of a time-dependent problem's outputs: its initial inputs, or zeros.

    Args:
        problem: Names inputs and outputs.
        inputs: Input fields by name.
        domain: The domain asked for.

    Returns:
        Values (batch, channels, *domain.shape).

    Raises:
        ValueError: See `checked_values`.
    """
    names = problem.initial_inputs
    if not names:
        given = checked_values(problem, problem.inputs[0].name, inputs, domain)
        return given.new_zeros(len(given), len(problem.outputs), *domain.shape)
    return torch.stack([checked_values(problem, name, inputs, domain) for name in names], dim=1)


def static_inputs(problem: Problem) -> list[str]:
    """Names of the inputs that are no initial values: known functions of space."""
    return [variable.name for variable in problem.inputs if variable.name not in problem.initial_inputs]
