"""Diffusion on the nodes of a grid by elements of higher degree, as a sparse matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float64

from pdeops.domains import Axis, Grid
from pdeops.problems import Dirichlet, Robin
from solvers.elliptic.face_data import FaceData
from solvers.elliptic.sparse_finite_difference_system import Array, SparseSystem


def num_intervals(axis: Axis) -> int:
    """Number of intervals between the nodes of an axis."""
    return axis.num_points if axis.is_periodic else axis.num_points - 1


def assemble_elements(
    diffusion: Float64[np.ndarray, "..."], faces: Sequence[FaceData], grid: Grid, degree: int
) -> SparseSystem:
    r"""Assemble Galerkin's matrices for tensor products of polynomials of a degree p between the nodes.

    An element spans p intervals along each axis and has the nodes of the grid as its own. Coefficients and
    sources are interpolated from the nodes like the solution and integrated by Gauss' rule with p + 1 points;
    data on the faces is integrated interval by interval. With :math:`B` the values
    and :math:`G_i` the derivatives of the basis at the Gauss points,

    .. math:: A = \sum_i G_i^T \operatorname{diag}(w\, B a)\, G_i, \qquad
              M_r = B^T \operatorname{diag}(w\, B r)\, B .

    Args:
        diffusion: a at the nodes, shape (*grid.shape).
        faces: The conditions.
        grid: Axes of nodes or periodic points, whose numbers of intervals are multiples of p.
        degree: p, from 2 to 6; beyond, equidistant nodes oscillate.

    Returns:
        The system.

    References:
        | P. Solin, K. Segeth, I. Dolezel, 2003, Higher-Order Finite Element Methods,
        | doi:10.1201/9780203488041
    """
    lines = [_line(axis, degree) for axis in grid.axes]
    basis = _product([line.values for line in lines])
    weights = reduce(np.kron, [line.weights for line in lines])
    shares = weights * (basis @ diffusion.ravel())
    matrix = scipy.sparse.csr_matrix((grid.num_points, grid.num_points))
    for number in range(grid.dimension):
        slopes = _product([line.slopes if i == number else line.values for i, line in enumerate(lines)])
        matrix = matrix + slopes.T @ scipy.sparse.diags(shares) @ slopes

    index = np.arange(grid.num_points).reshape(grid.shape)
    load = np.zeros(grid.num_points)
    given, given_values = np.zeros(grid.num_points, dtype=bool), np.zeros(grid.num_points)
    fixes_constants = False
    for face in faces:
        points = index.take(-1 if face.is_upper else 0, face.number).ravel()
        values = face.values.numpy().ravel()
        if isinstance(face.condition, Dirichlet):
            given[points], given_values[points] = True, values
            fixes_constants = True
            continue
        # The data itself, interval by interval: it may jump at a node inside an element.
        others = [_line(axis, degree, degree) for i, axis in enumerate(grid.axes) if i != face.number]
        trace = _product([line.values for line in others])
        rule: Array = np.ones(1)
        for line in others:
            rule = np.kron(rule, line.weights)
        axis = grid.axes[face.number]
        coordinates = [line.points for line in others]
        coordinates.insert(face.number, np.array([axis.upper if face.is_upper else axis.lower]))
        mesh = np.stack([item.ravel() for item in np.meshgrid(*coordinates, indexing="ij")], axis=-1)
        load[points] += trace.T @ (rule * face.values_at(torch.from_numpy(mesh)).numpy())
        if isinstance(face.condition, Robin) and face.coefficients is not None:
            alpha = face.coefficients.numpy().ravel()
            fixes_constants = fixes_constants or bool(np.any(alpha != 0))
            local = trace.T @ scipy.sparse.diags(rule * (trace @ alpha)) @ trace
            place = scipy.sparse.csr_matrix(
                (np.ones(len(points)), (points, np.arange(len(points)))), shape=(len(load), len(points))
            )
            matrix = matrix + place @ local @ place.T
    return SparseSystem(matrix.tocsr(), load, basis, weights, given, given_values, fixes_constants)


@dataclass(frozen=True, eq=False)
class _Line:
    """The basis along one axis: values and slopes at quadrature points, (points, nodes)."""

    values: scipy.sparse.csr_matrix
    slopes: scipy.sparse.csr_matrix
    weights: Array
    points: Array


def _line(axis: Axis, degree: int, parts: int = 1) -> _Line:
    """Gauss' rule with degree + 1 points on each of so many parts of every element."""
    gauss, rule = np.polynomial.legendre.leggauss(degree + 1)
    starts = -1 + 2 * np.arange(parts)[:, None] / parts
    gauss, rule = (starts + (gauss + 1) / parts).ravel(), np.tile(rule / parts, parts)
    inverse = np.linalg.inv(np.polynomial.legendre.legvander(np.linspace(-1, 1, degree + 1), degree))
    values = np.polynomial.legendre.legvander(gauss, degree) @ inverse
    derivatives = [np.polynomial.legendre.legder(column) for column in np.eye(degree + 1)]
    slopes = np.stack([np.polynomial.legendre.legval(gauss, item) for item in derivatives], axis=1) @ inverse
    half = degree * axis.spacing / 2
    count, size = num_intervals(axis) // degree, len(gauss)
    columns = (np.arange(count)[:, None] * degree + np.arange(degree + 1)) % axis.num_points
    rows = np.arange(count * size).reshape(count, size)
    block = (count, size, degree + 1)
    places = (
        np.broadcast_to(rows[:, :, None], block).ravel(),
        np.broadcast_to(columns[:, None, :], block).ravel(),
    )
    matrices = [
        scipy.sparse.coo_matrix(
            (np.tile(item.ravel(), count), places), shape=(count * size, axis.num_points)
        ).tocsr()
        for item in (values, slopes / half)
    ]
    points = axis.lower + half * (2 * np.arange(count)[:, None] + 1 + gauss).ravel()
    return _Line(matrices[0], matrices[1], np.tile(rule * half, count), points)


def _product(factors: Sequence[scipy.sparse.csr_matrix]) -> scipy.sparse.csr_matrix:
    one = scipy.sparse.csr_matrix(np.ones((1, 1)))
    return reduce(lambda left, right: scipy.sparse.kron(left, right, format="csr"), factors, one)
