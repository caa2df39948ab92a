"""Meshes: quadrature, gradients and boundary parts of a triangulated rectangle, and files."""

import numpy
import pytest
import pyvista
import torch

from pdeops.domains import (
    Grid,
    Mesh,
    from_pyvista,
    integrate,
    read_mesh,
    squared_norm,
    to_pyvista,
    write_mesh,
)


def rectangle(columns: int = 6, rows: int = 4) -> Mesh:
    """The box [0, 3] x [0, 2], each cell cut in two triangles."""
    grid = Grid.box((columns + 1, rows + 1), upper=(3, 2))
    number = torch.arange(grid.num_points).reshape(grid.shape)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    lower, upper = torch.stack([a, b, c], dim=-1), torch.stack([a, c, d], dim=-1)
    simplices = torch.cat([lower.reshape(-1, 3), upper.reshape(-1, 3)])
    left = torch.stack([number[0, :-1], number[0, 1:]], dim=-1)
    right = torch.stack([number[-1, :-1], number[-1, 1:]], dim=-1)
    return Mesh(grid.points, simplices, {"left": left, "right": right})


def test_quadrature_and_gradient_are_exact_for_linear_functions():
    mesh = rectangle()
    x, y = mesh.points.T
    assert integrate(2 * x - y + 1, mesh).item() == pytest.approx(2 * 9 - 6 + 6)
    gradient = mesh.gradient(torch.stack([2 * x - y, x + 3 * y]))
    expected = torch.tensor([[2.0, -1.0], [1.0, 3.0]], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected[:, None].expand_as(gradient))
    energy = squared_norm(2 * x - y, mesh, "h1") - squared_norm(2 * x - y, mesh)
    assert energy.item() == pytest.approx(5 * 6)


def test_lumped_quadrature_has_order_two():
    errors = []
    for size in (8, 16):
        mesh = rectangle(3 * size, 2 * size)
        x, y = mesh.points.T
        errors.append(abs(integrate(torch.sin(x) * y**2, mesh).item() - (1 - numpy.cos(3)) * 8 / 3))
    assert 3.8 < errors[0] / errors[1] < 4.2


def test_boundary_parts_have_lengths_normals_and_points():
    mesh = rectangle()
    left, right = mesh.boundary("left"), mesh.boundary("right")
    assert left.quadrature_weights.sum().item() == pytest.approx(2.0)
    torch.testing.assert_close(left.normals, torch.tensor([[-1.0, 0.0]]).double().expand_as(left.normals))
    torch.testing.assert_close(right.normals, -left.normals)
    torch.testing.assert_close(mesh.points[right.indices], right.points)
    with pytest.raises(ValueError, match="expected one of"):
        mesh.boundary("top")


def test_solid_mesh_surface_closes():
    solid = from_pyvista(pyvista.ImageData(dimensions=(3, 3, 3)).to_tetrahedra())
    faces: dict[frozenset[int], list[int]] = {}
    for cell in solid.simplices.tolist():
        for left_out in range(4):
            face = cell[:left_out] + cell[left_out + 1 :]
            key = frozenset(face)
            if faces.pop(key, None) is None:
                faces[key] = face
    solid = Mesh(solid.points, solid.simplices, {"surface": torch.tensor(list(faces.values()))})
    assert solid.quadrature_weights.sum().item() == pytest.approx(8.0)
    assert solid.volume == pytest.approx(8.0)
    assert solid.boundary("surface").quadrature_weights.sum().item() == pytest.approx(24.0)


def test_files_give_the_mesh_back(tmp_path):
    mesh = rectangle()
    write_mesh(mesh, tmp_path / "mesh.vtu")
    again = read_mesh(tmp_path / "mesh.vtu")
    torch.testing.assert_close(again.points, mesh.points)
    assert torch.equal(again.simplices, mesh.simplices)
    assert torch.equal(again.boundaries["left"], mesh.boundaries["left"])
    with pytest.raises(FileExistsError, match="try another"):
        write_mesh(mesh, tmp_path / "mesh.vtu")
    with pytest.raises(FileNotFoundError, match="expected an existing file"):
        read_mesh(tmp_path / "none.vtu")


def test_foreign_data_sets_become_domains():
    image = pyvista.ImageData(dimensions=(5, 4, 1), spacing=(0.25, 0.5, 1))
    assert from_pyvista(image) == Grid.box((5, 4), upper=(1.0, 1.5))
    plane = from_pyvista(pyvista.Plane(i_resolution=3, j_resolution=2))
    assert plane.dimension == 2
    assert plane.quadrature_weights.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "grid",
    [
        Grid.periodic((4, 5)),
        Grid.box((4, 5, 6), "cells"),
        Grid.box((7,), "chebyshev", lower=(-2,), upper=(0,)),
    ],
)
def test_grids_survive_pyvista_with_their_points(grid):
    dataset = to_pyvista(grid)
    assert from_pyvista(dataset) == grid
    values = torch.arange(grid.num_points).reshape(grid.shape)
    points = torch.from_numpy(numpy.asarray(dataset.points, dtype=float))[:, : grid.dimension]
    position = torch.from_numpy(values.numpy().flatten(order="F"))
    torch.testing.assert_close(points, grid.points[position], rtol=0, atol=1e-12)


def test_bad_meshes_say_what_was_expected():
    with pytest.raises(ValueError, match="3 corners"):
        Mesh(torch.zeros(3, 2).double(), torch.tensor([[0, 1]]))
    with pytest.raises(ValueError, match="positive volume"):
        Mesh(torch.zeros(3, 2).double(), torch.tensor([[0, 1, 2]]))
    with pytest.raises(ValueError, match="point numbers"):
        Mesh(torch.rand(3, 2).double(), torch.tensor([[0, 1, 5]]))
