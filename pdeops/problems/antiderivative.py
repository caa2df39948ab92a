"""The antiderivative of a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, cos, exp, pi, sin

from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.ordinary import OrdinaryProblem
from pdeops.problems.variable import Variable


@dataclass(frozen=True, kw_only=True)
class Antiderivative(OrdinaryProblem):
    r"""Integration from the lower end of an interval, the simplest operator there is.

    .. math:: s'(x) = u(x), \qquad s(0) = 0

    Maps the source u to its antiderivative s; see `OrdinaryProblem`. Linear.

    Good values: 100 nodes for sources with a correlation length of 0.2: relative error 5e-8.

    Failure mode: None of its own; sources that the grid does not resolve are integrated as the spline through
        their values.

    Source: L. Lu et al. (2021), Learning nonlinear operators via DeepONet, doi:10.1038/s42256-021-00302-5.
    """

    name: ClassVar[str] = "antiderivative"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source", latex="u"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("antiderivative", latex="s"),)

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The slope is the source."""
        (x,) = self.space_symbols
        slope = Derivative(self.function("antiderivative"), x)
        return (Eq(slope, self.function("source"), evaluate=False),)

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on [0, 1].

        - ``wave``: :math:`\sin 2 \pi x + 1 - \cos 2 \pi x`.
        - ``exponential``: :math:`e^{2x} - 1`.
        """
        (x,) = self.space_symbols
        solutions = {"wave": sin(2 * pi * x) + 1 - cos(2 * pi * x), "exponential": exp(2 * x) - 1}
        return {
            name: ExactSolution(self, {"source": s.diff(x), "antiderivative": s}, "a known antiderivative")
            for name, s in solutions.items()
        }
