"""Incompressible Navier-Stokes equations in three dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Integer, cos, exp, sin

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.solenoidal_field import SolenoidalField
from pdeops.problems.variable import Variable

COMPONENTS = ("velocity_x", "velocity_y", "velocity_z")
DEFAULT_SAMPLER = SolenoidalField()


@dataclass(frozen=True, kw_only=True)
class NavierStokes3D(SemilinearProblem):
    r"""Velocity and pressure on a torus.

    .. math::

        \partial_t u_i + \sum_j \partial_j (u_i u_j) = -\partial_i p + \nu \Delta u_i, \qquad
        -\Delta p = \sum_{ij} \partial_i \partial_j (u_i u_j)

    Maps an initial velocity without divergence to the velocity at later times; the equation of the pressure
    keeps it so. All quantities are dimensionless. The standard box is :math:`[0, 2\pi]^3`; any other periodic
    box will do. The energy :math:`\int \frac12 |u|^2` falls by the rate :math:`\nu \int |\omega|^2`, the
    momentum is constant.

    The Taylor-Green benchmark starts from `taylor_green_inputs`.

    Args:
        viscosity: Kinematic viscosity :math:`\nu > 0`.
        sampler: Distribution of the initial velocity.

    Good values: ``viscosity=0.05`` on 32 points an axis to time 5; the Taylor-Green vortex at ``0.01`` on 64.

    Failure mode: The smallest eddies have the size :math:`(\nu^3 / \epsilon)^{1/4}` with the dissipation
        :math:`\epsilon`; a grid that does not hold them piles up energy at its shortest waves. An initial
        divergence is not removed: it decays by viscosity only.

    Source: Taylor and Green (1937), doi:10.1098/rspa.1937.0036. Beltrami flow: Dombre et al. (1986),
    doi:10.1017/S0022112086002859.
    """

    name: ClassVar[str] = "navier_stokes_3d"
    dimension: ClassVar[int] = 3
    inputs: ClassVar[tuple[Variable, ...]] = tuple(
        Variable(f"initial_{name}", latex=f"u_{{0{name[-1]}}}") for name in COMPONENTS
    )
    outputs: ClassVar[tuple[Variable, ...]] = tuple(
        Variable(name, latex=f"u_{name[-1]}") for name in COMPONENTS
    )
    auxiliary: ClassVar[tuple[Variable, ...]] = (Variable("pressure", latex="p"),)

    viscosity: float = parameter(0.05, symbol=r"\nu", positive=True)
    sampler: SolenoidalField = DEFAULT_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Balance of momentum, one equation a component, and the pressure that keeps the volume."""
        coordinates = self.space_symbols
        velocity = [self.function(name) for name in COMPONENTS]
        pressure = self.function("pressure")
        momentum = [
            Eq(
                Derivative(u, self.time_symbol)
                + Add(*(Derivative(u * w, y) for w, y in zip(velocity, coordinates, strict=True))),
                -Derivative(pressure, x) + self.symbol("viscosity") * laplacian(u, coordinates),
                evaluate=False,
            )
            for u, x in zip(velocity, coordinates, strict=True)
        ]
        # Each product once, the mixed ones twice as much: six transforms in place of nine.
        stretching = Add(
            *(
                (1 if i == j else 2) * Derivative(velocity[i] * velocity[j], coordinates[i], coordinates[j])
                for i in range(3)
                for j in range(i, 3)
            )
        )
        return (*momentum, Eq(-laplacian(pressure, coordinates), stretching, evaluate=False))

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The torus of period 2 pi."""
        return Grid.periodic(shape, lengths=(2 * math.pi,) * len(shape))

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial velocities; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        names = [variable.name for variable in self.inputs]
        return {name: Field(values[:, [i]], domain, (name,)) for i, name in enumerate(names)}

    def taylor_green_inputs(self, domain: Domain) -> dict[str, Field]:
        r"""Initial velocity of the Taylor-Green benchmark, one sample.

        :math:`u = (\sin x \cos y \cos z, -\cos x \sin y \cos z, 0)`, vortices that stretch each other and
        break up. Its energy is 1/8 and its enstrophy :math:`\frac12 \overline{|\omega|^2}` 3/8 of the volume.

        Args:
            domain: The standard box, or one of whole multiples of its period.

        Returns:
            Fields by name, float64, on the CPU.
        """
        x, y, z = self.space_symbols
        velocity = (sin(x) * cos(y) * cos(z), -cos(x) * sin(y) * cos(z), Integer(0))
        self.check_domain(domain)
        return {
            variable.name: Field(self.values(item, domain)[None, None], domain, (variable.name,))
            for variable, item in zip(self.inputs, velocity, strict=True)
        }

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on the standard box in which transport only makes pressure.

        - ``taylor_green``: :math:`e^{-2 \nu t} (\sin x \cos y, -\cos x \sin y, 0)`, in two dimensions.
        - ``beltrami``: the flow of Arnold, Beltrami and Childress, :math:`e^{-\nu t}` times a velocity whose
          curl it is itself, with coefficients 1, 0.7 and 0.4. Any numerical transport of vorticity shows.
        """
        (x, y, z), viscosity, t = self.space_symbols, self.symbol("viscosity"), self.time_symbol
        names = (*COMPONENTS, "pressure")
        slow, fast = exp(-viscosity * t), exp(-2 * viscosity * t)
        a, b, c = Integer(1), sympy.Rational(7, 10), sympy.Rational(2, 5)
        vortices = (sin(x) * cos(y) * fast, -cos(x) * sin(y) * fast, Integer(0))
        curling = (
            (a * sin(z) + c * cos(y)) * slow,
            (b * sin(x) + a * cos(z)) * slow,
            (c * sin(y) + b * cos(x)) * slow,
        )
        mean = (a**2 + b**2 + c**2) * slow**2
        pressure = (mean - Add(*(u**2 for u in curling))) / 2
        return {
            "taylor_green": evolving_solution(
                self,
                dict(zip(names, (*vortices, (cos(2 * x) + cos(2 * y)) * fast**2 / 4), strict=True)),
                "decaying vortices in two dimensions",
            ),
            "beltrami": evolving_solution(
                self,
                dict(zip(names, (*curling, pressure), strict=True)),
                "a decaying flow that is its own curl",
            ),
        }
