"""What is left of equations when an operator's answer, known at points with its derivatives, is put in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy
import torch
from jaxtyping import Float
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.operators.query_operator import Orders
from pdeops.problems import Problem, ShapeProblem, evaluate

Outputs = Callable[[Sequence[Orders]], Sequence[Tensor]]
"""``outputs(orders)``: one tensor (batch, variables, points) an entry, in physical units."""

Inputs = Callable[[str, Orders], Tensor]
"""``inputs(name, orders)``: an input or a derivative of it, (batch, points), in physical units."""


class EquationResidual:
    r"""Residuals of equations of a problem, at points, for a batch of functions.

    .. math:: r_i(y) = L_i\bigl(u, \partial u, \dots; a, y\bigr) - R_i\bigl(u, \partial u, \dots; a, y\bigr)

    Derivatives of products, as in conservation laws, are expanded once, so that only derivatives of the
    outputs and of the inputs are left; each is asked for once, however many equations have it.

    Args:
        problem: The problem; gives names, coordinates and numbers.
        equations: Its equations, initial conditions or boundary conditions; sides may be column vectors.

    Raises:
        ValueError: See `pointwise_misfit`, or an equation has a function that is neither output nor input.

    Attributes:
        orders: Derivatives of the outputs that are needed, by coordinate, time last.
    """

    def __init__(self, problem: Problem, equations: Sequence[sympy.Eq]) -> None:
        reason = pointwise_misfit(problem)
        if reason is not None:
            raise ValueError(reason)
        self.expressions = tuple(row.doit() for equation in equations for row in _rows(equation))
        self.numbers = problem.numbers
        time = () if problem.steady else (problem.time_symbol,)
        self.coordinates = tuple(symbol.name for symbol in (*problem.space_symbols, *time))
        self.normals = tuple(symbol.name for symbol in problem.normal_symbols)
        numbers = {variable.name: number for number, variable in enumerate(problem.outputs)}
        names = {variable.name for variable in problem.inputs}
        self._outputs: dict[sympy.Expr, tuple[int, Orders]] = {}
        self._inputs: dict[sympy.Expr, tuple[str, Orders]] = {}
        for node in sorted(_terms(self.expressions), key=str):
            name, orders = self._function_and_orders(node)
            if name in numbers:
                self._outputs[node] = (numbers[name], orders)
            elif name in names:
                self._inputs[node] = (name, orders)
            else:
                raise ValueError(
                    f"{problem.name}: expected equations in the outputs {sorted(numbers)} and the inputs "
                    f"{sorted(names)}, got {name!r} in one"
                )
        self.orders = tuple(dict.fromkeys(orders for _, orders in self._outputs.values()))

    def __call__(
        self,
        outputs: Outputs,
        inputs: Inputs,
        points: Float[Tensor, "points coordinates"],
        normals: Float[Tensor, "points dimension"] | None = None,
    ) -> Float[Tensor, "batch equations points"]:
        """Evaluate the residuals.

        Args:
            outputs: Gives `orders` at the points.
            inputs: Gives inputs at the points.
            points: Coordinates, time last.
            normals: Outward unit normals, where an equation has them.

        Returns:
            Left minus right side, in the unit of the equation.
        """
        answers = dict(zip(self.orders, outputs(self.orders), strict=True))
        known = {node: answers[orders][:, number] for node, (number, orders) in self._outputs.items()}
        known |= {node: inputs(name, orders) for node, (name, orders) in self._inputs.items()}
        values = {**self.numbers, **dict(zip(self.coordinates, points.unbind(-1), strict=True))}
        if normals is not None:
            values |= dict(zip(self.normals, normals.unbind(-1), strict=True))
        batch = max(value.shape[0] for value in known.values())
        results = [evaluate(expression, values, known=known) for expression in self.expressions]
        return torch.stack([result.to(points).expand(batch, len(points)) for result in results], dim=1)

    def _function_and_orders(self, node: sympy.Expr) -> tuple[str, Orders]:
        """Name of the function, and how often it is differentiated by each coordinate."""
        derivative = isinstance(node, sympy.Derivative)
        counts = {symbol.name: int(count) for symbol, count in node.variable_count} if derivative else {}
        function = node.expr if derivative else node
        return function.func.__name__, tuple(counts.get(name, 0) for name in self.coordinates)


def pointwise_misfit(problem: Problem) -> str | None:
    """Say why the equations of a problem cannot be held by its outputs alone, point by point.

    Args:
        problem: The problem.

    Returns:
        The reason, or None if they can.
    """
    if isinstance(problem, ShapeProblem):
        return f"{problem.name}: expected equations on one domain, got one domain a sample"
    if problem.auxiliary:
        names = [variable.name for variable in problem.auxiliary]
        return f"{problem.name}: expected equations in the outputs alone, got the further unknowns {names}"
    return None


def _rows(equation: sympy.Eq) -> list[sympy.Expr]:
    difference = equation.lhs - equation.rhs
    return list(difference) if isinstance(difference, sympy.MatrixBase) else [difference]


def _terms(expressions: Sequence[sympy.Expr]) -> set[sympy.Expr]:
    """Functions and their derivatives, the outermost of each only."""
    found: set[sympy.Expr] = set()
    for expression in expressions:
        for node in _outermost(expression):
            found.add(node)
    return found


def _outermost(node: sympy.Expr) -> list[sympy.Expr]:
    if isinstance(node, AppliedUndef | sympy.Derivative):
        return [node]
    return [term for part in node.args for term in _outermost(part)]
