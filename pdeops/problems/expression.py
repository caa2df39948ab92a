"""Evaluation of SymPy expressions on tensors, with derivatives left to the caller."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import sympy
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor

Value = Tensor | float
DerivativeRule = Callable[[Tensor, str, int], Tensor]
"""``rule(values, coordinate, order)``: derivative of values along a coordinate, given by its name."""

FUNCTIONS: dict[type[sympy.Expr], Callable[[Tensor], Tensor]] = {
    sympy.sin: torch.sin,
    sympy.cos: torch.cos,
    sympy.tan: torch.tan,
    sympy.sinh: torch.sinh,
    sympy.cosh: torch.cosh,
    sympy.tanh: torch.tanh,
    sympy.asin: torch.asin,
    sympy.acos: torch.acos,
    sympy.atan: torch.atan,
    sympy.exp: torch.exp,
    sympy.log: torch.log,
    sympy.sign: torch.sign,
    sympy.Abs: torch.abs,
}


def evaluate(
    expression: sympy.Expr,
    values: Mapping[str, Value],
    derivative: DerivativeRule | None = None,
    known: Mapping[sympy.Expr, Tensor] | None = None,
) -> Tensor:
    """Evaluate an expression by walking its tree.

    A symbol ``x`` and an unknown function ``u(x, t)`` are looked up by name. A derivative of anything, also
    of a product such as ``a(x)*Derivative(u(x), x)``, is passed to the rule: on a grid the rule
    differentiates values (`grid_rule`), at scattered points it differentiates the graph (`autograd_rule`).

    Args:
        expression: The expression.
        values: Coordinates, parameters and functions by name; shapes need to broadcast.
        derivative: Rule for derivatives; needed only if there are any that are not known.
        known: Values of sub-expressions that the caller has computed otherwise, for example derivatives taken
            from a spectrum or from a kernel.

    Returns:
        The value, of the shape that the ingredients broadcast to; a constant has shape ().

    Raises:
        KeyError: A name has no value.
        TypeError: A function or node is not supported, or a derivative occurs and there is no rule.

    Failure mode: The walk costs some microseconds a node; below about 1000 points it costs more than the
    arithmetic.
    """
    result = _Walker(values, derivative, dict(known or {})).walk(sympy.sympify(expression))
    return result if isinstance(result, Tensor) else torch.tensor(result, dtype=torch.float64)


class _Walker:
    """One walk over a tree; what was computed is kept, so that common parts are computed once."""

    def __init__(
        self, values: Mapping[str, Any], derivative: DerivativeRule | None, memo: dict[sympy.Expr, Any]
    ) -> None:
        self.values = values
        self.derivative = derivative
        self.memo = memo

    def walk(self, node: sympy.Expr) -> Value:
        if node not in self.memo:
            self.memo[node] = self.compute(node)
        return self.memo[node]

    def compute(self, node: sympy.Expr) -> Value:
        if isinstance(node, sympy.Number | sympy.NumberSymbol):
            return float(node)
        if isinstance(node, sympy.Symbol):
            return _lookup(node.name, self.values)
        if isinstance(node, AppliedUndef):
            return _lookup(node.func.__name__, self.values)
        if isinstance(node, sympy.Derivative):
            return self.differentiate(node)
        if isinstance(node, sympy.Add):
            return reduce(operator.add, map(self.walk, node.args))
        if isinstance(node, sympy.Mul):
            return reduce(operator.mul, map(self.walk, node.args))
        if isinstance(node, sympy.Pow):
            return _power(node, self.walk)
        if node.func in FUNCTIONS:
            argument = self.walk(node.args[0])
            as_tensor = (
                argument if isinstance(argument, Tensor) else torch.tensor(argument, dtype=torch.float64)
            )
            return FUNCTIONS[node.func](as_tensor)
        raise TypeError(f"evaluate: expected arithmetic, derivatives and elementary functions, got {node}")

    def differentiate(self, node: sympy.Derivative) -> Value:
        result = self.walk(node.expr)
        for coordinate, order in node.variable_count:
            if not isinstance(result, Tensor):
                return 0.0
            if self.derivative is None:
                raise TypeError(f"evaluate: expected a derivative rule for {node}, got none")
            result = self.derivative(result, coordinate.name, int(order))
        return result


def autograd_rule(coordinates: Mapping[str, Tensor]) -> DerivativeRule:
    """Derivative rule for values at scattered points, by automatic differentiation.

    Args:
        coordinates: Tensors by name, each with ``requires_grad``, from which the values were computed; value
            number ``i`` must depend on point number ``i`` only.

    Returns:
        The rule; its results can be differentiated again, by coordinates and by weights.

    Good values: float64 for second and higher derivatives, or float32 with smooth activations.

    Failure mode: A model that mixes the points of a batch (batch normalisation, attention over points) gives
    sums of cross derivatives instead, without an error.
    """

    def rule(values: Tensor, coordinate: str, order: int) -> Tensor:
        points = _lookup(coordinate, coordinates)
        for _ in range(order):
            if not values.requires_grad:
                return torch.zeros_like(values)
            (values,) = torch.autograd.grad(
                values.sum(), points, create_graph=True, allow_unused=True, materialize_grads=True
            )
        return values

    return rule


def _lookup(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise KeyError(f"evaluate: expected a value for {name!r}, got values for {sorted(values)}")
    return values[name]


def _power(node: sympy.Pow, walk: Callable[[sympy.Expr], Value]) -> Value:
    base, exponent = node.args
    number = walk(exponent)
    if isinstance(number, float):
        if number == 0.5:
            value = walk(base)
            return math.sqrt(value) if isinstance(value, float) else torch.sqrt(value)
        return walk(base) ** (int(number) if number.is_integer() else number)
    return walk(base) ** number
