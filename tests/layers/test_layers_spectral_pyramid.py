"""The U-Net with spectral blocks."""

import pytest
import torch

from pdeops.domains import Grid
from pdeops.layers import SpectralPyramid


@pytest.mark.parametrize("depth", [1, 2])
def test_on_a_torus_it_commutes_with_shifts_by_patches_and_behind_walls_it_does_not(depth: int) -> None:
    """Half the torus is a whole number of patches on all levels but the last, which is one patch."""
    values = torch.randn(2, 16, 8, 8).double()
    shifts = {"periodic": (8, 4), "cells": (8, 4)}
    differences = {}
    for kind, shift in shifts.items():
        torch.manual_seed(0)
        pyramid = SpectralPyramid(8, Grid.box((16, 8), kind), depth=depth, heads=2).double()
        result = pyramid(values.roll(shift, (1, 2)))
        differences[kind] = (result - pyramid(values).roll(shift, (1, 2))).abs().max().item()
    assert differences["periodic"] < 1e-12
    assert differences["cells"] > 1e-3


def test_levels_have_the_channels_of_the_source() -> None:
    pyramid = SpectralPyramid(16, Grid.box((16, 16)), depth=4)
    assert [block.coefficients.shape[0] for block in pyramid.blocks] == [16, 32, 64, 128, 128]


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_each_level_is_normalised_by_sample_or_by_batch(norm: str) -> None:
    pyramid = SpectralPyramid(8, Grid.periodic((8,)), depth=1, heads=2, norm=norm).double()
    values = torch.randn(3, 8, 8).double()
    changed = values.clone()
    changed[1:] *= 2
    difference = (pyramid(changed)[0] - pyramid(values)[0]).abs().max()
    assert (difference > 1e-3) == (norm == "batch")


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="depth: expected at least 1"):
        SpectralPyramid(8, Grid.periodic((8,)), depth=0)
    with pytest.raises(ValueError, match="norm: expected group or batch, got 'layer'"):
        SpectralPyramid(8, Grid.periodic((8,)), norm="layer")
