"""Diffusion on a grid as a sparse matrix, with every kind of boundary condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float64

from pdeops.domains import Grid
from pdeops.problems import Dirichlet, Robin
from solvers.elliptic.face_data import FaceData

Array = np.ndarray[Any, np.dtype[Any]]
FaceMean = Literal["harmonic", "arithmetic"]


@dataclass(frozen=True, eq=False)
class SparseSystem:
    r"""A discrete elliptic problem :math:`A u + M g(u) = M f + b`.

    A is symmetric, with the conditions on fluxes in it. :math:`M = B^T \operatorname{diag}(w) B` integrates:
    B takes values at the points to those where integrals are summed up, w are the weights there. For fluxes
    in balance on cells around the points, B is the identity and w are the volumes of the cells.

    Args:
        matrix: A on all points, those with given values included.
        load: b, what the data on the faces brings in.
        basis: B.
        weights: w.
        given: Which points have given values.
        given_values: The values there, zero elsewhere.
        fixes_constants: Whether any part of the boundary ties the solution down.
    """

    matrix: scipy.sparse.csr_matrix
    load: Float64[np.ndarray, " points"]
    basis: scipy.sparse.spmatrix
    weights: Float64[np.ndarray, " quadrature"]
    given: Bool[np.ndarray, " points"]
    given_values: Float64[np.ndarray, " points"]
    fixes_constants: bool

    @property
    def free(self) -> Bool[np.ndarray, " points"]:
        """Which points are unknowns."""
        return ~self.given

    @cached_property
    def mass(self) -> scipy.sparse.csr_matrix:
        """The matrix M."""
        return self._integrals(self.weights)

    def weighted_mass(self, coefficient: Float64[np.ndarray, " points"]) -> scipy.sparse.csr_matrix:
        """The matrix of the integrals of r u v, with the coefficient r interpolated like u."""
        return self._integrals(self.weights * (self.basis @ coefficient))

    def _integrals(self, weights: Array) -> scipy.sparse.csr_matrix:
        return (self.basis.T @ scipy.sparse.diags(weights) @ self.basis).tocsr()

    @cached_property
    def volumes(self) -> Float64[np.ndarray, " points"]:
        """Integrals of the basis functions: the weights of a mean."""
        return self.basis.T @ self.weights


def assemble(
    diffusion: Float64[np.ndarray, "..."], faces: Sequence[FaceData], grid: Grid, face_mean: FaceMean
) -> SparseSystem:
    r"""Assemble the matrix.

    The flux through a face of area |F| between points at distance h is :math:`|F| a_F (u_i - u_j) / h`. To
    the wall of a cell-centred axis the distance is h/2, with the coefficient of the cell, also where a Robin
    condition relates flux and value at the wall.

    Args:
        diffusion: a at the points, shape (*grid.shape).
        faces: The conditions.
        grid: Axes of nodes, cells or periodic points.
        face_mean: How a at a face follows from its two neighbours.

    Returns:
        The system.
    """
    size = grid.num_points
    index = np.arange(size).reshape(grid.shape)
    weights = [axis.weights.numpy() for axis in grid.axes]
    rows: list[Array] = []
    columns: list[Array] = []
    entries: list[Array] = []

    for number, axis in enumerate(grid.axes):
        last = axis.num_points - 1
        pairs = [(slice(0, last), slice(1, last + 1))]
        if axis.is_periodic and last > 0:
            pairs.append((slice(last, last + 1), slice(0, 1)))
        for lower, upper in pairs:
            left, right = _along(index, number, lower), _along(index, number, upper)
            a, b = _along(diffusion, number, lower), _along(diffusion, number, upper)
            mean = 2 * a * b / (a + b) if face_mean == "harmonic" else (a + b) / 2
            flux = (mean * _area(weights, number) / axis.spacing).ravel()
            i, j = left.ravel(), right.ravel()
            rows += [i, j, i, j]
            columns += [i, j, j, i]
            entries += [flux, flux, -flux, -flux]

    load, diagonal = np.zeros(size), np.zeros(size)
    given, given_values = np.zeros(size, dtype=bool), np.zeros(size)
    fixes_constants = False
    for face in faces:
        axis = grid.axes[face.number]
        position = axis.num_points - 1 if face.is_upper else 0
        points = index.take(position, face.number).ravel()
        area = _area(weights, face.number).take(0, face.number).ravel()
        values = face.values.numpy().ravel()
        wall = 2 * diffusion.ravel()[points] / axis.spacing
        if isinstance(face.condition, Dirichlet):
            fixes_constants = True
            if axis.has_ends:
                given[points], given_values[points] = True, values
            else:
                diagonal[points] += area * wall
                load[points] += area * wall * values
            continue
        share = np.ones_like(values)
        if isinstance(face.condition, Robin) and face.coefficients is not None:
            alpha = face.coefficients.numpy().ravel()
            fixes_constants = fixes_constants or bool(np.any(alpha != 0))
            if not axis.has_ends:
                share = wall / (wall + alpha)  # the value at the wall is eliminated
            diagonal[points] += area * alpha * share
        load[points] += area * values * share

    rows, columns, entries = [*rows, index.ravel()], [*columns, index.ravel()], [*entries, diagonal]
    triplets = (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns)))
    matrix = scipy.sparse.coo_matrix(triplets, shape=(size, size)).tocsr()
    volumes = grid.quadrature_weights.numpy().ravel()
    identity = scipy.sparse.identity(size, format="csr")
    return SparseSystem(matrix, load, identity, volumes, given, given_values, fixes_constants)


def _along(values: Array, number: int, part: slice) -> Array:
    return values[tuple(part if i == number else slice(None) for i in range(values.ndim))]


def _area(weights: Sequence[Array], number: int) -> Array:
    """Areas of the faces across an axis, with one entry along it."""
    result = np.ones((1,) * len(weights))
    for i, item in enumerate(weights):
        if i != number:
            result = result * item.reshape(tuple(-1 if j == i else 1 for j in range(len(weights))))
    return result
