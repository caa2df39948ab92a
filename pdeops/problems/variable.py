"""Names of the fields that a problem takes and gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    r"""A field that a problem takes as input, is solved for, or needs in between.

    Args:
        name: Full name, used as channel name and as name of the function in the equations.
        unit: Unit of the values; ``"1"`` says that they are dimensionless.
        latex: Symbol in formulas; the name in roman letters by default.

    Example:
        >>> Variable("vorticity", latex=r"\omega").unit
        '1'
    """

    name: str
    unit: str = "1"
    latex: str = ""

    @property
    def symbol(self) -> str:
        """LaTeX of the variable."""
        return self.latex or rf"\mathrm{{{self.name.replace('_', ' ')}}}"
