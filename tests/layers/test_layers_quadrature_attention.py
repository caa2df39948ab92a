"""Attention against its formula written as loops, and as a quotient of integrals that are known."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from pdeops.layers import QuadratureAttention, spread_points


def layer(repeats: tuple[bool, ...] = (False, True)) -> QuadratureAttention:
    return QuadratureAttention(8, 2, repeats).double()


def turned(vector: Tensor, point: Tensor, repeats: tuple[bool, ...]) -> Tensor:
    """Pairs (0, 2) and (1, 3) of a head of four channels turn with the first and the second coordinate."""
    result = vector.clone()
    for pair in range(2):
        angle = (2 * math.pi if repeats[pair] else math.pi) * point[pair].item()
        first, second = vector[pair], vector[pair + 2]
        result[pair] = first * math.cos(angle) - second * math.sin(angle)
        result[pair + 2] = first * math.sin(angle) + second * math.cos(angle)
    return result


def test_the_formula_in_loops() -> None:
    repeats = (False, True)
    attention = layer(repeats)
    queries, values = torch.randn(1, 3, 8).double(), torch.randn(1, 5, 8).double()
    targets, sources, volumes = torch.rand(3, 2).double(), torch.rand(5, 2).double(), torch.rand(5).double()
    found = attention(queries, targets, values, sources, volumes)
    asked = attention.query(queries)[0]
    keys, fields = attention.key_value(values)[0].chunk(2, dim=-1)
    for number in range(3):
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            above, below = torch.zeros(4).double(), 0.0
            for place in range(5):
                q = turned(asked[number, head], targets[number], repeats)
                k = turned(keys[place, head], sources[place], repeats)
                weight = math.exp((q @ k).item() / 2) * volumes[place].item()
                above += weight * fields[place, head]
                below += weight
            heads.append(above / below)
        torch.testing.assert_close(found[0, number], attention.join(torch.cat(heads)))


def test_exponents_see_differences_of_positions_and_periods() -> None:
    attention = layer()
    field = torch.randn(1, 6, 8).double()
    points, volumes = torch.rand(6, 2).double(), torch.rand(6).double()
    expected = attention(field, points, field, points, volumes)
    moved = points + torch.tensor([0.3, 0.4]).double()
    torch.testing.assert_close(attention(field, moved, field, moved, volumes), expected)
    around = points + torch.tensor([0.0, 1.0]).double()
    torch.testing.assert_close(attention(field, around, field, points, volumes), expected)
    across = points + torch.tensor([1.0, 0.0]).double()
    assert (attention(field, across, field, points, volumes) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("equal", [False, True])
def test_a_quotient_of_integrals_on_crowded_points(equal: bool) -> None:
    # Exponents k(x) = a x and fields v = x on [0, 1]: int x e^(a x) / int e^(a x), with a = 2.
    attention = QuadratureAttention(2, 1, (False,)).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.frequencies.zero_()
        attention.query.bias.copy_(torch.tensor([2 * math.sqrt(2), 0.0]))
        attention.key_value.weight.copy_(torch.tensor([[1.0, 0], [0, 0], [1, 0], [0, 0]]))
        attention.join.weight.copy_(torch.eye(2))
    exact = (math.exp(2) / 2 - math.exp(2) / 4 + 1 / 4) / ((math.exp(2) - 1) / 2)
    errors = []
    for count in (20, 40, 80):
        x = torch.linspace(0, 1, count + 1).double() ** 2
        volumes = torch.zeros(count + 1).double()
        volumes[:-1] += x.diff() / 2
        volumes[1:] += x.diff() / 2
        field = torch.stack((x, 0 * x), dim=-1)[None]
        found = attention(
            field[:, :1], x[:1, None], field, x[:, None], torch.ones_like(volumes) if equal else volumes
        )
        errors.append(abs(found[0, 0, 0].item() - exact))
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    if equal:
        assert errors[-1] > 0.1
    else:
        assert all(abs(order - 2) < 0.05 for order in orders), errors


def test_points_spread_over_a_line() -> None:
    places, volumes = torch.linspace(0, 1, 9)[:, None].double(), torch.ones(9).double() / 9
    chosen, shares = spread_points(places, volumes, 3)
    assert chosen.tolist() == [0, 8, 4]
    # Points half way between two go to the one that was chosen first.
    torch.testing.assert_close(shares, torch.tensor([3.0, 3.0, 3.0]).double() / 9)
    assert len(spread_points(places, volumes, 99)[0]) == 9
    volumes[0] = 0
    assert spread_points(places, volumes, 2)[0].tolist() == [1, 8]


def test_refused_options() -> None:
    with pytest.raises(ValueError, match="multiple of twice the heads, got width 6 and 2 heads"):
        QuadratureAttention(6, 2, (False,))
