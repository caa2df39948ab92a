"""Random velocities without divergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Grid, derivative
from pdeops.problems.smooth_random_field import SmoothRandomField, further_seed


@dataclass(frozen=True, kw_only=True)
class SolenoidalField:
    r"""Curl of three independent `SmoothRandomField` on a torus in three dimensions.

    Args:
        deviation: Standard deviation of each component of the velocity, positive.
        correlation_length: Correlation length of the potential, in the unit of the coordinates.
        max_wavenumber: Highest wave an axis. Another number gives other samples.

    Raises:
        ValueError: A number is out of range.

    Good values: A correlation length of a quarter of the box: eddies of half the box.

    Failure mode: See `SmoothRandomField`.
    """

    deviation: float = 1.0
    correlation_length: float = 1.5
    max_wavenumber: int = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        object.__setattr__(self, "deviation", float(self.deviation))
        object.__setattr__(self, "correlation_length", float(self.correlation_length))
        self._potential(self.deviation)

    def _potential(self, deviation: float) -> SmoothRandomField:
        return SmoothRandomField(
            deviation=deviation,
            correlation_length=self.correlation_length,
            max_wavenumber=self.max_wavenumber,
        )

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch 3 *shape"]:
        """Draw one velocity a seed.

        Args:
            domain: A grid in three dimensions, periodic on every axis.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: The domain is no such grid, or a seed is no seed.
        """
        if not isinstance(domain, Grid) or domain.dimension != 3 or not domain.is_periodic:
            raise ValueError(
                f"solenoidal field: expected a periodic grid in three dimensions, got {domain}; "
                "try Grid.periodic((32, 32, 32))"
            )
        unit = self._potential(1.0)
        # A component of the curl has two thirds of the mean square of the gradient.
        size = self.deviation / math.sqrt(2 / 3 * unit.mean_square_gradient(domain))
        streams = [[further_seed(seed, number) for seed in seeds] for number in (1, 2, 3)]
        a, b, c = (size * unit.sample(domain, stream) for stream in streams)

        def slope(values: Tensor, axis: int) -> Tensor:
            return derivative(values, domain, axis)

        curl = (slope(c, 1) - slope(b, 2), slope(a, 2) - slope(c, 0), slope(b, 0) - slope(a, 1))
        return torch.stack(curl, dim=1)
