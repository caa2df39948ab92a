"""Between a grid and the one with half of its points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.layers.boundary_padding import BoundaryPadding

TRANSPOSED_CONVOLUTIONS: tuple[Callable[..., nn.Module], ...] = (
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


def coarser_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Points an axis of the next coarser grid: half of them, rounded up.

    Args:
        shape: Points an axis of the fine grid.

    Returns:
        Points an axis of the coarse one.
    """
    return tuple((size + 1) // 2 for size in shape)


def transfer_kernel(shape: Sequence[int]) -> tuple[int, ...]:
    """Width by axis of a transfer whose coarse points lie in the middle of the fine ones: 4 if even, else 3.

    Args:
        shape: Points an axis of the fine grid.

    Returns:
        The widths.
    """
    return tuple(3 if size % 2 else 4 for size in shape)


def classical_weights(kernel: Sequence[int]) -> Float[Tensor, " *kernel"]:
    """Weights of linear interpolation from every other point, for the widths of a transfer.

    Args:
        kernel: Width by axis: 3, with coarse points on fine ones, or 4, with coarse points between two.

    Returns:
        The products of 1/2, 1, 1/2 and of 1/4, 3/4, 3/4, 1/4; over 2 an axis they are an average.
    """
    weights = torch.ones(())
    for width in kernel:
        line = torch.tensor([0.5, 1.0, 0.5] if width == 3 else [0.25, 0.75, 0.75, 0.25])
        weights = weights[..., None] * line
    return weights


class Prolongation(nn.Module):
    r"""Transposed convolution of stride 2 from `coarser_shape` to a shape of any parity, without bias.

    .. math:: (P c)_j = \sum_{i,\ 0 \le j + 1 - 2i < k} P_{j + 1 - 2i}\, c_i

    with the width k = 4 on axes with an even number of fine points, and k = 3 on odd ones, where the first
    and the last points of both grids coincide. Beyond the ends :math:`c` continues by the boundary condition;
    on a periodic axis of even size, P commutes with shifts by two fine points.

    Args:
        in_channels: Channels of the coarse field.
        out_channels: Channels of the fine one.
        shape: Points an axis of the fine grid; of other grids, the same are even.
        padding: What lies beyond the ends of the grid.
    """

    def __init__(
        self, in_channels: int, out_channels: int, shape: Sequence[int], padding: BoundaryPadding
    ) -> None:
        super().__init__()
        self.padding = padding
        # Where the size is odd, no point outside reaches in.
        self.axes = [size % 2 == 0 for size in shape]
        # A transposed convolution cuts its padding off: 1 aligns the grids, and each coarse point added
        # outside is two fine points more.
        cut = [3 if even and not zero else 1 for even, zero in zip(self.axes, padding.zeros, strict=True)]
        self.convolution = TRANSPOSED_CONVOLUTIONS[len(cut) - 1](
            in_channels, out_channels, transfer_kernel(shape), stride=2, padding=tuple(cut), bias=False
        )

    def forward(
        self, values: Float[Tensor, "batch in_channels *coarse_shape"]
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Prolong a coarse field.

        Args:
            values: Field on the coarse grid.

        Returns:
            Field on the fine one.
        """
        return self.convolution(self.padding(values, self.axes))
