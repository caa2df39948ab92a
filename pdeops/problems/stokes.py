"""Slow viscous flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, cos, pi, sin

from pdeops.domains import AxisKind, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryConditions, Dirichlet
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.variable import Variable
from pdeops.problems.vector_problem import CLAMPED, VectorProblem


@dataclass(frozen=True, kw_only=True)
class Stokes(VectorProblem):
    r"""Velocity and pressure of a flow without inertia, in the plane.

    .. math:: -\nu \Delta u + \nabla p = b, \qquad \nabla \cdot u = 0

    Maps the body force to velocity and pressure. All quantities are dimensionless.

    `Dirichlet` gives a component of the velocity, `Neumann` a component of
    :math:`\nu\,\partial u / \partial n - p n`, whose zero lets the flow
    out. Where the velocity is given all around, as by default, the flow is enclosed: its normal part must
    balance, and the pressure has mean zero.

    Args:
        viscosity: Viscosity :math:`\nu > 0`.
        sampler: Distribution of each component of the body force.
        boundary_x: Conditions of the x component by boundary part; no slip by default.
        boundary_y: Conditions of the y component.
        boundary_z: Not used in the plane.

    Good values: Quadratic elements for the velocity with 16 cells a side.

    Failure mode: A velocity that jumps along the boundary, as at the corners under a moving lid, has an
        unbounded pressure there: errors fall slowly and stay near these corners.

    Source: G. G. Stokes (1851), On the effect of the internal friction of fluids on the motion of pendulums.
    """

    name: ClassVar[str] = "stokes"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = (
        Variable("force_x", latex="b_x"),
        Variable("force_y", latex="b_y"),
    )
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("velocity_x", latex="u_x"),
        Variable("velocity_y", latex="u_y"),
        Variable("pressure", latex="p"),
    )

    viscosity: float = parameter(1.0, symbol=r"\nu", positive=True)

    @property
    def stress(self) -> sympy.Matrix:
        r"""The tensor :math:`\nu \nabla u - p I`, whose divergence balances the force."""
        pressure, viscosity = self.function("pressure"), self.symbol("viscosity")
        gradient = sympy.Matrix([[Derivative(u, x) for x in self.space_symbols] for u in self.vector])
        return viscosity * gradient - pressure * sympy.eye(self.dimension)

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Balance of forces along each axis, and of volume."""
        pressure, viscosity = self.function("pressure"), self.symbol("viscosity")
        coordinates = self.space_symbols
        balances = [
            Eq(-viscosity * laplacian(u, coordinates) + Derivative(pressure, x), force, evaluate=False)
            for u, x, force in zip(self.vector, coordinates, self.force, strict=True)
        ]
        divergence = sum(Derivative(u, x) for u, x in zip(self.vector, coordinates, strict=True))
        return (*balances, Eq(divergence, 0, evaluate=False))

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit square."""
        return Grid.box(shape, AxisKind.NODES)

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on the unit square.

        - ``vortex``: the curl of :math:`\sin^2 \pi x \sin^2 \pi y`, which has no slip, with the pressure
          :math:`\cos \pi x \sin \pi y` of mean zero, and the force made for them.
        - ``poiseuille``: :math:`u_x = 4 y (1 - y)` with :math:`p = 8 \nu (1/2 - x)`, no force. A parabola and
          a line, so quadratic elements give it to rounding.
        """
        x, y = self.space_symbols
        stream = sin(pi * x) ** 2 * sin(pi * y) ** 2
        vortex = (stream.diff(y), -stream.diff(x), cos(pi * x) * sin(pi * y))
        pipe = (4 * y * (1 - y), sympy.S(0), 8 * self.symbol("viscosity") * (sympy.Rational(1, 2) - x))
        inflow = BoundaryConditions({DEFAULT: Dirichlet(value="4*y*(1 - y)")})
        still = replace(self, boundary_x=CLAMPED, boundary_y=CLAMPED)
        moved = replace(self, boundary_x=inflow, boundary_y=CLAMPED)
        return {
            "vortex": ExactSolution(still, self._balanced(vortex), "a vortex without slip"),
            "poiseuille": ExactSolution(moved, self._balanced(pipe), "flow between plates"),
        }

    def _balanced(self, flow: tuple[sympy.Expr, ...]) -> dict[str, sympy.Expr]:
        """A flow and the body force that drives it."""
        functions = [self.function(variable.name) for variable in self.outputs]
        replacements = dict(zip(functions, flow, strict=True))
        forces = [equation.lhs.subs(replacements).doit() for equation in self.equations[: self.dimension]]
        names = [variable.name for variable in (*self.inputs, *self.outputs)]
        return dict(zip(names, [*forces, *flow], strict=True))
