"""Fields of a problem's dataclass that hold numbers and formulas, and the check of their values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field as DataclassField
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

KEY = "pdeops"


@dataclass(frozen=True)
class NumberParameter:
    """A physical parameter: a number with a symbol and a unit.

    Args:
        default: Value that is known to work; error messages propose it.
        symbol: LaTeX of the parameter.
        unit: Unit; ``"1"`` says that it is dimensionless.
        positive: Whether it must be above zero.
        non_negative: Whether it must be zero or above.
    """

    default: float
    symbol: str
    unit: str = "1"
    positive: bool = False
    non_negative: bool = False

    def check(self, name: str, value: object) -> float:
        """Return the value as a float.

        Args:
            name: Name of the parameter, for the message.
            value: What the caller gave.

        Returns:
            The number.

        Raises:
            TypeError: It is no number.
            ValueError: It is not finite, or has a sign that it must not have.
        """
        kind = "positive" if self.positive else "non-negative" if self.non_negative else "finite"
        expected = f"{name}: expected a {kind} number, got"
        hint = f"try {self.default:g}"
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{expected} {value!r} of type {type(value).__name__}; {hint}")
        number = float(value)
        is_out = (self.positive and number <= 0) or (self.non_negative and number < 0)
        if not math.isfinite(number) or is_out:
            raise ValueError(f"{expected} {value!r}; {hint}")
        return number


@dataclass(frozen=True)
class FormulaParameter:
    """A known function of the coordinates, given as text and parsed by `pdeops.problems.parse_formula`.

    Args:
        symbol: LaTeX of the function.
        unit: Unit of its values.
    """

    symbol: str
    unit: str = "1"


def parameter(
    default: float, *, symbol: str, unit: str = "1", positive: bool = False, non_negative: bool = False
) -> Any:
    r"""Declare a physical parameter as a field of a problem's dataclass.

    Args:
        default: Value when none is given.
        symbol: LaTeX of the parameter.
        unit: Unit; ``"1"`` says that it is dimensionless.
        positive: Whether it must be above zero.
        non_negative: Whether it must be zero or above.

    Returns:
        A dataclass field; `Problem` checks its value when it is constructed.

    Example:
        ``viscosity: float = parameter(1e-3, symbol=r"\nu", positive=True)``
    """
    return field(
        default=default, metadata={KEY: NumberParameter(default, symbol, unit, positive, non_negative)}
    )


def formula(default: str, *, symbol: str, unit: str = "1") -> Any:
    """Declare a known function of coordinates and parameters, written as text.

    Args:
        default: Text when none is given, for example ``"sin(2*pi*x)"``.
        symbol: LaTeX of the function.
        unit: Unit of its values.

    Returns:
        A dataclass field; `Problem` parses its text when it is constructed.
    """
    return field(default=default, metadata={KEY: FormulaParameter(symbol, unit)})


def declarations(
    fields: Mapping[str, DataclassField[Any]],
) -> dict[str, NumberParameter | FormulaParameter]:
    """Select the fields made by `parameter` and `formula`.

    Args:
        fields: The dataclass fields by name.

    Returns:
        Their declarations by name.
    """
    return {name: item.metadata[KEY] for name, item in fields.items() if KEY in item.metadata}
