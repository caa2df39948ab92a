"""Fields: norms, selection, resampling and values at points."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pdeops.domains import Field, Grid


def wave(grid: Grid, waves: tuple[int, int] = (3, -2)) -> Field:
    x, y = grid.coordinates
    values = torch.cos(2 * math.pi * (waves[0] * x + waves[1] * y) + 0.3)
    return Field(values[None, None], grid, ("u",))


@given(st.integers(7, 24), st.integers(5, 24), st.integers(7, 24), st.integers(5, 24))
def test_resampling_is_exact_for_waves_that_both_grids_hold(rows, columns, new_rows, new_columns):
    source, target = Grid.periodic((rows, columns)), Grid.periodic((new_rows, new_columns))
    torch.testing.assert_close(wave(source).resample(target).values, wave(target).values, rtol=0, atol=1e-12)


def test_resampling_drops_waves_that_the_target_cannot_hold():
    grid = Grid.periodic((16, 16))
    mixed = Field(wave(grid, (5, 1)).values + wave(grid, (1, 2)).values, grid, ("u",))
    coarse = grid.with_shape((8, 8))
    torch.testing.assert_close(mixed.resample(coarse).values, wave(coarse, (1, 2)).values, rtol=0, atol=1e-13)


def test_nyquist_wave_is_kept_as_a_cosine():
    grid, fine = Grid.periodic((8,)), Grid.periodic((12,))
    up = Field(torch.cos(8 * math.pi * grid.points.T)[None], grid, ("u",)).resample(fine)
    torch.testing.assert_close(
        up.values[0, 0], torch.cos(8 * math.pi * fine.points[:, 0]), rtol=0, atol=1e-13
    )
    torch.testing.assert_close(up.resample(grid).values[0, 0], torch.cos(8 * math.pi * grid.points[:, 0]))


def test_values_at_points_in_three_dimensions():
    grid = Grid.box((9, 8, 12), ("chebyshev", "nodes", "periodic"))
    x, y, z = grid.coordinates
    function = lambda x, y, z: x**5 * y**2 * (1 + torch.sin(4 * math.pi * z))  # noqa: E731
    field = Field(function(x, y, z).expand(2, 1, 3, *grid.shape), grid, ("a", "b", "c"), times=torch.zeros(1))
    points = torch.rand(20, 3, dtype=torch.float64)
    values = field.at(points)
    assert values.shape == (2, 1, 3, 20)
    torch.testing.assert_close(values[1, 0, 2], function(*points.T), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="expected points in"):
        field.at(points + 1)


def test_norms_and_errors_are_those_of_the_functions():
    grid = Grid.periodic((12, 11), lengths=(2.0, 1.0))
    x, y = grid.coordinates
    values = torch.stack([3 * torch.sin(math.pi * x), 4 * torch.cos(2 * math.pi * y)])
    field = Field(values[None], grid, ("u", "v"), ("m/s", "m/s"))
    assert field.norm().item() == pytest.approx(5.0)
    assert field.norm("h1").item() == pytest.approx(math.sqrt(25 + 9 * math.pi**2 + 64 * math.pi**2))
    double = Field(1.1 * values[None], grid, ("u", "v"))
    assert double.relative_error(field).item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="resample or select"):
        field.select("u").relative_error(field)


def test_selection_keeps_names_units_and_times():
    grid = Grid.periodic((4,))
    values = torch.arange(2 * 3 * 2 * 4.0).reshape(2, 3, 2, 4)
    field = Field(values, grid, ("u", "v"), ("m", "s"), times=torch.tensor([0.0, 1.0, 2.0]))
    swapped = field.select("v", "u")
    assert swapped.units == ("s", "m")
    assert torch.equal(swapped.values, values.flip(2))
    assert torch.equal(field.snapshot(1).values, values[:, 1])
    assert torch.equal(field.sample(-1).values, values[1:])
    with pytest.raises(ValueError, match="expected channels among"):
        field.select("w")


def test_bad_fields_say_what_was_expected():
    grid = Grid.periodic((4, 4))
    with pytest.raises(ValueError, match=r"\(batch, 1, 4, 4\), got \(1, 1, 4, 5\)"):
        Field(torch.zeros(1, 1, 4, 5), grid, ("u",))
    with pytest.raises(ValueError, match="time, channels"):
        Field(torch.zeros(1, 1, 4, 4), grid, ("u",), times=torch.zeros(1))
    with pytest.raises(ValueError, match="expected 1 units"):
        Field(torch.zeros(1, 1, 4, 4), grid, ("u",), ("m", "s"))
    with pytest.raises(ValueError, match="of the box"):
        Field(torch.zeros(1, 1, 4, 4), grid, ("u",)).resample(Grid.periodic((4, 4), lengths=(2, 1)))
