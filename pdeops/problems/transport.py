"""Steady transport: a first-order equation whose second coordinate may be time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import BoundaryCondition, BoundaryConditions, Dirichlet
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import formula, parameter
from pdeops.problems.problem import Problem
from pdeops.problems.variable import Variable


@dataclass(frozen=True, kw_only=True)
class Transport(Problem):
    r"""What a constant flow carries through a rectangle, with the inflow of a chosen solution.

    .. math:: c_x \partial_x u + c_y \partial_y u = f, \qquad u = u^* \text{ where the flow comes in}

    With :math:`c_y = 1` and y for time it is the initial-value problem of advection: the values at time zero
    and those at the inflow are given, nothing else. All quantities are dimensionless. Every sample is the
    same.

    Args:
        solution: Formula of :math:`u^*` in x and y.
        velocity_x: First component of the flow, not zero.
        velocity_y: Second component, not zero.
        boundary: Conditions on the parts where the flow comes in; by default the values of the solution.

    Good values: Five or more points a wave along each axis.

    Failure mode: Values given where the flow goes out contradict the equation, and are not read.

    Source: Fang et al. (2024), arXiv:2311.04465, whose method needs values on all sides.
    """

    name: ClassVar[str] = "transport"
    dimension: ClassVar[int] = 2
    steady: ClassVar[bool] = True
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source", latex="f"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("density", latex="u"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.NODES, AxisKind.CHEBYSHEV)

    solution: str = formula("sin(x - 200*y)", symbol="u^*")
    velocity_x: float = parameter(200.0, symbol="c_x")
    velocity_y: float = parameter(1.0, symbol="c_y")
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({}))

    def __post_init__(self) -> None:
        """Take the values at the inflow from the solution unless others are given."""
        if not self.boundary:
            given = {part: Dirichlet(value=self.solution) for part in self.inflow_parts}
            object.__setattr__(self, "boundary", given)
        super().__post_init__()

    @property
    def velocities(self) -> tuple[float, float]:
        """Components of the flow."""
        return self.velocity_x, self.velocity_y

    @property
    def inflow_parts(self) -> tuple[str, ...]:
        """Faces where the flow comes in."""
        return tuple(
            f"{axis}_{'lower' if speed > 0 else 'upper'}"
            for axis, speed in zip("xy", self.velocities, strict=True)
        )

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Transport and a source."""
        u = self.function("density")
        speeds = (self.symbol("velocity_x"), self.symbol("velocity_y"))
        terms = (c * sympy.Derivative(u, x) for c, x in zip(speeds, self.space_symbols, strict=True))
        return (sympy.Eq(sympy.Add(*terms), self.function("source"), evaluate=False),)

    def conditions_on(self, domain: Domain) -> dict[str, BoundaryCondition]:
        """The conditions of the faces where the flow comes in; see `Problem.conditions_on`."""
        missing = [part for part in self.inflow_parts if part not in self.boundary]
        if missing:
            raise ValueError(f"boundary conditions: expected one for the inflow on {missing}, got none")
        return {part: self.boundary[part] for part in self.inflow_parts}

    @property
    def source_formula(self) -> sympy.Expr:
        """The source that the solution needs."""
        solution = self.formula("solution")
        terms = zip(self.velocities, self.space_symbols, strict=True)
        return sympy.Add(*(sympy.nsimplify(c) * sympy.diff(solution, x) for c, x in terms))

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit square, both ends included."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """The source of the solution, once a seed; see `Problem.sample_inputs`."""
        values = self.values(self.source_formula, self.check_grid(domain))
        return {"source": Field(values.expand(len(seeds), 1, *domain.shape).clone(), domain, ("source",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        """``manufactured``: the solution."""
        expressions = {"source": self.source_formula, "density": self.formula("solution")}
        return {"manufactured": ExactSolution(self, expressions, "the solution that the data is made for")}
