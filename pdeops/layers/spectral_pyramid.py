"""A U-Net of double convolutions with a neural spectral block on every level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import Grid
from pdeops.layers.batch_norm import BatchNorm
from pdeops.layers.boundary_padding import BoundaryPadding
from pdeops.layers.linear_doubling import Alignment, double_points
from pdeops.layers.local_convolution import stencil
from pdeops.layers.neural_spectral_block import Initialisation, NeuralSpectralBlock

Norm = Literal["group", "batch"]
MAX_POOLS = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)


class SpectralPyramid(nn.Module):
    r"""Down by pooling, up by interpolation; what passes from side to side goes through a spectral block.

    .. math:: e_0 = C_0 v, \quad e_{k} = C_k \max_{2 \times 2} e_{k-1}, \quad d_D = S_D e_D, \quad
              d_k = C'_k\big(S_k e_k, \uparrow d_{k+1}\big)

    on levels k = 0 .. D with :math:`w, 2w, \dots, 2^{D-1}w` and once more :math:`2^{D-1}w` channels. C and C'
    are each two convolutions of width 3 without bias, normalised and with a ReLU; S is a
    `NeuralSpectralBlock` on :math:`2^{D-k}` patches an axis, so that a patch has equally many points on every
    level and the coarsest level is one patch.

    Args:
        width: Channels w of the finest level, a multiple of the heads.
        grid: Grid whose kinds of axes fix what the convolutions read beyond the ends: the other end on
            periodic axes, zeros on the others. Its size does not count.
        depth: Number D of halvings.
        norm: ``batch`` normalises each channel of the batch, and by running means in evaluation; ``group``
            8 groups of channels of one sample, which takes the amplitude of the sample away.
        align_corners: Whether, between walls, the outermost points of both levels coincide in the
            interpolation, as published, in place of the cells.
        heads: See `NeuralSpectralBlock`.
        tokens: See `NeuralSpectralBlock`.
        frequencies: See `NeuralSpectralBlock`.
        scaled: See `NeuralSpectralBlock`.
        initialisation: See `NeuralSpectralBlock`.

    Raises:
        ValueError: The depth or the norm is unknown, or the block refuses its numbers.

    Failure mode: It learns in points, not in lengths; the same network on another resolution is another map.

    Source: Ronneberger, Fischer and Brox (2015), arXiv:1505.04597; Wu et al. (2023), arXiv:2301.12664.
    """

    def __init__(
        self,
        width: int,
        grid: Grid,
        *,
        depth: int = 4,
        norm: Norm = "batch",
        align_corners: bool = False,
        heads: int = 8,
        tokens: int = 4,
        frequencies: int = 12,
        scaled: bool = True,
        initialisation: Initialisation = "symmetric",
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth: expected at least 1 halving, got {depth}; try 4")
        if norm not in get_args(Norm):
            raise ValueError(f"norm: expected {' or '.join(get_args(Norm))}, got {norm!r}")
        self.depth = depth
        wall: Alignment = "corners" if align_corners else "cells"
        self.alignments: list[Alignment] = ["periodic" if axis.is_periodic else wall for axis in grid.axes]
        self.boundary = BoundaryPadding(grid)
        channels = [width * 2 ** min(level, depth - 1) for level in range(depth + 1)]
        self.entry = DoubleConvolution((width, width, width), self.boundary, norm)
        self.down = nn.ModuleList(
            DoubleConvolution((fine, coarse, coarse), self.boundary, norm)
            for fine, coarse in pairwise(channels)
        )
        self.blocks = nn.ModuleList(
            NeuralSpectralBlock(
                number,
                heads=heads,
                tokens=tokens,
                frequencies=frequencies,
                scaled=scaled,
                initialisation=initialisation,
            )
            for number in channels
        )
        self.up = nn.ModuleList(
            DoubleConvolution((2 * number, number, finer), self.boundary, norm)
            for number, finer in zip(channels[:-1], [width, *channels], strict=False)
        )

    def forward(self, values: Float[Tensor, "batch *shape width"]) -> Float[Tensor, "batch *shape width"]:
        """Apply the network.

        Args:
            values: Field with the channels last; ``2**depth`` divides the number of points on each axis.

        Returns:
            Field of the same shape.

        Raises:
            ValueError: ``2**depth`` does not divide the points.
        """
        # Views with the channels first: the memory stays channels last, which convolutions like.
        pool = MAX_POOLS[values.ndim - 3]
        levels = [self.entry(values.movedim(-1, 1))]
        for down in self.down:
            levels.append(down(pool(levels[-1], 2)))
        current = self._block(self.depth, levels.pop())
        for number in reversed(range(self.depth)):
            fine = double_points(current, self.alignments)
            joined = torch.cat((self._block(number, levels.pop()), fine), dim=-1)
            current = self.up[number](joined.movedim(-1, 1)).movedim(1, -1)
        return current

    def _block(self, level: int, values: Tensor) -> Tensor:
        """Apply the spectral block of a level to a field with the channels first; they come out last."""
        patches = [2 ** (self.depth - level)] * (values.ndim - 2)
        return self.blocks[level](values.movedim(1, -1), patches)


class DoubleConvolution(nn.Sequential):
    """Twice: a convolution of width 3 without bias, a norm and a ReLU.

    Args:
        channels: Channels of the input, between the two, and of the output.
        boundary: What the convolutions read beyond the ends.
        norm: See `SpectralPyramid`.
    """

    def __init__(self, channels: Sequence[int], boundary: BoundaryPadding, norm: Norm) -> None:
        dimension = len(boundary.zeros)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            if norm == "batch":
                normalise: nn.Module = BatchNorm(after)
            else:
                normalise = nn.GroupNorm(math.gcd(8, after), after)
            convolve = stencil(before, after, boundary)
            if dimension > 1:
                # As the fields lie in memory: a call then reorders nothing. In one dimension there is no name
                # for it.
                weight = next(convolve.parameters())
                last = torch.channels_last if dimension == 2 else torch.channels_last_3d
                weight.data = weight.data.contiguous(memory_format=last)
            layers += [convolve, normalise, nn.ReLU(inplace=True)]
        super().__init__(*layers)
        self.boundary = boundary

    def forward(self, values: Tensor) -> Tensor:
        """Apply the layers to a field with the channels first."""
        layers = list(self)
        for convolve, normalise, activate in zip(layers[::3], layers[1::3], layers[2::3], strict=True):
            values = activate(normalise(convolve(self.boundary(values))))
        return values
