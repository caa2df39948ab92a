"""A small convolution that closes on periodic axes and not on the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class LocalConvolution(nn.Module):
    r"""Convolution with three points an axis; beyond a wall there are zeros, beyond a period the other end.

    .. math:: (Kv)_i = b + \sum_{|j|_\infty \le 1} W_j\, v_{si + j}

    with the stride s. It reads neighbours, not distances: on a grid of another resolution it is another map.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        periodic: Whether each axis closes, one entry an axis, 1 to 3 axes.
        stride: 1 to keep the size, 2 to halve it, rounded up.

    Raises:
        ValueError: The number of axes is not 1, 2 or 3.

    Good values: fields in two dimensions in the memory format ``torch.channels_last``, which is kept.

    Failure mode: An axis that closes with an odd number of points has a seam under stride 2: the last point
    kept lies beside the first.
    """

    def __init__(
        self, in_channels: int, out_channels: int, periodic: Sequence[bool], *, stride: int = 1
    ) -> None:
        super().__init__()
        if not 1 <= len(periodic) <= 3:
            raise ValueError(f"local convolution: expected 1 to 3 axes, got {len(periodic)}")
        self.periodic = tuple(periodic)
        padding: Any = tuple(0 if closes else 1 for closes in periodic)
        self.convolution = CONVOLUTIONS[len(periodic) - 1](
            in_channels, out_channels, 3, stride=stride, padding=padding
        )

    def forward(
        self, values: Float[Tensor, "batch in_channels *shape"]
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Convolve.

        Args:
            values: Field with the channels first.

        Returns:
            Field with the channels first.
        """
        for dim, closes in enumerate(self.periodic, start=2):
            if closes:
                # Unlike torch's circular padding, this keeps the memory format.
                size = values.shape[dim]
                ends = values.narrow(dim, size - 1, 1), values.narrow(dim, 0, 1)
                values = torch.cat((ends[0], values, ends[1]), dim=dim)
        return self.convolution(values)
