"""Viscous Burgers equation in one dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, cos, exp, pi

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.parameter import parameter
from pdeops.problems.problem import ExactSolution
from pdeops.problems.random_fields import PeriodicRandomField, Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.variable import Variable

PAPER_SAMPLER = PeriodicRandomField(scale=25.0, smoothness=2.0, inverse_length=5.0, max_wavenumber=4096)


@dataclass(frozen=True, kw_only=True)
class Burgers1D(SemilinearProblem):
    r"""Velocity on the unit circle.

    .. math:: \partial_t u + u \partial_x u = \nu \partial_x^2 u

    Maps the initial velocity to the velocity at later times. All quantities are dimensionless.

    Two settings are published under the name of one benchmark:

    - the paper: initial covariance :math:`625(-\Delta + 25)^{-2}`, ``viscosity=0.1``, 8192 points, time 1.
      **This is the default here.**
    - its public program: covariance :math:`49^2(-\Delta + 49)^{-2.5}`, ``viscosity=1e-3``, 1024 points, which
      gives shocks. Ask for it by ``Burgers1D(viscosity=1e-3, sampler=PeriodicRandomField(scale=49.0,
      smoothness=2.5, inverse_length=7.0, max_wavenumber=512))``.

    Args:
        viscosity: Viscosity :math:`\nu > 0`.
        sampler: Distribution of the initial velocity, mean zero.

    Good values: ``viscosity=0.1``, 128 points and more, time 1; ``1e-2`` on 256; ``1e-3`` on 1024.

    Failure mode: Shocks have the width :math:`\nu / |u|`: with fewer than about three points across one,
        spectral solutions oscillate.

    Source: Z. Li et al. (2020), Fourier neural operator for parametric partial differential equations,
    arXiv:2010.08895. Exact solution: E. Hopf (1950), doi:10.1002/cpa.3160030302; J. D. Cole (1951),
    doi:10.1090/qam/42889.
    """

    name: ClassVar[str] = "burgers"
    dimension: ClassVar[int] = 1
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_velocity", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("velocity", latex="u"),)

    viscosity: float = parameter(0.1, symbol=r"\nu", positive=True)
    sampler: Sampler = PAPER_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Transport by the velocity itself, and diffusion."""
        (x,) = self.space_symbols
        u = self.function("velocity")
        transport = Derivative(u, self.time_symbol) + u * Derivative(u, x)
        return (Eq(transport, self.symbol("viscosity") * Derivative(u, (x, 2)), evaluate=False),)

    @property
    def initial_conditions(self) -> tuple[sympy.Eq, ...]:
        """The velocity starts from the input."""
        return (Eq(self.function("velocity").subs(self.time_symbol, 0), self.function("initial_velocity")),)

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
