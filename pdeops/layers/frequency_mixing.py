"""Mixing of channels at each frequency of a block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import AxisKind


class FrequencyMixing(nn.Module):
    r"""Multiply the channels of each frequency by a learned matrix: a convolution, seen from the spectrum.

    On periodic axes cosine and sine of a wave are the two parts of a complex amplitude :math:`\hat z_k`, one
    for each combination of signs of the wave numbers, and

    .. math:: \hat z_k \leftarrow (A_k + i B_k)\, \hat z_k ,

    which commutes with shifts along these axes. On cosine axes every coefficient has a real matrix.

    Args:
        kinds: Kind of each axis.
        sizes: Size of the block on each axis (see `ModeBlock`).
        in_channels: Channels in.
        out_channels: Channels out.

    Source: Poli et al. (2022), Transform Once, arXiv:2211.14453, with real matrices throughout; the pairing
    is that of Fourier neural operators.
    """

    def __init__(
        self, kinds: Sequence[AxisKind | str], sizes: Sequence[int], in_channels: int, out_channels: int
    ) -> None:
        super().__init__()
        self.periodic_axes = tuple(axis for axis, kind in enumerate(kinds) if kind == AxisKind.PERIODIC)
        parts = 2 if self.periodic_axes else 1
        # Half as many amplitudes as real numbers, and [A; B] stacked: as many weights as without pairs.
        weight = torch.randn(math.prod(sizes) // parts, parts * in_channels, out_channels)
        self.weight = nn.Parameter(weight / math.sqrt(parts * in_channels))

    def forward(
        self, block: Float[Tensor, "*sizes batch in_channels"]
    ) -> Float[Tensor, "*sizes batch out_channels"]:
        """Mix the channels of every frequency."""
        *sizes, batch, channels = block.shape
        if not self.periodic_axes:
            rows = block.reshape(-1, batch, channels)
            return torch.bmm(rows, self.weight).reshape(*sizes, batch, -1)
        *others, last = self.periodic_axes
        real, imaginary = block.chunk(2, last)
        # cos a cos b etc. are sums of the waves (+a, b) and (-a, b): two amplitudes for four products.
        for axis in others:
            real_cosine, real_sine = real.chunk(2, axis)
            imaginary_cosine, imaginary_sine = imaginary.chunk(2, axis)
            real = torch.cat((real_cosine - imaginary_sine, real_cosine + imaginary_sine), axis)
            imaginary = torch.cat((imaginary_cosine + real_sine, imaginary_cosine - real_sine), axis)
        half = real.shape[:-2]
        rows = torch.stack((real, -imaginary, imaginary, real), -2).reshape(-1, 2 * batch, 2 * channels)
        mixed = torch.bmm(rows, self.weight).reshape(*half, batch, 2, -1)
        real, imaginary = mixed[..., 0, :], mixed[..., 1, :]
        for axis in others:
            real_plus, real_minus = real.chunk(2, axis)
            imaginary_plus, imaginary_minus = imaginary.chunk(2, axis)
            real = torch.cat((real_plus + real_minus, imaginary_plus - imaginary_minus), axis)
            imaginary = torch.cat((imaginary_plus + imaginary_minus, real_minus - real_plus), axis)
        result = torch.cat((real, imaginary), last)
        # Each unpaired axis went there and back with sums of two: one half a time.
        return result * 0.5 ** len(others) if others else result
