"""Physics attention against its definition, written as loops."""

import math

import pytest
import torch

from pdeops.domains import Grid, box_mesh, disk_mesh
from pdeops.layers import PhysicsAttention, PointPositions, coordinate_channels


def make(width: int, heads: int, slices: int, **options: object) -> PhysicsAttention:
    attention = PhysicsAttention(width, heads, slices, **options).double()
    with torch.no_grad():
        # Temperatures inside the clamp, below and above it.
        attention.temperature.copy_(torch.tensor([0.7, 0.01, 9.0])[:heads])
    return attention


def loops(attention: PhysicsAttention, projected: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """One sample, from its two projections (points, 2 width), sum by sum."""
    points, width = projected.shape[0], projected.shape[1] // 2
    heads, slices = attention.num_heads, attention.slice.out_features
    size = width // heads
    result = torch.zeros(points, width, dtype=projected.dtype)
    query, key, value = attention.attend.weight.split(size)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        keys, fields = projected[:, :width][:, part], projected[:, width:][:, part]
        temperature = min(max(attention.temperature[head].item(), 0.1), 5.0)
        weights = torch.zeros(points, slices, dtype=projected.dtype)
        for n in range(points):
            exponents = (attention.slice.weight @ keys[n] + attention.slice.bias) / temperature
            weights[n] = exponents.exp() / exponents.exp().sum()
        tokens = torch.zeros(slices, size, dtype=projected.dtype)
        for g in range(slices):
            mass = sum(shares[n] * weights[n, g] for n in range(points))
            tokens[g] = sum(shares[n] * weights[n, g] * fields[n] for n in range(points)) / (mass + 1e-8)
        answers = torch.zeros_like(tokens)
        for g in range(slices):
            scores = [(query @ tokens[g]) @ (key @ tokens[k]) / math.sqrt(size) for k in range(slices)]
            total = sum(score.exp() for score in scores)
            for k in range(slices):
                answers[g] += scores[k].exp() / total * (value @ tokens[k])
        for n in range(points):
            result[n, part] = sum(weights[n, g] * answers[g] for g in range(slices))
    return result @ attention.join.weight.T + attention.join.bias


def test_pointwise_form_is_the_formula() -> None:
    attention = make(6, 3, 4)
    values = torch.randn(2, 7, 6, dtype=torch.float64)
    shares = torch.rand(7, dtype=torch.float64)
    shares /= shares.sum()
    projected = values @ attention.project.weight.T + attention.project.bias
    expected = torch.stack([loops(attention, sample, shares) for sample in projected])
    torch.testing.assert_close(attention(values, shares, (7,)), expected, atol=1e-12, rtol=0)


def test_local_form_reads_neighbours_and_closes_on_periodic_axes_only() -> None:
    attention = make(4, 2, 3, grid=Grid.box((3, 4), ("periodic", "nodes")))
    shape = (3, 4)
    values = torch.randn(1, 12, 4, dtype=torch.float64)
    shares = torch.full((12,), 1 / 12, dtype=torch.float64)
    field = values[0].reshape(*shape, 4)
    kernel, bias = attention.project.convolution.weight, attention.project.convolution.bias
    projected = bias.repeat(*shape, 1)
    for i in range(3):
        for j in range(4):
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if 0 <= j + dj < 4:
                        neighbour = field[(i + di) % 3, j + dj]
                        projected[i, j] = projected[i, j] + kernel[:, :, di + 1, dj + 1] @ neighbour
    expected = loops(attention, projected.reshape(12, 8), shares)
    torch.testing.assert_close(attention(values, shares, shape)[0], expected, atol=1e-12, rtol=0)


def test_a_point_split_in_two_changes_nothing() -> None:
    # Tokens are integrals: two points in one place with half the share each are that point.
    attention = make(4, 2, 3)
    values = torch.randn(1, 5, 4, dtype=torch.float64)
    shares = torch.tensor([0.1, 0.3, 0.2, 0.15, 0.25], dtype=torch.float64)
    split = torch.cat((values, values[:, 1:2]), dim=1)
    halves = torch.cat((shares, shares[1:2] / 2))
    halves[1] /= 2
    result = attention(split, halves, (6,))
    torch.testing.assert_close(result[:, :5], attention(values, shares, (5,)), atol=1e-12, rtol=0)
    torch.testing.assert_close(result[:, 5], result[:, 1], atol=1e-12, rtol=0)


def test_sharp_slices_stay_finite() -> None:
    # Weights of exp(-1000) are zero in float32: slices without a point.
    attention = PhysicsAttention(4, 2, 5)
    with torch.no_grad():
        attention.slice.weight *= 1e3
        attention.temperature.fill_(0.1)
    values = torch.randn(2, 50, 4, requires_grad=True)
    result = attention(values, torch.full((50,), 1 / 50), (50,))
    result.square().sum().backward()
    assert result.isfinite().all()
    assert values.grad.isfinite().all()


def test_refused_sizes() -> None:
    with pytest.raises(ValueError, match="multiple of the heads, got width 10 and 4 heads"):
        PhysicsAttention(10, 4, 8)
    with pytest.raises(ValueError, match="at least one slice"):
        PhysicsAttention(8, 4, 0)


def test_positions_on_a_mesh_lie_in_the_box_of_training() -> None:
    mesh = disk_mesh(2, radius=3.0, center=(1.0, 2.0))
    positions, shares = PointPositions(mesh).double()(torch.zeros(1, dtype=torch.float64), mesh)
    assert positions.shape == (mesh.num_points, 2)
    torch.testing.assert_close(
        positions, (mesh.points - torch.tensor([1.0, 2.0]).double()) / 3, atol=1e-6, rtol=0
    )
    assert shares.sum().item() == pytest.approx(1.0, abs=1e-6)
    # A smaller disk is seen as a smaller one.
    small = disk_mesh(2, radius=1.5, center=(1.0, 2.0))
    inside, _ = PointPositions(mesh)(torch.zeros(1), small)
    torch.testing.assert_close(inside, positions.float() / 2, atol=1e-6, rtol=0)


def test_positions_on_a_grid() -> None:
    grid = Grid.box((5, 7), ("periodic", "nodes"), lower=(1.0, 2.0), upper=(3.0, 5.0))
    values = torch.zeros(1, dtype=torch.float64)
    # Another grid of the same box is not rounded to float32.
    fine = grid.with_shape((6, 9))
    torch.testing.assert_close(
        PointPositions(grid)(values, fine)[0], coordinate_channels(fine).reshape(54, 3), atol=0, rtol=0
    )
    distances, shares = PointPositions(grid, "distances")(values, fine)
    for number, (x, y) in enumerate(fine.points.tolist()):
        s, t = (x - 1) / 2, (y - 2) / 3
        for reference in range(64):
            first, second = reference // 8 / 8, reference % 8 / 7
            across = min(abs(s - first), 1 - abs(s - first))
            assert distances[number, reference].item() == pytest.approx(
                math.hypot(across, t - second), abs=1e-12
            )
    torch.testing.assert_close(shares, fine.quadrature_weights.flatten() / 6, atol=1e-15, rtol=0)
    assert PointPositions(grid, "none")(values, fine)[0].shape == (54, 0)


def test_positions_of_another_kind_of_domain_are_refused() -> None:
    positions = PointPositions(Grid.box((5, 7), ("periodic", "nodes")))
    for other in (Grid.periodic((5, 7)), Grid.periodic((5,)), box_mesh((2, 2))):
        with pytest.raises(ValueError, match="expected a domain of dimension 2, periodic on 1 axes"):
            positions(torch.zeros(1), other)


@pytest.mark.usefixtures("unchecked")
def test_positions_of_an_unknown_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of coordinates, distances, none"):
        PointPositions(Grid.periodic((5,)), "places")
