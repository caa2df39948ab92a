"""Fields given at the points of a mesh, as functions of an element space."""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy
from scipy.spatial import cKDTree

from solvers.elements.element_space import Array, ElementSpace

NEIGHBOURS = {1: 6, 2: 20, 3: 40}
"""Points of a cubic fit by dimension: about twice its coefficients."""

SMALLEST_SINGULAR_VALUE = 1e-3
"""Of a fit, relative to its largest: below, the points lie too near to a line or a curve."""

MOST_DOUBLINGS = 3
"""How often the number of points of a fit is doubled on stretched meshes."""


class PointFields:
    r"""Extends values at the points of a mesh to all nodes of a space.

    In a linear space the values are the coefficients. A quadratic space has more nodes, on the edges: there a
    cubic polynomial is fitted to the nearest points, by weighted least squares, and cut to the range of
    the values at these points, so that a coefficient that jumps stays positive. The error is of fourth order
    for smooth fields, where linear interpolation would limit the whole method to second order.

    Args:
        space: The space.
    """

    def __init__(self, space: ElementSpace) -> None:
        self.space = space

    @cached_property
    def _fits(self) -> list[tuple[Array, Array, Array]]:
        """Nodes, the points near them, and the weights of these points in the value of the fit."""
        fits = []
        space = self.space
        others = numpy.setdiff1d(numpy.arange(space.num_unknowns), space.vertex_unknowns)
        tree, points = cKDTree(space.mesh.points.numpy()), space.mesh.points.numpy()
        for doubling in range(MOST_DOUBLINGS + 1):
            count = min(NEIGHBOURS[space.mesh.dimension] * 2**doubling, len(points))
            last = doubling == MOST_DOUBLINGS or count == len(points)
            if len(others):
                near, weights, is_sound = _cubic_fits(tree, points, space.basis.doflocs[:, others].T, count)
                kept = is_sound | last
                fits.append((others[kept], near[kept], weights[kept]))
                others = others[~kept]
        return fits

    def coefficients(self, values: Array) -> Array:
        """Coefficients of a field in the space.

        Args:
            values: At the points of the mesh.

        Returns:
            One a node.
        """
        result = numpy.zeros(self.space.num_unknowns)
        result[self.space.vertex_unknowns] = values
        if not values.any():  # nothing to fit, which takes longer than a small system
            return result
        for nodes, neighbours, weights in self._fits:
            near = values[neighbours]
            result[nodes] = numpy.clip((near * weights).sum(axis=1), near.min(axis=1), near.max(axis=1))
        return result

    def at_quadrature(self, values: Array) -> Array:
        """The field at the quadrature points, shape (cells, points)."""
        return self.space.at_quadrature(self.coefficients(values))


def _cubic_fits(tree: cKDTree, points: Array, targets: Array, count: int) -> tuple[Array, Array, Array]:
    """Points near each target, their weights in the value of the fit there, and whether it is determined."""
    distance, neighbours = tree.query(targets, k=count)
    offsets = (points[neighbours] - targets[:, None]) / distance[:, -1:, None]
    dimension = points.shape[1]
    powers = [
        numpy.prod(offsets[..., list(axes)], axis=-1)
        for degree in range(4)
        for axes in itertools.combinations_with_replacement(range(dimension), degree)
    ]
    terms = numpy.stack(powers, axis=-1)
    singular = numpy.linalg.svd(terms, compute_uv=False)
    is_sound = singular[:, -1] > SMALLEST_SINGULAR_VALUE * singular[:, 0]
    # Near points count more: five times as exact as all alike.
    trust = (distance[:, :1] / distance) ** 4
    inverse = numpy.linalg.pinv(terms * trust[..., None], rcond=1e-10)
    # The value of the fit at the target, the origin of the offsets, is its constant.
    return neighbours, inverse[:, 0, :] * trust, is_sound
