"""What the U-Net promises beyond the contract."""

import itertools

import pytest
import torch

from pdeops.domains import Grid
from pdeops.layers import LocalConvolution
from pdeops.operators import UNet


@pytest.mark.parametrize(
    ("shape", "shift"), [((16,), (4,)), ((16, 24), (4, 0)), ((16, 24), (8, 20)), ((8, 4, 12), (0, 0, 4))]
)
def test_commutes_with_shifts_by_the_coarsest_spacing_on_a_torus(
    shape: tuple[int, ...], shift: tuple[int, ...]
) -> None:
    grid = Grid.periodic(shape)
    dims = tuple(range(2, 2 + len(shape)))
    values = torch.randn(2, 1, *shape, dtype=torch.float64)
    operator = UNet(1, 1, grid, width=8, depth=2, coordinates=False).double()
    shifted = operator(values.roll(shift, dims=dims))
    torch.testing.assert_close(shifted, operator(values).roll(shift, dims=dims), atol=1e-12, rtol=0)
    # Half the coarsest spacing is another set of coarse points; and coordinates tell places apart.
    half = tuple(number // 2 for number in shift)
    for other, steps in ((operator, half), (UNet(1, 1, grid, width=8, depth=2).double(), shift)):
        difference = other(values.roll(steps, dims=dims)) - other(values).roll(steps, dims=dims)
        assert difference.abs().max() > 1e-4


def test_closes_on_the_periodic_axis_only() -> None:
    grid = Grid.box((16, 16), ("periodic", "nodes"))
    operator = UNet(1, 1, grid, width=8, depth=1, convolutions_per_level=1, coordinates=False).double()
    values = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    for axis, closes in enumerate((True, False)):
        moved = values.clone()
        moved.select(2 + axis, 15).add_(1.0)
        # Batch normalisation sees the whole field, so it is taken out.
        plain = torch.nn.Sequential(
            *(part for part in operator.body.entry if isinstance(part, LocalConvolution))
        )
        hidden, hidden_moved = (plain(operator.lift(v, grid).movedim(-1, 1)) for v in (values, moved))
        change = (hidden - hidden_moved).abs().select(2 + axis, 0).max()
        assert (change > 1e-3) if closes else (change == 0)


@pytest.mark.parametrize("convolutions", [1, 2])
def test_number_of_parameters(convolutions: int) -> None:
    width, depth = 16, 3
    operator = UNet(
        1, 1, Grid.periodic((43, 43)), width=width, depth=depth, convolutions_per_level=convolutions
    )
    widths = [width * 2**number for number in range(depth + 1)]
    # Entries of each level: the lift, downwards the finer level, upwards the finer and the coarser one.
    levels = [(width, width)]
    levels += list(itertools.pairwise(widths))
    levels += [(fine + coarse, fine) for fine, coarse in itertools.pairwise(widths)]
    inputs = [
        (source if number == 0 else target, target)
        for source, target in levels
        for number in range(convolutions)
    ]
    body = sum(9 * source * target + 3 * target for source, target in inputs)
    lift, head = (1 + 1 + 4) * width, width + 1
    assert sum(parameter.numel() for parameter in operator.parameters()) == lift + body + head


def test_learns_a_difference_of_neighbours() -> None:
    # u_i = a_{i+1} - 2 a_i + a_{i-1} is one convolution: a network of convolutions must reach it quickly.
    grid = Grid.periodic((32,))
    operator = UNet(1, 1, grid, width=8, depth=1, convolutions_per_level=1)
    optimizer = torch.optim.Adam(operator.parameters(), lr=1e-2)

    def error() -> torch.Tensor:
        values = torch.randn(32, 1, 32)
        target = values.roll(-1, dims=2) - 2 * values + values.roll(1, dims=2)
        return (operator(values) - target).norm() / target.norm()

    for _ in range(200):
        optimizer.zero_grad()
        loss = error()
        loss.backward()
        optimizer.step()
    assert error() < 0.2


def test_too_small_a_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 16 points an axis for depth 4, got \(43, 9\)"):
        UNet(1, 1, Grid.periodic((43, 9)), depth=4)
    operator = UNet(1, 1, Grid.periodic((16, 16)), width=8, depth=3)
    with pytest.raises(ValueError, match="try a smaller depth"):
        operator(torch.zeros(1, 1, 16, 7), Grid.periodic((16, 7)))
    with pytest.raises(ValueError, match="at least 1, got 16, 3 and 0"):
        UNet(1, 1, Grid.periodic((16, 16)), convolutions_per_level=0)
