"""Matrices along one axis of values on a tensor grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def apply_along(
    matrix: Float[Tensor, "rows columns"], values: Float[Tensor, "*before columns_of_dim"], dim: int
) -> Float[Tensor, "*after"]:
    """Multiply every line of values along one dimension by a matrix.

    Args:
        matrix: The matrix, on the device of the values.
        values: Values of any shape with as many entries along `dim` as the matrix has columns.
        dim: Number of the dimension, negative: -1 is the last.

    Returns:
        Values with as many entries along `dim` as the matrix has rows.
    """
    if dim == -1:
        return values @ matrix.T
    return torch.movedim(torch.movedim(values, dim, -1) @ matrix.T, -1, dim)


def apply_to_all(
    matrices: Sequence[Float[Tensor, "_ _"]], values: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Multiply by one matrix an axis, the first for the first of the last ``len(matrices)`` dimensions."""
    for dim, matrix in zip(range(-len(matrices), 0), matrices, strict=True):
        values = apply_along(matrix, values, dim)
    return values
