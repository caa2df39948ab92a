"""Flow through a porous medium in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Integer, cos, exp, pi, sin

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.elliptic import EllipticProblem
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import formula
from pdeops.problems.permeability import TwoPhasePermeability
from pdeops.problems.random_fields import Sampler
from pdeops.problems.variable import Variable

BENCHMARK_SAMPLER = TwoPhasePermeability()


@dataclass(frozen=True, kw_only=True)
class Darcy2D(EllipticProblem):
    r"""Pressure in a box, or on a mesh.

    .. math:: -\nabla \cdot (a \nabla p) = f \text{ in } \Omega, \qquad p = 0 \text{ on the boundary}

    Maps the permeability to the pressure. All quantities are dimensionless.

    Args:
        forcing: Source :math:`f(x, y)`.
        sampler: Distribution of the permeability :math:`a > 0`: `TwoPhasePermeability` (12 and 3, the
            benchmark), `LognormalPermeability` (smooth or rough, by its random field).
        boundary: Conditions by boundary part; the benchmark has zero pressure everywhere.

    Good values: Cell centres of the unit square, 64 x 64 and more, for a finite-volume solver; nodes, 85 x 85
        or 421 x 421, to compare with published tables.

    Failure mode: With two phases the pressure has kinks at the interfaces, so every solver on a fixed grid is
        of first to second order, and `residual` is not defined pointwise: judge by conservation of mass.

    Source: Z. Li et al. (2020), Fourier neural operator for parametric partial differential equations,
    arXiv:2010.08895.
    """

    name: ClassVar[str] = "darcy"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("permeability", latex="a"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("pressure", latex="p"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.CELLS, AxisKind.NODES, AxisKind.CHEBYSHEV)

    forcing: str = formula("1", symbol="f")
    sampler: Sampler = BENCHMARK_SAMPLER

    @property
    def diffusion(self) -> sympy.Expr:
        """The permeability."""
        return self.function("permeability")

    @property
    def source(self) -> sympy.Expr:
        """The forcing."""
        return self.formula("forcing")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Cell centres of the unit square."""
        return Grid.box(shape, AxisKind.CELLS)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw permeabilities; see `Problem.sample_inputs`."""
        self.check_domain(domain)
        values = self.sampler.sample(domain, seeds)
        return {"permeability": Field(values[:, None], domain, ("permeability",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions with forcings made for them.

        - ``constant``: :math:`a = 1`, :math:`p = \sin \pi x \sin \pi y`, an eigenfunction of the Laplacian.
        - ``smooth``: a permeability between 1 and 3 without any symmetry, and
          :math:`p = e^x \sin \pi x \sin 2\pi y`. Tests order.
        """
        x, y = self.space_symbols
        bubble = sin(pi * x) * sin(pi * y)
        wavy = exp(x) * sin(pi * x) * sin(2 * pi * y)
        return {
            "constant": self._manufactured(Integer(1), bubble, "an eigenfunction, permeability one"),
            "smooth": self._manufactured(2 + cos(3 * x + 5 * y), wavy, "smooth permeability and pressure"),
        }

    def _manufactured(
        self, permeability: sympy.Expr, pressure: sympy.Expr, description: str
    ) -> ExactSolution:
        forcing = -sum(sympy.diff(permeability * sympy.diff(pressure, x), x) for x in self.space_symbols)
        expressions = {"permeability": permeability, "pressure": pressure}
        return ExactSolution(replace(self, forcing=str(sympy.expand(forcing))), expressions, description)
