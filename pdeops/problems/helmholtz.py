"""Waves of one frequency in a medium whose speed of sound varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
import torch
from jaxtyping import Float64
from sympy import Integer, Rational, cos
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
)
from pdeops.problems.elliptic import EllipticProblem
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.manufactured import ConditionKinds, conditions_of
from pdeops.problems.parameter import formula, parameter
from pdeops.problems.random_fields import NeumannRandomField, Sampler
from pdeops.problems.variable import Variable

BENCHMARK_FIELD = NeumannRandomField(scale=1.0, smoothness=2.0, inverse_length=3.0, max_wavenumber=9)


@dataclass(frozen=True, kw_only=True)
class RandomSoundSpeed:
    """A mean speed plus the hyperbolic tangent of a Gaussian field, so between mean - 1 and mean + 1.

    Args:
        mean: Mean speed, above 1.
        field: The Gaussian field. The default has the 99 cosines below the tenth of each axis.

    Source: J. He, X. Liu, J. Xu (2024), MgNO, arXiv:2310.19809, for the benchmark.
    """

    mean: float = 20.0
    field: NeumannRandomField = BENCHMARK_FIELD

    def __post_init__(self) -> None:
        """Check the mean."""
        if not self.mean > 1:
            raise ValueError(f"sound speed: mean: expected more than 1, got {self.mean}; try 20.0")

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one speed a seed, float64, on the CPU."""
        return self.mean + torch.tanh(self.field.sample(domain, seeds))


BENCHMARK_BOUNDARY = BoundaryConditions(
    {"y_upper": Neumann(flux="(1 + sign(0.15 - Abs(x - 0.5)))/2"), DEFAULT: Neumann()}
)
"""A sound source in the middle of the upper side, walls elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Helmholtz(EllipticProblem):
    r"""Amplitude of a standing wave in a box or on a mesh.

    .. math:: -\Delta u - (\omega / c)^2 u = f, \qquad
        \partial u / \partial n = 1 \text{ where } |x - 1/2| \le 0.15 \text{ on the upper side, else } 0

    Maps the speed of sound c to the amplitude u. All quantities are dimensionless.

    Args:
        frequency: Angular frequency :math:`\omega > 0`.
        forcing: Source f.
        sampler: Distribution of the speed.
        boundary: Conditions by boundary part; the default is the benchmark's.

    Good values: The benchmark: ``frequency=1000``, c near 20, so waves of length 0.126; 101 x 101 nodes (13
        points a wave), by elements of degree 5: `solvers.SparseFiniteDifferenceSolver` to 2e-4.

    Failure mode: Near a resonance of the box the amplitude has no bound; the report's condition estimate
        tells. Second-order methods need many points a wave: their phase error grows like
        :math:`k^3 h^2` across the box (pollution), :math:`k = \omega / c`.

    Source: J. He, X. Liu, J. Xu (2024), MgNO: efficient parameterization of linear operators via multigrid,
    arXiv:2310.19809, for the benchmark; I. Babuska, S. Sauter (1997), doi:10.1137/S0036142994269186, for
    pollution.
    """

    name: ClassVar[str] = "helmholtz"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("sound_speed", latex="c"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("amplitude", latex="u"),)

    frequency: float = parameter(1000.0, symbol=r"\omega", positive=True)
    forcing: str = formula("0", symbol="f")
    sampler: Sampler = RandomSoundSpeed()
    boundary: Mapping[str, BoundaryCondition] = field(default=BENCHMARK_BOUNDARY)

    @property
    def reaction(self) -> sympy.Expr:
        """The square of the wavenumber, negative."""
        return -((self.symbol("frequency") / self.function("sound_speed")) ** 2) * self.unknown

    @property
    def source(self) -> sympy.Expr:
        """The forcing."""
        return self.formula("forcing")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit square, both ends included."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw speeds of sound; see `Problem.sample_inputs`."""
        self.check_domain(domain)
        values = self.sampler.sample(domain, seeds)
        return {"sound_speed": Field(values[:, None], domain, ("sound_speed",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Plane waves :math:`\cos(k (3x + 4y) / 5)` at c = 20, :math:`k = \omega / 20`.

        - ``plane_wave``: with its boundary values; on a domain of any shape.
        - ``plane_wave_flux``: with its fluxes on the two sides in x, its values elsewhere.
        """
        x, y = self.space_symbols
        wave = cos(self.symbol("frequency") / 20 * (3 * x + 4 * y) * Rational(1, 5))
        sides: ConditionKinds = {"x_lower": Neumann, "x_upper": Neumann, DEFAULT: Dirichlet}
        return {
            "plane_wave": self._wave(wave, {DEFAULT: Dirichlet}, "a plane wave with its values"),
            "plane_wave_flux": self._wave(wave, sides, "a plane wave with fluxes on two sides"),
        }

    def _wave(self, wave: sympy.Expr, kinds: ConditionKinds, description: str) -> ExactSolution:
        problem = replace(self, forcing="0", boundary=conditions_of(wave, Integer(1), kinds))
        return ExactSolution(problem, {"sound_speed": Integer(20), "amplitude": wave}, description)
