"""Other points in the same domain, to give functions at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import numpy
import torch
from scipy.spatial import Delaunay, cKDTree
from scipy.stats import qmc

from pdeops.domains.axis import AxisKind
from pdeops.domains.facets import facet_table
from pdeops.domains.grid import Grid
from pdeops.domains.mesh import Mesh
from pdeops.domains.mesh_checks import FLATTEST
from pdeops.domains.meshes import grid_mesh
from pdeops.domains.point_location import locate_points

SamplingKind = Literal["half", "double", "random", "graded"]

GRADING = 4.0
"""Spacing of graded points at the upper end of the first coordinate over that at its lower end."""

DRAWS = 64
"""Batches of candidates before one gives up."""


def resampled_mesh(domain: Grid | Mesh, kind: SamplingKind, seed: int) -> Mesh:
    r"""Mesh a domain anew with other points.

    The points of the boundary stay, so the shape, its area and its named parts do, too; those inside are
    drawn anew. They stay out of the circle around each edge of the boundary, which makes that edge one of
    Delaunay's triangulation (Gabriel's condition). Weights sum to the volume to rounding.

    Args:
        domain: Grid or mesh in one or two dimensions. Of a grid, its box with as many points on each side as
            the axis has; a periodic axis gets two ends.
        kind: ``"half"`` and ``"double"``: half or twice as many points, evenly spread; ``"random"``: as many,
            independent and uniform; ``"graded"``: as many, four times further apart at the upper end of the
            first coordinate than at the lower one.
        seed: Of the points.

    Returns:
        A mesh with that number of points (half of it rounded up), whose first points are those of the
        boundary.

    Raises:
        ValueError: The kind is unknown, the domain has three dimensions, it has too few points inside, or its
            boundary cannot be meshed so.

    Failure mode: Points of the boundary do not thin out: the spacing next to it is that of the domain.

    Source: P. L. George, H. Borouchaki, 1998, Delaunay triangulation and meshing, for the circles; J. H.
    Halton, 1960, doi:10.1007/BF01386213, for evenly spread points.
    """
    if kind not in get_args(SamplingKind):
        raise ValueError(f"resampled mesh: expected a kind of {get_args(SamplingKind)}, got {kind!r}")
    if domain.dimension not in (1, 2):
        raise ValueError(f"resampled mesh: expected one or two dimensions, got {domain.dimension}")
    mesh = _box_mesh(domain) if isinstance(domain, Grid) else domain
    table = facet_table(mesh.simplices.numpy())
    sides = table.facets[table.counts == 1]
    kept = numpy.unique(sides)
    boundary = mesh.points.numpy()[kept]
    number = numpy.full(mesh.num_points, -1)
    number[kept] = numpy.arange(len(kept))
    target = {"half": -(-mesh.num_points // 2), "double": 2 * mesh.num_points}.get(kind, mesh.num_points)
    if target <= len(boundary):
        raise ValueError(
            f"resampled mesh: expected {kind!r} to be more points than the {len(boundary)} of the boundary, "
            f"got {target}; try a finer domain"
        )
    inside = _draw(mesh, boundary[number[sides]], target - len(boundary), kind, seed)
    points = numpy.concatenate([boundary, inside])
    made = Mesh(
        torch.from_numpy(points),
        torch.from_numpy(_cells(points, mesh)),
        {name: torch.from_numpy(number[facets.numpy()]) for name, facets in mesh.boundaries.items()},
    )
    if abs(made.volume - mesh.volume) > 1e-9 * mesh.volume or len(torch.unique(made.simplices)) != target:
        raise ValueError(
            f"resampled mesh: expected cells that fill {mesh.volume:g}, got {made.volume:g}: edges of the "
            "boundary face each other too closely; try a finer boundary"
        )
    return made


def _box_mesh(grid: Grid) -> Mesh:
    """The grid's box with points at both ends of every axis."""
    ended = (AxisKind.NODES, AxisKind.CHEBYSHEV)
    return grid_mesh(
        Grid(tuple(axis if axis.kind in ended else replace(axis, kind=AxisKind.NODES) for axis in grid.axes))
    )


def _draw(mesh: Mesh, sides: numpy.ndarray, count: int, kind: SamplingKind, seed: int) -> numpy.ndarray:
    """Points inside, away from the sides of the boundary, shape (count, dimension)."""
    lower = mesh.points.numpy().min(axis=0)
    extent = numpy.ptp(mesh.points.numpy(), axis=0)
    middles = sides.mean(axis=1)
    # Of a side that is a point there is no circle.
    radii = numpy.linalg.norm(sides - middles[:, None], axis=-1).max(axis=1) * (1 + 1e-6)
    draw = _source(mesh.dimension, kind, seed)
    chosen = numpy.zeros((0, mesh.dimension))
    for _ in range(DRAWS):
        numbers = draw(2 * count)
        if kind == "graded":
            # Points in a unit of volume go with the spacing, which is linear, to the power of -dimension.
            share = numbers[:, 0]
            spacing = GRADING**share if mesh.dimension == 1 else 1 / (1 - (1 - 1 / GRADING) * share)
            numbers[:, 0] = (spacing - 1) / (GRADING - 1)
        points = lower + extent * numbers
        cells, _ = locate_points(mesh, torch.from_numpy(points))
        points = points[cells.numpy() >= 0]
        if len(points):
            near = cKDTree(points).query_ball_point(middles, radii)
            crowded = numpy.unique(numpy.concatenate([numpy.zeros(0, dtype=int), *map(numpy.array, near)]))
            points = numpy.delete(points, crowded.astype(int), axis=0)
        chosen = numpy.concatenate([chosen, points])
        if len(chosen) >= count:
            return chosen[:count]
    raise ValueError(
        f"resampled mesh: expected room for {count} points inside, got it for {len(chosen)}; try a finer "
        "boundary"
    )


def _source(dimension: int, kind: SamplingKind, seed: int) -> Callable[[int], numpy.ndarray]:
    """Numbers between 0 and 1, row after row: independent, or evenly spread."""
    if kind == "random":
        generator = numpy.random.default_rng(seed)
        return lambda count: generator.random((count, dimension))
    return qmc.Halton(dimension, scramble=True, rng=seed).random


def _cells(points: numpy.ndarray, mesh: Mesh) -> numpy.ndarray:
    """Segments or Delaunay's triangles between points, those inside of the mesh."""
    if mesh.dimension == 1:
        order = numpy.argsort(points[:, 0])
        simplices = numpy.stack([order[:-1], order[1:]], axis=1)
    else:
        simplices = Delaunay(points).simplices.astype(numpy.int64)
        corners = points[simplices]
        first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        areas = numpy.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
        longest = numpy.linalg.norm(corners - numpy.roll(corners, 1, axis=1), axis=-1).max(axis=1)
        # Along straight sides rounding leaves some that are lines.
        simplices = simplices[areas > FLATTEST * longest**2]
    inside, _ = locate_points(mesh, torch.from_numpy(points[simplices].mean(axis=1)))
    return simplices[inside.numpy() >= 0]
