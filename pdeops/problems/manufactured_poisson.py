"""Elliptic problems whose solution is chosen first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryCondition, BoundaryConditions, Dirichlet
from pdeops.problems.elliptic import EllipticProblem
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.manufactured import conditions_of, source_of
from pdeops.problems.parameter import formula, parameter
from pdeops.problems.variable import Variable


@dataclass(frozen=True, kw_only=True)
class ManufacturedPoisson(EllipticProblem):
    r"""Poisson's equation with the source and the boundary values of a chosen solution.

    .. math:: -D \Delta u = -D \Delta u^* \text{ in } \Omega, \qquad u = u^* \text{ on the boundary}

    All quantities are dimensionless. Every sample is the same.

    Args:
        dimension: Number of space dimensions.
        solution: Formula of :math:`u^*` in the coordinates.
        diffusivity: D > 0. On the unit box, :math:`D = 1 / s^2` is the problem on a box of the length s.
        boundary: Conditions by boundary part; by default the values of the solution.

    Good values: Five or more points a wave for most methods; 2.5 for those that know the frequencies.

    Failure mode: Below two points a wave the source on the grid is that of another, slower solution.

    Source: Fang et al. (2024), arXiv:2311.04465, for the problems of high frequency.
    """

    name: ClassVar[str] = "poisson"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source", latex="f"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("potential", latex="u"),)

    dimension: int = 1
    solution: str = formula("sin(200*pi*x)", symbol="u^*")
    diffusivity: float = parameter(1.0, symbol="D", positive=True)
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({}))

    def __post_init__(self) -> None:
        """Take the boundary values from the solution unless other conditions are given."""
        if not self.boundary:
            given = conditions_of(self.formula("solution"), self.diffusion, {DEFAULT: Dirichlet})
            object.__setattr__(self, "boundary", given)
        super().__post_init__()

    @property
    def diffusion(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @property
    def source(self) -> sympy.Expr:
        """The input."""
        return self.function("source")

    @property
    def source_formula(self) -> sympy.Expr:
        """The source that the solution needs."""
        solution = self.formula("solution")
        reaction = self.reaction.subs(self.unknown, solution)
        return source_of(solution, self.diffusion, reaction, self.space_symbols)

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit box, both ends included."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """The source of the solution, once a seed; see `Problem.sample_inputs`."""
        values = self.values(self.source_formula, self.check_domain(domain))
        return {"source": Field(values.expand(len(seeds), 1, *domain.shape).clone(), domain, ("source",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        """``manufactured``: the solution, if the boundary conditions are those it meets."""
        expressions = {"source": self.source_formula, "potential": self.formula("solution")}
        return {"manufactured": ExactSolution(self, expressions, "the solution that the source is made for")}


@dataclass(frozen=True, kw_only=True)
class ManufacturedAllenCahn(ManufacturedPoisson):
    r"""The steady Allen-Cahn equation with the source and the boundary values of a chosen solution.

    .. math:: -D \Delta u + r (u^3 - u) = f, \qquad u = u^* \text{ on the boundary}

    with the f of :math:`u^*`.

    Args:
        dimension: See `ManufacturedPoisson`.
        solution: See `ManufacturedPoisson`.
        diffusivity: See `ManufacturedPoisson`.
        boundary: See `ManufacturedPoisson`.
        strength: Number r. The published tests, :math:`\Delta u + u (u^2 - 1) = f`, have r = -1.

    Good values: r = 1, where the solution is unique for :math:`\pi^2 D > 1`.

    Failure mode: With r = -1, or small D, there are other solutions that Newton's method may find.

    Source: Fang et al. (2024), arXiv:2311.04465.
    """

    name: ClassVar[str] = "steady_allen_cahn"

    strength: float = parameter(1.0, symbol="r")

    @property
    def reaction(self) -> sympy.Expr:
        """Slope of the double well."""
        return self.symbol("strength") * (self.unknown**3 - self.unknown)
