"""Linear transport with diffusion and decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Mul, Rational, cos, exp, pi, sin

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryCondition, BoundaryConditions, Dirichlet
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.gaussian_patches import GaussianPatches
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import formula, parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.variable import Variable

IMAGES = (-2, -1, 0, 1, 2)

DEFAULT_SAMPLER = GaussianPatches()


@dataclass(frozen=True, kw_only=True)
class AdvectionDiffusionReaction(SemilinearProblem):
    r"""A substance carried by a constant wind, on a torus, in a box or on a mesh.

    .. math:: \partial_t c + v \cdot \nabla c = D \Delta c - k c + f(x)

    Maps the initial concentration to the concentration at later times. All quantities are dimensionless. The
    standard box is the unit box; any other will do.

    Args:
        dimension: Number of space dimensions, 1 to 3; components of the velocity beyond it do not count.
        velocity_x: Component :math:`v_x` of the velocity.
        velocity_y: Component :math:`v_y`.
        velocity_z: Component :math:`v_z`.
        diffusivity: Diffusivity :math:`D > 0`.
        reaction_rate: Rate of decay :math:`k`; negative for growth.
        source: Source :math:`f` in the coordinates, periodic on periodic axes.
        sampler: Distribution of the initial concentration.
        boundary: Conditions where the domain ends; the coefficient of the normal derivative is D.

    Good values: ``diffusivity=1e-3`` to time 1 on 64 points an axis: the default patches cross the box once.

    Failure mode: Where the domain ends downstream, a Dirichlet condition makes a layer of width
        :math:`D / |v|`, which takes about six Chebyshev points, or ten cells, to resolve.

    Source: Hundsdorfer and Verwer (2003), Numerical Solution of Time-Dependent Advection-Diffusion-Reaction
    Equations, doi:10.1007/978-3-662-09017-6.
    """

    name: ClassVar[str] = "advection_diffusion_reaction"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_concentration", latex="c_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("concentration", latex="c"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = tuple(AxisKind)
    allows_meshes: ClassVar[bool] = True

    dimension: int = 2
    velocity_x: float = parameter(1.0, symbol="v_x")
    velocity_y: float = parameter(0.5, symbol="v_y")
    velocity_z: float = parameter(0.25, symbol="v_z")
    diffusivity: float = parameter(1e-3, symbol="D", positive=True)
    reaction_rate: float = parameter(0.1, symbol="k")
    source: str = formula("0", symbol="f")
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Dirichlet()}))

    @property
    def velocity(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the components of the velocity, one a dimension."""
        return tuple(self.symbol(f"velocity_{x.name}") for x in self.space_symbols)

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Transport, diffusion, decay and a source."""
        c = self.function("concentration")
        wind = zip(self.velocity, self.space_symbols, strict=True)
        transport = Derivative(c, self.time_symbol) + Add(*(v * Derivative(c, x) for v, x in wind))
        diffusion = self.symbol("diffusivity") * laplacian(c, self.space_symbols)
        gain = self.formula("source") - self.symbol("reaction_rate") * c
        return (Eq(transport, diffusion + gain, evaluate=False),)

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial concentrations; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"initial_concentration": Field(values[:, None], domain, ("initial_concentration",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Three solutions on the unit box, without a source.

        - ``moving_wave``: :math:`e^{-(4 d \pi^2 D + k) t} \prod_i \cos 2\pi(x_i - v_i t)`, periodic.
        - ``moving_gaussian``: a bump of standard deviation 0.05 that moves, spreads and decays, at
          diffusivity 1e-3, with two periodic images to each side: exact to rounding until time 1 for
          velocities up to 1.
        - ``boundary_layer``: :math:`e^{v \cdot x / 2D - s t} \prod_i \sin \pi x_i` with :math:`s = |v|^2 / 4D
          + d \pi^2 D + k`, zero on the boundary, at diffusivity 0.1 and higher.
        """
        coordinates, t = self.space_symbols, self.time_symbol
        diffusivity, rate = self.symbol("diffusivity"), self.symbol("reaction_rate")
        pairs = list(zip(coordinates, self.velocity, strict=True))
        wave = Mul(*(cos(2 * pi * (x - v * t)) for x, v in pairs))
        wave_decay = exp(-(4 * pi**2 * self.dimension * diffusivity + rate) * t)
        start = Rational(1, 20) ** 2
        spread = start + 2 * diffusivity * t
        bump = Mul(
            *(
                Add(*(exp(-((x - Rational(3, 10) - v * t - image) ** 2) / (2 * spread)) for image in IMAGES))
                * (start / spread) ** Rational(1, 2)
                for x, v in pairs
            )
        )
        layer_rate = Add(*(v**2 for _, v in pairs)) / (4 * diffusivity)
        layer_rate += pi**2 * self.dimension * diffusivity + rate
        layer = exp(Add(*(v * x for x, v in pairs)) / (2 * diffusivity) - layer_rate * t)
        layer *= Mul(*(sin(pi * x) for x in coordinates))
        plain = replace(self, source="0", boundary={DEFAULT: Dirichlet()})
        thick = replace(plain, diffusivity=max(self.diffusivity, 0.1))
        bumpy = replace(plain, diffusivity=1e-3)
        return {
            "moving_wave": evolving_solution(
                plain, {"concentration": wave_decay * wave}, "a decaying product of moving waves"
            ),
            "moving_gaussian": evolving_solution(
                bumpy, {"concentration": exp(-rate * t) * bump}, "a spreading, decaying, moving bump"
            ),
            "boundary_layer": evolving_solution(
                thick, {"concentration": layer}, "the slowest mode between walls, swept downstream"
            ),
        }
