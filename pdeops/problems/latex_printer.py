"""Equations as LaTeX, the way they are written by hand."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter


class EquationPrinter(LatexPrinter):
    """SymPy's printer with symbols for unknowns, without arguments, and brackets after derivatives.

    Args:
        functions: LaTeX of the unknown functions by name.
        numbers: LaTeX of the parameters by symbol.
    """

    def __init__(self, functions: Mapping[str, str], numbers: Mapping[sympy.Symbol, str]) -> None:
        super().__init__({"symbol_names": dict(numbers)})
        self._functions = functions

    def _print_AppliedUndef(self, expr: sympy.Expr, exp: str | None = None) -> str:
        text = self._functions[expr.func.__name__]
        if not all(argument.is_Symbol for argument in expr.args):
            text += rf"\left({', '.join(map(self._print, expr.args))}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _print_Derivative(self, expr: sympy.Derivative) -> str:
        operators = ""
        for coordinate, order in expr.variable_count:
            power = "" if order == 1 else f"^{{{order}}}"
            operators += rf"\partial_{{{self._print(coordinate)}}}{power} "
        inner = self._print(expr.expr)
        return operators + (inner if isinstance(expr.expr, AppliedUndef) else rf"\left({inner}\right)")
