"""Which grids the Chebyshev solvers take."""

from __future__ import annotations

from pdeops.domains import AxisKind, Domain, Grid

FEWEST_POINTS = 4
MOST_POINTS = 2049
"""Eigenvectors of an axis take seconds at 1025 points, half a minute here, and solutions keep 7 digits."""


def unsuited_grid(domain: Domain) -> str | None:
    """Why a domain is no tensor grid of Chebyshev and periodic axes, in words; None if it is one."""
    if not isinstance(domain, Grid):
        return f"expected a grid of Chebyshev and periodic axes, got a {type(domain).__name__}"
    for axis in domain.axes:
        if axis.kind not in (AxisKind.CHEBYSHEV, AxisKind.PERIODIC):
            return f"expected Chebyshev or periodic axes, got {str(axis.kind)!r} for {axis.name!r}"
        if not FEWEST_POINTS <= axis.num_points <= MOST_POINTS:
            return (
                f"expected {FEWEST_POINTS} to {MOST_POINTS} points an axis, got {axis.num_points} "
                f"for {axis.name!r}"
            )
    if domain.is_periodic:
        return "expected a Chebyshev axis, got periodic ones only"
    return None
