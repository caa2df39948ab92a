"""Fields given at the points of a mesh, as functions of an element space."""

from __future__ import annotations

import itertools

import numpy
from scipy.spatial import cKDTree

from solvers.elements.element_space import Array, ElementSpace

NEIGHBOURS = {1: 4, 2: 12, 3: 30}
"""Points of a quadratic fit by dimension: about twice its coefficients."""


class PointFields:
    r"""Extends values at the points of a mesh to all nodes of a space.

    In a linear space the values are the coefficients. A quadratic space has more nodes, on the edges: there a
    quadratic polynomial is fitted to the nearest points, by least squares, and cut to the range of the values
    at these points, so that a coefficient that jumps stays positive. The error is of third order for smooth
    fields, where linear interpolation would limit the whole method to second order.

    Args:
        space: The space.
    """

    def __init__(self, space: ElementSpace) -> None:
        self.space = space
        self._others = numpy.setdiff1d(numpy.arange(space.num_unknowns), space.vertex_unknowns)
        if len(self._others):
            self._neighbours, self._weights = _quadratic_fits(
                space.mesh.points.numpy(), space.basis.doflocs[:, self._others].T
            )

    def coefficients(self, values: Array) -> Array:
        """Coefficients of a field in the space.

        Args:
            values: At the points of the mesh.

        Returns:
            One a node.
        """
        result = numpy.zeros(self.space.num_unknowns)
        result[self.space.vertex_unknowns] = values
        if len(self._others):
            near = values[self._neighbours]
            fitted = (near * self._weights).sum(axis=1)
            result[self._others] = numpy.clip(fitted, near.min(axis=1), near.max(axis=1))
        return result

    def at_quadrature(self, values: Array) -> Array:
        """The field at the quadrature points, shape (cells, points)."""
        return self.space.at_quadrature(self.coefficients(values))


def _quadratic_fits(points: Array, targets: Array) -> tuple[Array, Array]:
    """Numbers of the points near each target, and their weights in the value of the fit there."""
    dimension = points.shape[1]
    count = min(NEIGHBOURS[dimension], len(points))
    distance, neighbours = cKDTree(points).query(targets, k=count)
    scale = distance[:, -1:, None]
    offsets = (points[neighbours] - targets[:, None]) / scale
    pairs = itertools.combinations_with_replacement(range(dimension), 2)
    squares = [offsets[..., i] * offsets[..., j] for i, j in pairs]
    terms = numpy.stack(
        [numpy.ones_like(offsets[..., 0]), *numpy.moveaxis(offsets, -1, 0), *squares], axis=-1
    )
    # The value of the fit at the target, the origin of the offsets, is its constant.
    return neighbours, numpy.linalg.pinv(terms)[:, 0, :]
