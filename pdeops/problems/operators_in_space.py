"""Differential operators that many equations share, as SymPy expressions."""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from sympy import Derivative


def laplacian(expression: sympy.Expr, coordinates: Sequence[sympy.Symbol]) -> sympy.Expr:
    r"""Laplacian :math:`\Delta u`, not evaluated.

    Args:
        expression: The function u, or an expression of unknown functions such as its cube.
        coordinates: Coordinates in space.

    Returns:
        The sum of second derivatives.
    """
    return sympy.Add(*(Derivative(expression, (x, 2)) for x in coordinates))


def bilaplacian(expression: sympy.Expr, coordinates: Sequence[sympy.Symbol]) -> sympy.Expr:
    r"""Square of the Laplacian :math:`\Delta^2 u`, not evaluated.

    Args:
        expression: The function u.
        coordinates: Coordinates in space.

    Returns:
        The sum of fourth derivatives, mixed ones twice.
    """
    fourth = [Derivative(expression, (x, 4)) for x in coordinates]
    mixed = [
        2 * Derivative(expression, (x, 2), (y, 2))
        for number, x in enumerate(coordinates)
        for y in coordinates[number + 1 :]
    ]
    return sympy.Add(*fourth, *mixed)
