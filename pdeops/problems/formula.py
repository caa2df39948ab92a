"""Formulas written as text, read without running the text as a program."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import sympy

FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    function.__name__: function
    for function in (
        *(
            sympy.sin,
            sympy.cos,
            sympy.tan,
            sympy.sinh,
            sympy.cosh,
            sympy.tanh,
            sympy.asin,
            sympy.acos,
            sympy.atan,
        ),
        *(sympy.exp, sympy.log, sympy.sqrt, sympy.sign, sympy.Abs),
    )
}
CONSTANTS: dict[str, sympy.Expr] = {"pi": sympy.pi, "E": sympy.E}
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def parse_formula(text: str, symbols: Mapping[str, sympy.Symbol]) -> sympy.Expr:
    """Read a formula such as ``"exp(-x)*sin(2*pi*y)"``.

    SymPy's own parser runs the text as Python, which a formula from a configuration file or a checkpoint of
    somebody else must not be able to do. This one knows numbers, names, ``+ - * / **`` and functions.

    Args:
        text: The formula, in Python's notation; ``str(expression)`` of such an expression reads back.
        symbols: The names that may occur.

    Returns:
        The expression.

    Raises:
        TypeError: It is not a text.
        ValueError: It is no formula, or a name in it is unknown.

    Failure mode: SymPy prints floating-point numbers with 15 digits, so a formula with them that is printed
    and read back may change in the last digit; write rational numbers where that matters.

    Example:
        >>> parse_formula("2*x", {"x": sympy.Symbol("x")})
        2*x
    """
    if not isinstance(text, str):
        raise TypeError(f"formula: expected a text, got {text!r}; try str(expression)")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"formula: expected text such as 'sin(2*pi*x)', got {text!r}: {error.msg}") from None
    return _read(tree.body, text, symbols)


def _read(node: ast.expr, text: str, symbols: Mapping[str, sympy.Symbol]) -> sympy.Expr:
    match node:
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            return sympy.sympify(value)
        case ast.Name(id=name):
            return _lookup(name, {**CONSTANTS, **symbols}, text)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return UNARY[type(op)](_read(operand, text, symbols))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_read(left, text, symbols), _read(right, text, symbols))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return _lookup(name, FUNCTIONS, text)(_read(argument, text, symbols))
    hint = "; try ** for a power" if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor) else ""
    raise ValueError(
        f"formula {text!r}: expected numbers, names, + - * / ** and functions of one argument, "
        f"got {ast.unparse(node)!r}{hint}"
    )


def _lookup(name: str, table: Mapping[str, Any], text: str) -> Any:
    if name not in table:
        near = get_close_matches(name, table, n=1)
        hint = f"; try {near[0]!r}" if near else ""
        raise ValueError(f"formula {text!r}: expected one of {', '.join(sorted(table))}, got {name!r}{hint}")
    return table[name]
