"""Allen-Cahn equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Rational, exp, sqrt, tanh

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryCondition, BoundaryConditions, Neumann
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField(deviation=0.5, correlation_length=0.25, ends="flat")


@dataclass(frozen=True, kw_only=True)
class AllenCahn(SemilinearProblem):
    r"""Two phases that separate, and domains whose walls move by their curvature.

    .. math:: \partial_t u = D \Delta u + r (u - u^3)

    Maps the initial phase to the phase at later times: 1 and -1 are stable, 0 is not. All quantities are
    dimensionless. The standard box is :math:`[-1, 1]^d`; any other, and any mesh, will do. The flow falls
    down the energy :math:`\int \frac D2 |\nabla u|^2 + \frac r4 (1 - u^2)^2`.

    The benchmark of physics-informed networks is ``AllenCahn(dimension=1, diffusivity=1e-4)`` from
    :math:`x^2 \cos \pi x` to time 1.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        diffusivity: Diffusivity :math:`D > 0`; walls have the width :math:`\sqrt{2 D / r}`.
        reaction_rate: Rate :math:`r > 0`.
        sampler: Distribution of the initial phase.
        boundary: Conditions where the domain ends; the coefficient of the normal derivative is D.

    Good values: In two dimensions to time 5 from the default data, ``diffusivity=0.01`` on 128 points an
        axis has a relative error of 2e-5, ``1e-3`` on 256 one of 6e-4; in one dimension ``1e-4`` on 1024
        one of 8e-5.

    Failure mode: A grid with fewer than about four points across a wall pins it; spectral solutions ring.

    Source: Allen and Cahn (1979), doi:10.1016/0001-6160(79)90196-2. The benchmark: Raissi, Perdikaris and
    Karniadakis (2019), doi:10.1016/j.jcp.2018.10.045.
    """

    name: ClassVar[str] = "allen_cahn"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_phase", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("phase", latex="u"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = tuple(AxisKind)
    allows_meshes: ClassVar[bool] = True

    dimension: int = 2
    diffusivity: float = parameter(0.01, symbol="D", positive=True)
    reaction_rate: float = parameter(5.0, symbol="r", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Neumann()}))

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Diffusion, and a reaction with two stable states."""
        u = self.function("phase")
        diffusion = self.symbol("diffusivity") * laplacian(u, self.space_symbols)
        reaction = self.symbol("reaction_rate") * (u - u**3)
        return (Eq(Derivative(u, self.time_symbol), diffusion + reaction, evaluate=False),)

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The periodic box from -1 to 1."""
        return Grid.box(shape, AxisKind.PERIODIC, lower=(-1.0,) * len(shape))

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial phases; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"initial_phase": Field(values[:, None], domain, ("initial_phase",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Three solutions on the standard box; the first two at fixed parameters, periodic and without flux.

        - ``moving_fronts``: phase 1 invades phase 0 with the speed :math:`\frac{3}{\sqrt 2} \sqrt{D r}`, to
          both sides along x, at diffusivity 1e-3 and rate 5: to time 2 the profiles
          :math:`\frac12 (1 + \tanh(\xi / 2\sqrt{2}))` do not feel each other to rounding. As 0 is unstable,
          errors grow by :math:`e^{r t}` there.
        - ``walls``: two walls at rest between the phases, :math:`\tanh(x / \sqrt{2D/r})` each.
        - ``relaxation``: the uniform phase :math:`1 / \sqrt{1 + 3 e^{-2 r t}}`, from one half.
        """
        x, t = self.space_symbols[0], self.time_symbol
        diffusivity, rate = self.symbol("diffusivity"), self.symbol("reaction_rate")
        sharp = replace(self, diffusivity=1e-3, reaction_rate=5.0, boundary={DEFAULT: Neumann()})
        advance = Rational(2, 5) + 3 / sqrt(2) * sqrt(diffusivity * rate) * t
        steepness = sqrt(rate / diffusivity) / (2 * sqrt(2))
        images = [x + 2 * image for image in (-1, 0, 1)]
        fronts = Add(*(tanh(steepness * (advance + side * y)) for y in images for side in (1, -1)))
        wall = sqrt(rate / (2 * diffusivity))
        half = Rational(1, 2)
        return {
            "moving_fronts": evolving_solution(
                sharp,
                {"phase": fronts / 2},
                "two fronts of one phase that invade the unstable one",
            ),
            "walls": evolving_solution(
                sharp,
                {"phase": Add(*(tanh(wall * (y + half)) - tanh(wall * (y - half)) for y in images)) - 1},
                "two walls at rest",
            ),
            "relaxation": evolving_solution(
                replace(self, boundary={DEFAULT: Neumann()}),
                {"phase": 1 / sqrt(1 + 3 * exp(-2 * rate * t))},
                "a uniform phase that relaxes to 1",
            ),
        }
