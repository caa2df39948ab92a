"""Random permeabilities: two phases, or smooth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain
from pdeops.problems.random_fields import NeumannRandomField

BENCHMARK_FIELD = NeumannRandomField(scale=3.0, smoothness=2.0, inverse_length=3.0, max_wavenumber=256)
SMOOTH_FIELD = NeumannRandomField(scale=50.0, smoothness=3.0, inverse_length=3.0, max_wavenumber=64)


@dataclass(frozen=True, kw_only=True)
class TwoPhasePermeability:
    """High where a Gaussian field is positive, low elsewhere.

    Args:
        high: Permeability of the first phase, positive.
        low: Permeability of the second phase, positive.
        field: The Gaussian field; only its sign matters.

    Raises:
        ValueError: A permeability is not positive.

    Good values: 12 and 3, the Darcy benchmark of neural operators.

    Failure mode: The field is evaluated with the waves that a grid holds, so a cell next to an interface may
        change its phase between grids; the interface is resolved to first order only.

    Source: Z. Li et al. (2020), arXiv:2010.08895.
    """

    high: float = 12.0
    low: float = 3.0
    field: NeumannRandomField = BENCHMARK_FIELD

    def __post_init__(self) -> None:
        """Check the permeabilities."""
        _check_positive(high=self.high, low=self.low)
        object.__setattr__(self, "high", float(self.high))
        object.__setattr__(self, "low", float(self.low))

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one permeability a seed, float64, on the CPU."""
        values = self.field.sample(domain, seeds)
        return torch.where(values >= 0, torch.full_like(values, self.high), torch.full_like(values, self.low))


@dataclass(frozen=True, kw_only=True)
class LognormalPermeability:
    """Exponential of a Gaussian field: smooth, positive, no interfaces.

    Args:
        median: Median permeability, positive.
        field: The Gaussian field of the logarithm.

    Raises:
        ValueError: The median is not positive.

    Good values: The default field gives the logarithm a standard deviation of 0.94 over the box.

    Failure mode: A standard deviation above 3 gives contrasts above 1e6, at which most solvers slow down.
    """

    median: float = 1.0
    field: NeumannRandomField = SMOOTH_FIELD

    def __post_init__(self) -> None:
        """Check the median."""
        _check_positive(median=self.median)
        object.__setattr__(self, "median", float(self.median))

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one permeability a seed, float64, on the CPU."""
        return self.median * torch.exp(self.field.sample(domain, seeds))


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"permeability: {name}: expected a positive number, got {value}; try 12.0")
