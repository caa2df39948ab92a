"""Diffusion and reaction by finite elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy
import sympy
from scipy import sparse
from sympy.core.function import AppliedUndef

from pdeops.domains import Mesh
from pdeops.problems.elliptic import EllipticProblem
from solvers.elements.boundary_terms import boundary_terms
from solvers.elements.compatibility import check_balance
from solvers.elements.element_function import ElementFunction
from solvers.elements.element_space import Array, ElementSpace
from solvers.elements.finite_element_solver import FiniteElementSolver
from solvers.elements.point_fields import PointFields
from solvers.elements.sparse_system import OpenLevel, SparseSystem
from solvers.solver import SolveStatus

HALVINGS = 10
"""How often a Newton step is halved before it counts as failed."""


@dataclass(frozen=True, eq=False)
class ElementOutcome:
    """Solutions of a batch and how they were found.

    Args:
        functions: One function an output, each of the whole batch.
        statuses: How each sample ended.
        residuals: Relative residuals of each sample: of the linear iteration, or of Newton's.
        note: What else there is to say, for the report.
    """

    functions: tuple[ElementFunction, ...]
    statuses: tuple[SolveStatus, ...]
    residuals: tuple[tuple[float, ...], ...]
    note: str = ""


def solve_elliptic(
    problem: EllipticProblem,
    inputs: Mapping[str, Array],
    mesh: Mesh,
    settings: FiniteElementSolver,
) -> ElementOutcome:
    """Solve an elliptic problem and keep the finite element functions.

    Args:
        problem: The problem.
        inputs: Values of the inputs at the points of the mesh by name, shape (batch, points).
        mesh: The mesh, checked.
        settings: Degree of the elements, linear solver and tolerance.

    Returns:
        The solutions.

    Raises:
        ValueError: Diffusion is not positive, values are not finite, or the data of a pure Neumann problem
            does not balance.
        SingularMatrix: A matrix has no inverse.
    """
    batch = len(next(iter(inputs.values()))) if inputs else 1
    solver = _EllipticElements(problem, mesh, settings)
    results = [
        solver.solve({name: values[sample] for name, values in inputs.items()}) for sample in range(batch)
    ]
    coefficients = numpy.stack([values for values, _, _ in results])
    return ElementOutcome(
        (ElementFunction(solver.space, coefficients),),
        tuple(status for _, status, _ in results),
        tuple(residuals for _, _, residuals in results),
        solver.note,
    )


class _EllipticElements:
    """Space, boundary terms and the matrix that samples may share."""

    def __init__(self, problem: EllipticProblem, mesh: Mesh, settings: FiniteElementSolver) -> None:
        self.problem = problem
        self.space = ElementSpace.build(mesh, settings.degree)
        self.fields = PointFields(self.space)
        self.boundary = boundary_terms(self.space, problem, problem.conditions_on(mesh))
        self.settings = settings
        self.shared: SparseSystem | None = None
        self.note = ""

    def solve(self, inputs: Mapping[str, Array]) -> tuple[Array, SolveStatus, tuple[float, ...]]:
        functions = {name: self.fields.at_quadrature(values) for name, values in inputs.items()}
        problem = self.problem
        source = self._values("source", problem.source, functions)
        if not problem.is_linear:
            return self._newton(functions, source)
        offset = self._values("reaction", problem.reaction_at_zero, functions)
        load = self.space.load(source - offset) + self.boundary.load
        system = self.shared
        if system is None:
            slope = self._values("reaction", problem.reaction_slope, functions)
            level_is_open = not self.boundary.holds_level and not slope.any()
            system = self._system(self._stiffness(functions) + self.space.mass(slope), slope, level_is_open)
            held = problem.diffusion.atoms(AppliedUndef) | problem.reaction_slope.atoms(AppliedUndef)
            self.shared = system if not held else None
        if system.open_level is not None:
            self.note = self._check_balance(source - offset) or self.note
        result = system.solve(load, self.boundary.values)
        return result.values, result.status, result.residuals

    def _newton(
        self, functions: Mapping[str, Array], source: Array
    ) -> tuple[Array, SolveStatus, tuple[float, ...]]:
        """Newton's method with steps halved until the residual falls."""
        problem, space, boundary = self.problem, self.space, self.boundary
        unknown = problem.outputs[0].name
        linear = self._stiffness(functions) + boundary.matrix
        load = space.load(source) + boundary.load
        free = numpy.setdiff1d(numpy.arange(space.num_unknowns), boundary.fixed)

        def residual(values: Array) -> Array:
            current = {**functions, unknown: space.at_quadrature(values)}
            reaction = space.values_at_quadrature(problem, problem.reaction, current)
            return load - linear @ values - space.load(reaction)

        values = numpy.zeros(space.num_unknowns)
        values[boundary.fixed] = boundary.values
        remaining = residual(values)
        # Large entries that cancel in a residual set what can be reached.
        scale = max(float(numpy.linalg.norm(remaining[free])), 1e-300)
        history = [1.0]
        for _ in range(self.settings.max_iterations):
            if history[-1] <= self.settings.tolerance:
                return values, SolveStatus.CONVERGED, tuple(history)
            current = {**functions, unknown: space.at_quadrature(values)}
            slope = self._values("reaction", problem.reaction_slope, current)
            system = self._system(linear - boundary.matrix + space.mass(slope), slope, level_is_open=False)
            step = system.solve(remaining, numpy.zeros(len(boundary.fixed))).values
            for halving in range(HALVINGS + 1):
                trial = values + step / 2**halving
                left = residual(trial)
                size = float(numpy.linalg.norm(left[free])) / scale
                if size < history[-1]:
                    break
            else:
                return values, SolveStatus.STAGNATION, tuple(history)
            values, remaining = trial, left
            history.append(size)
        status = (
            SolveStatus.CONVERGED if history[-1] <= self.settings.tolerance else SolveStatus.ITERATION_LIMIT
        )
        return values, status, tuple(history)

    def _stiffness(self, functions: Mapping[str, Array]) -> sparse.csr_matrix:
        diffusion = self._values("diffusion", self.problem.diffusion, functions)
        if (diffusion <= 0).any():
            raise ValueError(
                f"{self.problem.name}: expected positive diffusion, got values down to {diffusion.min():g}"
            )
        return self.space.stiffness(diffusion)

    def _system(self, matrix: sparse.csr_matrix, slope: Array, level_is_open: bool) -> SparseSystem:
        definite = bool((slope >= 0).all())
        if self.settings.method == "amg" and not definite:
            raise ValueError(
                f"{self.problem.name}: method='amg' expected a reaction that grows with u, got a slope down "
                f"to {slope.min():g}, which makes the matrix indefinite; try method='direct'"
            )
        return SparseSystem(
            matrix + self.boundary.matrix,
            self.boundary.fixed,
            method=self.settings.method,
            open_level=self._constants() if level_is_open else None,
            tolerance=self.settings.tolerance,
            max_iterations=self.settings.max_iterations,
            structure="definite" if definite else "indefinite",
        )

    def _constants(self) -> OpenLevel:
        weights = self.space.load(numpy.ones_like(self.space.basis.dx))
        return OpenLevel(numpy.ones_like(weights), weights)

    def _check_balance(self, source: Array) -> str:
        flux, absolute = self.boundary.total_flux
        return check_balance(
            self.problem.name,
            self.space.integral(source) + flux,
            self.space.integral(abs(source)) + absolute,
            self.space.mesh,
            what="the integral of the source plus that of the Neumann flux",
            hint="a source minus its mean, or a Dirichlet part",
        )

    def _values(self, what: str, expression: sympy.Expr, functions: Mapping[str, Array]) -> Array:
        values = self.space.values_at_quadrature(self.problem, expression, functions)
        if not numpy.isfinite(values).all():
            raise ValueError(
                f"{self.problem.name}: expected finite values of the {what}, got NaN or infinity"
            )
        return values
