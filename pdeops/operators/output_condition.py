"""Conditions that an operator's output holds by construction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy
import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.layers import TaylorAlgebra
from pdeops.layers.taylor import Index
from pdeops.problems.expression import evaluate
from pdeops.problems.formula import parse_formula
from pdeops.problems.parameterised import SPACE
from pdeops.problems.residual import TIME


class OutputFormulas:
    """Formulas of the coordinates, and their Taylor polynomials.

    They are read, never run as a program, and differentiated exactly.

    Args:
        texts: Formulas in x, y, z and t, as far as there are such coordinates.
        dimension: Number of space coordinates.
        has_time: Whether there is a time.

    Raises:
        TypeError: A formula is not a text.
        ValueError: It is no formula, or a name in it is unknown.
    """

    def __init__(self, texts: Sequence[str], dimension: int, has_time: bool) -> None:
        self.names = [*SPACE[:dimension], *([TIME] if has_time else [])]
        self.symbols = [sympy.Symbol(name, real=True) for name in self.names]
        self.formulas = [
            parse_formula(text, dict(zip(self.names, self.symbols, strict=True))) for text in texts
        ]

    def taylor(
        self, points: Float[Tensor, "*batch coordinates"], algebra: TaylorAlgebra
    ) -> Float[Tensor, "indices formulas *batch"]:
        """Taylor polynomials of the formulas at points.

        Args:
            points: Coordinates, time last.
            algebra: With one variable a coordinate.

        Returns:
            Coefficients.
        """
        values = dict(zip(self.names, points.unbind(-1), strict=True))

        def coefficient(formula: sympy.Expr, index: Index) -> Tensor:
            counts = list(zip(self.symbols, index, strict=True))
            derivative = sympy.diff(formula, *counts) / math.prod(map(math.factorial, index))
            return evaluate(derivative, values).to(points).expand(points.shape[:-1])

        return torch.stack(
            [
                torch.stack([coefficient(formula, index) for formula in self.formulas])
                for index in algebra.indices
            ]
        )
