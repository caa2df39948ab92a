"""Viscous Burgers equation in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, cos, exp, pi

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField, further_seed
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField(correlation_length=0.25)


@dataclass(frozen=True, kw_only=True)
class Burgers2D(SemilinearProblem):
    r"""Velocity on the torus, carried by itself.

    .. math:: \partial_t v + (v \cdot \nabla) v = \nu \Delta v, \qquad v = (u, w)

    Maps the two components of the initial velocity to those at later times. All quantities are dimensionless.
    The standard box is the unit torus; any other periodic box will do.

    Without viscosity this form has no weak solutions: :math:`(v \cdot \nabla) v` is no divergence, so what a
    shock does is not defined. That is why the viscosity is positive and finite volumes refuse it.

    Args:
        viscosity: Viscosity :math:`\nu > 0`.
        sampler: Distribution of each component of the initial velocity, independent of one another.

    Good values: ``viscosity=0.01`` on 64 x 64 to time 0.5 for the default data (deviation 1, waves of a
        quarter of the box).

    Failure mode: Fronts have the width :math:`\nu / |v|`: with fewer than about three points across one,
        spectral solutions oscillate.

    Source: J. M. Burgers (1948), doi:10.1016/S0065-2156(08)70100-5. Exact solution: E. Hopf (1950),
    doi:10.1002/cpa.3160030302; J. D. Cole (1951), doi:10.1090/qam/42889.
    """

    name: ClassVar[str] = "burgers_2d"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = (
        Variable("initial_velocity_x", latex="u_0"),
        Variable("initial_velocity_y", latex="w_0"),
    )
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("velocity_x", latex="u"),
        Variable("velocity_y", latex="w"),
    )

    viscosity: float = parameter(0.01, symbol=r"\nu", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Transport of both components by the velocity, and diffusion."""
        x, y = self.space_symbols
        u, w = self.function("velocity_x"), self.function("velocity_y")
        nu = self.symbol("viscosity")
        return tuple(
            Eq(
                Derivative(v, self.time_symbol) + u * Derivative(v, x) + w * Derivative(v, y),
                nu * (Derivative(v, (x, 2)) + Derivative(v, (y, 2))),
                evaluate=False,
            )
            for v in (u, w)
        )

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial velocities; see `Problem.sample_inputs`."""
        grid = self.check_grid(domain)
        streams = [list(seeds), [further_seed(seed, 1) for seed in seeds]]
        return {
            variable.name: Field(self.sampler.sample(grid, stream)[:, None], grid, (variable.name,))
            for variable, stream in zip(self.inputs, streams, strict=True)
        }

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""``cole_hopf``: a heat flow under the Cole-Hopf transform, without rotation.

        :math:`v = -2\nu \nabla\phi / \phi` with :math:`\phi = 3 + e^{-4\pi^2\nu t}\cos 2\pi x +
        e^{-8\pi^2\nu t} \cos 2\pi(x + y)`, which is one or more. The amplitude is proportional to viscosity.
        """
        x, y = self.space_symbols
        nu, t = self.symbol("viscosity"), self.time_symbol
        heat = (
            3 + exp(-4 * pi**2 * nu * t) * cos(2 * pi * x) + exp(-8 * pi**2 * nu * t) * cos(2 * pi * (x + y))
        )
        outputs = {"velocity_x": -2 * nu * heat.diff(x) / heat, "velocity_y": -2 * nu * heat.diff(y) / heat}
        return {"cole_hopf": evolving_solution(self, outputs, "a heat flow under the Cole-Hopf transform")}
