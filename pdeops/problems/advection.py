"""Linear advection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy
from sympy import exp, pi, sin

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Neumann,
)
from pdeops.problems.conservation_law import ConservationLaw
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import formula
from pdeops.problems.parameterised import SPACE
from pdeops.problems.random_fields import Sampler
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField(ends="flat")


@dataclass(frozen=True, kw_only=True)
class Advection(ConservationLaw):
    r"""A density carried by a given flow.

    .. math:: \partial_t u + \nabla \cdot (c\, u) = 0

    Maps the initial density to the density at later times. Where the velocity :math:`c(x)` has no divergence,
    a constant one for example, this is :math:`\partial_t u + c \cdot \nabla u = 0`: values travel unchanged.
    All quantities are dimensionless. The standard box is the unit torus; any other box will do.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        velocity_x: Formula of the first component of :math:`c` in the coordinates, periodic on periodic axes.
        velocity_y: The second component; not used in one dimension.
        velocity_z: The third component; used in three dimensions.
        sampler: Distribution of the initial density.
        boundary: Conditions where the domain ends: `Dirichlet` where the flow comes in, `Neumann` where it
            leaves.

    Good values: 64 points an axis to time 1 for the default data: one turn round the torus along x.

    Failure mode: Jumps travel for ever: Fourier solutions ring around them, finite volumes smear them by
        about :math:`t^{1/3} h^{2/3}`.

    Source: R. J. LeVeque (2002), Finite Volume Methods for Hyperbolic Problems, doi:10.1017/CBO9780511791253.
    """

    name: ClassVar[str] = "advection"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_density", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("density", latex="u"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.PERIODIC, AxisKind.CELLS)

    dimension: int = 1
    velocity_x: str = formula("1", symbol="c_x")
    velocity_y: str = formula("1/2", symbol="c_y")
    velocity_z: str = formula("1/4", symbol="c_z")
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Neumann()}))

    @property
    def velocities(self) -> tuple[sympy.Expr, ...]:
        """The components of the velocity, one an axis."""
        return tuple(self.formula(f"velocity_{axis}") for axis in SPACE[: self.dimension])

    @property
    def fluxes(self) -> tuple[tuple[sympy.Expr, ...], ...]:
        """The density carried along."""
        return (tuple(velocity * self.function("density") for velocity in self.velocities),)

    @property
    def characteristic_speeds(self) -> tuple[tuple[sympy.Expr, sympy.Expr], ...]:
        """The velocity."""
        return tuple((velocity, velocity) for velocity in self.velocities)

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial densities; see `Problem.sample_inputs`."""
        grid = self.check_grid(domain)
        values = self.sampler.sample(grid, seeds)
        return {"initial_density": Field(values[:, None], grid, ("initial_density",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Shifted initial values, on the unit torus; none if the velocity is not constant.

        ``wave``: :math:`e^{\sin 2\pi \xi_1} \prod_{i>1} (2 + \sin 2\pi \xi_i)` with :math:`\xi = x - c t`.
        All waves are in it, and 64 points resolve it to rounding.
        """
        if any(velocity.free_symbols for velocity in self.velocities):
            return {}
        shifted = [
            x - velocity * self.time_symbol
            for x, velocity in zip(self.space_symbols, self.velocities, strict=True)
        ]
        others = sympy.Mul(*(2 + sin(2 * pi * position) for position in shifted[1:]))
        wave = exp(sin(2 * pi * shifted[0])) * others
        return {"wave": evolving_solution(self, {"density": wave}, "initial values, shifted")}
