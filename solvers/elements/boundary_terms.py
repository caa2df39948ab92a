"""What boundary conditions add to a finite element system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import skfem
import sympy
from scipy import sparse

from pdeops.problems import Problem, evaluate
from pdeops.problems.boundary_condition import BoundaryCondition, Dirichlet, Neumann
from solvers.elements.element_space import Array, ElementSpace, on_facets


@dataclass(frozen=True, eq=False)
class BoundaryTerms:
    """Conditions of one scalar unknown.

    Args:
        matrix: Robin's part of the matrix.
        load: Right side of Neumann and Robin conditions.
        fixed: Unknowns with Dirichlet values, ascending.
        values: These values.
        total_flux: Integrals of the Neumann fluxes and of their absolute values.
        holds_level: Whether a Dirichlet or Robin part fixes the constant.
    """

    matrix: sparse.csr_matrix
    load: Array
    fixed: Array
    values: Array
    total_flux: tuple[float, float]
    holds_level: bool


def boundary_terms(
    space: ElementSpace, problem: Problem, conditions: Mapping[str, BoundaryCondition]
) -> BoundaryTerms:
    """Integrate the conditions over the parts of the boundary.

    Where two Dirichlet parts meet, the later one gives the value.

    Args:
        space: Space of the unknown.
        problem: Reads the formulas.
        conditions: One a part of the mesh.

    Returns:
        The terms.

    Raises:
        ValueError: A formula gives values that are not finite, or a Robin coefficient is negative.
    """
    size = space.num_unknowns
    matrix = sparse.csr_matrix((size, size))
    load = numpy.zeros(size)
    values = numpy.full(size, numpy.nan)
    flux, absolute, holds_level = 0.0, 0.0, False
    for part, condition in conditions.items():
        if isinstance(condition, Dirichlet):
            unknowns = space.basis.get_dofs(part).flatten()
            given = _at_nodes(space, problem, problem.parse(condition.value), unknowns)
            _check_finite(part, condition.value, given)
            values[unknowns] = given
            holds_level = True
            continue
        facets = skfem.FacetBasis(
            space.basis.mesh, space.basis.elem, facets=part, intorder=2 * space.degree + 2
        )
        if isinstance(condition, Neumann):
            given = _at_facets(space, problem, problem.parse(condition.flux), facets)
            _check_finite(part, condition.flux, given)
            flux += float((given * facets.dx).sum())
            absolute += float((abs(given) * facets.dx).sum())
            load = load + on_facets(facets, given)[1]
            continue
        alpha = _at_facets(space, problem, problem.parse(condition.coefficient), facets)
        given = _at_facets(space, problem, problem.parse(condition.value), facets)
        _check_finite(part, condition.coefficient, alpha)
        _check_finite(part, condition.value, given)
        if (alpha < 0).any():
            raise ValueError(
                f"Robin condition on {part!r}: expected a coefficient of zero or more, got "
                f"{condition.coefficient!r} with values down to {alpha.min():g}; try Neumann"
            )
        matrix = matrix + on_facets(facets, alpha)[0]
        load = load + on_facets(facets, given)[1]
        holds_level = holds_level or bool((alpha > 0).any())
    fixed = numpy.flatnonzero(~numpy.isnan(values))
    return BoundaryTerms(matrix, load, fixed, values[fixed], (flux, absolute), holds_level)


def _at_nodes(space: ElementSpace, problem: Problem, expression: sympy.Expr, unknowns: Array) -> Array:
    values = evaluate(expression, {**space.nodes(unknowns), **problem.numbers})
    return values.double().expand(len(unknowns)).numpy()


def _at_facets(space: ElementSpace, problem: Problem, expression: sympy.Expr, facets: Any) -> Array:
    coordinates = space.coordinates(facets)
    values = evaluate(expression, {**coordinates, **problem.numbers})
    return values.double().expand(coordinates["x"].shape).numpy().copy()


def _check_finite(part: str, formula: str, values: Array) -> None:
    if not numpy.isfinite(values).all():
        raise ValueError(
            f"boundary condition on {part!r}: expected finite values, got NaN or infinity from {formula!r}"
        )
