"""Coordinates of points, as a network reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from pdeops.layers.taylor import TaylorAlgebra


class PointFeatures(nn.Module):
    r"""Waves of the coordinates that repeat, and the others brought to [-1, 1].

    .. math:: y \mapsto \big(\cos 2\pi k (y - y_0)/L,\ \sin 2\pi k (y - y_0)/L\big)_{k = 1..K}
              \quad\text{or}\quad 2 (y - y_0) / L - 1

    A function of these features has the period of the domain, with all its derivatives. It has no parameters.

    Args:
        box: Lower and upper end of each coordinate.
        periods: Length after which a coordinate repeats, or None.
        harmonics: Number K of waves.

    Raises:
        ValueError: There is no wave for a coordinate that repeats.

    Good values: 1 to 4 harmonics; 2 for Burgers' equation.

    Failure mode: Outside of the box the scaled coordinates leave [-1, 1]: the network extrapolates.
    """

    def __init__(
        self, box: Float64[Tensor, "two coordinates"], periods: Sequence[float | None], harmonics: int = 1
    ) -> None:
        super().__init__()
        if harmonics < 1:
            raise ValueError(f"harmonics: expected at least 1, got {harmonics}; try 2")
        self.lower: list[float] = box[0].tolist()
        lengths = (box[1] - box[0]).tolist()
        self.periods = tuple(periods)
        # A coordinate that has one value only, such as a single time 0, keeps its scale.
        self.lengths = [period or length or 1.0 for period, length in zip(self.periods, lengths, strict=True)]
        self.harmonics = harmonics
        self.num_channels = sum(map(self._width, range(len(self.periods))))

    def forward(self, points: Float[Tensor, "*batch coordinates"]) -> Float[Tensor, "*batch channels"]:
        """Features of points.

        Args:
            points: Coordinates.

        Returns:
            Features, in the order of the coordinates.
        """
        return torch.cat([self._derivative(points, axis, 0) for axis in range(len(self.periods))], dim=-1)

    def taylor(
        self, points: Float[Tensor, "*batch coordinates"], algebra: TaylorAlgebra
    ) -> Float[Tensor, "indices *batch channels"]:
        """Taylor polynomials of the features in the coordinates.

        Args:
            points: Coordinates.
            algebra: With one variable a coordinate.

        Returns:
            Coefficients.
        """
        axes = range(len(self.periods))
        # A feature sees one coordinate, so its mixed derivatives and those by others are zero.
        return torch.stack(
            [
                torch.cat(
                    [
                        self._derivative(points, axis, index[axis]) / math.factorial(index[axis])
                        if index[axis] == sum(index)
                        else points.new_zeros(*points.shape[:-1], self._width(axis))
                        for axis in axes
                    ],
                    dim=-1,
                )
                for index in algebra.indices
            ]
        )

    def _width(self, axis: int) -> int:
        return 1 if self.periods[axis] is None else 2 * self.harmonics

    def _derivative(self, points: Tensor, axis: int, order: int) -> Tensor:
        """Derivative of the features of one coordinate."""
        shifted = points[..., axis, None] - self.lower[axis]
        length = self.lengths[axis]
        if self.periods[axis] is None:
            if order == 0:
                return 2 * shifted / length - 1
            return torch.full_like(shifted, 2 / length if order == 1 else 0.0)
        waves = torch.arange(1, self.harmonics + 1, dtype=points.dtype, device=points.device)
        frequencies = waves * (2 * math.pi / length)
        angles = shifted * frequencies
        # A derivative turns cosine and sine by a quarter: cos -> -sin -> -cos -> sin -> cos.
        pair = (torch.cos(angles), torch.sin(angles))
        cosine, sine = ((1, pair[0]), (-1, pair[1])), ((1, pair[1]), (1, pair[0]))
        sign = -1 if order % 4 >= 2 else 1
        parts = [sign * factor * wave for factor, wave in (cosine[order % 2], sine[order % 2])]
        return torch.cat(parts, dim=-1) * (frequencies**order).repeat(2)
