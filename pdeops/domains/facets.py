"""Faces of simplices: which cells share them, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy


@dataclass(frozen=True, eq=False)
class FacetTable:
    """All facets of a mesh, and the sides of cells that they are.

    A side is a pair of a cell and the corner that the facet leaves out. Sides are sorted by facet.

    Args:
        facets: Corners in ascending order, shape (facets, dimension).
        counts: Number of cells that have the facet: 1 on the boundary, 2 inside.
        starts: Number of the first side of each facet.
        cells: Cell of each side.
        opposite: Point of that cell that is no corner of the facet.
    """

    facets: numpy.ndarray
    counts: numpy.ndarray
    starts: numpy.ndarray
    cells: numpy.ndarray
    opposite: numpy.ndarray


def facet_table(simplices: numpy.ndarray) -> FacetTable:
    """List the facets of simplices.

    Args:
        simplices: Corners of each cell, shape (cells, dimension + 1).

    Returns:
        The table.
    """
    corners = simplices.shape[1]
    sides = numpy.concatenate([numpy.delete(simplices, left_out, axis=1) for left_out in range(corners)])
    opposite = simplices.T.reshape(-1)
    cells = numpy.tile(numpy.arange(len(simplices)), corners)
    facets, inverse, counts = numpy.unique(
        numpy.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    order = numpy.argsort(inverse.reshape(-1), kind="stable")
    starts = numpy.cumsum(counts) - counts
    return FacetTable(facets, counts, starts, cells[order], opposite[order])


def facet_numbers(wanted: numpy.ndarray, facets: numpy.ndarray, num_points: int) -> numpy.ndarray:
    """Positions of facets in a list of facets, whatever the order of their corners.

    Args:
        wanted: Corners, shape (wanted, dimension).
        facets: The list, shape (facets, dimension).
        num_points: Number of points of the mesh.

    Returns:
        One position a wanted facet.

    Raises:
        ValueError: One is not in the list.
    """
    keys, wanted_keys = _keys(facets, num_points), _keys(wanted, num_points)
    order = numpy.argsort(keys)
    place = numpy.minimum(numpy.searchsorted(keys, wanted_keys, sorter=order), max(len(keys) - 1, 0))
    missing = keys[order[place]] != wanted_keys if len(keys) else numpy.ones(len(wanted), dtype=bool)
    if missing.any():
        first = sorted(wanted[missing][0].tolist())
        raise ValueError(
            f"mesh: boundary facet {first} is no face of a cell; try naming facets by the corners of cells"
        )
    return order[place]


def _keys(facets: numpy.ndarray, num_points: int) -> numpy.ndarray:
    """One number a facet; three corners fit into 64 bits up to two million points."""
    ordered = numpy.sort(facets, axis=1).astype(numpy.uint64)
    keys = numpy.zeros(len(facets), dtype=numpy.uint64)
    for column in ordered.T:
        keys = keys * numpy.uint64(num_points) + column
    return keys
