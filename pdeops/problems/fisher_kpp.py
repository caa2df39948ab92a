"""Fisher-KPP equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Rational, exp, sqrt

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryCondition, BoundaryConditions, Neumann
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.gaussian_patches import GaussianPatches
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = GaussianPatches(height=0.5)


@dataclass(frozen=True, kw_only=True)
class FisherKPP(SemilinearProblem):
    r"""A population that grows to saturation and spreads.

    .. math:: \partial_t u = D \Delta u + r u (1 - u)

    Maps the initial density to the density at later times: 1 is stable, 0 is not. All quantities are
    dimensionless. The standard box is the unit box; any other, and any mesh, will do.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        diffusivity: Diffusivity :math:`D > 0`; fronts are some :math:`\sqrt{D / r}` wide.
        growth_rate: Rate :math:`r > 0`; fronts move with a speed of :math:`2 \sqrt{D r}` or more.
        sampler: Distribution of the initial density, not negative.
        boundary: Conditions where the domain ends; the coefficient of the normal derivative is D.

    Good values: ``diffusivity=1e-4`` on 64 points an axis (relative error 2e-5) or 128 (2e-9) to time 10,
        when the default patches have merged.

    Failure mode: As 0 is unstable, negative densities, also those made by a grid that does not resolve a
        front, grow without bound.

    Source: R. A. Fisher (1937), doi:10.1111/j.1469-1809.1937.tb02153.x. Exact wave: Ablowitz and Zeppetella
    (1979), doi:10.1007/BF02462380.
    """

    name: ClassVar[str] = "fisher_kpp"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_density", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("density", latex="u"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = tuple(AxisKind)
    allows_meshes: ClassVar[bool] = True

    dimension: int = 2
    diffusivity: float = parameter(1e-4, symbol="D", positive=True)
    growth_rate: float = parameter(1.0, symbol="r", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Neumann()}))

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Diffusion and logistic growth."""
        u = self.function("density")
        diffusion = self.symbol("diffusivity") * laplacian(u, self.space_symbols)
        growth = self.symbol("growth_rate") * u * (1 - u)
        return (Eq(Derivative(u, self.time_symbol), diffusion + growth, evaluate=False),)

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial densities; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"initial_density": Field(values[:, None], domain, ("initial_density",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on the standard box, periodic and without flux.

        - ``travelling_fronts``: the wave of Ablowitz and Zeppetella,
          :math:`(1 + e^{\xi / \sqrt 6})^{-2}`, with :math:`\xi = \sqrt{r/D}\,(x - c t)` and
          :math:`c = \frac{5}{\sqrt 6} \sqrt{D r}`, to both sides along x, at diffusivity 1e-5 and rate 1: to
          time 20 the two do not feel each other to rounding. Where the density is small, errors grow by
          :math:`e^{r t}`.
        - ``logistic``: the uniform density :math:`1 / (1 + 3 e^{-r t})`, from one quarter.
        """
        x, t = self.space_symbols[0], self.time_symbol
        diffusivity, rate = self.symbol("diffusivity"), self.symbol("growth_rate")
        closed = replace(self, boundary={DEFAULT: Neumann()})
        reach = Rational(1, 4) + 5 / sqrt(6) * sqrt(diffusivity * rate) * t
        steepness = sqrt(rate / (6 * diffusivity))
        centre = Rational(1, 2)
        places = [x - centre - image for image in (-1, 0, 1)]
        fronts = [(1 + exp(steepness * (side * y - reach))) ** -2 for y in places for side in (1, -1)]
        return {
            "travelling_fronts": evolving_solution(
                replace(closed, diffusivity=1e-5, growth_rate=1.0),
                {"density": Add(*fronts) - len(places)},
                "two waves of Ablowitz and Zeppetella that run apart",
            ),
            "logistic": evolving_solution(
                closed, {"density": 1 / (1 + 3 * exp(-rate * t))}, "uniform logistic growth"
            ),
        }
