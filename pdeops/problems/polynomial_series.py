"""Random polynomials, as functions on any grid or mesh."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Grid
from pdeops.problems.smooth_random_field import bounding_axes, generator, series


@dataclass(frozen=True, kw_only=True)
class PolynomialSeries(ABC):
    r"""Sum of polynomials :math:`p_0 \ldots p_{N-1}` with independent coefficients, uniform in [-M, M].

    In several dimensions the sum is over all products of one polynomial an axis. A seed is the same
    polynomial on every grid and mesh of the same box.

    Args:
        num_terms: Number of polynomials N an axis; the degree is one less.
        largest_coefficient: Bound M > 0 of the coefficients, in the unit of the field.

    Raises:
        ValueError: A number is out of range.
    """

    num_terms: int = 20
    largest_coefficient: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        name = type(self).__name__
        if self.num_terms < 1:
            raise ValueError(f"{name}: num_terms: expected 1 or more, got {self.num_terms}; try 20")
        bound = float(self.largest_coefficient)
        if not 0 < bound < math.inf:
            raise ValueError(f"{name}: largest_coefficient: expected a positive number, got {bound}; try 1.0")
        object.__setattr__(self, "largest_coefficient", bound)

    @abstractmethod
    def polynomials(self, fractions: Float64[Tensor, " points"]) -> Float64[Tensor, "points functions"]:
        """Values of the polynomials at positions along an axis, 0 at its lower end and 1 at its upper."""

    def coefficients(self, dimension: int, seeds: Sequence[int]) -> Float64[Tensor, "batch *functions"]:
        """Coefficients of the products of polynomials, one set a seed.

        Args:
            dimension: Number of axes.
            seeds: Non-negative integers.

        Returns:
            Shape (batch, num_terms, ...), one dimension an axis.
        """
        shape = (self.num_terms,) * dimension
        uniform = torch.stack([torch.rand(shape, generator=generator(s), dtype=torch.float64) for s in seeds])
        return self.largest_coefficient * (2 * uniform - 1)

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one polynomial a seed.

        Args:
            domain: Grid of any kinds of axes; or mesh, with the polynomials of its bounding box.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: A seed is no seed.
        """
        axes = domain.axes if isinstance(domain, Grid) else bounding_axes(domain)
        lines = [axis.points for axis in axes] if isinstance(domain, Grid) else domain.points.unbind(-1)
        bases = [
            self.polynomials((points - axis.lower) / axis.length)
            for axis, points in zip(axes, lines, strict=True)
        ]
        return series(self.coefficients(len(axes), seeds), bases, domain)


class ChebyshevSeries(PolynomialSeries):
    r"""`PolynomialSeries` of Chebyshev polynomials: :math:`\sum_{i<N} a_i T_i(\xi)`.

    With :math:`\xi` from -1 to 1 along each axis and :math:`a_i` uniform in [-M, M]. At the ends the standard
    deviation is :math:`M \sqrt{N / 3}`.

    Good values: ``num_terms=20, largest_coefficient=1`` in one dimension.

    Failure mode: The steepest waves stand at the ends, where uniform grids are too coarse for them: N terms
    need about :math:`N^2 / 2` nodes.

    Source: L. Lu et al. (2021), Learning nonlinear operators via DeepONet, doi:10.1038/s42256-021-00302-5,
    section on spaces of input functions.
    """

    def polynomials(self, fractions: Float64[Tensor, " points"]) -> Float64[Tensor, "points functions"]:
        """Chebyshev polynomials; see `PolynomialSeries.polynomials`."""
        angle = torch.acos((2 * fractions - 1).clamp(-1, 1))
        return torch.cos(angle[:, None] * torch.arange(self.num_terms, dtype=torch.float64))


class PowerSeries(PolynomialSeries):
    r"""`PolynomialSeries` of powers: :math:`\sum_{i<N} a_i x^i`, with x from 0 to 1 along each axis.

    Good values: ``num_terms=20, largest_coefficient=1`` in one dimension.

    Failure mode: Higher powers differ near the upper end only, so samples are alike but for a few numbers: a
    data set of them is easy to fit and says little about other functions.
    """

    def polynomials(self, fractions: Float64[Tensor, " points"]) -> Float64[Tensor, "points functions"]:
        """Powers; see `PolynomialSeries.polynomials`."""
        return fractions[:, None] ** torch.arange(self.num_terms, dtype=torch.float64)
