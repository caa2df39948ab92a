"""Kuramoto-Sivashinsky equation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Rational

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.operators_in_space import bilaplacian, laplacian
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField(correlation_length=8.0, max_wavenumber=32)


@dataclass(frozen=True, kw_only=True)
class KuramotoSivashinsky(SemilinearProblem):
    r"""Chaos of a flame front, in one or two dimensions.

    In one dimension, for the slope u of the front,

    .. math:: \partial_t u = -\partial_x^2 u - \partial_x^4 u - \tfrac12 \partial_x (u^2)

    in two, for its height u,

    .. math:: \partial_t u = -\Delta u - \Delta^2 u - \tfrac12 |\nabla u|^2

    The derivative of the second in one dimension is the first. Maps the initial front to the front at later
    times. There is no parameter but the size of the box: the standard one is :math:`[0, 32\pi]^d`, any other
    periodic box will do (22 is the other one in use). Waves of small amplitude grow at the rate
    :math:`k^2 - k^4`, fastest at :math:`k = 1/\sqrt 2`. The mean of the slope is constant, that of the height
    falls.

    Args:
        dimension: Number of space dimensions, 1 or 2.
        sampler: Distribution of the initial front.

    Raises:
        ValueError: The dimension is 3.

    Good values: 256 points for :math:`32\pi` in one dimension (relative error 2e-7 at time 50, when chaos
        is full), 128 an axis in two (2e-4 at time 20).

    Failure mode: Chaos: errors grow by a factor of e in a time of about 10, so after 250 even two solvers in
        double precision agree in statistics only. There are no exact solutions to compare with.

    Source: Y. Kuramoto (1978), doi:10.1143/PTPS.64.346; G. I. Sivashinsky (1977),
    doi:10.1016/0094-5765(77)90096-0. The box: Kassam and Trefethen (2005), doi:10.1137/S1064827502410633.
    """

    name: ClassVar[str] = "kuramoto_sivashinsky"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_front", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("front", latex="u"),)

    dimension: int = 1
    sampler: Sampler = DEFAULT_SAMPLER

    def __post_init__(self) -> None:
        """Check the dimension."""
        super().__post_init__()
        if self.dimension > 2:
            raise ValueError(f"{self.name}: dimension: expected 1 or 2, got {self.dimension}")

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Instability of long waves, damping of short ones, and transport."""
        u, coordinates = self.function("front"), self.space_symbols
        linear = -laplacian(u, coordinates) - bilaplacian(u, coordinates)
        if self.dimension == 1:
            transport = Derivative(u**2, coordinates[0])
        else:
            transport = Add(*(Derivative(u, x) ** 2 for x in coordinates))
        rate = Derivative(u, self.time_symbol)
        return (Eq(rate, linear - Rational(1, 2) * transport, evaluate=False),)

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The torus of period 32 pi."""
        return Grid.periodic(shape, lengths=(32 * math.pi,) * len(shape))

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial fronts; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"initial_front": Field(values[:, None], domain, ("initial_front",))}
