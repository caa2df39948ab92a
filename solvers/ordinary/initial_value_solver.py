"""Runge-Kutta steps from point to point of an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

import sympy
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field, Grid
from pdeops.domains.interpolation import interpolation_matrix
from pdeops.problems import OrdinaryProblem, Problem
from solvers.hyperbolic.compiled_law import TORCH_FUNCTIONS
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus, checked_values
from solvers.spectral.embedded_control import combination
from solvers.spectral.runge_kutta_tableau import DORMAND_PRINCE
from solvers.step_settings import check_step_settings

STAGES = len(DORMAND_PRINCE.weights) - 1
"""The last stage of the pair is the result; it has a weight in the embedded step only."""

ERROR_FACTOR = 2**DORMAND_PRINCE.order - 1
"""Halving the steps leaves 1/32 of the error: the change is 31 times that."""


@dataclass(frozen=True, kw_only=True)
class InitialValueSolver(Solver):
    r"""Solves :math:`s' = f(s, u(x), x)` from :math:`s = 0` where x begins.

    Between the points, the input is the not-a-knot cubic spline through its values on nodes, and the
    polynomial on Chebyshev points. The right-hand sides come from the problem's equations. Steps of the
    fifth-order method of Dormand and Prince cut every interval between two points into n equal parts: within
    one the spline is a polynomial, so no step crosses a point where the input is not smooth.

    For each sample on its own, :math:`n` and :math:`2n` are compared over the whole axis, and n is doubled
    until the largest difference, over 31, is at most `tolerance` times the largest value, for every output.
    That bounds the error of all steps together; what is left is the error of the interpolation, of order 4
    on nodes and spectral on Chebyshev points.

    Args:
        tolerance: Largest estimated relative error of the steps, at least 1e-12.
        max_steps: Most steps between two points.

    Raises:
        ValueError: A setting is out of its range.

    Good values: The defaults: inputs that the nodes resolve need 2 steps an interval.

    Failure mode: Explicit steps: an equation that is stiff takes many. A solution that leaves every bound has
    no steps that meet the tolerance; the error names the samples.

    Example:
        >>> from pdeops.problems import Antiderivative
        >>> exact = Antiderivative().exact_solutions()["wave"]
        >>> grid = exact.problem.default_domain((101,))
        >>> solution = InitialValueSolver().solve(exact.problem, exact.inputs(grid), grid)
        >>> bool(solution.relative_error(exact.solution(grid)) < 1e-6)
        True

    References:
        | J. R. Dormand, P. J. Prince, 1980, A family of embedded Runge-Kutta formulae,
        | doi:10.1016/0771-050X(80)90013-3
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = 4

    tolerance: float = 1e-10
    max_steps: int = 2**7

    def __post_init__(self) -> None:
        """Check the settings."""
        check_step_settings(None, self.tolerance, self.max_steps)

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Initial value problems in one coordinate; see `Solver.unsuited`."""
        if not isinstance(problem, OrdinaryProblem):
            return f"expected an initial value problem (OrdinaryProblem), got {type(problem).__name__}"
        return None

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of inputs, see `Solver.solve`.

        Raises:
            ValueError: Problem, domain or inputs do not fit, or times are given.
            SolverError: `max_steps` do not meet the tolerance, or values are not finite.
        """
        started = perf_counter()
        self.check(problem, inputs, domain, times)
        if not isinstance(problem, OrdinaryProblem) or not isinstance(domain, Grid):
            raise TypeError(f"expected an OrdinaryProblem on a Grid, got {type(problem).__name__}")
        given = {name: checked_values(problem, name, inputs, domain) for name in inputs}
        first = next(iter(given.values()))
        result = first.new_empty(len(first), len(problem.outputs), *domain.shape)
        num_steps = torch.zeros(len(first), dtype=torch.int64, device=first.device)
        estimate = first.new_zeros(len(first))
        members, steps = torch.arange(len(first), device=first.device), 1
        coarse = _march(problem, given, domain, steps)
        while len(members):
            steps *= 2
            fine = _march(problem, {name: item[members] for name, item in given.items()}, domain, steps)
            sizes = fine.abs().amax(2).clamp_min(1e-300)
            error = ((fine - coarse).abs().amax(2) / sizes).amax(1) / ERROR_FACTOR
            accepted = error <= self.tolerance  # false for NaN
            done = members[accepted]
            result[done], estimate[done] = fine[accepted], error[accepted]
            num_steps[done] = steps * (domain.num_points - 1)
            members, coarse = members[~accepted], fine[~accepted]
            if len(members) and 2 * steps > self.max_steps:
                raise _failure(problem, domain, members, coarse, steps, self.tolerance, started)
        seconds = perf_counter() - started
        average = num_steps.double().mean().item() if len(num_steps) else 0.0
        return Solution(
            values=result,
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=SolveReport(
                status=SolveStatus.CONVERGED,
                message=f"{len(result)} samples, {average:g} steps a sample on average, {seconds:.3g} s",
                seconds=seconds,
                num_steps=num_steps,
                error_estimate=estimate,
            ),
        )


