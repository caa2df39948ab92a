"""Shallow-water equations over a flat bed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
import torch
from sympy import Eq, Integer, Rational, exp, pi, sin, sqrt

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
)
from pdeops.problems.conservation_law import ConservationLaw
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import parameter
from pdeops.problems.parameterised import SPACE
from pdeops.problems.random_fields import Sampler
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField(deviation=0.1, mean=1.0, correlation_length=0.25, ends="flat")


@dataclass(frozen=True, kw_only=True)
class ShallowWater(ConservationLaw):
    r"""Depth and momentum of a thin layer of water over a flat bed.

    .. math:: \partial_t h + \nabla \cdot m = 0, \qquad
        \partial_t m + \nabla \cdot \left( m \otimes m / h \right) + \nabla (g h^2 / 2) = 0

    Maps the initial depth :math:`h` and momentum :math:`m` (depth times velocity) to those at later times.
    Units: metres and seconds, or any others that fit together. The standard box is the unit torus; any other
    box will do.

    Args:
        dimension: 1 or 2.
        gravity: Acceleration :math:`g > 0`.
        sampler: Distribution of the initial depth; the water starts at rest.
        boundary: Conditions where the domain ends: ``Neumann()`` is an open end, ``Dirichlet()`` a wall that
            no water passes.

    Raises:
        ValueError: The dimension is not 1 or 2, or a condition is neither an open end nor a wall.

    Good values: ``gravity=1`` and depth 1: waves need one unit of time round the torus. 64 points an axis to
        time 1 for the default data.

    Failure mode: The depth has to stay positive; dry beds are beyond the solvers here. Steep waves break: the
        equations go on with shocks (bores), which finite volumes capture and Fourier solvers do not.

    Source: J. J. Stoker (1957), Water Waves, doi:10.1002/9781118033159; E. F. Toro (2001), Shock-Capturing
    Methods for Free-Surface Shallow Flows, ISBN 0-471-98766-2.
    """

    name: ClassVar[str] = "shallow_water"
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.PERIODIC, AxisKind.CELLS)
    positive_outputs: ClassVar[tuple[str, ...]] = ("depth",)

    dimension: int = 2
    gravity: float = parameter(1.0, symbol="g", unit="m/s^2", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Dirichlet()}))

    def __post_init__(self) -> None:
        """Check parameters and boundary conditions."""
        super().__post_init__()
        if self.dimension == 3:
            raise ValueError("dimension: expected 1 or 2, got 3: the depth is the third one")
        for name, condition in self.boundary.items():
            if condition not in (Dirichlet(), Neumann()):
                raise ValueError(
                    f"boundary condition on {name!r}: expected Dirichlet(), a wall, or Neumann(), an open "
                    f"end, got {condition}"
                )

    @property
    def inputs(self) -> tuple[Variable, ...]:  # type: ignore[override]
        """Initial depth, and momentum along each axis."""
        return tuple(
            replace(output, name=f"initial_{output.name}", latex=f"{{{output.latex}}}_0")
            for output in self.outputs
        )

    @property
    def outputs(self) -> tuple[Variable, ...]:  # type: ignore[override]
        """Depth, and momentum along each axis."""
        momenta = (Variable(f"momentum_{axis}", "m^2/s", f"m_{axis}") for axis in SPACE[: self.dimension])
        return (Variable("depth", "m", "h"), *momenta)

    @property
    def fluxes(self) -> tuple[tuple[sympy.Expr, ...], ...]:
        """Water carries depth and momentum; pressure acts along each axis."""
        h, *momenta = (self.function(variable.name) for variable in self.outputs)
        pressure = self.symbol("gravity") * h**2 / 2
        carried = tuple(
            tuple(m * other / h + (pressure if m == other else 0) for other in momenta) for m in momenta
        )
        return (tuple(momenta), *carried)

    @property
    def characteristic_speeds(self) -> tuple[tuple[sympy.Expr, sympy.Expr], ...]:
        """The velocity, less and plus that of long waves."""
        h, *momenta = (self.function(variable.name) for variable in self.outputs)
        celerity = sqrt(self.symbol("gravity") * h)
        return tuple((m / h - celerity, m / h + celerity) for m in momenta)

    @property
    def boundary_conditions(self) -> Mapping[str, sympy.Eq]:
        """No water passes a wall; at an open end the depth is level."""
        h, *momenta = (self.function(variable.name) for variable in self.outputs)
        passing = sum((n * m for n, m in zip(self.normal_symbols, momenta, strict=True)), Integer(0))
        slope = sum(
            (
                n * sympy.Derivative(h, x)
                for n, x in zip(self.normal_symbols, self.space_symbols, strict=True)
            ),
            Integer(0),
        )
        return {
            name: Eq(passing if isinstance(condition, Dirichlet) else slope, 0, evaluate=False)
            for name, condition in self.boundary.items()
        }

    def mirror_signs(self, axis: int) -> tuple[int, ...]:
        """Momentum through a wall turns round; all else is mirrored."""
        return (1, *(-1 if number == axis else 1 for number in range(self.dimension)))

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial depths, with the water at rest; see `Problem.sample_inputs`."""
        grid = self.check_grid(domain)
        depth = self.sampler.sample(grid, seeds)
        values = [depth] + [torch.zeros_like(depth)] * self.dimension
        return {
            variable.name: Field(value[:, None], grid, (variable.name,), (variable.unit,))
            for variable, value in zip(self.inputs, values, strict=True)
        }

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two flows in two dimensions; none in one, where waves break (see `simple_wave` and `DamBreak`).

        - ``shear_wave``: layers that slide along y, carried along x: depth 1, velocities :math:`1/2` and
          :math:`\sin(2\pi (x - t/2)) / 4`, gravity of any size.
        - ``vortex``: a dip of width 1/20, from (1/2, 1/2), carried with (1/4, 1/8), in which pressure
          balances rotation. To time 0.4 its tail is below 1e-13 where the torus closes.
        """
        if self.dimension == 1:
            return {}
        x, y = self.space_symbols
        t, g = self.time_symbol, self.symbol("gravity")
        sliding = sin(2 * pi * (x - t / 2)) / 4
        shear = {"depth": Integer(1), "momentum_x": Rational(1, 2), "momentum_y": sliding}
        width, spin, drift = Rational(1, 20), 10, (Rational(1, 4), Rational(1, 8))
        across = [position - Rational(1, 2) - c * t for position, c in zip((x, y), drift, strict=True)]
        bump = exp(-(across[0] ** 2 + across[1] ** 2) / (2 * width**2))
        depth = 1 - (spin * width * bump) ** 2 / (2 * g)
        vortex = {
            "depth": depth,
            "momentum_x": depth * (drift[0] - spin * across[1] * bump),
            "momentum_y": depth * (drift[1] + spin * across[0] * bump),
        }
        return {
            "shear_wave": evolving_solution(self, shear, "sliding layers, carried along"),
            "vortex": evolving_solution(self, vortex, "a vortex, carried along"),
        }
