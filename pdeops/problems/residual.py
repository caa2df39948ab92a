"""What is left of an equation when a field is put into it, on a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy
import torch
from torch import Tensor

from pdeops.domains import Grid, derivative
from pdeops.problems.expression import DerivativeRule, Value, evaluate
from pdeops.problems.time_derivative import time_derivative_matrix

TIME = "t"


def grid_rule(grid: Grid, times: Tensor | None) -> DerivativeRule:
    """Derivative rule for values of shape (batch, *shape), or (batch, time, *shape) with times.

    Args:
        grid: The grid; see `pdeops.domains.derivative` for the accuracy a kind of axis.
        times: Times of the frames, or None.

    Returns:
        The rule. Values without batch (known functions of the coordinates) are allowed.

    Raises:
        ValueError: By the rule, for a derivative in time where there are no times.
    """
    names = [axis.name for axis in grid.axes]

    def rule(values: Tensor, coordinate: str, order: int) -> Tensor:
        if coordinate == TIME:
            if times is None:
                raise ValueError(
                    "time derivative: expected a field with times, got one without; try Field(times=)"
                )
            dim = -grid.dimension - 1
            if values.ndim <= grid.dimension or values.shape[dim] != len(times):
                return torch.zeros_like(values)
            matrix = time_derivative_matrix(times, order).to(values)
            return torch.movedim(torch.tensordot(values, matrix, dims=([dim], [1])), -1, dim)
        values = values.expand(torch.broadcast_shapes(values.shape, grid.shape))
        return derivative(values, grid, names.index(coordinate), order)

    return rule


def equation_residuals(
    equations: Sequence[sympy.Eq],
    values: Mapping[str, Value],
    rule: DerivativeRule,
    known: Mapping[sympy.Expr, Tensor] | None = None,
) -> list[Tensor]:
    """Left side minus right side of each equation.

    Args:
        equations: The equations.
        values: Coordinates, parameters and functions by name.
        rule: How to differentiate.
        known: Derivatives that are known otherwise.

    Returns:
        One tensor an equation.
    """
    return [evaluate(equation.lhs - equation.rhs, values, rule, known) for equation in equations]
