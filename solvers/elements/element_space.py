"""Continuous piecewise polynomials on a mesh: assembly and evaluation through scikit-fem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import skfem
import sympy
import torch
from scipy import sparse
from skfem.helpers import dot, grad

from pdeops.domains import Mesh, to_scikit_fem
from pdeops.problems import Problem, evaluate
from pdeops.problems.expression import Value

Array = numpy.ndarray

ELEMENTS = {
    (1, 1): skfem.ElementLineP1,
    (1, 2): skfem.ElementLineP2,
    (2, 1): skfem.ElementTriP1,
    (2, 2): skfem.ElementTriP2,
    (3, 1): skfem.ElementTetP1,
    (3, 2): skfem.ElementTetP2,
}
"""Elements of scikit-fem by dimension and degree."""

AXES = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class ElementSpace:
    """Scalar Lagrange elements on a mesh; vector fields take one such space a component.

    Args:
        mesh: The mesh, checked by `pdeops.domains.check_mesh`.
        degree: 1 or 2.
        basis: The basis of scikit-fem with its quadrature.
    """

    mesh: Mesh
    degree: int
    basis: Any

    @classmethod
    def build(cls, mesh: Mesh, degree: int, *, quadrature_order: int | None = None) -> ElementSpace:
        """Make the space.

        Args:
            mesh: The mesh.
            degree: 1 or 2.
            quadrature_order: Degree of polynomials that are integrated exactly; ``2 * degree + 2`` by
                default, which leaves room for coefficients that vary.

        Returns:
            The space.
        """
        element = ELEMENTS[mesh.dimension, degree]()
        order = 2 * degree + 2 if quadrature_order is None else quadrature_order
        return cls(mesh, degree, skfem.Basis(to_scikit_fem(mesh), element, intorder=order))

    def with_degree(self, degree: int) -> ElementSpace:
        """The space of another degree with the same quadrature."""
        element = ELEMENTS[self.mesh.dimension, degree]()
        return ElementSpace(self.mesh, degree, self.basis.with_element(element))

    @property
    def num_unknowns(self) -> int:
        """Number of coefficients."""
        return int(self.basis.N)

    @property
    def vertex_unknowns(self) -> Array:
        """Number of the coefficient at each point of the mesh: its value there."""
        return self.basis.nodal_dofs[0]

    def nodes(self, unknowns: Array | None = None) -> dict[str, torch.Tensor]:
        """Coordinates of the places of all or some unknowns, by name."""
        places = self.basis.doflocs if unknowns is None else self.basis.doflocs[:, unknowns]
        return {name: torch.from_numpy(row.copy()) for name, row in zip(AXES, places, strict=False)}

    def coordinates(self, basis: Any = None) -> dict[str, torch.Tensor]:
        """Coordinates of the quadrature points of the space or of a basis on facets, (cells, points) each."""
        places = numpy.asarray((self.basis if basis is None else basis).global_coordinates())
        return {name: torch.from_numpy(row.copy()) for name, row in zip(AXES, places, strict=False)}

    def values_at_quadrature(
        self, problem: Problem, expression: sympy.Expr, functions: Mapping[str, Array]
    ) -> Array:
        """Values of an expression at the quadrature points.

        Args:
            problem: Gives the numbers.
            expression: In coordinates, numbers and functions.
            functions: Values of functions at the quadrature points, by name.

        Returns:
            Shape (cells, points).
        """
        coordinates = self.coordinates()
        values: dict[str, Value] = {**coordinates, **problem.numbers}
        values |= {name: torch.from_numpy(item) for name, item in functions.items()}
        return evaluate(expression, values).double().expand(coordinates["x"].shape).numpy().copy()

    def at_quadrature(self, coefficients: Array) -> Array:
        """Values of a function of the space at the quadrature points, shape (cells, points)."""
        return numpy.asarray(self.basis.interpolate(coefficients))

    def gradient_at_quadrature(self, coefficients: Array) -> Array:
        """Gradient of a function of the space, shape (dimension, cells, points)."""
        return numpy.asarray(self.basis.interpolate(coefficients).grad)

    def evaluation_matrices(self) -> tuple[sparse.csr_matrix, tuple[sparse.csr_matrix, ...]]:
        """Matrices from coefficients to values, and to each slope, at the quadrature points of all cells.

        With them a whole batch is evaluated at once; their transposes, weighted, integrate loads.
        """
        cells, points = self.basis.dx.shape
        rows = numpy.arange(cells * points)

        def gathered(pick: Callable[[Any], Array]) -> sparse.csr_matrix:
            matrix = sparse.csr_matrix((cells * points, self.num_unknowns))
            for number, numbers in enumerate(self.basis.element_dofs):
                data = numpy.broadcast_to(pick(self.basis.basis[number][0]), (cells, points)).reshape(-1)
                matrix += sparse.csr_matrix((data, (rows, numbers.repeat(points))), shape=matrix.shape)
            return matrix

        def slope(axis: int) -> sparse.csr_matrix:
            return gathered(lambda field: field.grad[axis])

        return gathered(numpy.asarray), tuple(map(slope, range(self.mesh.dimension)))

    # Matrices and vectors.

    def stiffness(self, coefficient: Array) -> sparse.csr_matrix:
        r"""The matrix :math:`\int a \nabla \phi_j \cdot \nabla \phi_i`."""
        return _DIFFUSION.assemble(self.basis, weight=_weight(coefficient)).tocsr()

    def mass(self, coefficient: Array | None = None) -> sparse.csr_matrix:
        r"""The matrix :math:`\int r \phi_j \phi_i`."""
        weight = numpy.ones_like(self.basis.dx) if coefficient is None else coefficient
        return _REACTION.assemble(self.basis, weight=_weight(weight)).tocsr()

    def slope(self, axis: int, test: ElementSpace | None = None) -> sparse.csr_matrix:
        r"""The matrix :math:`\int \partial_k \phi_j \psi_i`, with test functions of this or another space."""
        form = skfem.BilinearForm(lambda u, v, w: u.grad[axis] * v)
        return form.assemble(self.basis, self.basis if test is None else test.basis).tocsr()

    def slope_product(self, first: int, second: int) -> sparse.csr_matrix:
        r"""The matrix :math:`\int \partial_k \phi_j \partial_l \phi_i` for k first, l second."""
        form = skfem.BilinearForm(lambda u, v, w: u.grad[first] * v.grad[second])
        return form.assemble(self.basis).tocsr()

    def load(self, source: Array) -> Array:
        r"""The vector :math:`\int f \phi_i`."""
        return _SOURCE.assemble(self.basis, weight=_weight(source))

    def integral(self, values: Array) -> float:
        """Integral of values at the quadrature points over the mesh."""
        return float((values * self.basis.dx).sum())


def on_facets(basis: Any, values: Array) -> tuple[sparse.csr_matrix, Array]:
    r"""Matrix :math:`\int_\Gamma g \phi_j \phi_i` and vector :math:`\int_\Gamma g \phi_i` of a part.

    Args:
        basis: Basis of scikit-fem on facets.
        values: Values of g at its quadrature points.

    Returns:
        The matrix and the vector.
    """
    weight = _weight(values)
    return _REACTION.assemble(basis, weight=weight).tocsr(), _SOURCE.assemble(basis, weight=weight)


def _weight(values: Array) -> Any:
    return skfem.element.DiscreteField(values)


_DIFFUSION = skfem.BilinearForm(lambda u, v, w: w["weight"] * dot(grad(u), grad(v)))
_REACTION = skfem.BilinearForm(lambda u, v, w: w["weight"] * u * v)
_SOURCE = skfem.LinearForm(lambda v, w: w["weight"] * v)
