"""Transforms between scattered points and a grid."""

import itertools
import math

import pytest
import torch
from scipy.spatial import Delaunay

from pdeops.domains import Grid, Mesh
from pdeops.layers import NonuniformFourier


def test_a_band_limited_field_comes_back_exactly() -> None:
    points = Grid.periodic((12, 10)).points
    x, y = points.T
    angle = 2 * math.pi
    field = 2 + torch.cos(angle * (3 * x - 2 * y)) + torch.sin(angle * (x + 4 * y)) - torch.sin(angle * 4 * x)
    transform = NonuniformFourier((5, 5))
    waves = transform.waves(points[None])
    weights = torch.ones(120).double() / 120
    grid = transform.to_grid(field[None, :, None], weights, waves, (16, 9))
    # The grid holds the same function, at its own points ..
    fine_x, fine_y = Grid.periodic((16, 9)).coordinates
    expected = 2 + torch.cos(angle * (3 * fine_x - 2 * fine_y)) + torch.sin(angle * (fine_x + 4 * fine_y))
    expected -= torch.sin(angle * 4 * fine_x)
    torch.testing.assert_close(grid[0, ..., 0], expected, rtol=0, atol=1e-13)
    # .. and any other points are given its values.
    torch.testing.assert_close(transform.to_points(grid, waves)[0, :, 0], field, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("modes", "shape"), [((3,), (6,)), ((2, 3), (3, 6)), ((2, 1, 2), (4, 2, 3))])
def test_transforms_are_the_sums_over_all_waves(modes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Dense sums over every wave |k| < m, both signs on every axis, for points and weights at random."""
    points, values = torch.rand(2, 7, len(modes)).double(), torch.randn(2, 7, 3).double()
    weights = torch.rand(7).double()
    nodes = Grid.periodic(shape).points
    grid = torch.zeros(2, len(nodes), 3, dtype=torch.complex128)
    back = torch.zeros(2, 7, 3, dtype=torch.complex128)
    field = torch.randn(2, *shape, 3).double()
    for numbers in itertools.product(*(range(1 - m, m) for m in modes)):
        k = torch.tensor(numbers).double()
        at_points = torch.exp(2j * math.pi * (points @ k))[..., None]
        at_nodes = torch.exp(2j * math.pi * (nodes @ k))[:, None]
        grid += at_nodes * (weights[:, None] * values * at_points.conj()).sum(dim=1, keepdim=True)
        coefficient = (field.reshape(2, -1, 3) * at_nodes.conj()).mean(dim=1, keepdim=True)
        back += at_points * coefficient
    transform = NonuniformFourier(modes)
    waves = transform.waves(points)
    carried = transform.to_grid(values, weights, waves, shape).reshape(2, -1, 3)
    torch.testing.assert_close(carried, grid.real, rtol=0, atol=1e-12)
    torch.testing.assert_close(transform.to_points(field, waves), back.real, rtol=0, atol=1e-12)


def test_the_sums_converge_on_random_meshes() -> None:
    """Uneven points do no harm: the weights make an integral of the sum."""
    transform = NonuniformFourier((4, 4))
    grid = Grid.periodic((8, 8))
    angle = 2 * math.pi

    def field(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 1 + torch.cos(angle * (3 * x - 2 * y)) + torch.sin(angle * x)

    errors = []
    for number in (16, 32, 64):
        edge = torch.linspace(0, 1, number + 1).double()[:-1]
        zero = torch.zeros_like(edge)
        sides = [(edge, zero), (1 - edge, zero + 1), (zero, 1 - edge), (zero + 1, edge)]
        # Squares of random numbers crowd in one corner.
        inside = torch.rand(4 * number**2, 2).double() ** torch.tensor([1.5, 1.0]).double()
        points = torch.cat([torch.stack(side, dim=1) for side in sides] + [inside])
        mesh = Mesh(points, torch.from_numpy(Delaunay(points.numpy()).simplices).long())
        waves = transform.waves(mesh.points[None])
        values = field(*mesh.points.T)[None, :, None]
        carried = transform.to_grid(values, mesh.quadrature_weights, waves, grid.shape)[0, ..., 0]
        errors.append((carried - field(*grid.coordinates)).abs().max().item())
    # Lumped weights are of second order in the distance of the points.
    assert errors[1] < 0.4 * errors[0]
    assert errors[2] < 0.4 * errors[1]
    assert errors[2] < 0.02


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="modes: expected a positive number an axis"):
        NonuniformFourier((4, 0))
    with pytest.raises(ValueError, match=r"expected a grid of at least \(7, 7\) points, got \(8, 6\)"):
        NonuniformFourier((4, 4)).check_shape((8, 6))
