"""A series in sines and cosines of every number of a tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def add_trigonometric_series(
    values: Float[Tensor, "rows channels"], coefficients: Float[Tensor, "channels twice_frequencies"]
) -> Float[Tensor, "rows channels"]:
    r"""Add :math:`\sum_{n=0}^{N-1} a_n \sin(\pi n z / N) + b_n \cos(\pi n z / N)` to every number z.

    One sine and one cosine are computed; the others follow by rotations, and again in the backward pass,
    where storing them would take 2N times the room of the values.

    Args:
        values: Numbers z.
        coefficients: For each channel :math:`a_0 \dots a_{N-1}`, then :math:`b_0 \dots b_{N-1}`.

    Returns:
        The sums, of the shape of the values.

    Failure mode: :math:`a_0` has no effect.
    """
    if torch.compiler.is_compiling():
        number = coefficients.shape[1] // 2
        sines, cosines = coefficients.unflatten(1, (2, number)).unbind(1)
        angles = values[..., None] * (torch.arange(number, device=values.device) * (math.pi / number))
        return values + (sines * torch.sin(angles) + cosines * torch.cos(angles)).sum(dim=-1)
    return _Series.apply(values, coefficients)


class _Series(torch.autograd.Function):
    """The series wave by wave; the backward pass is made of ordinary operations."""

    @staticmethod
    def forward(context: Any, values: Tensor, coefficients: Tensor) -> Tensor:
        context.save_for_backward(values, coefficients)
        sines, cosines = _halves(coefficients)
        result = values + cosines[0]
        for number, (sine, cosine) in enumerate(_waves(values, len(sines)), start=1):
            result.addcmul_(sines[number], sine).addcmul_(cosines[number], cosine)
        return result

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        values, coefficients = context.saved_tensors
        sines, cosines = _halves(coefficients)
        count = len(sines)
        slope = torch.ones_like(values)
        by_sines, by_cosines = [torch.zeros_like(sines[0])], [gradient.sum(dim=0)]
        for number, (sine, cosine) in enumerate(_waves(values, count), start=1):
            by_sines.append((gradient * sine).sum(dim=0))
            by_cosines.append((gradient * cosine).sum(dim=0))
            frequency = math.pi * number / count
            slope = torch.addcmul(slope, frequency * sines[number], cosine)
            slope = torch.addcmul(slope, -frequency * cosines[number], sine)
        return gradient * slope, torch.stack(by_sines + by_cosines, dim=1)


def _halves(coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients of the sines and of the cosines, frequencies first."""
    sines, cosines = coefficients.T.contiguous().chunk(2)
    return sines, cosines


def _waves(values: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Sine and cosine of the angles ``pi n z / count`` for n = 1 .. count - 1."""
    angles = values * (math.pi / count)
    first_sine, first_cosine = torch.sin(angles), torch.cos(angles)
    sine, cosine = first_sine, first_cosine
    for number in range(1, count):
        if number > 1:
            sine, cosine = (
                torch.addcmul(sine * first_cosine, cosine, first_sine),
                torch.addcmul(cosine * first_cosine, sine, first_sine, value=-1),
            )
        yield sine, cosine
