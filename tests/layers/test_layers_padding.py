"""Coordinates and padding of the operators' entry."""

import math

import pytest
import torch

from pdeops.domains import Grid
from pdeops.layers import GridLift, coordinate_channels, crop, pad, padded_shape


def test_padding_is_a_fraction_of_the_length_and_spares_periodic_axes() -> None:
    grid = Grid.box((16, 33, 40), ("periodic", "nodes", "cells"))
    # 32 intervals of the nodes and 40 cells, each longer by a quarter; the period is 1.25 lengths on both.
    assert padded_shape(grid, 0.25) == (16, 40, 50)
    assert padded_shape(grid, 0.0) == grid.shape


def test_crop_undoes_pad_and_the_strip_is_zero() -> None:
    values = torch.randn(2, 5, 6, 3)
    padded = pad(values, (7, 8))
    assert padded.shape == (2, 7, 8, 3)
    torch.testing.assert_close(crop(padded, (5, 6)), values, rtol=0, atol=0)
    torch.testing.assert_close(padded.abs().sum(), values.abs().sum())
    assert pad(values, (5, 6)) is values


def test_coordinates_agree_between_resolutions_and_close_on_periodic_axes() -> None:
    lower, upper = (1.0, -2.0), (3.0, 2.0)
    coarse = coordinate_channels(Grid.box((4, 5), ("periodic", "nodes"), lower=lower, upper=upper))
    fine = coordinate_channels(Grid.box((8, 9), ("periodic", "nodes"), lower=lower, upper=upper))
    torch.testing.assert_close(fine[::2, ::2], coarse, atol=1e-15, rtol=0)
    angle = 2 * math.pi * torch.arange(4, dtype=torch.float64) / 4
    torch.testing.assert_close(coarse[:, 0, 0], torch.cos(angle), atol=1e-15, rtol=0)
    torch.testing.assert_close(coarse[:, 0, 1], torch.sin(angle), atol=1e-15, rtol=0)
    assert coarse[0, :, 2].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_negative_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="padding: expected a fraction of at least 0"):
        GridLift(1, 4, Grid.box((8, 8)), padding=-0.1)
