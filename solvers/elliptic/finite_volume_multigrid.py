"""Finite volumes and multigrid for linear elliptic problems on grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

import sympy
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems import Dirichlet, EllipticProblem, Problem
from solvers.elliptic.compatibility import check_compatibility, rounding_of
from solvers.elliptic.face_data import FaceData, faces_of
from solvers.elliptic.finite_volume_system import FaceMean, FiniteVolumeSystem
from solvers.elliptic.wall import Wall
from solvers.krylov import KrylovResult
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus

UNKNOWNS_AT_A_TIME = 2**18
"""Samples are solved in groups of so many unknowns together on a CPU: their vectors stay in its cache."""


@dataclass(frozen=True, kw_only=True)
class FiniteVolumeMultigridSolver(Solver):
    r"""Solves :math:`-\nabla \cdot (a \nabla u) + r u = f`, a > 0, r >= 0, on a box in 1 to 3 dimensions.

    Axes of cells, nodes, periodic ones, and mixtures; any number of points; Dirichlet, Neumann and Robin
    conditions that vary along the boundary. See `FiniteVolumeSystem` for the equations, and to use it with
    arrays of one's own or with a mask.

    Solved by conjugate gradients with one multigrid V-cycle (`Multigrid`) as preconditioner, every sample to
    the tolerance by itself: 9 iterations for a = 1, about 13 for values of a of 3 and 12, whatever the number
    of points.

    Args:
        face_mean: How the coefficient of a face follows from its two neighbours, ``"harmonic"`` or
            ``"arithmetic"``; see `FiniteVolumeSystem`.
        tolerance: Of the relative residual in the l2 norm. Good values: 1e-10; rounding sets the limit, near
            3e-12 on 256 x 256 points.
        max_iterations: Of conjugate gradients, for the whole batch.

    Raises:
        ValueError: A setting is out of its range.

    Good values: All grids; on nodes, cells and periodic axes with constant a and r, `FastPoissonSolver` is
        faster.

    Failure mode: Jumps of a by 100 from point to point at random take about 50 iterations, those by 10^4 end
    with `SolverError` (iteration limit). Where a jumps, the solution converges with first order in the
    position of the jump, not second.

    References:
        | R. Eymard, T. Gallouet, R. Herbin, 2000, Finite volume methods, doi:10.1016/S1570-8659(00)07005-8
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = 2

    face_mean: FaceMean = "harmonic"
    tolerance: float = 1e-10
    max_iterations: int = 200

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.face_mean not in ("harmonic", "arithmetic"):
            raise ValueError(f"face_mean: expected 'harmonic' or 'arithmetic', got {self.face_mean!r}")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance}; try 1e-10")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations: expected 1 or more, got {self.max_iterations}; try 200")

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Why the method cannot solve a problem, see `Solver.unsuited`."""
        if not isinstance(problem, EllipticProblem):
            return f"expected an elliptic problem (EllipticProblem), got {type(problem).__name__}"
        if not problem.is_linear:
            return f"expected a linear reaction, got {problem.reaction}"
        if not isinstance(domain, Grid):
            return f"expected a grid, got a {type(domain).__name__}"
        for axis in domain.axes:
            if axis.kind is AxisKind.CHEBYSHEV:
                return f"expected axes of cells, nodes or periodic ones, got 'chebyshev' for {axis.name!r}"
        # Inputs such as a speed of sound are positive; SymPy knows them as real only.
        inputs = {item: sympy.Dummy(positive=True) for item in problem.reaction_slope.atoms(AppliedUndef)}
        if problem.reaction_slope.subs(inputs).is_negative:
            return f"expected a reaction that is not negative, got the coefficient {problem.reaction_slope}"
        return None

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of inputs, see `Solver.solve`.

        Raises:
            ValueError: The problem, domain or inputs do not fit, a coefficient is out of its range, or the
                data of a problem without any Dirichlet, Robin or reaction part does not balance.
            SolverError: The tolerance was not met; the report has the residual history.
        """
        self.check(problem, inputs, domain, times)
        if not isinstance(problem, EllipticProblem) or not isinstance(domain, Grid):
            raise TypeError(f"expected an EllipticProblem on a Grid, got {type(problem).__name__}")
        started = perf_counter()
        batch_size = next(iter(inputs.values())).batch_size
        device = next(iter(inputs.values())).values.device
        group = max(1, UNKNOWNS_AT_A_TIME // domain.num_points) if device.type == "cpu" else batch_size
        outcomes = [
            self._solve_group(
                problem, {name: x.sample(slice(i, i + group)) for name, x in inputs.items()}, domain, i
            )
            for i in range(0, batch_size, group)
        ]
        report = _joined_report(outcomes, perf_counter() - started)
        if report.status is not SolveStatus.CONVERGED:
            raise SolverError(report)
        return Solution(
            values=torch.cat([outcome.solution for outcome in outcomes])[:, None],
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )

    def system(self, problem: EllipticProblem, inputs: Mapping[str, Field], grid: Grid) -> FiniteVolumeSystem:
        """The discrete equations of a problem.

        Args:
            problem: A linear elliptic problem.
            inputs: Its inputs by name, on the grid.
            grid: Axes of cells, nodes, or periodic ones.

        Returns:
            The system; its matrix and cycle can be used again for other sources.
        """
        like = problem.coefficient_values(problem.diffusion, inputs, grid)
        reaction = None
        if problem.reaction_slope != 0:
            reaction = problem.coefficient_values(problem.reaction_slope, inputs, grid)
        walls = {face.name: _wall(face) for face in faces_of(problem, grid)}
        return FiniteVolumeSystem(grid, like, walls=walls, reaction=reaction, face_mean=self.face_mean)

    def _solve_group(
        self, problem: EllipticProblem, inputs: Mapping[str, Field], grid: Grid, first_sample: int
    ) -> KrylovResult:
        source = problem.coefficient_values(problem.source - problem.reaction_at_zero, inputs, grid)
        system = self.system(problem, inputs, grid)
        if bool(system.operator.is_singular.any()):
            faces, rounding = faces_of(problem, grid), rounding_of(inputs)
            check_compatibility(source, faces, grid, first_sample=first_sample, rounding=rounding)
        return system.solve(source, tolerance=self.tolerance, max_iterations=self.max_iterations)


def _wall(face: FaceData) -> Wall:
    if isinstance(face.condition, Dirichlet):
        return Wall.dirichlet(face.values)
    if face.coefficients is None:
        return Wall.neumann(face.values)
    return Wall.robin(face.coefficients, face.values)


def _joined_report(outcomes: list[KrylovResult], seconds: float) -> SolveReport:
    """One report of all groups; histories that ended earlier stay at their last value."""
    length = max(len(outcome.residual_history) for outcome in outcomes)
    histories = [
        torch.cat([h, h[-1:].expand(length - len(h), -1)]) for h in (o.residual_history for o in outcomes)
    ]
    iterations = torch.cat([outcome.iterations for outcome in outcomes])
    residual = max(outcome.relative_residual.max().item() for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.status is not SolveStatus.CONVERGED]
    message = (
        f"{len(iterations)} samples, at most {int(iterations.max())} iterations, relative residual at most "
        f"{residual:.2e}"
    )
    if failed:
        message = failed[0].message
    return SolveReport(
        status=failed[0].status if failed else SolveStatus.CONVERGED,
        message=message,
        seconds=seconds,
        iterations=iterations,
        residual_history=torch.cat(histories, dim=1),
    )
