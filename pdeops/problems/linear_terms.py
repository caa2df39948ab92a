"""Splitting of a right-hand side into terms with constant coefficients and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import sympy
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor


@dataclass(frozen=True)
class LinearTerm:
    r"""The term :math:`c\, \partial^{p_1}_{x_1} \cdots \partial^{p_d}_{x_d} u` with a constant :math:`c`.

    Args:
        coefficient: The number :math:`c`.
        orders: Order :math:`p_i` of the derivative, one an axis.
    """

    coefficient: float
    orders: tuple[int, ...]

    def symbol(self, wavenumbers: Sequence[Tensor]) -> Tensor:
        r"""Fourier symbol :math:`c \prod_j (i k_j)^{p_j}`, real for even total order.

        Args:
            wavenumbers: Angular wavenumbers, one tensor an axis, of shapes that broadcast.

        Returns:
            The symbol, of a shape that broadcasts to a spectrum.
        """
        powers = [k**order for k, order in zip(wavenumbers, self.orders, strict=True) if order]
        phase = (1, 1j, -1, -1j)[sum(self.orders) % 4]
        return reduce(torch.mul, powers, torch.ones_like(wavenumbers[0])) * (self.coefficient * phase)


def sum_of_symbols(terms: Sequence[LinearTerm], wavenumbers: Sequence[Tensor]) -> Tensor:
    """Fourier symbol of a sum of terms, zero for none, of a shape that broadcasts to a spectrum."""
    return sum((term.symbol(wavenumbers) for term in terms), start=torch.zeros_like(wavenumbers[0]))


def derivative_orders(node: sympy.Basic, coordinates: Sequence[sympy.Symbol]) -> tuple[int, ...] | None:
    """Orders of a derivative taken directly of an unknown function; zeros for the function itself.

    Args:
        node: A part of an equation.
        coordinates: Coordinates in space.

    Returns:
        One order an axis, or None if the node is anything else.
    """
    if isinstance(node, AppliedUndef):
        return (0,) * len(coordinates)
    if isinstance(node, sympy.Derivative) and isinstance(node.expr, AppliedUndef):
        counts = dict(node.variable_count)
        if set(counts) <= set(coordinates):
            return tuple(int(counts.get(symbol, 0)) for symbol in coordinates)
    return None


def distribute_derivatives(expression: sympy.Expr, coordinates: Sequence[sympy.Symbol]) -> sympy.Expr:
    """Expand a sum, and derivatives of sums in it, so that every linear term stands by itself.

    For example ``Derivative(2*u**3 - u, x)`` becomes ``2*Derivative(u**3, x) - Derivative(u, x)``: the second
    is linear with a constant coefficient, which the first form hides. Products inside a derivative stay
    there; derivatives of known functions are carried out.

    Args:
        expression: The sum.
        coordinates: Coordinates in space.

    Returns:
        The same sum.
    """

    def rewrite(node: sympy.Derivative) -> sympy.Expr:
        inside = distribute_derivatives(node.expr, coordinates)
        if not inside.atoms(AppliedUndef):
            return sympy.diff(inside, *node.variable_count)
        terms = []
        for term in sympy.Add.make_args(inside):
            constant, varying = term.as_independent(AppliedUndef, *coordinates, as_Add=False)
            terms.append(constant * sympy.Derivative(varying, *node.variable_count))
        return sympy.Add(*terms)

    def is_of_an_expression(node: sympy.Basic) -> bool:
        return isinstance(node, sympy.Derivative) and not isinstance(node.expr, AppliedUndef)

    return sympy.expand(sympy.expand(expression).replace(is_of_an_expression, rewrite))


def split_linear(
    expression: sympy.Expr,
    function: sympy.Expr,
    coordinates: Sequence[sympy.Symbol],
    numbers: Mapping[str, float],
) -> tuple[tuple[LinearTerm, ...], sympy.Expr]:
    """Take the terms that are linear in one function with constant coefficients out of a sum.

    Args:
        expression: The sum.
        function: The unknown function, applied to its coordinates.
        coordinates: Coordinates in space.
        numbers: Values of the parameters.

    Returns:
        The linear terms, and the sum of all others.
    """
    linear, others = [], []
    for term in sympy.Add.make_args(sympy.expand(expression)):
        varying = [factor for factor in sympy.Mul.make_args(term) if factor.atoms(AppliedUndef)]
        constant = term / sympy.Mul(*varying)
        orders = derivative_orders(varying[0], coordinates) if len(varying) == 1 else None
        if (
            orders is not None
            and varying[0].atoms(AppliedUndef) == {function}
            and {symbol.name for symbol in constant.free_symbols} <= set(numbers)
        ):
            linear.append(LinearTerm(number(constant, numbers), orders))
        else:
            others.append(term)
    return tuple(linear), sympy.Add(*others)


def number(constant: sympy.Expr, numbers: Mapping[str, float]) -> float:
    """Value of an expression in the parameters."""
    return float(constant.subs({symbol: numbers[symbol.name] for symbol in constant.free_symbols}))
