"""Elasticity and slow flow by finite elements, component by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy
from scipy import sparse

from pdeops.domains import Mesh
from pdeops.problems import LinearElasticity, Stokes, VectorProblem
from solvers.elements.boundary_terms import BoundaryTerms, boundary_terms
from solvers.elements.compatibility import check_balance
from solvers.elements.element_function import ElementFunction
from solvers.elements.element_space import Array, ElementSpace
from solvers.elements.elliptic_elements import ElementOutcome
from solvers.elements.finite_element_solver import FiniteElementSolver
from solvers.elements.point_fields import PointFields
from solvers.elements.sparse_system import OpenLevel, SparseSystem


def solve_elasticity(
    problem: LinearElasticity,
    inputs: Mapping[str, Array],
    mesh: Mesh,
    settings: FiniteElementSolver,
) -> ElementOutcome:
    """Solve for the displacement and keep the finite element functions.

    Args:
        problem: The problem.
        inputs: Body forces at the points of the mesh by name, shape (batch, points).
        mesh: The mesh, checked.
        settings: Degree of the elements and linear solver.

    Returns:
        One function a component.

    Raises:
        SingularMatrix: The conditions leave the body free to move.
    """
    space = ElementSpace.build(mesh, settings.degree)
    terms = _component_terms(space, problem, mesh)
    system = SparseSystem(
        _elastic_matrix(space, *problem.lame_values),
        _stacked_fixed(terms, space.num_unknowns),
        method=settings.method,
        near_null_space=_rigid_motions(space),
        tolerance=settings.tolerance,
        max_iterations=settings.max_iterations,
        structure="definite",
    )
    return _solve_batch(system, [space] * mesh.dimension, problem, inputs, terms)


def solve_stokes(problem: Stokes, inputs: Mapping[str, Array], mesh: Mesh) -> ElementOutcome:
    """Solve for velocity and pressure with Taylor-Hood elements and keep the finite element functions.

    Args:
        problem: The problem.
        inputs: Body forces at the points of the mesh by name, shape (batch, points).
        mesh: The mesh, checked.

    Returns:
        Two quadratic functions, the velocity, and a linear one, the pressure.

    Raises:
        ValueError: The velocity is given all around and does not balance.
        SingularMatrix: The conditions leave the flow free to move.
    """
    space = ElementSpace.build(mesh, 2)
    pressure = space.with_degree(1)
    terms = _component_terms(space, problem, mesh)
    divergence = [space.slope(axis, test=pressure) for axis in range(mesh.dimension)]
    viscous = problem.viscosity * space.stiffness(numpy.ones_like(space.basis.dx))
    size = space.num_unknowns
    blocks: list[list[sparse.csr_matrix | None]] = [
        [viscous if row == column else None for column in range(mesh.dimension)] + [-divergence[row].T]
        for row in range(mesh.dimension)
    ]
    blocks.append([-block for block in divergence] + [None])
    enclosed, note = _check_enclosed(problem, space, terms, divergence)
    open_level = None
    if enclosed:
        weights = pressure.load(numpy.ones_like(space.basis.dx))
        velocity = numpy.zeros(mesh.dimension * size)
        open_level = OpenLevel(
            numpy.append(velocity, numpy.ones_like(weights)), numpy.append(velocity, weights)
        )
    system = SparseSystem(
        sparse.bmat(blocks, format="csr"),
        _stacked_fixed(terms, size),
        open_level=open_level,
        structure="saddle",
    )
    outcome = _solve_batch(system, [space] * mesh.dimension + [pressure], problem, inputs, terms)
    return replace(outcome, note=note)


def _component_terms(space: ElementSpace, problem: VectorProblem, mesh: Mesh) -> list[BoundaryTerms]:
    return [boundary_terms(space, problem, conditions) for conditions in problem.component_conditions(mesh)]


def _stacked_fixed(terms: Sequence[BoundaryTerms], size: int) -> Array:
    return numpy.concatenate([item.fixed + number * size for number, item in enumerate(terms)])


def _elastic_matrix(space: ElementSpace, first: float, second: float) -> sparse.csr_matrix:
    r"""Blocks :math:`\int \lambda \nabla \cdot u \nabla \cdot v + 2 \mu \epsilon(u) : \epsilon(v)`."""
    dimension = space.mesh.dimension
    products = {(i, j): space.slope_product(i, j) for i in range(dimension) for j in range(dimension)}
    laplacian = sum(products[i, i] for i in range(dimension))
    blocks = []
    for i in range(dimension):  # equation, test function
        row = []
        for j in range(dimension):  # unknown
            block = first * products[j, i] + second * products[i, j]
            row.append(block + second * laplacian if i == j else block)
        blocks.append(row)
    return sparse.bmat(blocks, format="csr")


def _rigid_motions(space: ElementSpace) -> Array:
    """Translations and rotations, which multigrid has to represent: (unknowns, motions)."""
    places = space.basis.doflocs - space.basis.doflocs.mean(axis=1, keepdims=True)
    dimension, size = places.shape
    motions = list(numpy.eye(dimension)[:, :, None] * numpy.ones(size))
    for i in range(dimension):
        for j in range(i):
            motion = numpy.zeros((dimension, size))
            motion[i], motion[j] = places[j], -places[i]
            motions.append(motion)
    return numpy.stack([motion.reshape(-1) for motion in motions], axis=1)


def _check_enclosed(
    problem: Stokes,
    space: ElementSpace,
    terms: Sequence[BoundaryTerms],
    divergence: Sequence[sparse.csr_matrix],
) -> tuple[bool, str]:
    """Whether the velocity is given all around, so that as much must flow in as out; and a note on that."""
    around = numpy.unique(space.basis.get_dofs().flatten())
    if any(not numpy.array_equal(item.fixed, around) for item in terms):
        return False, ""
    # The sum of all rows of the divergence is the integral of the normal velocity over the boundary.
    shares = numpy.concatenate(
        [
            numpy.asarray(block.sum(axis=0)).reshape(-1)[item.fixed] * item.values
            for block, item in zip(divergence, terms, strict=True)
        ]
    )
    return True, check_balance(
        problem.name,
        float(shares.sum()),
        float(abs(shares).sum()),
        space.mesh,
        what="the flow through the boundary",
        hint="Neumann() where the flow leaves",
    )


def _solve_batch(
    system: SparseSystem,
    spaces: Sequence[ElementSpace],
    problem: VectorProblem,
    inputs: Mapping[str, Array],
    terms: Sequence[BoundaryTerms],
) -> ElementOutcome:
    space = spaces[0]
    given = numpy.concatenate([item.values for item in terms])
    forces = [inputs[variable.name] for variable in problem.inputs]
    fields = PointFields(space)
    results = []
    for sample in range(len(forces[0])):
        load = numpy.zeros(system.size)
        for number, (force, item) in enumerate(zip(forces, terms, strict=True)):
            own = space.load(fields.at_quadrature(force[sample])) + item.load
            load[number * len(own) : (number + 1) * len(own)] = own
        results.append(system.solve(load, given))
    ends = numpy.cumsum([item.num_unknowns for item in spaces])
    parts = [numpy.split(result.values, ends[:-1]) for result in results]
    functions = tuple(
        ElementFunction(item, numpy.stack([part[number] for part in parts]))
        for number, item in enumerate(spaces)
    )
    return ElementOutcome(
        functions, tuple(result.status for result in results), tuple(result.residuals for result in results)
    )
