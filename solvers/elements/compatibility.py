"""Whether data of a problem that knows no constant balances."""

from __future__ import annotations

import numpy

from pdeops.domains import Mesh

ROUNDING = 1e-10
"""Imbalance relative to the size that rounding explains."""


def check_balance(name: str, imbalance: float, size: float, mesh: Mesh, *, what: str, hint: str) -> str:
    """Refuse data whose integral is not zero.

    A curved boundary that the mesh cuts, and quadrature, leave an imbalance of the order of the square of the
    relative cell size; up to that it is taken for an error of discretisation.

    Args:
        name: Name of the problem.
        imbalance: The integral that should vanish.
        size: Integral of the absolute values.
        mesh: The mesh.
        what: The integral, in words.
        hint: What to try.

    Returns:
        What is left and will be spread evenly, in words for the report; empty where it is rounding.

    Raises:
        ValueError: The imbalance is too large.
    """
    points = mesh.points.numpy()
    corners = points[mesh.simplices.numpy()]
    longest = numpy.linalg.norm(corners - numpy.roll(corners, 1, axis=1), axis=-1).max()
    allowed = float(longest / numpy.linalg.norm(numpy.ptp(points, axis=0))) ** 2
    if abs(imbalance) > max(allowed, ROUNDING) * size:
        raise ValueError(
            f"{name}: expected {what} to vanish, as no part of the boundary fixes the constant, got "
            f"{imbalance:g} of {size:g}; try {hint}"
        )
    if abs(imbalance) <= ROUNDING * size:
        return ""
    return f"; {what} is {imbalance:.2e} of {size:.2e}, taken for an error of the mesh and spread evenly"
