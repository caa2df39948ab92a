"""One coordinate axis: an interval, sampled in one of four ways."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from jaxtyping import Float64
from torch import Tensor


class AxisKind(StrEnum):
    """How an axis is sampled; it fixes points, quadrature and the natural basis."""

    PERIODIC = "periodic"
    NODES = "nodes"
    CELLS = "cells"
    CHEBYSHEV = "chebyshev"


@dataclass(frozen=True)
class Axis:
    r"""A one-dimensional interval :math:`[a, b]` with :math:`n` sample points.

    ==========  ===================================  ===============  ========================
    kind        points :math:`x_i`, i = 0 .. n-1     weights          exact for
    ==========  ===================================  ===============  ========================
    periodic    :math:`a + i(b-a)/n` (b is a)        rectangle rule   waves below n per period
    nodes       :math:`a + i(b-a)/(n-1)`, both ends  trapezoidal      linear functions
    cells       :math:`a + (i+1/2)(b-a)/n`           midpoint         linear functions
    chebyshev   extrema of :math:`T_{n-1}`           Clenshaw-Curtis  polynomials below degree n
    ==========  ===================================  ===============  ========================

    Args:
        name: Name of the coordinate, for example ``"x"``.
        lower: Left end :math:`a`, in the unit of the coordinate.
        upper: Right end :math:`b > a`, in the same unit.
        num_points: Number of points :math:`n`; at least 2 with both ends included, else at least 1.
        kind: One of `AxisKind`, or its string.

    Raises:
        ValueError: The interval is empty or not finite, there are too few points, or the kind is unknown.
        TypeError: ``num_points`` is not an integer.

    Source: Clenshaw and Curtis (1960), doi:10.1007/BF01386223, for the Chebyshev weights.
    """

    name: str
    lower: float
    upper: float
    num_points: int
    kind: AxisKind | str = AxisKind.PERIODIC

    def __post_init__(self) -> None:
        """Check the arguments and store them in one canonical type (equal axes hash equally)."""
        if isinstance(self.num_points, bool) or not isinstance(self.num_points, int):
            raise TypeError(
                f"axis {self.name!r}: num_points: expected an integer, got {self.num_points!r}; try 64"
            )
        if self.kind not in tuple(AxisKind):
            kinds = ", ".join(AxisKind)
            raise ValueError(f"axis {self.name!r}: kind: expected one of {kinds}, got {self.kind!r}")
        object.__setattr__(self, "kind", AxisKind(self.kind))
        object.__setattr__(self, "lower", float(self.lower))
        object.__setattr__(self, "upper", float(self.upper))
        if not (math.isfinite(self.lower) and math.isfinite(self.upper) and self.lower < self.upper):
            raise ValueError(
                f"axis {self.name!r}: expected a finite interval with lower < upper, "
                f"got [{self.lower}, {self.upper}]; try [0, 1]"
            )
        minimum = 2 if self.has_ends else 1
        if self.num_points < minimum:
            raise ValueError(
                f"axis {self.name!r}: num_points: expected at least {minimum} for kind "
                f"{str(self.kind)!r}, got {self.num_points}; try 64"
            )

    @property
    def has_ends(self) -> bool:
        """Whether the first and the last point are the ends of the interval."""
        return self.kind in (AxisKind.NODES, AxisKind.CHEBYSHEV)

    @property
    def is_periodic(self) -> bool:
        """Whether the two ends are the same point."""
        return self.kind is AxisKind.PERIODIC

    @property
    def length(self) -> float:
        """Length :math:`b - a`."""
        return self.upper - self.lower

    @property
    def spacing(self) -> float:
        """Distance of neighbouring points.

        Raises:
            ValueError: The points are not uniform (Chebyshev).
        """
        if self.kind is AxisKind.CHEBYSHEV:
            raise ValueError(f"axis {self.name!r}: Chebyshev points have no single spacing; use points")
        return self.length / (self.num_points - 1 if self.has_ends else self.num_points)

    @property
    def points(self) -> Float64[Tensor, " num_points"]:
        """Coordinates of the points, ascending, float64 on the CPU."""
        index = torch.arange(self.num_points, dtype=torch.float64)
        match self.kind:
            case AxisKind.CHEBYSHEV:
                # The sine form is exactly antisymmetric about the middle; the cosine form is not.
                angle = math.pi * (index - (self.num_points - 1) / 2) / (self.num_points - 1)
                return self.lower + self.length * (1 + torch.sin(angle)) / 2
            case AxisKind.CELLS:
                return self.lower + (index + 0.5) * self.spacing
            case _:
                return self.lower + index * self.spacing

    @property
    def weights(self) -> Float64[Tensor, " num_points"]:
        """Quadrature weights; their sum is the length."""
        if self.kind is AxisKind.CHEBYSHEV:
            return _clenshaw_curtis(self.num_points) * self.length / 2
        weights = torch.full((self.num_points,), self.spacing, dtype=torch.float64)
        if self.kind is AxisKind.NODES:
            weights[0] /= 2
            weights[-1] /= 2
        return weights

    def with_num_points(self, num_points: int) -> Axis:
        """Return the same interval sampled with another number of points."""
        return replace(self, num_points=num_points)


def _clenshaw_curtis(num_points: int) -> Tensor:
    """Weights on [-1, 1]: integrate the Chebyshev interpolant term by term."""
    degree = num_points - 1
    index = torch.arange(num_points, dtype=torch.float64)
    weights = torch.ones(num_points, dtype=torch.float64)
    for k in range(1, degree // 2 + 1):
        half = 1.0 if 2 * k == degree else 2.0
        weights -= half * torch.cos(2 * k * math.pi * index / degree) / (4 * k * k - 1)
    weights *= 2.0 / degree
    weights[0] /= 2
    weights[-1] /= 2
    return weights