def _march(
    problem: OrdinaryProblem, inputs: Mapping[str, Float64[Tensor, "batch points"]], grid: Grid, steps: int
) -> Float64[Tensor, "batch outputs points"]:
    """The outputs at all points, with so many equal steps between two of them."""
    (axis,) = grid.axes
    points = axis.points
    fractions = torch.arange(steps, dtype=torch.float64) / steps
    lengths = (points.diff()[:, None] / steps).expand(-1, steps).flatten()
    starts = (points[:-1, None] + points.diff()[:, None] * fractions).flatten()
    nodes = torch.tensor(DORMAND_PRINCE.nodes[:STAGES], dtype=torch.float64)
    places = (starts[:, None] + lengths[:, None] * nodes).flatten().clamp(axis.lower, axis.upper)
    device = next(iter(inputs.values())).device
    matrix = interpolation_matrix(axis, places).T.to(device)
    # One row a stage, so that the values of a batch lie side by side.
    rows = [(inputs[variable.name] @ matrix).T.contiguous() for variable in problem.inputs]
    sides = _compiled(problem)
    positions = places.to(device)

    def slope(state: Tensor, row: int) -> Tensor:
        values = sides(positions[row], *(item[row] for item in rows), *state)
        return torch.stack([torch.as_tensor(value).to(state).expand_as(state[0]) for value in values])

    state = torch.zeros(len(problem.outputs), rows[0].shape[1], dtype=torch.float64, device=device)
    frames = [state]
    for step, length in enumerate(lengths.tolist()):
        slopes: list[Tensor] = []
        for number in range(STAGES):
            row = DORMAND_PRINCE.stages[number]
            stage = state + length * combination(row, slopes) if slopes else state
            slopes.append(slope(stage, STAGES * step + number))
        state = state + length * combination(DORMAND_PRINCE.weights, slopes)
        if (step + 1) % steps == 0:
            frames.append(state)
    return torch.stack(frames, dim=-1).transpose(0, 1)


def _compiled(problem: OrdinaryProblem) -> Callable[..., list[Tensor | float]]:
    """The right-hand sides as a function of the coordinate, the inputs and the outputs, in this order."""
    variables = (*problem.inputs, *problem.outputs)
    symbols = {problem.function(item.name): sympy.Dummy(item.name, real=True) for item in variables}
    numbers = {problem.symbol(name): value for name, value in problem.numbers.items()}
    plain = [sympy.N(side.subs(symbols).subs(numbers)) for side in problem.right_hand_sides]
    return sympy.lambdify([*problem.space_symbols, *symbols.values()], plain, modules=[TORCH_FUNCTIONS])


def _failure(
    problem: OrdinaryProblem,
    grid: Grid,
    members: Tensor,
    values: Tensor,
    steps: int,
    tolerance: float,
    started: float,
) -> SolverError:
    """Why some samples have no solution: values that are not finite, or too large an estimate."""
    samples, seconds = members.tolist(), perf_counter() - started
    finite = torch.isfinite(values).all(dim=1)
    if bool(finite.all()):
        message = f"{steps} steps between points miss the tolerance {tolerance:g} in samples {samples}"
        return SolverError(SolveReport(SolveStatus.STEP_LIMIT, message, seconds))
    lost = ~finite.all(dim=1)
    (axis,) = grid.axes
    place = axis.points[int((~finite).any(0).nonzero()[0])].item()
    message = (
        f"{problem.name}: values are not finite from {axis.name} = {place:.4g} on in samples "
        f"{members[lost].tolist()}, the solution leaves every bound there"
    )
    return SolverError(SolveReport(SolveStatus.BLOW_UP, message, seconds))
