"""Any scalar elliptic problem on a grid, by a sparse matrix and elimination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar, cast, get_args

import numpy as np
import torch
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems import Dirichlet, EllipticProblem, Problem
from solvers.elliptic.face_data import faces_of
from solvers.elliptic.sparse_element_system import num_intervals
from solvers.elliptic.sparse_finite_difference_sample import Method, Outcome, SampleSolver
from solvers.elliptic.sparse_finite_difference_system import FaceMean
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus


@dataclass(frozen=True, kw_only=True)
class SparseFiniteDifferenceSolver(Solver):
    r"""Solves :math:`-\nabla \cdot (a \nabla u) + g(u) = f` on a box, for any a > 0, g and conditions.

    Fluxes in balance on the cells around the points (`assemble`), of second order, or elements of degree
    p = 2 to 6 on the same points (`assemble_elements`), of order p + 1. On nodes, cells (p = 1 only) and
    periodic axes in one to three dimensions, with given values, fluxes, Robin conditions and any mix. A
    linear reaction may be negative (Helmholtz); a nonlinear one is solved by Newton's method from zero.
    Where u is defined up to a constant, source and fluxes are checked to balance and u has mean zero. One
    sample after the other, on the CPU; samples with the same matrix share its factors.

    Args:
        method: ``"direct"``: sparse LU. ``"cg"`` for a positive definite, ``"minres"`` for an indefinite
            matrix, both with the diagonal as preconditioner; ``"gmres"`` for either, with an incomplete LU.
            Problems with a nonlinear reaction take ``"direct"``.
        degree: 1 for fluxes in balance; p from 2 to 6 for elements, where a and u are smooth and the numbers
            of intervals are multiples of p. The matrix is denser, the error of waves far smaller.
        face_mean: With degree 1, how a at a face follows from its two neighbours, ``"harmonic"`` (layers in
            series) or ``"arithmetic"``.
        tolerance: Of the relative residual of iterative methods, and of Newton's over the first one.
        max_iterations: Of iterative methods.
        max_newton_steps: Of Newton's method.

    Raises:
        ValueError: A setting is out of its range.

    Cost: LU in two dimensions :math:`O(n^{3/2})`, a second at 400 x 400; in three :math:`O(n^2)` and
        :math:`O(n^{4/3})` memory, 40 x 40 x 40 is comfortable. The check of the others, and the one for
        Helmholtz.

    Good values: ``"direct"``; ``degree=4`` for waves (Helmholtz) in a smooth medium.

    Failure mode: Close to a resonance, a negative reaction amplifies errors without bound: the report's
        message has a condition estimate, the eigenvalue nearest to zero, and whether the grid resolves it; a
        condition number beyond 1e15 is an error. With degree 1 the error of Helmholtz grows like
        :math:`k^3 h^2`, and 13 points a wave are far too few eight waves across.

    References:
        | R. Eymard, T. Gallouet, R. Herbin, 2000, Finite volume methods, doi:10.1016/S1570-8659(00)07005-8
        | N. J. Higham, F. Tisseur, 2000, A block algorithm for matrix 1-norm estimation,
        | doi:10.1137/S0895479899356080
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = 2

    method: Method = "direct"
    degree: int = 1
    face_mean: FaceMean = "harmonic"
    tolerance: float = 1e-10
    max_iterations: int = 10000
    max_newton_steps: int = 50

    def __post_init__(self) -> None:
        """Check the settings, and declare the order of the degree."""
        if self.method not in get_args(Method):
            raise ValueError(f"method: expected one of {get_args(Method)}, got {self.method!r}")
        if not 1 <= self.degree <= 6:
            raise ValueError(f"degree: expected 1 to 6, got {self.degree}; try 4")
        if self.degree > 1:
            object.__setattr__(self, "space_order", self.degree + 1)
        if self.face_mean not in ("harmonic", "arithmetic"):
            raise ValueError(f"face_mean: expected 'harmonic' or 'arithmetic', got {self.face_mean!r}")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance}; try 1e-10")
        for name in ("max_iterations", "max_newton_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}; try 50")

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Whether it is a scalar elliptic problem on uniform points; see `Solver.unsuited`."""
        if not isinstance(problem, EllipticProblem):
            return "expected an elliptic problem -div(a grad u) + g(u) = f"
        if not isinstance(domain, Grid):
            return f"expected a grid, got a {type(domain).__name__}"
        conditions = problem.conditions_on(domain)
        for axis in domain.axes:
            if axis.kind is AxisKind.CHEBYSHEV:
                return f"expected uniform points, got 'chebyshev' for {axis.name!r}"
            sides = [conditions.get(f"{axis.name}_{side}") for side in ("lower", "upper")]
            given = sum(isinstance(condition, Dirichlet) for condition in sides)
            if self.degree > 1 and axis.kind is AxisKind.CELLS:
                return (
                    f"expected nodes or periodic axes for degree={self.degree}, got 'cells' for {axis.name!r}"
                )
            if self.degree > 1 and num_intervals(axis) % self.degree:
                return (
                    f"expected a multiple of {self.degree} intervals along {axis.name!r} for "
                    f"degree={self.degree}, got {num_intervals(axis)}"
                )
            if axis.has_ends and axis.num_points <= given:
                return f"expected more than {given} nodes along {axis.name!r}, got {axis.num_points}"
        if not problem.is_linear and self.method != "direct":
            return f"expected method='direct' for a nonlinear reaction, got {self.method!r}"
        return None

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of inputs, see `Solver.solve`.

        Raises:
            ValueError: Problem, domain or inputs do not fit; a diffusion coefficient is not positive; source
                and fluxes do not balance where they have to.
            SolverError: The matrix is singular to rounding, not definite for ``"cg"``, or an iteration did
                not reach its tolerance; the report has the diagnosis.
        """
        self.check(problem, inputs, domain, times)
        problem, domain = cast(EllipticProblem, problem), cast(Grid, domain)
        started = perf_counter()
        given = next(iter(inputs.values()))
        sampler = SampleSolver(
            problem=problem,
            grid=domain,
            faces=faces_of(problem, domain),
            method=self.method,
            degree=self.degree,
            face_mean=self.face_mean,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            max_newton_steps=self.max_newton_steps,
        )
        outcomes = [
            sampler.solve(index, {name: item.sample(index).to("cpu") for name, item in inputs.items()})
            for index in range(given.batch_size)
        ]
        worst = next((item for item in outcomes if item.status is not SolveStatus.CONVERGED), None)
        histories = [torch.tensor(item.history, dtype=torch.float64) for item in outcomes]
        longest = max(len(item) for item in histories)
        report = SolveReport(
            status=SolveStatus.CONVERGED if worst is None else worst.status,
            message=worst.message if worst else _summary(self.method, outcomes, problem.is_linear),
            seconds=perf_counter() - started,
            iterations=torch.tensor([len(item) - 1 for item in histories]),
            residual_history=torch.stack(
                [torch.cat([item, item[-1:].expand(longest - len(item))]) for item in histories], dim=1
            ),
        )
        if worst is not None:
            raise SolverError(report)
        values = torch.from_numpy(np.stack([item.values for item in outcomes]))
        return Solution(
            values=values.reshape(-1, 1, *domain.shape).to(given.values.device),
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )


def _summary(method: str, outcomes: list[Outcome], is_linear: bool) -> str:
    residual = max(item.history[-1] for item in outcomes)
    steps = max(len(item.history) - 1 for item in outcomes)
    how = "sparse LU" if method == "direct" else f"{method}, at most {steps} iterations"
    if not is_linear:
        how = f"Newton's method, at most {steps} steps"
    notes = dict.fromkeys(item.message for item in outcomes if item.message and method == "direct")
    text = f"{len(outcomes)} samples by {how}, relative residual at most {residual:.1e}"
    return "; ".join([text, *list(notes)[:3]]) + (f"; and {len(notes) - 3} more" if len(notes) > 3 else "")
