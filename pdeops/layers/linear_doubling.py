"""Twice as many points on every axis, by linear interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pdeops.layers.constants import constant

Alignment = Literal["cells", "corners", "periodic"]


def double_points(
    values: Float[Tensor, "batch *shape channels"], alignments: Sequence[Alignment]
) -> Float[Tensor, "batch *fine_shape channels"]:
    """Interpolate linearly along every axis to twice as many points.

    On each axis one product with a `doubling_matrix`: few operations beside a convolution, and, unlike
    torch's interpolation, as fast backwards as forwards.

    Args:
        values: Field with the channels last.
        alignments: How the fine points lie among the coarse ones, one an axis.

    Returns:
        Field with twice as many points on each axis.
    """
    batch, *shape, channels = values.shape
    # The last axis first, while the others are still coarse.
    for axis in reversed(range(len(shape))):
        arguments = (shape[axis], alignments[axis])
        matrix = constant(doubling_matrix, arguments, values.dtype, values.device)
        lines = values.reshape(batch * math.prod(shape[:axis]), shape[axis], -1)
        shape[axis] *= 2
        values = torch.bmm(matrix.expand(len(lines), *matrix.shape), lines)
    return values.reshape(batch, *shape, channels)


def doubling_matrix(size: int, alignment: Alignment) -> Float64[Tensor, "fine size"]:
    r"""Matrix of the linear interpolation from n to 2n points.

    ==========  ===================================================  ==============
    alignment   fine point :math:`j` lies at the coarse coordinate   beyond the ends
    ==========  ===================================================  ==============
    cells       :math:`(j + 1/2)/2 - 1/2`, halves of the same cells  the last value
    corners     :math:`j (n-1)/(2n-1)`, both ends are kept           (nothing is)
    periodic    as cells                                             the other end
    ==========  ===================================================  ==============

    Args:
        size: Number n of coarse points.
        alignment: One of these.

    Returns:
        The matrix, float64.
    """
    index = torch.arange(2 * size, dtype=torch.float64)
    corners = index * (size - 1) / (2 * size - 1)
    coordinate = corners if alignment == "corners" else (index + 0.5) / 2 - 0.5
    lower = coordinate.floor()
    fraction = coordinate - lower
    matrix = torch.zeros(2 * size, size, dtype=torch.float64)
    for neighbour, weight in ((lower.long(), 1 - fraction), (lower.long() + 1, fraction)):
        place = neighbour % size if alignment == "periodic" else neighbour.clamp(0, size - 1)
        matrix.scatter_add_(1, place[:, None], weight[:, None])
    return matrix
