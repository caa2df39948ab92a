"""A small convolution that closes on periodic axes and not on the others."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Grid
from pdeops.layers.boundary_padding import BoundaryPadding

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class LocalConvolution(nn.Module):
    r"""Convolution with three points an axis; beyond a wall there are zeros, beyond a period the other end.

    .. math:: (Kv)_i = b + \sum_{|j|_\infty \le 1} W_j\, v_{si + j}

    with the stride s. It reads neighbours, not distances: on a grid of another resolution it is another map.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        grid: The grid; its number and kinds of axes count, not its size.
        stride: 1 to keep the size, 2 to halve it, rounded up.

    Good values: fields in two dimensions in the memory format ``torch.channels_last``, which is kept.

    Failure mode: An axis that closes with an odd number of points has a seam under stride 2: the last point
    kept lies beside the first.
    """

    def __init__(self, in_channels: int, out_channels: int, grid: Grid, *, stride: int = 1) -> None:
        super().__init__()
        self.padding = BoundaryPadding(grid)
        zeros: Any = self.padding.zeros
        kind = CONVOLUTIONS[grid.dimension - 1]
        self.convolution = kind(in_channels, out_channels, 3, stride=stride, padding=zeros)

    def forward(
        self, values: Float[Tensor, "batch in_channels *shape"]
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Convolve.

        Args:
            values: Field with the channels first.

        Returns:
            Field with the channels first.
        """
        return self.convolution(self.padding(values))
