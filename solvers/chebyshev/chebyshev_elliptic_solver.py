"""Spectral collocation for elliptic problems on boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

import torch
from torch import Tensor

from pdeops.domains import Domain, Field, Grid
from pdeops.problems import EllipticProblem, Problem
from solvers.chebyshev.elliptic_system import EllipticSystem
from solvers.chebyshev.linear_elliptic import LinearElliptic
from solvers.chebyshev.newton import globalised_newton
from solvers.chebyshev.resolution import spectral_tail
from solvers.chebyshev.suitability import unsuited_grid
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus

ROUNDING = 1e-15
"""Rounding may keep the residual at this times the square of the largest number of points of an axis."""


@dataclass(frozen=True, kw_only=True)
class ChebyshevEllipticSolver(Solver):
    r"""Solves :math:`-\nabla \cdot (a \nabla u) + g(u) = f` on a box to spectral accuracy, in any dimension.

    The solution is a polynomial along each Chebyshev axis and a trigonometric polynomial along each periodic
    one; the equation holds at the inner points, the boundary conditions (Dirichlet, Neumann, Robin, with data
    and Robin coefficients that vary) at the points of the faces. For analytic data the error falls
    geometrically with the number of points: 1e-10 to 1e-13 at 32 points an axis for data of one wave.

    - Constant a and g(u) = c u: one solve by fast diagonalisation, :math:`O(n^{d+1})`, and a correction that
      removes rounding.
    - Variable coefficients: GMRES preconditioned by it, on the equation divided by a (`LinearElliptic`): 13
      iterations for a contrast of 3, 32 for 400, 60 for 20 000, whatever the number of points. Waves
      (negative c, Helmholtz) are fine as long as c keeps away from resonances.
    - Nonlinear g: Newton's method from the harmonic extension of the boundary data, damped, with steps down
      the energy where it is stuck. Where there are several solutions, it finds one.

    With Neumann and periodic sides alone and no reaction, source and fluxes have to balance; the solution of
    mean zero is returned.

    Args:
        tolerance: Of the residual, measured after preconditioning, which is close to the relative error. Good
            values: 1e-12; where rounding sets the limit earlier, at 1e-15 :math:`n^2` (1e-12 at 33 points,
            1e-10 at 257), that is accepted.
        max_iterations: Of GMRES, in each linear solve.
        max_newton_steps: For a nonlinear reaction.
        compatibility_tolerance: Largest imbalance of source and fluxes, relative to their size, that is taken
            for quadrature error and spread evenly, where the solution is defined up to a constant.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: Coefficients or sources with kinks or jumps, and corners at which the data contradict,
    bring the error down to a power of n; the report names the size of the highest coefficients, which is
    about the error. A grid with boundary layers needs :math:`n \approx 3 / \sqrt{thickness}` points.

    Example:
        >>> exact = Poisson().exact_solutions()["eigenfunction"]
        >>> grid = Grid.box((24, 24), "chebyshev")
        >>> solution = ChebyshevEllipticSolver().solve(exact.problem, exact.inputs(grid), grid)
        >>> bool(solution.relative_error(exact.solution(grid)) < 1e-12)
        True

    References:
        | R. E. Lynch, J. R. Rice, D. H. Thomas, 1964, Direct solution of partial difference equations by
        | tensor product methods, doi:10.1007/BF01386067
        | P. Concus, G. H. Golub, 1973, Use of fast direct methods for the efficient numerical solution of
        | nonseparable elliptic equations, doi:10.1137/0710092
        | L. N. Trefethen, 2000, Spectral Methods in MATLAB, doi:10.1137/1.9780898719598
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = math.inf

    tolerance: float = 1e-12
    max_iterations: int = 400
    max_newton_steps: int = 100
    compatibility_tolerance: float = 1e-6

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in ("tolerance", "compatibility_tolerance"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a number between 0 and 1, got {getattr(self, name)}")
        for name in ("max_iterations", "max_newton_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}; try 40")

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Elliptic problems on grids of Chebyshev and periodic axes; see `Solver.unsuited`."""
        if not isinstance(problem, EllipticProblem):
            return (
                "expected an equation -div(a grad u) + g(u) = f (EllipticProblem), "
                f"got {type(problem).__name__}"
            )
        return unsuited_grid(domain)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of inputs, see `Solver.solve`.

        Raises:
            ValueError: Problem, domain, inputs or times do not fit, or source and fluxes do not balance where
                they have to.
            SolverError: The tolerance was not met, or the operator is singular.
        """
        self.check(problem, inputs, domain, times)
        if not isinstance(problem, EllipticProblem) or not isinstance(domain, Grid):
            raise TypeError(f"expected an EllipticProblem on a Grid, got {type(problem).__name__}")
        started = perf_counter()
        system = EllipticSystem(problem, dict(inputs), domain)
        try:
            inner, parts = self._linear(system) if problem.is_linear else self._nonlinear(system)
        except ZeroDivisionError as error:
            status = SolveStatus.SINGULAR
            seconds = perf_counter() - started
            raise SolverError(SolveReport(status=status, message=str(error), seconds=seconds)) from None
        values = system.closure.complete(inner)
        if system.is_closed and problem.is_linear and self._is_open(system):
            weights = domain.quadrature_weights.to(values)
            means = (values * weights).flatten(1).sum(dim=1) / weights.sum()
            values = values - means.reshape(-1, *(1,) * domain.dimension)
        status, message, iterations, history = parts
        message += f"; highest coefficients {spectral_tail(values, domain).max().item():.1e} of the largest"
        mismatch = system.closure.corner_mismatch()
        if mismatch > 1e-8 * values.abs().max().item():
            message += (
                f"; Dirichlet values contradict by {mismatch:.2e} at corners, where convergence is slow"
            )
        report = SolveReport(
            status=status,
            message=message,
            seconds=perf_counter() - started,
            iterations=iterations,
            residual_history=history,
        )
        if status is not SolveStatus.CONVERGED:
            raise SolverError(report)
        return Solution(
            values=values[:, None],
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )

    def _linear(self, system: EllipticSystem) -> tuple[Tensor, _Outcome]:
        operator = system.linearised()
        if operator.singular:
            self._check_balance(system)
        result = operator.solve(
            system.right_side(operator), tolerance=self.tolerance, max_iterations=self.max_iterations
        )
        reached = result.residual_history[-1].max().item()
        message = (
            f"{system.batch_size} samples, at most {int(result.iterations.max())} iterations, relative "
            f"residual at most {reached:.2e}"
        )
        status = SolveStatus.CONVERGED
        if not reached <= max(self.tolerance, ROUNDING * max(system.grid.shape) ** 2):
            limit = len(result.residual_history) > self.max_iterations
            status = SolveStatus.ITERATION_LIMIT if limit else SolveStatus.STAGNATION
        return result.solution, (status, message, result.iterations, result.residual_history)

    def _nonlinear(self, system: EllipticSystem) -> tuple[Tensor, _Outcome]:
        closure, fast = system.closure, system.fast
        inner = closure.inner(torch.zeros_like(system.source))
        # A definite shift, the same for all steps, so that residual norms can be compared.
        shift = inner.new_full((len(inner),), 1 / max(axis.length for axis in closure.grid.axes) ** 2)
        laplacian = LinearElliptic(closure, fast, (), torch.zeros_like(inner))
        start = -fast.solve(laplacian.forward(inner, closure), shift)
        counts = torch.zeros(len(inner), dtype=torch.int64, device=inner.device)

        def residual(values: Tensor) -> Tensor:
            return fast.solve(system.residual(values), shift)

        def direction(values: Tensor, is_flow: Tensor) -> Tensor:
            operator = system.linearised(closure.complete(values), is_flow)
            result = operator.solve(
                system.residual(values), tolerance=1e-10, max_iterations=self.max_iterations
            )
            counts.add_(result.iterations)
            return result.solution

        outcome = globalised_newton(
            residual, direction, start, tolerance=self.tolerance, max_steps=self.max_newton_steps
        )
        message = (
            f"{system.batch_size} samples, {outcome.message}, at most {int(outcome.iterations.max())} Newton "
            f"steps with {int(counts.max())} iterations of GMRES in all, relative residual at most "
            f"{outcome.residual_history[-1].max().item():.2e}"
        )
        return outcome.solution, (outcome.status, message, outcome.iterations, outcome.residual_history)

    def _is_open(self, system: EllipticSystem) -> bool:
        """Whether a constant may be added to the solution."""
        return system.linearised().singular

    def _check_balance(self, system: EllipticSystem) -> None:
        total, size = system.imbalance()
        bad = torch.nonzero(total.abs() > self.compatibility_tolerance * size).flatten().tolist()
        if bad:
            volume = system.grid.volume
            raise ValueError(
                f"{system.problem.name}: expected source and boundary fluxes that balance, as no part of the "
                f"boundary holds the value and there is no reaction; got a total of {total[bad].tolist()} in "
                f"samples {bad} ({(total[bad[0]] / size[bad[0]]).item():.1e} of their size); try subtracting "
                f"the mean {total[bad[0]].item() / volume:.6g} from the source, a Dirichlet or Robin "
                "condition on one part, or more points if the data balance exactly"
            )


_Outcome = tuple[SolveStatus, str, Tensor, Tensor]
