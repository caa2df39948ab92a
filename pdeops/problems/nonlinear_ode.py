"""A nonlinear ordinary differential equation with a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, pi, sin, tanh

from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.gaussian_process import GaussianProcess
from pdeops.problems.ordinary import OrdinaryProblem
from pdeops.problems.random_fields import Sampler
from pdeops.problems.variable import Variable

HALF_AS_LARGE = GaussianProcess(deviation=0.5)


@dataclass(frozen=True, kw_only=True)
class NonlinearODE(OrdinaryProblem):
    r"""Quadratic decay against a source, a Riccati equation.

    .. math:: s'(x) = -s(x)^2 + u(x), \qquad s(0) = 0

    Maps the source u to the state s; see `OrdinaryProblem`.

    Good values: Sources of standard deviation 1/2 with a correlation length of 0.2 on [0, 1], 100 nodes.

    Failure mode: A negative source ends the solution: under :math:`u = -c` it is
        :math:`-\sqrt c \tan \sqrt c x`, which leaves every bound at :math:`x = \pi / (2 \sqrt c)`, within
        [0, 1] from :math:`c = 2.47` on. With standard deviation 1 that ends 9 samples in 10,000, with 1/2
        none. The solver names them.

    Source: L. Lu et al. (2021), Learning nonlinear operators via DeepONet, doi:10.1038/s42256-021-00302-5.
    """

    name: ClassVar[str] = "nonlinear_ode"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source", latex="u"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("state", latex="s"),)

    sampler: Sampler = HALF_AS_LARGE

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Decay and source."""
        (x,) = self.space_symbols
        s = self.function("state")
        return (Eq(Derivative(s, x), -(s**2) + self.function("source"), evaluate=False),)

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on [0, 1].

        - ``saturation``: :math:`2 \tanh 2x`, under the constant source 4.
        - ``half_wave``: :math:`\sin \pi x`.
        """
        (x,) = self.space_symbols
        return {
            name: ExactSolution(self, {"source": s.diff(x) + s**2, "state": s}, description)
            for name, s, description in (
                ("saturation", 2 * tanh(2 * x), "growth to a balance of source and decay"),
                ("half_wave", sin(pi * x), "up and down, manufactured"),
            )
        }
