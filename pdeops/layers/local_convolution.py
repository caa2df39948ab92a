"""Convolutions with few points an axis, whose boundary conditions are those of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Grid
from pdeops.layers.boundary_padding import BoundaryPadding

CONVOLUTIONS: tuple[Callable[..., nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def stencil(
    in_channels: int,
    out_channels: int,
    padding: BoundaryPadding,
    *,
    kernel: Sequence[int] | None = None,
    stride: int = 1,
    bias: bool = False,
) -> nn.Module:
    r"""Build a convolution for fields that ``padding`` was applied to.

    .. math:: (K u)_i = b + \sum_{t=0}^{k-1} K_t\, u_{si - 1 + t}

    with the width k and the stride s on every axis, :math:`K_t` a matrix between the channels. With s = 2 it
    halves the points of an axis, rounded up.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        padding: What was applied to the input; the zeros of its boundary are added here.
        kernel: Width k by axis; 3 by default. 4 fits where the stride is 2 and the size even.
        stride: s, 1 or 2.
        bias: Whether a constant is added to each channel.

    Returns:
        The convolution.
    """
    dimension = len(padding.zeros)
    widths = (3,) * dimension if kernel is None else tuple(kernel)
    return CONVOLUTIONS[dimension - 1](
        in_channels, out_channels, widths, stride=stride, padding=padding.zeros, bias=bias
    )


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
        self.convolution = stencil(in_channels, out_channels, self.padding, stride=stride, bias=True)

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
