"""Makers of meshes, names of boundary parts through files, and the diagnosis of bad meshes."""

import math

import numpy
import pytest
import torch

from pdeops.domains import (
    Grid,
    Mesh,
    annulus_sector_mesh,
    box_mesh,
    check_mesh,
    disk_mesh,
    from_scikit_fem,
    grid_mesh,
    l_shape_mesh,
    name_boundaries,
    read_mesh,
    refine_mesh,
    remove_orphan_points,
    square_with_holes_mesh,
    to_scikit_fem,
    write_mesh,
)

HOLES = ((0.3, 0.3, 0.15), (0.7, 0.65, 0.2))


def measures(mesh):
    """Volume, and length or area of every part of the boundary."""
    check_mesh(mesh)
    parts = {name: mesh.boundary(name).quadrature_weights.sum().item() for name in mesh.boundary_names}
    return mesh.volume, parts


def test_boxes_have_their_volume_and_sides():
    assert measures(box_mesh((5,), upper=(2.0,))) == (pytest.approx(2), {"x_lower": 1, "x_upper": 1})
    volume, parts = measures(box_mesh((4, 3), lower=(-1, 0), upper=(1, 1)))
    assert volume == pytest.approx(2)
    assert parts == pytest.approx({"x_lower": 1, "x_upper": 1, "y_lower": 2, "y_upper": 2})
    volume, parts = measures(box_mesh((2, 3, 2), upper=(1, 2, 3)))
    assert volume == pytest.approx(6)
    areas = {"x": 6, "y": 3, "z": 2}
    assert parts == pytest.approx({f"{x}_{side}": areas[x] for x in "xyz" for side in ("lower", "upper")})


@pytest.mark.parametrize("kind", ["nodes", "chebyshev"])
@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 3)])
def test_meshes_of_grids_keep_points_in_order(kind, shape):
    grid = Grid.box(shape, kind)
    mesh = grid_mesh(grid)
    assert torch.equal(mesh.points, grid.points)
    assert mesh.boundary_names == grid.boundary_names
    assert mesh.volume == pytest.approx(1)
    for name in mesh.boundary_names:
        assert torch.equal(mesh.boundary(name).points, grid.boundary(name).points)


def test_the_l_shape_has_three_quarters_and_six_sides():
    volume, parts = measures(l_shape_mesh(2))
    assert volume == pytest.approx(3)
    expected = {"x_lower": 2, "x_upper": 1, "y_lower": 2, "y_upper": 1, "reentrant_x": 1, "reentrant_y": 1}
    assert parts == pytest.approx(expected)
    corner = l_shape_mesh(2).boundary("reentrant_x")
    assert corner.normals[:, 0].min() == pytest.approx(1)


@pytest.mark.parametrize(("radius", "center"), [(1.0, (0.0, 0.0)), (0.5, (2.0, -1.0))])
def test_the_disk_is_a_polygon_on_the_circle(radius, center):
    mesh = disk_mesh(3, radius=radius, center=center)
    corners = 4 * 2**3
    volume, parts = measures(mesh)
    assert volume == pytest.approx(corners / 2 * radius**2 * math.sin(2 * math.pi / corners))
    assert parts == pytest.approx({"circle": 2 * corners * radius * math.sin(math.pi / corners)})
    offsets = mesh.boundary("circle").points - torch.tensor(center).double()
    torch.testing.assert_close(offsets.norm(dim=1), torch.full((corners,), radius).double())


def test_the_ring_has_straight_and_round_sides():
    rings, turns = 4, 8
    volume, parts = measures(annulus_sector_mesh((rings, turns), inner_radius=1, outer_radius=3))
    sine = math.sin(math.pi / 2 / turns)
    assert volume == pytest.approx(turns / 2 * sine * (3**2 - 1))
    chord = 2 * turns * math.sin(math.pi / 4 / turns)
    assert parts == pytest.approx({"inner": chord, "outer": 3 * chord, "start": 2, "end": 2})


@pytest.mark.parametrize("num_cells", [16, 32])
def test_the_square_with_holes_has_good_triangles(num_cells):
    mesh = square_with_holes_mesh(num_cells, holes=HOLES)
    volume, parts = measures(mesh)
    counts = [math.ceil(2 * math.pi * r * num_cells) for *_, r in HOLES]
    polygons = [n / 2 * r**2 * math.sin(2 * math.pi / n) for n, (*_, r) in zip(counts, HOLES, strict=True)]
    assert volume == pytest.approx(1 - sum(polygons))
    lengths = [2 * n * r * math.sin(math.pi / n) for n, (*_, r) in zip(counts, HOLES, strict=True)]
    sides = {f"{x}_{side}": 1 for x in "xy" for side in ("lower", "upper")}
    assert parts == pytest.approx({**sides, "hole_0": lengths[0], "hole_1": lengths[1]})
    corners = mesh.points[mesh.simplices]
    edges = [corners[:, (i + 1) % 3] - corners[:, i] for i in range(3)]
    cosines = torch.stack(
        [
            -(edges[i] * edges[i - 1]).sum(1) / edges[i].norm(dim=1) / edges[i - 1].norm(dim=1)
            for i in range(3)
        ]
    )
    assert math.degrees(torch.arccos(cosines).min()) > 20


