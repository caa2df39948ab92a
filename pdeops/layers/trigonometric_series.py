"""A series in sines and cosines of every number of a tensor."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def add_trigonometric_series(
    values: Float[Tensor, "*shape"], coefficients: Float[Tensor, "*broadcast twice_frequencies"]
) -> Float[Tensor, "*shape"]:
    r"""Add :math:`\sum_{n=0}^{N-1} a_n \sin(\pi n z / N) + b_n \cos(\pi n z / N)` to every number z.

    Args:
        values: Numbers z of any shape.
        coefficients: First :math:`a_0 \dots a_{N-1}`, then :math:`b_0 \dots b_{N-1}`; the dimensions before
            the last broadcast against those of the values.

    Returns:
        The sums, of the shape of the values.

    Failure mode: :math:`a_0` has no effect.
    """
    number = coefficients.shape[-1] // 2
    angles = values.unsqueeze(-1) * (
        torch.arange(number, dtype=values.dtype, device=values.device) * (math.pi / number)
    )
    waves = torch.cat((torch.sin(angles), torch.cos(angles)), dim=-1)
    return values + (waves * coefficients.to(values.dtype)).sum(dim=-1)
