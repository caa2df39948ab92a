"""The steady Allen-Cahn equation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import sympy

from pdeops.problems.parameter import parameter
from pdeops.problems.poisson import Poisson


@dataclass(frozen=True, kw_only=True)
class SteadyAllenCahn(Poisson):
    r"""Order parameter of two phases at rest, in a box or on a mesh: a nonlinear elliptic equation.

    .. math:: -D \Delta u + u^3 - u = f

    Maps the source to the order parameter (channel ``potential``). All quantities are dimensionless.

    Args:
        dimension: See `Poisson`.
        sampler: See `Poisson`.
        boundary: See `Poisson`.
        diffusivity: D > 0; interfaces between the phases -1 and 1 have the width :math:`\sqrt{2 D}`.

    Good values: ``diffusivity`` from 0.1 on, where the solution is unique (on the unit square with u = 0 on
        the boundary for :math:`2 \pi^2 D > 1`, as :math:`-D\Delta - 1` is then positive).

    Failure mode: For smaller D there are several solutions; Newton's method from zero finds one of them, and
        which one depends on the solver.

    Source: S. Allen, J. Cahn (1979), doi:10.1016/0001-6160(79)90196-2.
    """

    name: ClassVar[str] = "steady_allen_cahn"

    diffusivity: float = parameter(0.1, symbol="D", positive=True)

    @property
    def diffusion(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @property
    def reaction(self) -> sympy.Expr:
        """Slope of the double well."""
        return self.unknown**3 - self.unknown
