"""The split of an evolution equation on a box: what eigenvectors diagonalise, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from pdeops.problems import SemilinearProblem
from pdeops.problems.linear_terms import LinearTerm


@dataclass(frozen=True)
class EvolutionSplit:
    r"""The right-hand side of each output as :math:`\sum_i c_i \partial_i^2 u + c_0 u` and an expression.

    Args:
        weights: :math:`c_i`, one list an output (length^2 / time).
        rates: :math:`c_0`, one an output (1 / time).
        expressions: The rest of each right-hand side: advection, mixed derivatives, other outputs, nonlinear
            terms, sources.
    """

    weights: tuple[tuple[float, ...], ...]
    rates: tuple[float, ...]
    expressions: tuple[sympy.Expr, ...]

    @classmethod
    def of(cls, problem: SemilinearProblem) -> EvolutionSplit:
        """Split the equations of a problem.

        Raises:
            ValueError: An equation is not of first order in time.
        """
        weights, rates, expressions = [], [], []
        functions = [problem.function(variable.name) for variable in problem.outputs]
        for index, (terms, rest) in enumerate(
            zip(problem.linear_terms, problem.nonlinear_expressions, strict=True)
        ):
            own = [0.0] * problem.dimension
            rate, explicit = 0.0, rest
            for other, term in terms:
                axis = _second_derivative(term)
                if other == index and axis is not None:
                    own[axis] += term.coefficient
                elif other == index and not any(term.orders):
                    rate += term.coefficient
                else:
                    explicit = explicit + _expression(term, functions[other], problem.space_symbols)
            weights.append(tuple(own))
            rates.append(rate)
            expressions.append(explicit)
        return cls(tuple(weights), tuple(rates), tuple(expressions))

    @property
    def highest_order(self) -> int:
        """Highest order of a derivative in the expressions."""
        nodes = {node for expression in self.expressions for node in expression.atoms(sympy.Derivative)}
        return max((int(sum(count for _, count in node.variable_count)) for node in nodes), default=0)


def _second_derivative(term: LinearTerm) -> int | None:
    """Number of the axis of a pure second derivative."""
    if sorted(term.orders, reverse=True)[0] == sum(term.orders) == 2:
        return term.orders.index(2)
    return None


def _expression(term: LinearTerm, function: sympy.Expr, coordinates: tuple[sympy.Symbol, ...]) -> sympy.Expr:
    pairs = [(symbol, order) for symbol, order in zip(coordinates, term.orders, strict=True) if order]
    return sympy.Float(term.coefficient) * (sympy.Derivative(function, *pairs) if pairs else function)
