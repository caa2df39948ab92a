"""Coordinates of a grid as input channels."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Grid


def coordinate_channels(grid: Grid) -> Float64[Tensor, "*shape channels"]:
    r"""Where a point is, as channels of order one that any resolution agrees on.

    :math:`\cos 2\pi s, \sin 2\pi s` on a periodic axis, so that there is no jump where it closes, and
    :math:`2s - 1` on the others, with :math:`s = (x - a)/(b - a)`.

    Args:
        grid: The grid.

    Returns:
        Channels last, shape (*grid.shape, channels), float64 on the CPU.
    """
    channels = []
    for axis, coordinate in zip(grid.axes, grid.coordinates, strict=True):
        fraction = (coordinate - axis.lower) / axis.length
        if axis.is_periodic:
            channels += [torch.cos(2 * math.pi * fraction), torch.sin(2 * math.pi * fraction)]
        else:
            channels.append(2 * fraction - 1)
    return torch.stack(channels, dim=-1)
