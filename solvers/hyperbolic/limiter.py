"""Slopes inside cells that make no new extrema."""

from __future__ import annotations

from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor


class Limiter(StrEnum):
    """How the two differences to the neighbours make a slope; all are zero at an extremum.

    `MINMOD` takes the smaller one and smears most. `VAN_LEER` takes their harmonic mean and is smooth where
    the data is monotone. `MONOTONIZED_CENTRAL` takes the central difference wherever it is allowed and is
    the sharpest.
    """

    MINMOD = "minmod"
    VAN_LEER = "van_leer"
    MONOTONIZED_CENTRAL = "monotonized_central"

    def slope(self, lower: Float[Tensor, "..."], upper: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Limited difference across a cell.

        Args:
            lower: Value minus the value of the lower neighbour.
            upper: Value of the upper neighbour minus the value.

        Returns:
            Slope times the width of the cell, between zero and twice the smaller difference.

        References:
            | B. van Leer, 1979, Towards the ultimate conservative difference scheme V,
            | doi:10.1016/0021-9991(79)90145-1
        """
        if self is Limiter.MINMOD:
            return _minmod(lower, upper)
        if self is Limiter.MONOTONIZED_CENTRAL:
            return _minmod((lower + upper) / 2, 2 * _minmod(lower, upper))
        product = lower * upper
        is_monotone = product > 0
        return torch.where(is_monotone, 2 * product / torch.where(is_monotone, lower + upper, 1.0), 0.0)


def _minmod(first: Tensor, second: Tensor) -> Tensor:
    return (torch.sign(first) + torch.sign(second)) / 2 * torch.minimum(first.abs(), second.abs())
