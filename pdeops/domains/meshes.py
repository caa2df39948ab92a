"""Makers of meshes with named boundary parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy
import torch
from jaxtyping import Bool, Float64
from scipy.spatial import Delaunay, cKDTree
from torch import Tensor

from pdeops.domains.axis import AxisKind
from pdeops.domains.facets import facet_table
from pdeops.domains.grid import Grid
from pdeops.domains.mesh import Mesh
from pdeops.domains.scikit_fem import from_scikit_fem, import_scikit_fem, to_scikit_fem

Region = Callable[[Float64[Tensor, "facets dimension"]], Bool[Tensor, " facets"]]
"""Which facets belong to a part, by their midpoints."""

SMOOTHING_STEPS = 4


def name_boundaries(
    mesh: Mesh, regions: Mapping[str, Region] | None = None, *, rest: str | None = None
) -> Mesh:
    """Name the facets of the boundary by where they are.

    Args:
        mesh: The mesh; its names stay, and facets that have one are not named again.
        regions: For each new part, which midpoints belong to it; a facet goes to the first that fits.
        rest: Name of the part of all facets that are left, or None to leave them without.

    Returns:
        The mesh with more parts.

    Raises:
        ValueError: A name is taken, or no facet fits a part.

    Example:
        >>> mesh = name_boundaries(Mesh(points, simplices), {"inlet": lambda p: p[:, 0] < 1e-9}, rest="wall")
        ... # doctest: +SKIP
    """
    table = facet_table(mesh.simplices.numpy())
    facets = torch.from_numpy(table.facets[table.counts == 1])
    named = {tuple(sorted(facet)) for part in mesh.boundaries.values() for facet in part.tolist()}
    free = torch.tensor([tuple(facet) not in named for facet in facets.tolist()], dtype=torch.bool)
    midpoints = mesh.points[facets].mean(dim=1)
    parts = dict(mesh.boundaries)
    for name, region in {**(regions or {}), **({rest: _everywhere} if rest else {})}.items():
        if name in parts:
            raise ValueError(f"boundary part: expected a new name, got {name!r}, which is taken; try another")
        chosen = free & region(midpoints)
        if not bool(chosen.any()) and name != rest:
            raise ValueError(
                f"boundary part {name!r}: expected facets in its region, got none; try a wider one"
            )
        if bool(chosen.any()):
            parts[name] = facets[chosen]
        free &= ~chosen
    return Mesh(mesh.points, mesh.simplices, parts)


def grid_mesh(grid: Grid) -> Mesh:
    """Cut the cells of a grid into simplices.

    Args:
        grid: Nodes or Chebyshev points on every axis, 1 to 3 axes.

    Returns:
        A mesh with the grid's points, in its order, and its boundary names (``"x_lower"``): values on the
        grid are values on the mesh, flattened.

    Raises:
        ImportError: scikit-fem is not installed.
        ValueError: An axis has no points at its ends.
    """
    skfem = import_scikit_fem()
    for axis in grid.axes:
        if axis.kind not in (AxisKind.NODES, AxisKind.CHEBYSHEV):
            raise ValueError(
                f"mesh of a grid: expected axes of nodes or Chebyshev points, got {str(axis.kind)!r} for "
                f"{axis.name!r}; try Grid.box(shape, kind='nodes')"
            )
    kind = (skfem.MeshLine, skfem.MeshTri, skfem.MeshTet)[grid.dimension - 1]
    made = kind.init_tensor(*(numpy.sort(axis.points.numpy()) for axis in grid.axes))
    # The grid's own order of points: the last axis fastest, each axis as it runs.
    _, number = cKDTree(grid.points.numpy()).query(made.p.T)
    mesh = Mesh(grid.points, torch.from_numpy(number[made.t.T].astype(numpy.int64)))
    regions: dict[str, Region] = {}
    for position, axis in enumerate(grid.axes):
        for side, place in (("lower", axis.lower), ("upper", axis.upper)):
            regions[f"{axis.name}_{side}"] = _on_plane(position, place, axis.upper - axis.lower)
    return name_boundaries(mesh, regions)


def box_mesh(
    num_cells: Sequence[int], *, lower: Sequence[float] | None = None, upper: Sequence[float] | None = None
) -> Mesh:
    """An interval, a rectangle or a box, cut into equal cells and these into simplices.

    Args:
        num_cells: Cells an axis; one, two or three axes.
        lower: Lower corner; zeros by default.
        upper: Upper corner; ones by default.

    Returns:
        A mesh with the parts ``"x_lower"``, ``"x_upper"``, ``"y_lower"`` and so on.

    Raises:
        ValueError: There is an axis without a cell.
    """
    if min(num_cells) < 1:
        raise ValueError(f"box_mesh: expected one cell an axis or more, got {tuple(num_cells)}; try (8, 8)")
    shape = tuple(count + 1 for count in num_cells)
    lower = (0.0,) * len(shape) if lower is None else tuple(lower)
    upper = (1.0,) * len(shape) if upper is None else tuple(upper)
    return grid_mesh(Grid.box(shape, AxisKind.NODES, lower=lower, upper=upper))


def l_shape_mesh(num_refinements: int = 4) -> Mesh:
    r"""The square :math:`(-1, 1)^2` without its quadrant :math:`x, y \ge 0`.

    Args:
        num_refinements: How often the six first triangles are cut in four: cells have legs of
            :math:`2^{-n}`.

    Returns:
        A mesh with the outer sides ``"x_lower"``, ``"x_upper"``, ``"y_lower"``, ``"y_upper"`` and the two
        sides at the corner, ``"reentrant_x"`` (x = 0) and ``"reentrant_y"`` (y = 0).
    """
    made = import_scikit_fem().MeshTri.init_lshaped().refined(_count(num_refinements))
    regions = {
        "x_lower": _on_plane(0, -1.0, 2.0),
        "x_upper": _on_plane(0, 1.0, 2.0),
        "y_lower": _on_plane(1, -1.0, 2.0),
        "y_upper": _on_plane(1, 1.0, 2.0),
        "reentrant_x": _on_plane(0, 0.0, 2.0),
        "reentrant_y": _on_plane(1, 0.0, 2.0),
    }
    return name_boundaries(from_scikit_fem(made), regions)


def disk_mesh(
    num_refinements: int = 4, *, radius: float = 1.0, center: tuple[float, float] = (0.0, 0.0)
) -> Mesh:
    """A disk; its boundary is a polygon with corners on the circle.

    Args:
        num_refinements: How often the four first triangles are cut in four.
        radius: Radius.
        center: Centre.

    Returns:
        A mesh with the part ``"circle"``.

    Raises:
        ValueError: The radius is not positive.

    Failure mode: The polygon is off the circle by the square of the edge, which limits every degree of
    element to second order.
    """
    if not radius > 0:
        raise ValueError(f"disk_mesh: expected a positive radius, got {radius}; try 1.0")
    made = import_scikit_fem().MeshTri.init_circle(_count(num_refinements))
    unit = from_scikit_fem(made)
    moved = radius * unit.points + torch.tensor(center, dtype=torch.float64)
    return name_boundaries(Mesh(moved, unit.simplices), rest="circle")


def annulus_sector_mesh(
    num_cells: tuple[int, int] = (8, 16),
    *,
    inner_radius: float = 1.0,
    outer_radius: float = 2.0,
    angle: float = math.pi / 2,
) -> Mesh:
    """A sector of a ring around the origin, from the x axis on.

    Args:
        num_cells: Cells along the radius and along the angle.
        inner_radius: Radius of the inner side.
        outer_radius: Radius of the outer side.
        angle: Angle of the sector (radian), less than a full turn.

    Returns:
        A mesh with the parts ``"inner"``, ``"outer"``, ``"start"`` (on the x axis) and ``"end"``.

    Raises:
        ValueError: Radii or the angle are out of range.
    """
    if not 0 < inner_radius < outer_radius or not 0 < angle < 2 * math.pi:
        raise ValueError(
            f"annulus_sector_mesh: expected 0 < inner < outer radius and an angle below 2 pi, got "
            f"{inner_radius}, {outer_radius} and {angle}; try 1.0, 2.0 and pi/2"
        )
    box = box_mesh(num_cells, lower=(inner_radius, 0.0), upper=(outer_radius, angle))
    radius, turn = box.points.T
    points = torch.stack([radius * torch.cos(turn), radius * torch.sin(turn)], dim=1)
    names = {"x_lower": "inner", "x_upper": "outer", "y_lower": "start", "y_upper": "end"}
    return Mesh(points, box.simplices, {names[name]: facets for name, facets in box.boundaries.items()})


def square_with_holes_mesh(
    num_cells: int = 16, *, holes: Sequence[tuple[float, float, float]] = ((0.5, 0.5, 0.2),)
) -> Mesh:
    """The unit square without circular holes, by Delaunay's triangulation.

    Points of a uniform grid make way for rings of points on the circles; the inner ones are then moved to
    the middle of their neighbours a few times.

    Args:
        num_cells: Cells along a side; a circle gets edges of the same length.
        holes: Centre and radius of each hole: (x, y, r).

    Returns:
        A mesh with the parts ``"x_lower"``, ``"x_upper"``, ``"y_lower"``, ``"y_upper"`` and ``"hole_0"``,
        ``"hole_1"`` and so on.

    Raises:
        ImportError: scikit-fem is not installed.
        ValueError: A hole is too small for the cells, or too near to a side or to another hole.
    """
    skfem = import_scikit_fem()
    size = 1.0 / _count(num_cells, least=2)
    for number, (x, y, radius) in enumerate(holes):
        room = min(x, y, 1 - x, 1 - y) - radius
        room = min([room, *(math.hypot(x - a, y - b) - radius - r for a, b, r in holes[:number])])
        if radius < 1.5 * size or room < 1.5 * size:
            raise ValueError(
                f"square_with_holes_mesh: hole {number}: expected a radius, and a distance to sides and "
                f"holes, of one and a half cells ({1.5 * size:g}) or more, got {radius:g} and {room:g}; "
                f"try num_cells={2 * num_cells}"
            )
    axis = numpy.linspace(0, 1, num_cells + 1)
    background = numpy.stack(numpy.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    rings, owner = [], [numpy.full(0, 0)]
    for number, (x, y, radius) in enumerate(holes):
        distance = numpy.hypot(background[:, 0] - x, background[:, 1] - y)
        background = background[distance > radius + 0.6 * size]
        angles = numpy.arange(count := math.ceil(2 * math.pi * radius / size)) * (2 * math.pi / count)
        rings.append(numpy.stack([x + radius * numpy.cos(angles), y + radius * numpy.sin(angles)], axis=1))
        owner.append(numpy.full(count, number))
    points = numpy.concatenate([*rings, background])
    owners = numpy.concatenate([*owner, numpy.full(len(background), -1)])
    for _ in range(SMOOTHING_STEPS):
        made = skfem.MeshTri(*_without_holes(points, owners))
        points = numpy.ascontiguousarray(made.smoothed().p.T)
    corners, simplices = _without_holes(points, owners)
    mesh = Mesh(torch.from_numpy(corners.T.copy()), torch.from_numpy(simplices.T.astype(numpy.int64)))
    regions: dict[str, Region] = {
        f"{name}_{side}": _on_plane(position, place, 1.0)
        for position, name in enumerate("xy")
        for side, place in (("lower", 0.0), ("upper", 1.0))
    }
    regions |= {f"hole_{number}": _in_disk(*hole) for number, hole in enumerate(holes)}
    return name_boundaries(mesh, regions)


def refine_mesh(mesh: Mesh, times: int = 1) -> Mesh:
    """Cut every cell into 2, 4 or 8 (in 1, 2 or 3 dimensions); boundary parts keep their names.

    New points lie in the middle of edges: curved boundaries keep the shape that the coarse mesh gave them.

    Args:
        mesh: The mesh.
        times: How often.

    Returns:
        The finer mesh; the points of the coarse one come first.

    Raises:
        ImportError: scikit-fem is not installed.
    """
    for _ in range(_count(times)):
        bare = Mesh(mesh.points, mesh.simplices)
        finer = from_scikit_fem(to_scikit_fem(bare).refined(1))
        tree = cKDTree(finer.points.numpy())
        boundaries = {name: _refined_facets(part, mesh, tree) for name, part in mesh.boundaries.items()}
        mesh = Mesh(finer.points, finer.simplices, boundaries)
    return mesh


def _refined_facets(facets: Tensor, mesh: Mesh, tree: cKDTree) -> Tensor:
    """Points, halves of edges, or quarters of triangles, with the point numbers of the finer mesh."""
    if mesh.dimension == 1:
        return facets
    corners = mesh.points[facets].numpy()
    pairs = list(itertools.combinations(range(mesh.dimension), 2))
    middle = {
        pair: torch.from_numpy(tree.query(corners[:, list(pair)].mean(axis=1))[1].astype(numpy.int64))
        for pair in pairs
    }
    if mesh.dimension == 2:
        halves = [(facets[:, 0], middle[0, 1]), (middle[0, 1], facets[:, 1])]
        return torch.cat([torch.stack(half, dim=1) for half in halves])
    first, second, third = facets.T
    quarters = [
        (first, middle[0, 1], middle[0, 2]),
        (second, middle[0, 1], middle[1, 2]),
        (third, middle[0, 2], middle[1, 2]),
        (middle[0, 1], middle[0, 2], middle[1, 2]),
    ]
    return torch.cat([torch.stack(quarter, dim=1) for quarter in quarters])


def _without_holes(points: numpy.ndarray, owners: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Delaunay's triangles but those with all corners on one circle, in the layout of scikit-fem."""
    triangles = Delaunay(points).simplices
    circles = owners[triangles]
    inside = (circles[:, 0] >= 0) & (circles == circles[:, :1]).all(axis=1)
    return numpy.ascontiguousarray(points.T), numpy.ascontiguousarray(triangles[~inside].T)


def _everywhere(midpoints: Tensor) -> Tensor:
    return torch.ones(len(midpoints), dtype=torch.bool)


def _on_plane(position: int, place: float, extent: float) -> Region:
    return lambda midpoints: (midpoints[:, position] - place).abs() < 1e-9 * extent


def _in_disk(x: float, y: float, radius: float) -> Region:
    return lambda midpoints: torch.hypot(midpoints[:, 0] - x, midpoints[:, 1] - y) < radius * (1 + 1e-9)


def _count(value: int, *, least: int = 0) -> int:
    if value < least:
        raise ValueError(f"mesh: expected a number of {least} or more, got {value}; try {least + 4}")
    return value
