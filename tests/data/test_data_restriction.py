import math

import pytest
import torch

from pdeops.data import restrict
from pdeops.domains import Axis, AxisKind, Field, Grid


def field_of(function, grid):
    values = function(*grid.coordinates)
    return Field(values[None, None], grid, ("u",))


def test_periodic_axes_drop_waves_and_do_not_alias_them():
    fine, coarse = Grid.periodic((64, 48)), Grid.periodic((16, 12))

    def low(x, y):
        return torch.sin(2 * math.pi * (3 * x - 2 * y)) + 0.5

    def high(x, y):
        return low(x, y) + torch.cos(2 * math.pi * 17 * x)  # would become cos(2 pi x) on 16 points

    torch.testing.assert_close(
        restrict(field_of(high, fine), coarse).values, field_of(low, coarse).values, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("kind", "fine", "coarse"),
    [("nodes", 421, 85), ("nodes", 43, 22), ("cells", 81, 27), ("cells", 15, 3), ("chebyshev", 33, 17)],
)
def test_shared_points_keep_their_values_exactly(kind, fine, coarse):
    grid, target = Grid.box((fine, fine), kind), Grid.box((coarse, coarse), kind)
    values = torch.rand(grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    restricted = restrict(Field(values[None, None], grid, ("u",)), target).values[0, 0]
    for i in range(0, coarse, max(coarse // 5, 1)):
        for j in range(0, coarse, max(coarse // 5, 1)):
            distance = [(grid.axes[k].points - target.axes[k].points[n]).abs() for k, n in ((0, i), (1, j))]
            assert max(d.min() for d in distance) < 1e-12
            assert restricted[i, j] == values[distance[0].argmin(), distance[1].argmin()]


def test_cells_with_an_even_ratio_give_cell_averages():
    fine, coarse = Grid.box((32, 16), "cells"), Grid.box((8, 8), "cells")
    values = torch.rand(fine.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    result = restrict(Field(values[None, None], fine, ("u",)), coarse).values[0, 0]
    for i in range(8):
        for j in range(8):
            expected = values[4 * i : 4 * i + 4, 2 * j : 2 * j + 2].mean()
            assert abs(result[i, j] - expected) < 1e-15
    assert abs(result.mean() - values.mean()) < 1e-14, "the integral is conserved"


def test_frames_and_mixed_axes():
    fine = Grid((Axis("x", 0.0, 1.0, 32, AxisKind.PERIODIC), Axis("y", 0.0, 1.0, 33, AxisKind.NODES)))
    coarse = fine.with_shape((8, 9))
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)

    def values(grid):
        x, y = grid.coordinates
        return torch.stack([torch.sin(2 * math.pi * x) * y**2, torch.cos(4 * math.pi * x) * y])[None, :, None]

    result = restrict(Field(values(fine), fine, ("u",), times=times), coarse)
    torch.testing.assert_close(result.values, values(coarse), rtol=0, atol=1e-13)
    assert result.times is times


@pytest.mark.parametrize(
    ("fine", "coarse", "message"),
    [
        (Grid.box((43, 43)), Grid.box((21, 43)), r"axis 'x' \(nodes\).*try 22"),
        (Grid.box((10,), "cells"), Grid.box((4,), "cells"), r"axis 'x' \(cells\).*try 5"),
        (Grid.periodic((8,)), Grid.periodic((16,)), "expected a coarser sampling"),
        (Grid.periodic((16,)), Grid.box((8,), "cells"), "expected a coarser sampling"),
        (Grid.periodic((16,)), Grid.periodic((8,), lengths=(2.0,)), "expected a coarser sampling"),
    ],
)
def test_grids_that_do_not_nest_are_refused(fine, coarse, message):
    with pytest.raises(ValueError, match=message):
        restrict(Field(torch.zeros(1, 1, *fine.shape), fine, ("u",)), coarse)
