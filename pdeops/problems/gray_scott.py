"""Gray-Scott equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
import torch
from sympy import Derivative, Eq, Integer, Rational, cos, exp, pi

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.gaussian_patches import GaussianPatches
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField, further_seed
from pdeops.problems.variable import Variable

SIDE = 2.5
DEFAULT_SAMPLER = GaussianPatches(count=12, width=0.1)
DEFAULT_NOISE = SmoothRandomField(deviation=0.01, correlation_length=0.1, max_wavenumber=32)


@dataclass(frozen=True, kw_only=True)
class GrayScott(SemilinearProblem):
    r"""Spots and stripes of two reacting substances.

    .. math::

        \partial_t u = D_u \Delta u - u v^2 + F (1 - u), \qquad
        \partial_t v = D_v \Delta v + u v^2 - (F + k) v

    Maps the initial concentrations of the substrate u and of the activator v to those at later times. All
    quantities are dimensionless. The standard box has the side 2.5; any other periodic box will do. The state
    (1, 0) is stable, so patterns start from patches: :math:`u = 1 - b/2`, :math:`v = b/4` with random patches
    b, and some noise on u. The mean of :math:`u + v` changes by :math:`F(1 - \bar u) - (F + k) \bar v`.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        substrate_diffusivity: Diffusivity :math:`D_u > 0`.
        activator_diffusivity: Diffusivity :math:`D_v > 0`.
        feed_rate: Rate :math:`F > 0`.
        kill_rate: Rate :math:`k > 0`.
        sampler: Distribution of the patches b, between 0 and 1.
        noise: Distribution of the noise.

    Good values: The defaults on 256 points an axis, or on 128 with padded products, to time 2000: rings
        that break into stripes. ``feed_rate=0.03, kill_rate=0.055`` fills the box with a labyrinth by then.

    Failure mode: On fewer points the rings are pinned to the grid and look like diamonds. Most rates
        outside a narrow strip around :math:`k \approx \sqrt F / 2 - F` let v die out, and the solution is
        the trivial state.

    Source: Gray and Scott (1984), doi:10.1016/0009-2509(84)87017-7. Box, diffusivities and patterns:
    J. E. Pearson (1993), doi:10.1126/science.261.5118.189.
    """

    name: ClassVar[str] = "gray_scott"
    inputs: ClassVar[tuple[Variable, ...]] = (
        Variable("initial_substrate", latex="u_0"),
        Variable("initial_activator", latex="v_0"),
    )
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("substrate", latex="u"),
        Variable("activator", latex="v"),
    )

    dimension: int = 2
    substrate_diffusivity: float = parameter(2e-5, symbol="D_u", positive=True)
    activator_diffusivity: float = parameter(1e-5, symbol="D_v", positive=True)
    feed_rate: float = parameter(0.04, symbol="F", positive=True)
    kill_rate: float = parameter(0.06, symbol="k", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER
    noise: Sampler = DEFAULT_NOISE

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The activator feeds on the substrate."""
        u, v = self.function("substrate"), self.function("activator")
        feed, kill = self.symbol("feed_rate"), self.symbol("kill_rate")
        spread_u = self.symbol("substrate_diffusivity") * laplacian(u, self.space_symbols)
        spread_v = self.symbol("activator_diffusivity") * laplacian(v, self.space_symbols)
        t = self.time_symbol
        return (
            Eq(Derivative(u, t), spread_u - u * v**2 + feed * (1 - u), evaluate=False),
            Eq(Derivative(v, t), spread_v + u * v**2 - (feed + kill) * v, evaluate=False),
        )

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The torus of side 2.5."""
        return Grid.periodic(shape, lengths=(SIDE,) * len(shape))

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial concentrations; see `Problem.sample_inputs`."""
        patches = self.sampler.sample(self.check_domain(domain), seeds)
        noise = self.noise.sample(domain, [further_seed(seed, 1) for seed in seeds])
        values: dict[str, torch.Tensor] = {
            "initial_substrate": 1 - patches / 2 + noise,
            "initial_activator": patches / 4,
        }
        return {name: Field(item[:, None], domain, (name,)) for name, item in values.items()}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""``feeding``: without activator the substrate relaxes to 1, its waves by feeding and diffusion.

        :math:`u = 1 + \frac12 e^{-(F + D_u \kappa^2) t} \cos \kappa x` with :math:`\kappa = 2\pi / 2.5`, and
        v = 0. Tests linear terms and the source only; no solution with activator is known in closed form.
        """
        wavenumber = 2 * pi / Rational(5, 2)
        rate = self.symbol("feed_rate") + self.symbol("substrate_diffusivity") * wavenumber**2
        wave = exp(-rate * self.time_symbol) * cos(wavenumber * self.space_symbols[0])
        outputs = {"substrate": 1 + wave / 2, "activator": Integer(0)}
        return {"feeding": evolving_solution(self, outputs, "a wave of substrate without activator")}
