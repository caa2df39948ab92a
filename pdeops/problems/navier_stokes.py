"""Incompressible Navier-Stokes equations in two dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, cos, exp, pi, sin

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import formula, parameter
from pdeops.problems.random_fields import PeriodicRandomField, Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.variable import Variable

BENCHMARK_FORCING = "sin(2*pi*(x + y)) + cos(2*pi*(x + y))"
BENCHMARK_SAMPLER = PeriodicRandomField(
    scale=math.sqrt(2) * 7**1.5, smoothness=2.5, inverse_length=7.0, max_wavenumber=128
)


@dataclass(frozen=True, kw_only=True)
class NavierStokes2D(SemilinearProblem):
    r"""Vorticity on the unit torus.

    .. math::

        \partial_t \omega + u \cdot \nabla \omega = \nu \Delta \omega + A f, \qquad
        -\Delta \psi = \omega, \qquad u = (\partial_y \psi, -\partial_x \psi)

    Maps the initial vorticity to the vorticity at later times. All quantities are dimensionless: lengths in
    periods, times in the unit that makes velocities of order one.

    Args:
        viscosity: Kinematic viscosity :math:`\nu > 0`.
        forcing_amplitude: Amplitude :math:`A`; 0 for decaying flow.
        forcing: Shape :math:`f(x, y)` of the forcing, periodic with mean zero.
        sampler: Distribution of the initial vorticity. The default is the benchmark's: covariance
            :math:`2 \cdot 7^3 (-\Delta + 49)^{-2.5}`, standard deviation 0.26. (The text of the paper says
            :math:`7^{3/2}(-\Delta + 49)^{-2.5}`, six times smaller in amplitude; the default follows the
            program that made its data.)

    Good values: ``viscosity=1e-3`` on 64 x 64 to time 50; ``1e-4`` to time 30 and ``1e-5`` to time 20 on
        256 x 256. At 1e-3 the forced wave relaxes at the rate :math:`8\pi^2\nu = 0.079` to an amplitude of
        1.8, so late times show the forcing more than the initial vorticity.

    Failure mode: Below ``viscosity=1e-4`` a 64 x 64 grid does not resolve the vortex filaments, and the flow
        is chaotic: at late times two exact solvers agree in statistics only.

    Source: Z. Li et al. (2020), Fourier neural operator for parametric partial differential equations,
    arXiv:2010.08895.
    """

    name: ClassVar[str] = "navier_stokes"
    dimension: ClassVar[int] = 2
    box_is_fixed: ClassVar[bool] = True  # the forcing has the period of the unit torus
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_vorticity", latex=r"\omega_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("vorticity", latex=r"\omega"),)
    auxiliary: ClassVar[tuple[Variable, ...]] = (Variable("stream_function", latex=r"\psi"),)

    viscosity: float = parameter(1e-3, symbol=r"\nu", positive=True)
    forcing_amplitude: float = parameter(0.1, symbol="A")
    forcing: str = formula(BENCHMARK_FORCING, symbol="f")
    sampler: Sampler = BENCHMARK_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Transport of vorticity, and the stream function."""
        x, y = self.space_symbols
        omega, psi = self.function("vorticity"), self.function("stream_function")
        transport = Derivative(psi, y) * Derivative(omega, x) - Derivative(psi, x) * Derivative(omega, y)
        diffusion = self.symbol("viscosity") * (Derivative(omega, (x, 2)) + Derivative(omega, (y, 2)))
        forcing = self.symbol("forcing_amplitude") * self.formula("forcing")
        return (
            Eq(Derivative(omega, self.time_symbol) + transport, diffusion + forcing, evaluate=False),
            Eq(-(Derivative(psi, (x, 2)) + Derivative(psi, (y, 2))), omega, evaluate=False),
        )

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial vorticities; see `Problem.sample_inputs`."""
        grid = self.check_grid(domain)
        values = self.sampler.sample(grid, seeds)
        return {"initial_vorticity": Field(values[:, None], grid, ("initial_vorticity",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Three solutions.

        - ``taylor_green``: decaying vortices without forcing; transport vanishes, as vorticity is a function
          of the stream function. Tests diffusion.
        - ``forced_relaxation``: the benchmark's forced wave, from amplitude -1 to its steady amplitude
          :math:`A / 8\pi^2\nu`. Tests forcing and diffusion. At low viscosity it is unstable to longer waves,
          and rounding errors show after a time of about 10.
        - ``manufactured_steady``: waves of three lengths that transport each other, held by a forcing made
          for them. Tests transport. The strain is at most 0.8, so it is stable where :math:`4\pi^2\nu` is
          larger (viscosity above 0.02); below, use it for short times.
        """
        x, y = self.space_symbols
        nu, amplitude = self.symbol("viscosity"), self.symbol("forcing_amplitude")
        decay = exp(-8 * pi**2 * nu * self.time_symbol)
        vortices = cos(2 * pi * x) * cos(2 * pi * y)
        wave = sin(2 * pi * (x + y)) + cos(2 * pi * (x + y))
        relaxing = amplitude / (8 * pi**2 * nu) * (1 - decay) - decay
        psi = (4 * sin(2 * pi * x) + cos(4 * pi * y) / 2 + cos(2 * pi * (x - y))) / (16 * pi**2)
        steady = -(psi.diff(x, 2) + psi.diff(y, 2))
        transport = psi.diff(y) * steady.diff(x) - psi.diff(x) * steady.diff(y)
        forcing = transport - nu * (steady.diff(x, 2) + steady.diff(y, 2))
        return {
            "taylor_green": self._exact(
                replace(self, forcing_amplitude=0.0),
                vortices * decay,
                vortices * decay / (8 * pi**2),
                "decaying Taylor-Green vortices without forcing",
            ),
            "forced_relaxation": self._exact(
                replace(self, forcing=BENCHMARK_FORCING),
                relaxing * wave,
                relaxing * wave / (8 * pi**2),
                "the forced wave relaxing to its steady amplitude",
            ),
            "manufactured_steady": self._exact(
                replace(self, forcing=str(sympy.expand(forcing)), forcing_amplitude=1.0),
                sympy.expand(steady),
                psi,
                "waves that transport each other, held steady by a manufactured forcing",
            ),
        }

    def _exact(
        self, problem: NavierStokes2D, vorticity: sympy.Expr, stream_function: sympy.Expr, description: str
    ) -> ExactSolution:
        expressions = {
            "initial_vorticity": vorticity.subs(self.time_symbol, 0),
            "vorticity": vorticity,
            "stream_function": stream_function,
        }
        return ExactSolution(problem, expressions, description)
