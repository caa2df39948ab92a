"""A convolutional U-Net for any size and 1 to 3 dimensions."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class EncoderDecoder(nn.Module):
    r"""Encoder and decoder of convolutions, joined level by level.

    Going down, each level halves the size by a convolution of stride 2 and doubles the channels; going up,
    each level is enlarged to the size of its partner on the way down (so odd sizes work), concatenated with
    it and convolved. A level is a convolution of width 3, group normalisation and GELU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        dimension: Number of axes, 1 to 3.
        width: Channels of the first level; a multiple of 8.
        depth: Number of halvings; the smallest size must be at least ``2**depth``.

    Failure mode: Zero padding at the borders ties the result to the size; the same network on another
    resolution is another function.

    Source: Ronneberger, Fischer and Brox (2015), arXiv:1505.04597.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, dimension: int, width: int = 32, depth: int = 3
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.entry = _block(dimension, in_channels, width)
        self.down = nn.ModuleList(
            _block(dimension, fine, coarse, stride=2) for fine, coarse in pairwise(widths)
        )
        self.up = nn.ModuleList(_block(dimension, fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.exit = CONVOLUTIONS[dimension - 1](width, out_channels, 1)

    def forward(
        self, values: Float[Tensor, "batch in_channels *shape"]
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Apply the network; the size stays."""
        levels = [self.entry(values)]
        for down in self.down:
            levels.append(down(levels[-1]))
        current = levels.pop()
        for up in reversed(self.up):
            skip = levels.pop()
            current = up(torch.cat([skip, F.interpolate(current, size=skip.shape[2:])], dim=1))
        return self.exit(current)


def _block(dimension: int, in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    convolution = CONVOLUTIONS[dimension - 1](in_channels, out_channels, 3, stride=stride, padding=1)
    return nn.Sequential(convolution, nn.GroupNorm(8, out_channels), nn.GELU())
