"""Wave equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, Mul, cos, exp, pi, sin, sqrt

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField, further_seed
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField()
DEFAULT_VELOCITY_SAMPLER = SmoothRandomField(deviation=5.0)


@dataclass(frozen=True, kw_only=True)
class Wave(SemilinearProblem):
    r"""Waves of one speed on a torus, as a system of first order.

    .. math:: \partial_t u = v, \qquad \partial_t v = c^2 \Delta u

    Maps the initial displacement u and its velocity v to those at later times. All quantities are
    dimensionless. The standard box is the unit torus; any other periodic box will do. The energy
    :math:`\int \frac12 v^2 + \frac{c^2}{2} |\nabla u|^2` and the mean of v are constant.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        speed: Speed :math:`c > 0`.
        sampler: Distribution of the initial displacement.
        velocity_sampler: Distribution of the initial velocity.

    Good values: ``speed=1`` on 64 points an axis: a wave crosses the box in time 1. The linear part is all
        there is, so the spectral solver is exact at any time step.

    Failure mode: Waves that the grid does not hold are lost at the start; nothing damps the others.

    Source: J. d'Alembert (1747), Recherches sur la courbe que forme une corde tendue mise en vibration.
    """

    name: ClassVar[str] = "wave"
    inputs: ClassVar[tuple[Variable, ...]] = (
        Variable("initial_displacement", latex="u_0"),
        Variable("initial_velocity", latex="v_0"),
    )
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("displacement", latex="u"),
        Variable("velocity", latex="v"),
    )

    dimension: int = 2
    speed: float = parameter(1.0, symbol="c", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER
    velocity_sampler: Sampler = DEFAULT_VELOCITY_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Velocity is the rate of displacement, and tension accelerates."""
        u, v = self.function("displacement"), self.function("velocity")
        tension = self.symbol("speed") ** 2 * laplacian(u, self.space_symbols)
        return (
            Eq(Derivative(u, self.time_symbol), v, evaluate=False),
            Eq(Derivative(v, self.time_symbol), tension, evaluate=False),
        )

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial displacements and velocities; see `Problem.sample_inputs`."""
        displacement = self.sampler.sample(self.check_domain(domain), seeds)
        velocity = self.velocity_sampler.sample(domain, [further_seed(seed, 1) for seed in seeds])
        return {
            "initial_displacement": Field(displacement[:, None], domain, ("initial_displacement",)),
            "initial_velocity": Field(velocity[:, None], domain, ("initial_velocity",)),
        }

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on the unit torus.

        - ``standing_wave``: :math:`\cos(2\pi \sqrt d\, c t) \prod_i \cos 2\pi x_i`.
        - ``travelling_pulse``: :math:`e^{\sin 2\pi(x - c t)}`, which keeps its shape.
        """
        t, speed = self.time_symbol, self.symbol("speed")
        shape = Mul(*(cos(2 * pi * x) for x in self.space_symbols))
        standing = cos(2 * pi * sqrt(self.dimension) * speed * t) * shape
        pulse = exp(sin(2 * pi * (self.space_symbols[0] - speed * t)))
        return {
            name: evolving_solution(self, {"displacement": u, "velocity": u.diff(t)}, description)
            for name, u, description in (
                ("standing_wave", standing, "a standing wave"),
                ("travelling_pulse", pulse, "a pulse that keeps its shape"),
            )
        }
