"""A field continued beyond the upper ends of its axes, up to a wanted shape."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def continue_field(
    values: Float[Tensor, "batch *shape channels"], shape: Sequence[int], periodic: Sequence[bool]
) -> Float[Tensor, "batch *out_shape channels"]:
    """Append points behind the upper end of each axis, without a jump there; `crop` undoes it.

    Args:
        values: Field with the channels last.
        shape: Number of points an axis wanted, at least the field's.
        periodic: Whether each axis closes: then the field begins anew, otherwise its last value stays.

    Returns:
        The field; the same tensor where nothing is missing.
    """
    for dim, (wanted, closes) in enumerate(zip(shape, periodic, strict=True), start=1):
        size = values.shape[dim]
        missing = wanted - size
        if missing and closes:
            turns, rest = divmod(missing, size)
            values = torch.cat([values] * (turns + 1) + [values.narrow(dim, 0, rest)], dim)
        elif missing:
            strip = list(values.shape)
            strip[dim] = missing
            values = torch.cat((values, values.narrow(dim, size - 1, 1).expand(strip)), dim)
    return values
