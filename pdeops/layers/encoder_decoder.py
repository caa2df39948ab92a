"""A convolutional encoder and decoder, the body of a U-Net, for any size and 1 to 3 dimensions."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Grid
from pdeops.layers.batch_norm import BatchNorm
from pdeops.layers.local_convolution import CONVOLUTIONS, LocalConvolution


class EncoderDecoder(nn.Module):
    r"""Encoder and decoder of convolutions, joined level by level.

    Going down, each level halves the size by a convolution of stride 2 and doubles the channels; going up,
    each level is enlarged to the size of its partner on the way down (so odd sizes work), concatenated with
    it and convolved. A level is one convolution or more, each of width 3 and followed by batch normalisation
    and GELU. (A normalisation by sample would lose how large a sample is, which the solution of a PDE needs.)

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        grid: The grid; its number and kinds of axes count, 1 to 3 axes.
        width: Channels of the first level.
        depth: Number of halvings; the smallest size must be at least ``2**depth``.
        convolutions_per_level: Convolutions of a level.

    Raises:
        ValueError: A number is not positive.

    Failure mode: Zero padding at the borders ties the result to the size; the same network on another
    resolution is another function.

    Source: Ronneberger, Fischer and Brox (2015), arXiv:1505.04597.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: Grid,
        *,
        width: int = 32,
        depth: int = 3,
        convolutions_per_level: int = 1,
    ) -> None:
        super().__init__()
        if min(width, depth, convolutions_per_level) < 1:
            raise ValueError(
                f"encoder and decoder: expected a width, a depth and a number of convolutions of at least 1, "
                f"got {width}, {depth} and {convolutions_per_level}; try 32, 3 and 1"
            )

        def level(channels: int, width: int, stride: int = 1) -> nn.Sequential:
            parts: list[nn.Module] = []
            for number in range(convolutions_per_level):
                source, step = (width, 1) if number else (channels, stride)
                parts += [
                    LocalConvolution(source, width, grid, stride=step),
                    BatchNorm(width),
                    nn.GELU(),
                ]
            return nn.Sequential(*parts)

        widths = [width * 2**number for number in range(depth + 1)]
        self.entry = level(in_channels, width)
        self.down = nn.ModuleList(level(fine, coarse, stride=2) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(level(fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.exit = CONVOLUTIONS[grid.dimension - 1](width, out_channels, 1)

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
