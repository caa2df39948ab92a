"""Diagnosis of meshes before something is solved on them."""

from __future__ import annotations

from functools import lru_cache

import numpy
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pdeops.domains.facets import FacetTable, facet_numbers, facet_table
from pdeops.domains.mesh import Mesh

FLATTEST = 1e-10
"""Least volume of a cell, relative to that of a cube of its longest edge: below, rounding rules."""


@lru_cache(maxsize=32)
def check_mesh(mesh: Mesh) -> None:
    """Check that a mesh is fit for a solver: a connected domain whose boundary is named without gaps.

    The order of a cell's corners (its orientation) does not matter and is not checked. A mesh of several
    bodies is refused, as is a slit whose two sides coincide: open it a little.

    Args:
        mesh: The mesh.

    Raises:
        ValueError: Cells are missing, flat, folded over one another or disconnected; points are unused or
            coincide; boundary facets lie inside, are named twice or have no name. The message says how many,
            and names one.
    """
    if not len(mesh.simplices):
        raise ValueError("mesh: expected cells, got none; try pdeops.domains.box_mesh((8, 8))")
    points, simplices = mesh.points.numpy(), mesh.simplices.numpy()
    table = facet_table(simplices)
    _check_points(points, simplices)
    _check_cells(mesh, points, table)
    _check_boundary(mesh, table)


def remove_orphan_points(mesh: Mesh) -> Mesh:
    """Return the mesh without the points that no cell uses.

    Args:
        mesh: The mesh.

    Returns:
        A mesh with new point numbers; the same mesh if all points are used.

    Raises:
        ValueError: A boundary facet uses such a point.
    """
    used = torch.unique(mesh.simplices)
    if len(used) == mesh.num_points:
        return mesh
    number = torch.full((mesh.num_points,), -1, dtype=torch.int64)
    number[used] = torch.arange(len(used))
    boundaries = {name: number[facets] for name, facets in mesh.boundaries.items()}
    if any(bool((facets < 0).any()) for facets in boundaries.values()):
        raise ValueError(
            "mesh: expected boundary facets between points of cells, got others; try removing them"
        )
    return Mesh(mesh.points[used], number[mesh.simplices], boundaries)


def _check_points(points: numpy.ndarray, simplices: numpy.ndarray) -> None:
    if not numpy.isfinite(points).all():
        raise ValueError("mesh: expected finite coordinates, got NaN or infinity; try another file")
    unused = numpy.setdiff1d(numpy.arange(len(points)), simplices)
    if len(unused):
        raise ValueError(
            f"mesh: expected points that cells use, got {len(unused)} orphan points, for example number "
            f"{unused[0]} at {points[unused[0]].tolist()}; try pdeops.domains.remove_orphan_points"
        )
    extent = float(numpy.ptp(points, axis=0).max())
    _, first, counts = numpy.unique(
        numpy.round(points / (1e-12 * extent)), axis=0, return_index=True, return_counts=True
    )
    if (counts > 1).any():
        example = points[first[counts > 1][0]].tolist()
        raise ValueError(
            f"mesh: expected distinct points, got {int((counts - 1).sum())} that coincide with others, for "
            f"example at {example}; try pyvista's clean, or open a slit a little"
        )


def _check_cells(mesh: Mesh, points: numpy.ndarray, table: FacetTable) -> None:
    corners = points[mesh.simplices.numpy()]
    longest = numpy.linalg.norm(corners[:, :, None] - corners[:, None], axis=-1).max(axis=(1, 2))
    flat = numpy.flatnonzero(mesh.cell_volumes.numpy() < FLATTEST * longest**mesh.dimension)
    if len(flat):
        raise ValueError(
            f"mesh: expected cells with a volume, got {len(flat)} flat ones, for example cell {flat[0]} at "
            f"{corners[flat[0]].tolist()}; try removing them"
        )
    crowded = numpy.flatnonzero(table.counts > 2)
    if len(crowded):
        raise ValueError(
            f"mesh: expected facets of one or two cells, got {len(crowded)} of more, for example the one "
            f"with corners {table.facets[crowded[0]].tolist()}; try removing cells that are there twice"
        )
    # Two cells at a facet must lie on different sides of it, whatever the order of their corners.
    shared = numpy.flatnonzero(table.counts == 2)
    first = table.starts[shared]
    base = points[table.facets[shared]]
    side = [
        numpy.sign(numpy.linalg.det(base - points[table.opposite[first + which]][:, None]))
        for which in (0, 1)
    ]
    folded = numpy.flatnonzero(side[0] == side[1])
    if len(folded):
        cells = table.cells[first[folded[0]] : first[folded[0]] + 2].tolist()
        raise ValueError(
            f"mesh: expected cells side by side, got {len(folded)} facets where a cell is inverted (folded "
            f"over its neighbour), for example between cells {cells}; try moving their points back"
        )
    pairs = (table.cells[first], table.cells[first + 1])
    size = len(mesh.simplices)
    number, label = connected_components(
        coo_array((numpy.ones(len(first)), pairs), (size, size)), directed=False
    )
    if number > 1:
        sizes = sorted(numpy.bincount(label).tolist(), reverse=True)
        raise ValueError(
            f"mesh: expected cells joined by facets, got {number} parts of {', '.join(map(str, sizes[:5]))} "
            "cells; try one mesh a part, or merging points that should be one"
        )


def _check_boundary(mesh: Mesh, table: FacetTable) -> None:
    names = mesh.boundary_names
    numbers = [
        facet_numbers(facets.numpy(), table.facets, mesh.num_points) for facets in mesh.boundaries.values()
    ]
    for name, part in zip(names, numbers, strict=True):
        inside = table.facets[part[table.counts[part] == 2]]
        if len(inside):
            raise ValueError(
                f"mesh: boundary {name!r}: expected facets of one cell, got {len(inside)} inside the domain, "
                f"for example the one with corners {inside[0].tolist()}; try leaving them out"
            )
    covered = numpy.concatenate([*map(numpy.unique, numbers), numpy.zeros(0, dtype=numpy.int64)])
    times = numpy.bincount(covered, minlength=len(table.facets))
    twice = table.facets[times > 1]
    if len(twice):
        raise ValueError(
            f"mesh: expected every boundary facet in one part of {list(names)}, got {len(twice)} in several, "
            f"for example the one with corners {twice[0].tolist()}; try leaving a part out"
        )
    open_facets = table.facets[(table.counts == 1) & (times == 0)]
    if len(open_facets):
        middle = mesh.points.numpy()[open_facets[0]].mean(axis=0).tolist()
        raise ValueError(
            f"mesh: expected every boundary facet in a part of {list(names)}, got {len(open_facets)} in "
            f"none, for example the one around {middle}; try "
            "pdeops.domains.name_boundaries(mesh, rest='wall')"
        )
