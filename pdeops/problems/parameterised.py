"""Dataclasses of numbers and formulas, with the symbols that stand for them in equations."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import sympy

from pdeops.problems.formula import parse_formula
from pdeops.problems.parameter import FormulaParameter, NumberParameter, declarations
from pdeops.problems.residual import TIME

SPACE = ("x", "y", "z")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameterised(ABC):
    """A frozen dataclass whose fields are made by `parameter` and `formula`, checked when it is constructed.

    Other fields may be dataclasses of numbers and texts, such as samplers, or mappings to them.
    """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number of space dimensions, which names the coordinates of formulas.

        A class variable, or a field of the dataclass where the equation has a meaning in several dimensions.
        """

    def __post_init__(self) -> None:
        """Check every parameter, and read every formula once so that errors come early."""
        if self.dimension not in (1, 2, 3):
            raise ValueError(f"dimension: expected 1, 2 or 3, got {self.dimension!r}")
        for name, declaration in self._declarations().items():
            value = getattr(self, name)
            if isinstance(declaration, NumberParameter):
                object.__setattr__(self, name, declaration.check(name, value))
            else:
                try:
                    self.formula(name)
                except (TypeError, ValueError) as error:
                    raise type(error)(f"{name}: {error}") from None

    @property
    def space_symbols(self) -> tuple[sympy.Symbol, ...]:
        """Coordinates in space."""
        return tuple(sympy.Symbol(name, real=True) for name in SPACE[: self.dimension])

    @property
    def time_symbol(self) -> sympy.Symbol:
        """Coordinate in time."""
        return sympy.Symbol(TIME, real=True)

    def symbol(self, name: str) -> sympy.Symbol:
        """SymPy symbol of a number parameter."""
        declaration = self._declarations()[name]
        positive = isinstance(declaration, NumberParameter) and declaration.positive
        return sympy.Symbol(name, positive=True) if positive else sympy.Symbol(name, real=True)

    def formula(self, name: str) -> sympy.Expr:
        """Expression of a formula parameter, in the coordinates in space and the number parameters."""
        return self.parse(getattr(self, name))

    def parse(self, text: str) -> sympy.Expr:
        """Expression of a text in the coordinates in space and the number parameters."""
        numbers = [key for key, item in self._declarations().items() if isinstance(item, NumberParameter)]
        symbols = {symbol.name: symbol for symbol in (*self.space_symbols, *map(self.symbol, numbers))}
        return parse_formula(text, symbols)

    @property
    def numbers(self) -> dict[str, float]:
        """Values of the number parameters, as they enter the equations."""
        return {
            name: getattr(self, name)
            for name, item in self._declarations().items()
            if isinstance(item, NumberParameter)
        }

    @property
    def parameters(self) -> dict[str, float | str | int]:
        """All that defines the problem and its samples, flat and plain: ``"sampler.max_wavenumber"``."""
        return _flatten(self)

    def _declarations(self) -> dict[str, NumberParameter | FormulaParameter]:
        return declarations({item.name: item for item in dataclasses.fields(self)})


def _flatten(instance: Any) -> dict[str, float | str | int]:
    if isinstance(instance, Mapping):
        items = dict(instance)
    else:
        items = {item.name: getattr(instance, item.name) for item in dataclasses.fields(instance)}
    result: dict[str, float | str | int] = {}
    for name, value in items.items():
        if dataclasses.is_dataclass(value) or isinstance(value, Mapping):
            result[name] = type(value).__name__
            result |= {f"{name}.{key}": inner for key, inner in _flatten(value).items()}
        elif isinstance(value, str | int | float):
            result[name] = value
        else:
            raise TypeError(
                f"{name}: expected a number, a text or a dataclass of them, got {value!r}; "
                "try a frozen dataclass for samplers"
            )
    return result
