"""Burgers equation in one dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy
from sympy import cos, exp, pi

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryCondition, BoundaryConditions, Dirichlet
from pdeops.problems.conservation_law import ConservationLaw
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import PeriodicRandomField, Sampler
from pdeops.problems.variable import Variable

PAPER_SAMPLER = PeriodicRandomField(scale=25.0, smoothness=2.0, inverse_length=5.0, max_wavenumber=4096)


@dataclass(frozen=True, kw_only=True)
class Burgers1D(ConservationLaw):
    r"""Velocity on a circle or an interval.

    .. math:: \partial_t u + u \partial_x u = \nu \partial_x^2 u

    Maps the initial velocity to the velocity at later times. All quantities are dimensionless. The standard
    box is the unit circle; any other interval will do.

    Two settings are published under the name of one benchmark:

    - the paper: initial covariance :math:`625(-\Delta + 25)^{-2}`, ``viscosity=0.1``, 8192 points, time 1.
      **This is the default here.**
    - its public program: covariance :math:`49^2(-\Delta + 49)^{-2.5}`, ``viscosity=1e-3``, 1024 points, which
      gives shocks. Ask for it by ``Burgers1D(viscosity=1e-3, sampler=PeriodicRandomField(scale=49.0,
      smoothness=2.5, inverse_length=7.0, max_wavenumber=512))``.

    Args:
        viscosity: Viscosity :math:`\nu \ge 0`. Without viscosity the equation holds in the form
            :math:`\partial_t u + \partial_x (u^2/2) = 0`, which shocks need.
        sampler: Distribution of the initial velocity, mean zero. The default one is for circles.
        boundary: Conditions where the interval ends.

    Good values: ``viscosity=0.1``, 128 points and more, time 1; ``1e-2`` on 256; ``1e-3`` on 1024; 0 with
        finite volumes on any grid.

    Failure mode: Shocks have the width :math:`\nu / |u|`: with fewer than about three points across one,
        spectral solutions oscillate; finite volumes do not.

    Source: Z. Li et al. (2020), Fourier neural operator for parametric partial differential equations,
    arXiv:2010.08895. Exact solution: E. Hopf (1950), doi:10.1002/cpa.3160030302; J. D. Cole (1951),
    doi:10.1090/qam/42889.
    """

    name: ClassVar[str] = "burgers"
    dimension: ClassVar[int] = 1
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_velocity", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("velocity", latex="u"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = tuple(AxisKind)
    applies_product_rule: ClassVar[bool] = True

    viscosity: float = parameter(0.1, symbol=r"\nu", non_negative=True)
    sampler: Sampler = PAPER_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Dirichlet()}))

    @property
    def fluxes(self) -> tuple[tuple[sympy.Expr, ...], ...]:
        """Momentum carried by the velocity itself."""
        return ((self.function("velocity") ** 2 / 2,),)

    @property
    def characteristic_speeds(self) -> tuple[tuple[sympy.Expr, sympy.Expr], ...]:
        """The velocity."""
        u = self.function("velocity")
        return ((u, u),)

    @property
    def diffusivity(self) -> sympy.Expr:
        """The viscosity."""
        return self.symbol("viscosity")

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The viscosity."""
        return self.symbol("viscosity")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit circle."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial velocities; see `Problem.sample_inputs`."""
        grid = self.check_grid(domain)
        values = self.sampler.sample(grid, seeds)
        return {"initial_velocity": Field(values[:, None], grid, ("initial_velocity",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""``cole_hopf``: a heat flow under the Cole-Hopf transform.

        :math:`u = -2\nu \phi_x / \phi` with :math:`\phi = 2 + e^{-4\pi^2\nu t}\cos 2\pi x`. Its poles stay
        away from the real axis, so 64 points resolve it to rounding at every time. The amplitude is
        proportional to viscosity: 0.73 at 0.1.
        """
        (x,) = self.space_symbols
        nu = self.symbol("viscosity")
        heat = 2 + exp(-4 * pi**2 * nu * self.time_symbol) * cos(2 * pi * x)
        velocity = -2 * nu * heat.diff(x) / heat
        expressions = {"initial_velocity": velocity.subs(self.time_symbol, 0), "velocity": velocity}
        return {"cole_hopf": ExactSolution(self, expressions, "a heat flow under the Cole-Hopf transform")}
