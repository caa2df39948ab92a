"""A problem's equation, and its linearisation, as terms that multiply derivatives of the unknown."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.gp.posed_problem import PosedProblem
from pdeops.problems import Problem, evaluate
from pdeops.problems.residual import grid_rule

Orders = tuple[int, ...]
"""Order of a derivative along each axis: (0, 2) is the second derivative along the second one."""


def has_plain_unknown(problem: Problem) -> bool:
    """Whether the equation has a term without derivatives: then no constant can be added to a solution."""
    (equation,) = problem.equations
    unknown = problem.function(problem.outputs[0].name)
    expression = (equation.lhs - equation.rhs).doit()
    return bool(expression.replace(lambda node: isinstance(node, sympy.Derivative), lambda _: 0).has(unknown))


class EquationTerms:
    r"""The residual :math:`F(x, D^\alpha u, \dots)` of an equation for one unknown; time is a coordinate.

    Read off the problem's SymPy equation: derivatives are written out, each becomes a symbol, and the
    Jacobian is :math:`\sum_\alpha \partial F / \partial (D^\alpha u)\, D^\alpha`.

    Args:
        posed: The problem on its grid.
    """

    def __init__(self, posed: PosedProblem) -> None:
        problem, grid = posed.problem, posed.grid
        (equation,) = problem.equations
        unknown = problem.function(problem.outputs[0].name)
        expression = (equation.lhs - equation.rhs).doit()
        atoms = [d for d in expression.atoms(sympy.Derivative) if d.expr == unknown]
        names = [axis.name for axis in grid.axes]
        self.symbols: dict[Orders, sympy.Symbol] = {}
        renamed: dict[sympy.Expr, sympy.Symbol] = {}
        for atom in sorted(atoms, key=lambda d: -d.derivative_count):
            orders = [0] * len(names)
            for coordinate, order in atom.variable_count:
                orders[names.index(coordinate.name)] += int(order)
            renamed[atom] = self.symbols[tuple(orders)] = sympy.Symbol(
                "unknown_" + "_".join(map(str, orders))
            )
        zero = (0,) * len(names)
        renamed[unknown] = self.symbols[zero] = sympy.Symbol("unknown")
        # A tree is replaced from the top, so u inside of a derivative is not touched.
        self.residual_expression = expression.xreplace(renamed)
        self.slopes = {
            orders: slope
            for orders, symbol in self.symbols.items()
            if (slope := sympy.diff(self.residual_expression, symbol)) != 0
        }
        self.symbols = {orders: self.symbols[orders] for orders in self.slopes}
        unknowns = set(self.symbols.values())
        self.is_linear = not any(slope.free_symbols & unknowns for slope in self.slopes.values())
        self.grid, self.rule = grid, grid_rule(grid, None)
        self.device = next(iter(posed.inputs.values())).values.device
        self.known = posed.known(self.device) | problem.numbers

    def evaluated(
        self, expression: sympy.Expr, derivatives: Mapping[Orders, Tensor]
    ) -> Float64[Tensor, " *shape"]:
        """Values of an expression at the points of the grid, from those of the derivatives of u."""
        values = {self.symbols[orders].name: item for orders, item in derivatives.items()}
        result = evaluate(expression, {**self.known, **values}, self.rule)
        return result.to(self.device, torch.float64).expand(self.grid.shape)

    def residual(self, derivatives: Mapping[Orders, Tensor]) -> Float64[Tensor, " *shape"]:
        """Left minus right side of the equation."""
        return self.evaluated(self.residual_expression, derivatives)

    def jacobian(self, derivatives: Mapping[Orders, Tensor]) -> dict[Orders, Float64[Tensor, " *shape"]]:
        """Coefficients of the linearised equation by the derivative that they multiply."""
        return {orders: self.evaluated(slope, derivatives) for orders, slope in self.slopes.items()}
