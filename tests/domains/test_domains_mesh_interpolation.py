"""Values between the points of a mesh: exact for linear functions, second order, and nowhere outside."""

import itertools
import math

import pytest
import torch

from pdeops.domains import (
    Field,
    Grid,
    Mesh,
    box_mesh,
    interpolate_on_mesh,
    l_shape_mesh,
    locate_points,
    notched_disk_mesh,
    square_with_holes_mesh,
)

MESHES = {
    "interval": lambda: box_mesh((7,), lower=(-1.0,)),
    "l_shape": lambda: l_shape_mesh(2),
    "holes": lambda: square_with_holes_mesh(16),
    "notch": lambda: notched_disk_mesh(6),
    "box": lambda: box_mesh((3, 2, 4), upper=(1.0, 2.0, 0.5)),
}


def random_points(mesh, count, seed=0):
    """Points with known shares of the corners of random cells."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randint(len(mesh.simplices), (count,), generator=generator)
    shares = torch.rand(count, mesh.dimension + 1, generator=generator, dtype=torch.float64)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return cells, torch.einsum("pc,pcd->pd", shares, mesh.points[mesh.simplices[cells]]), shares


def linear(points):
    """A linear function with slopes 2, 3, 4."""
    return 1 + points @ torch.arange(2.0, 2.0 + points.shape[1], dtype=torch.float64)


@pytest.mark.parametrize("name", MESHES)
def test_points_are_found_in_their_cells(name):
    mesh = MESHES[name]()
    cells, points, shares = random_points(mesh, 500)
    found, known = locate_points(mesh, points)
    assert torch.equal(found, cells)
    torch.testing.assert_close(known, shares, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MESHES)
def test_linear_functions_are_exact_inside_on_facets_and_at_points(name):
    mesh = MESHES[name]()
    corners = mesh.points[mesh.simplices]
    points = torch.cat(
        [random_points(mesh, 200)[1], mesh.points, corners[:, :-1].mean(dim=1), corners[:, :2].mean(dim=1)]
    )
    values = linear(mesh.points)
    field = Field(torch.stack([values, -2 * values])[None, None], mesh, ("a", "b"), times=torch.zeros(1))
    found = field.at(points)
    assert found.shape == (1, 1, 2, len(points))
    torch.testing.assert_close(found[0, 0, 0], linear(points), rtol=0, atol=1e-12)
    torch.testing.assert_close(found[0, 0, 1], -2 * linear(points), rtol=0, atol=1e-12)


def test_uneven_cells_hide_no_point():
    # A long cell reaches points that lie next to the midpoints of many small ones.
    x = torch.cat([torch.linspace(0, 0.01, 200), torch.tensor([1.0, 1.0])]).double()
    y = torch.cat([torch.zeros(200), torch.tensor([0.0, 1.0])]).double()
    fan = [(i, i + 1, 201) for i in range(200)]
    mesh = Mesh(torch.stack([x, y], dim=1), torch.tensor(fan))
    cells, points, _ = random_points(mesh, 400)
    assert torch.equal(locate_points(mesh, points)[0], cells)


def test_interpolation_is_of_second_order():
    function = lambda p: torch.sin(2 * p[:, 0]) * torch.cos(3 * p[:, 1])  # noqa: E731
    coarse = notched_disk_mesh(6)
    _, points, _ = random_points(coarse, 2000)
    errors = []
    for rings in (12, 24, 48):
        mesh = notched_disk_mesh(rings)
        found = Field(function(mesh.points)[None, None], mesh, ("u",)).at(points)[0, 0]
        errors.append((found - function(points)).square().mean().sqrt().item())
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders == pytest.approx([2, 2], abs=0.15)


def test_a_little_outside_counts_as_inside_and_further_does_not():
    mesh = l_shape_mesh(2)
    field = Field(linear(mesh.points)[None, None], mesh, ("u",))
    # The extent is 2, so the slack 2e-9.
    near = torch.tensor([[-1 - 1e-9, 0.3], [0.5, 1e-9], [1e-9, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(field.at(near)[0, 0], linear(near), rtol=0, atol=1e-12)
    for far in ([-1 - 1e-8, 0.3], [0.5, 0.5], [7.0, 0.0], [math.nan, 0.0]):
        with pytest.raises(ValueError, match="got 1 of 4 outside, for example"):
            field.at(torch.cat([near, torch.tensor([far], dtype=torch.float64)]))
    with pytest.raises(ValueError, match=r"shape \(points, 2\), got \(3, 1\)"):
        field.at(near[:, :1])


def test_points_that_change_in_place_are_looked_up_again():
    mesh = box_mesh((4, 4))
    points = torch.full((1, 2), 0.3).double()
    values = linear(mesh.points)[None]
    first = interpolate_on_mesh(values, mesh, points).item()
    points += 0.1
    assert interpolate_on_mesh(values, mesh, points).item() == pytest.approx(first + 0.5)


def test_fields_go_from_meshes_to_meshes_and_grids():
    mesh, finer = l_shape_mesh(2), l_shape_mesh(4)
    field = Field(linear(mesh.points)[None, None].float(), mesh, ("u",), ("m",))
    moved = field.resample(finer)
    assert moved.domain is finer
    assert moved.units == ("m",)
    assert moved.values.dtype == torch.float32
    torch.testing.assert_close(moved.values[0, 0].double(), linear(finer.points), rtol=0, atol=1e-5)
    grid = Grid.box((5, 3), "nodes", lower=(-1.0, -1.0), upper=(0.0, 1.0))
    values = field.to(dtype=torch.float64).resample(grid).values
    assert values.shape == (1, 1, 5, 3)
    torch.testing.assert_close(values[0, 0].flatten(), linear(grid.points), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="outside"):
        field.resample(Grid.box((5, 3), "nodes", lower=(-1.0, -1.0), upper=(1.0, 1.0)))


def test_gradients_pass_through():
    mesh = box_mesh((4, 4))
    values = torch.zeros(1, mesh.num_points, dtype=torch.float64, requires_grad=True)
    interpolate_on_mesh(values, mesh, torch.rand(10, 2).double()).sum().backward()
    # Shares of a point sum to one.
    assert values.grad.sum().item() == pytest.approx(10)
