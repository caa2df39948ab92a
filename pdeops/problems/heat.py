"""Heat equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, Mul, cos, exp, pi, sin

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
)
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import formula, parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField()


@dataclass(frozen=True, kw_only=True)
class HeatEquation(SemilinearProblem):
    r"""Diffusion of heat on a torus, in a box or on a mesh.

    .. math:: \partial_t u = D \Delta u + f(x)

    Maps the initial temperature to the temperature at later times. All quantities are dimensionless. The
    standard box is the unit box; any other will do.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        diffusivity: Thermal diffusivity :math:`D > 0`.
        source: Heating :math:`f` in the coordinates, periodic on periodic axes.
        sampler: Distribution of the initial temperature.
        boundary: Conditions where the domain ends; the coefficient of the normal derivative is D.

    Good values: ``diffusivity=0.01`` to time 1 on 32 points an axis: the default data (deviation 1, waves of
        an eighth of the box) decays to a third.

    Failure mode: On the torus a source with a mean other than zero heats without end. Initial values that
        break the boundary conditions leave a layer of width :math:`\sqrt{D t}` that no method resolves at
        once.

    Source: J. Fourier (1822), Théorie analytique de la chaleur.
    """

    name: ClassVar[str] = "heat"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_temperature", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("temperature", latex="u"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = tuple(AxisKind)
    allows_meshes: ClassVar[bool] = True

    dimension: int = 2
    diffusivity: float = parameter(0.01, symbol="D", positive=True)
    source: str = formula("0", symbol="f")
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Dirichlet()}))

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Diffusion and a source."""
        u = self.function("temperature")
        diffusion = self.symbol("diffusivity") * laplacian(u, self.space_symbols)
        return (Eq(Derivative(u, self.time_symbol), diffusion + self.formula("source"), evaluate=False),)

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial temperatures; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"initial_temperature": Field(values[:, None], domain, ("initial_temperature",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Three solutions on the unit box.

        - ``sine_mode``: :math:`e^{-4 d \pi^2 D t} \prod_i \sin 2\pi x_i`, periodic, and zero on the boundary.
        - ``cosine_mode``: the same with cosines and a source :math:`D \prod_i \cos 2\pi x_i` that holds it at
          an amplitude; periodic, and without flux through the boundary.
        - ``warm_wall``: :math:`x + e^{-d \pi^2 D t} \prod_i \sin \pi x_i`, not periodic, x on the boundary.
        """
        coordinates, diffusivity = self.space_symbols, self.symbol("diffusivity")
        rate = 4 * pi**2 * self.dimension
        decay = exp(-rate * diffusivity * self.time_symbol)
        sines = Mul(*(sin(2 * pi * x) for x in coordinates))
        cosines = Mul(*(cos(2 * pi * x) for x in coordinates))
        half = Mul(*(sin(pi * x) for x in coordinates))
        slow = exp(-(pi**2) * self.dimension * diffusivity * self.time_symbol)
        unheated = replace(self, source="0", boundary={DEFAULT: Dirichlet()})
        heated = replace(self, source=str(diffusivity * cosines), boundary={DEFAULT: Neumann()})
        wall = replace(self, source="0", boundary={DEFAULT: Dirichlet(value="x")})
        return {
            "sine_mode": evolving_solution(
                unheated, {"temperature": decay * sines}, "a decaying product of sine waves"
            ),
            "cosine_mode": evolving_solution(
                heated,
                {"temperature": (1 / rate + (1 - 1 / rate) * decay) * cosines},
                "a product of cosine waves that relaxes to what its source holds",
            ),
            "warm_wall": evolving_solution(
                wall,
                {"temperature": coordinates[0] + slow * half},
                "a decaying half wave over a linear temperature",
            ),
        }