@pytest.mark.parametrize(
    "mesh",
    [box_mesh((3,)), l_shape_mesh(1), box_mesh((2, 1, 2)), square_with_holes_mesh(12)],
    ids=["interval", "l_shape", "box", "holes"],
)
def test_refinement_keeps_names_and_measures(mesh):
    finer = refine_mesh(mesh, 2)
    assert len(finer.simplices) == len(mesh.simplices) * 4**mesh.dimension
    assert torch.equal(finer.points[: mesh.num_points], mesh.points)
    volume, parts = measures(mesh)
    assert measures(finer) == (pytest.approx(volume), pytest.approx(parts))


@pytest.mark.parametrize("suffix", ["vtu", "vtk", "msh"])
@pytest.mark.parametrize(
    "mesh", [box_mesh((4,)), l_shape_mesh(1), box_mesh((2, 1, 2))], ids=["interval", "l_shape", "box"]
)
def test_names_survive_files(mesh, suffix, tmp_path):
    path = tmp_path / f"mesh.{suffix}"
    write_mesh(mesh, path)
    again = read_mesh(path)
    assert torch.equal(again.points, mesh.points)
    assert torch.equal(again.simplices, mesh.simplices)
    assert again.boundary_names == mesh.boundary_names
    for name, facets in mesh.boundaries.items():
        assert torch.equal(again.boundaries[name], facets)


def test_physical_names_of_gmsh_become_boundary_parts(tmp_path):
    # As gmsh writes them: named and unnamed groups, a point in the middle of an arc that no cell uses.
    text = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 "inlet"
1 2 "wall"
2 7 "fluid"
$EndPhysicalNames
$Nodes
5
1 9 9 0
2 0 0 0
3 1 0 0
4 1 1 0
5 0 1 0
$EndNodes
$Elements
6
1 1 2 1 4 5 2
2 1 2 2 1 2 3
3 1 2 2 2 3 4
4 1 2 5 3 4 5
5 2 2 7 1 2 3 4
6 2 2 7 1 2 4 5
$EndElements
"""
    (tmp_path / "square.msh").write_text(text)
    mesh = read_mesh(tmp_path / "square.msh")
    assert mesh.num_points == 4
    volume, parts = measures(mesh)
    assert volume == pytest.approx(1)
    assert parts == pytest.approx({"inlet": 1, "wall": 2, "part_5": 1})
    torch.testing.assert_close(mesh.boundary("inlet").normals, torch.tensor([[-1.0, 0.0]] * 2).double())


FORMAT_4 = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 "inlet"
1 2 "wall"
2 7 "fluid"
$EndPhysicalNames
$Entities
4 4 1 0
1 0 0 0 0
2 1 0 0 0
3 1 1 0 0
4 0 1 0 0
1 0 0 0 1 0 0 1 2 2 1 -2
2 1 0 0 1 1 0 1 2 2 2 -3
3 0 1 0 1 1 0 1 2 2 3 -4
4 0 0 0 0 1 0 1 1 2 4 -1
1 0 0 0 1 1 0 1 7 4 1 2 3 4
$EndEntities
$Nodes
4 4 1 4
0 1 0 1
1
0 0 0
0 2 0 1
2
1 0 0
0 3 0 1
3
1 1 0
0 4 0 1
4
0 1 0
$EndNodes
$Elements
5 6 1 6
1 1 1 1
1 1 2
1 2 1 1
2 2 3
1 3 1 1
3 3 4
1 4 1 1
4 4 1
2 1 2 2
5 1 2 3
6 1 3 4
$EndElements
"""


def test_gmsh_files_of_the_newer_format(tmp_path):
    (tmp_path / "square.msh").write_text(FORMAT_4)
    volume, parts = measures(read_mesh(tmp_path / "square.msh"))
    assert volume == pytest.approx(1)
    assert parts == pytest.approx({"inlet": 1, "wall": 3})


def test_other_cells_are_not_left_out_silently(tmp_path):
    text = FORMAT_4.replace("2 1 2 2\n5 1 2 3\n6 1 3 4", "2 1 3 1\n5 1 2 3 4").replace("5 6 1 6", "5 5 1 5")
    (tmp_path / "square.msh").write_text(text)
    with pytest.raises(ValueError, match=r"'quad'.*without recombination"):
        read_mesh(tmp_path / "square.msh")


def test_scikit_fem_gives_the_mesh_back():
    mesh = l_shape_mesh(1)
    again = from_scikit_fem(to_scikit_fem(mesh))
    assert torch.equal(again.points, mesh.points)
    assert torch.equal(again.simplices, mesh.simplices)
    assert measures(again)[1] == pytest.approx(measures(mesh)[1])


