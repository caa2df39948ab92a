"""Kernel integrals against a dense double sum and against integrals that are known."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from pdeops.domains import Grid, Mesh, box_mesh
from pdeops.layers import KernelIntegral, find_edges
from pdeops.layers.kernel_integral import FADE, ball_volume


class Known(nn.Module):
    """Kernels that are written down: 1, the first offset and the second place."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack((torch.ones_like(inputs[:, 0]), inputs[:, 0], inputs[:, 3]), dim=-1)


def layer(kernel: nn.Module | None = None) -> KernelIntegral:
    found = KernelIntegral(6, 2, 2, num_heads=3).double()
    if kernel is not None:
        found.kernel = kernel
        found.join = nn.Identity()
    return found


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_volume_of_the_window_in_the_ball(dimension: int) -> None:
    axis = torch.linspace(-1, 1, 81).double()
    points = torch.cartesian_prod(*[axis] * dimension).reshape(-1, dimension)
    window = (1 - points.square().sum(dim=1)).clamp_min(0) ** 3
    assert ball_volume(dimension) == pytest.approx(window.sum().item() * (2 / 80) ** dimension, rel=1e-4)


@pytest.mark.parametrize("own", [False, True])
def test_the_dense_double_sum(own: bool) -> None:
    sources, volumes = torch.rand(50, 2).double(), torch.rand(50).double() / 50
    field = torch.randn(2, 50, 6).double()
    targets = torch.rand(2, 4, 2).double() if own else torch.rand(4, 2).double()
    integral = layer()
    found = integral(field, find_edges(targets, sources, volumes, 0.45), targets)
    for sample in range(2):
        for number, y in enumerate(targets[sample] if own else targets):
            total, inside = torch.zeros(6).double(), FADE * math.pi / 4 * 0.45**2
            for x, volume, value in zip(sources, volumes, field[sample], strict=True):
                offset = (x - y) / 0.45
                window = max(0.0, 1 - offset.square().sum().item()) ** 3 * volume.item()
                kernel = integral.kernel(torch.cat((offset, y))).repeat_interleave(2)
                total += window * kernel * value
                inside += window
            torch.testing.assert_close(found[sample, number], integral.join(total / inside))


def distort(points: Tensor) -> Tensor:
    return points * (0.2 + 0.8 * points)


@pytest.mark.parametrize("crowded", [False, True])
def test_integrals_that_are_known(crowded: bool) -> None:
    # In the plane the window has the second moment r^2 / 10, as has each square of a coordinate.
    targets, radius = torch.tensor([[0.45, 0.5], [0.6, 0.55]]).double(), 0.3
    integral = layer(Known())
    errors = []
    for cells in (16, 32, 64):
        mesh = box_mesh((cells, cells))
        if crowded:
            mesh = Mesh(distort(mesh.points), mesh.simplices)
        x, _ = mesh.points.T
        field = torch.stack((x, x * x, x, x * x, x, x * x), dim=-1)[None]
        edges = find_edges(targets, mesh.points, mesh.quadrature_weights, radius)
        found = integral(field, edges, targets) * (1 + FADE)
        p, q = targets.T
        second = radius**2 / 10
        square = p * p + second
        expected = torch.stack(
            (p, square, second / radius + 0 * p, 2 * p * second / radius, p * q, square * q), -1
        )
        errors.append((found - expected).norm().item() / expected.norm().item())
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert min(orders) > 1.8, (errors, orders)
    assert errors[-1] < 2e-3


def test_away_from_the_domain_it_fades() -> None:
    mesh = box_mesh((16, 16))
    field = torch.ones(1, mesh.num_points, 6).double()
    targets = torch.tensor([[0.5, 0.5], [1.0, 0.5], [1.15, 0.5], [1.3, 0.5]]).double()
    edges = find_edges(targets, mesh.points, mesh.quadrature_weights, 0.2, may_be_alone=True)
    found = layer(Known())(field, edges, targets)[0, :, 0]
    # The whole ball, half of it, a little of it, none.
    torch.testing.assert_close(found[:2], torch.tensor([1 / 1.05, 0.5 / 0.55]).double(), rtol=1e-2, atol=0)
    assert 0 < found[2] < 0.5
    assert found[3] == 0


def test_around_a_torus() -> None:
    grid = Grid.periodic((24, 20))
    field = torch.randn(1, 24, 20, 6).double()
    integral = layer()

    def integrate(values: Tensor) -> Tensor:
        points, weights = grid.points, grid.quadrature_weights.flatten()
        edges = find_edges(points, points, weights, 0.2, periods=(1.0, 1.0))
        places = torch.zeros_like(points)
        return integral(values.flatten(1, 2), edges, places).unflatten(1, grid.shape)

    torch.testing.assert_close(integrate(field.roll((5, 7), (1, 2))), integrate(field).roll((5, 7), (1, 2)))


def test_refused_options() -> None:
    with pytest.raises(ValueError, match="multiple of the heads, got width 6 and 4 heads"):
        KernelIntegral(6, 2, 2, num_heads=4)
