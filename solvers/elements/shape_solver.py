"""Finite elements for problems whose input is a shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar

import sympy
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field, Mesh
from pdeops.problems import Problem, ShapeProblem, evaluate
from solvers.elements.finite_element_solver import FiniteElementSolver
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus

if TYPE_CHECKING:
    from solvers.elements.elliptic_elements import ElementOutcome


@dataclass(frozen=True, kw_only=True)
class ShapeSolver(Solver):
    r"""Solves a `ShapeProblem` by finite elements, one shape after the other.

    The inner problem is solved on the image of the reference domain with quadratic elements
    (`FiniteElementSolver`). An output that is an unknown is given by its values at the points. One that
    depends on slopes, such as a stress, is computed at the points from gradients that are projected in L2 to
    continuous linear functions (`recovered_gradient`).

    The order is two: projected gradients of quadratic functions are of second order, and edges are straight,
    so walls that are curved are off by the square of an edge. There are no settings. A sample is one sparse
    elimination: 0.1 s of elasticity on 960 points, 0.2 s of Stokes flow on 65 x 33, 6 s on 129 x 129.

    Failure mode: Where the solution is singular (a clamped corner of an elastic body) the stress is
    unbounded, and its values at the points near by do not converge.

    References:
        | S. C. Brenner, L. R. Scott, 2008, The mathematical theory of finite element methods,
        | doi:10.1007/978-0-387-75934-0
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = 2

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Expects a `ShapeProblem`; see `Solver.unsuited`."""
        if not isinstance(problem, ShapeProblem):
            return f"expected a problem whose input is a shape, got {type(problem).__name__}"
        return FiniteElementSolver().unsuited(problem.equation, domain)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of shapes, see `Solver.solve`.

        Raises:
            ImportError: scikit-fem is not installed.
            ValueError: The problem is not fit, or cells of an image overlap; the message names the sample.
            SolverError: A matrix is singular; the message names the sample.
        """
        self.check(problem, inputs, domain, times)
        assert isinstance(problem, ShapeProblem)  # checked just now; for the type checker
        started = perf_counter()
        first = next(iter(inputs.values()))
        values, residuals = [], []
        for sample in range(first.batch_size):
            try:
                outcome = solve_on(problem.equation, problem.image(inputs, sample))
            except ValueError as error:
                raise ValueError(f"{problem.name}: sample {sample}: {error}") from None
            except SolverError as error:
                message = f"{problem.name}: sample {sample}: {error.report.message}"
                raise SolverError(
                    SolveReport(error.report.status, message, perf_counter() - started)
                ) from None
            values.append(observed(problem, outcome))
            residuals.append(outcome.residuals[0][-1])
        report = SolveReport(
            status=SolveStatus.CONVERGED,
            message=f"{len(values)} shapes, relative residual at most {max(residuals):.2e}",
            seconds=perf_counter() - started,
            iterations=torch.ones(len(values), dtype=torch.int64),
            residual_history=torch.tensor([[1.0] * len(values), residuals], dtype=torch.float64),
        )
        return Solution(
            values=torch.stack(values).reshape(len(values), -1, *domain.shape).to(first.values.device),
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )


def solve_on(equation: Problem, mesh: Mesh) -> ElementOutcome:
    """Solve a problem without a force on a mesh, and keep the element functions.

    Args:
        equation: The problem.
        mesh: One shape.

    Returns:
        A batch of one.

    Raises:
        ValueError: The mesh is not fit.
        SolverError: The matrix is singular, or the residual stays too large.
    """
    nothing = torch.zeros(1, 1, mesh.num_points, dtype=torch.float64)
    forces = {variable.name: Field(nothing, mesh, (variable.name,)) for variable in equation.inputs}
    outcome = FiniteElementSolver().solve_functions(equation, forces, mesh)
    if outcome.statuses[0] is not SolveStatus.CONVERGED:
        raise SolverError(
            SolveReport(outcome.statuses[0], f"relative residual {outcome.residuals[0][-1]:.2e}", 0.0)
        )
    return outcome


def observed(problem: ShapeProblem, outcome: ElementOutcome) -> Float64[Tensor, "channels points"]:
    """The outputs of a shape problem at the points of one image.

    Args:
        problem: Says what they are.
        outcome: Element functions of the unknowns.

    Returns:
        One row an output.
    """
    from solvers.elements.recovery import recovered_gradient

    equation = problem.equation
    functions = {
        variable.name: function
        for variable, function in zip(equation.outputs, outcome.functions, strict=True)
    }
    expressions = [problem.observables[variable.name] for variable in problem.outputs]
    values = {name: function.point_values[0] for name, function in functions.items()}
    slopes: dict[sympy.Expr, Tensor] = {}
    for name, function in functions.items():
        unknown = equation.function(name)
        wanted = [sympy.Derivative(unknown, x) for x in equation.space_symbols]
        if any(expression.has(*wanted) for expression in expressions):
            slopes |= dict(zip(wanted, recovered_gradient(function)[0], strict=True))
    return torch.stack(
        [evaluate(expression, {**values, **equation.numbers}, known=slopes) for expression in expressions]
    )