def test_names_by_place_and_a_rest():
    square = box_mesh((4, 4))
    bare = Mesh(square.points, square.simplices)
    mesh = name_boundaries(bare, {"inlet": lambda p: p[:, 0] < 1e-9}, rest="wall")
    assert measures(mesh) == (pytest.approx(1), pytest.approx({"inlet": 1, "wall": 3}))
    with pytest.raises(ValueError, match="got none; try a wider one"):
        name_boundaries(bare, {"far": lambda p: p[:, 0] > 2})
    with pytest.raises(ValueError, match="taken"):
        name_boundaries(mesh, rest="wall")


def test_the_order_of_corners_does_not_matter():
    mesh = box_mesh((3, 2))
    turned = mesh.simplices.clone()
    turned[::2] = turned[::2].flip(1)
    assert measures(Mesh(mesh.points, turned, mesh.boundaries)) == measures(mesh)


def bad_meshes():
    square = box_mesh((4, 4))
    points, simplices, boundaries = square.points, square.simplices, dict(square.boundaries)
    inside = int((points - 0.5).norm(dim=1).argmin())
    orphan = torch.cat([points, torch.tensor([[0.3, 0.3]]).double()])
    yield "orphan points.*remove_orphan_points", orphan, simplices, boundaries
    folded = points.clone()
    folded[inside, 0] += 0.35
    yield "inverted", folded, simplices, boundaries
    flat = points.clone()
    # The middle of three points of a line, moved to within rounding of it.
    moved = torch.tensor([[0, 0], [1, 0], [0, 1], [0.5, 0.5 + 1e-13]]).double()
    yield "flat", moved, torch.tensor([[0, 1, 2], [1, 2, 3]]), {}
    apart = torch.cat([points, points + torch.tensor([3.0, 0.0]).double()])
    yield "got 2 parts of 32, 32", apart, torch.cat([simplices, simplices + len(points)]), boundaries
    touching = torch.cat([points, points + torch.tensor([1.0, 0.0]).double()])
    yield "coincide", touching, torch.cat([simplices, simplices + len(points)]), boundaries
    yield "cells that are there twice", points, torch.cat([simplices, simplices[:1]]), boundaries
    within = {**boundaries, "cut": simplices[5:6, :2]}
    yield "'cut'.*inside the domain", points, simplices, within
    yield "in several", points, simplices, {**boundaries, "again": boundaries["x_lower"][:1]}
    yield "in none.*name_boundaries", points, simplices, {"x_lower": boundaries["x_lower"]}
    yield "no face of a cell", points, simplices, {**boundaries, "far": torch.tensor([[0, 24]])}
    nothing = flat.clone()
    nothing[0, 0] = math.nan
    yield "expected finite|positive volume", nothing, simplices, boundaries
    yield "expected cells, got none", points, simplices[:0], {}


@pytest.mark.parametrize("case", list(bad_meshes()), ids=lambda case: case[0].split(".")[0])
def test_bad_meshes_get_a_diagnosis(case):
    message, points, simplices, boundaries = case
    with pytest.raises(ValueError, match=message):
        check_mesh(Mesh(points, simplices, boundaries))


def test_orphans_can_be_removed():
    square = box_mesh((4, 4))
    points = torch.cat([torch.tensor([[0.3, 0.3]]).double(), square.points])
    parts = {name: facets + 1 for name, facets in square.boundaries.items()}
    mesh = remove_orphan_points(Mesh(points, square.simplices + 1, parts))
    assert torch.equal(mesh.points, square.points)
    assert measures(mesh) == measures(square)
    assert remove_orphan_points(square) is square


def test_facets_of_many_cells_are_found_whatever_their_order():
    mesh = box_mesh((6, 6, 6))
    generator = numpy.random.default_rng(0)
    facets = mesh.boundaries["z_upper"].numpy()
    shuffled = torch.from_numpy(generator.permuted(facets, axis=1)[generator.permutation(len(facets))])
    part = Mesh(mesh.points, mesh.simplices, {"top": shuffled}).boundary("top")
    assert part.quadrature_weights.sum().item() == pytest.approx(1)
    torch.testing.assert_close(part.normals, torch.tensor([[0.0, 0.0, 1.0]]).double().expand_as(part.normals))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: box_mesh((0, 4)), "one cell"),
        (lambda: disk_mesh(2, radius=0.0), "positive radius"),
        (lambda: annulus_sector_mesh(inner_radius=2, outer_radius=1), "inner < outer"),
        (lambda: square_with_holes_mesh(8, holes=((0.5, 0.5, 0.1),)), "try num_cells=16"),
        (lambda: square_with_holes_mesh(16, holes=((0.5, 0.5, 0.2), (0.7, 0.5, 0.2))), "hole 1"),
        (lambda: grid_mesh(Grid.periodic((8, 8))), "nodes or Chebyshev"),
        (lambda: l_shape_mesh(-1), "0 or more"),
    ],
)
def test_makers_say_what_they_expect(make, message):
    with pytest.raises(ValueError, match=message):
        make()
