"""Steady diffusion and reaction: the form that all elliptic solvers share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import sympy
import torch
from jaxtyping import Float, Float64
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field
from pdeops.problems.boundary_condition import DEFAULT, BoundaryCondition, BoundaryConditions, Dirichlet
from pdeops.problems.expression import Value, evaluate
from pdeops.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class EllipticProblem(Problem):
    r"""Problems of the form :math:`-\nabla \cdot (a \nabla u) + g(u) = f` for one unknown.

    A subclass states a, g and f; the equation, the conormal derivative of the boundary conditions and the
    coefficients that solvers ask for follow.

    Args:
        boundary: Conditions by boundary part.

    Failure mode: Without reaction and without a Dirichlet or Robin part, u is defined up to a constant, and
        only if the source and the fluxes balance; solvers refuse other data.
    """

    steady: ClassVar[bool] = True
    allows_meshes: ClassVar[bool] = True
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (
        AxisKind.CELLS,
        AxisKind.NODES,
        AxisKind.CHEBYSHEV,
        AxisKind.PERIODIC,
    )

    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Dirichlet()}))

    @property
    def unknown(self) -> sympy.Expr:
        """The function u."""
        return self.function(self.outputs[0].name)

    @property
    def diffusion(self) -> sympy.Expr:
        """Coefficient a > 0, in coordinates, numbers and inputs."""
        return sympy.Integer(1)

    @property
    def reaction(self) -> sympy.Expr:
        """Term g(u), an expression in `unknown`."""
        return sympy.Integer(0)

    @property
    @abstractmethod
    def source(self) -> sympy.Expr:
        """Source f, in coordinates, numbers and inputs."""

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The coefficient of diffusion."""
        return self.diffusion

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The balance of diffusion, reaction and source."""
        divergence = sum(
            sympy.Derivative(self.diffusion * sympy.Derivative(self.unknown, x), x)
            for x in self.space_symbols
        )
        return (sympy.Eq(-divergence + self.reaction, self.source, evaluate=False),)

    @cached_property
    def reaction_slope(self) -> sympy.Expr:
        """Derivative dg/du: the coefficient r of a linear reaction, the Jacobian of any other."""
        placeholder = sympy.Dummy("u")
        slope = sympy.diff(self.reaction.subs(self.unknown, placeholder), placeholder)
        return slope.subs(placeholder, self.unknown)

    @cached_property
    def reaction_at_zero(self) -> sympy.Expr:
        """The value g(0): a linear reaction is ``reaction_slope * u + reaction_at_zero``."""
        return self.reaction.subs(self.unknown, 0)

    @property
    def is_linear(self) -> bool:
        """Whether the reaction is linear in u."""
        return self.unknown not in self.reaction_slope.atoms(AppliedUndef)

    def coefficient_values(
        self,
        expression: sympy.Expr,
        inputs: Mapping[str, Field],
        domain: Domain,
        *,
        unknown: Float[Tensor, "batch *shape"] | None = None,
    ) -> Float64[Tensor, "batch *shape"]:
        """Values of a coefficient at the points of a domain.

        Args:
            expression: `diffusion`, `source`, `reaction`, `reaction_slope` or `reaction_at_zero`.
            inputs: The inputs by name, on this domain.
            domain: Grid or mesh.
            unknown: Values of u where the expression holds it.

        Returns:
            One value a sample and point, float64, on the device of the inputs.
        """
        first = next(iter(inputs.values())).values
        values: dict[str, Value] = {name: x.to(first.device) for name, x in self.coordinates(domain).items()}
        values |= self.numbers
        values |= {name: item.values[:, 0].double() for name, item in inputs.items()}
        if unknown is not None:
            values[self.outputs[0].name] = unknown
        result = evaluate(expression, values).to(first.device, torch.float64)
        return result.expand(len(first), *domain.shape).clone()
