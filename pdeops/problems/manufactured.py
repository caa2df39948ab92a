"""Boundary data and sources made for a solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from pdeops.problems.boundary_condition import BoundaryCondition, Dirichlet, Neumann, Robin

ConditionKinds = Mapping[str, type[Dirichlet] | type[Neumann] | type[Robin]]
"""`Dirichlet`, `Neumann` or `Robin` by boundary part."""


def source_of(
    solution: sympy.Expr,
    diffusion: sympy.Expr,
    reaction: sympy.Expr,
    coordinates: Sequence[sympy.Symbol],
) -> sympy.Expr:
    r"""The source :math:`f = -\nabla \cdot (a \nabla u) + g(u)` of a solution.

    Args:
        solution: u.
        diffusion: a.
        reaction: g(u), with the solution put in.
        coordinates: Coordinates in space.

    Returns:
        f.
    """
    return reaction - sum(sympy.diff(diffusion * sympy.diff(solution, x), x) for x in coordinates)


def conditions_of(
    solution: sympy.Expr,
    diffusion: sympy.Expr,
    kinds: ConditionKinds,
    *,
    robin_coefficient: str = "1",
) -> dict[str, BoundaryCondition]:
    """Boundary conditions that a solution meets on a box.

    Args:
        solution: u.
        diffusion: a, the factor of the normal derivative.
        kinds: `Dirichlet`, `Neumann` or `Robin` by part (``"x_lower"``); ``"default"`` can be Dirichlet only,
            as a normal is needed for the others.
        robin_coefficient: Coefficient of u in the Robin conditions.

    Returns:
        The conditions.

    Raises:
        ValueError: A part with a normal derivative is no face of a box.
    """
    result: dict[str, BoundaryCondition] = {}
    for part, kind in kinds.items():
        if kind is Dirichlet:
            result[part] = Dirichlet(value=str(solution))
            continue
        axis, _, side = part.partition("_")
        if side not in ("lower", "upper"):
            raise ValueError(f"boundary part: expected '<axis>_lower' or '<axis>_upper', got {part!r}")
        slope = sympy.diff(solution, sympy.Symbol(axis, real=True))
        flux = diffusion * (-slope if side == "lower" else slope)
        if kind is Neumann:
            result[part] = Neumann(flux=str(flux))
        else:
            value = flux + sympy.sympify(robin_coefficient) * solution
            result[part] = Robin(coefficient=robin_coefficient, value=str(value))
    return result
