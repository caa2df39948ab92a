"""Initial value problems in one coordinate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import sympy
from sympy.core.function import AppliedUndef

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import BoundaryCondition, Dirichlet
from pdeops.problems.gaussian_process import GaussianProcess
from pdeops.problems.problem import Problem
from pdeops.problems.random_fields import Sampler
from pdeops.problems.smooth_random_field import further_seed

START = "x_lower"
"""The end at which the outputs are given."""

DEFAULT_SAMPLER = GaussianProcess()


@dataclass(frozen=True, kw_only=True)
class OrdinaryProblem(Problem):
    r"""Ordinary differential equations :math:`s' = f(s, u(x), x)` with :math:`s = 0` where x begins.

    Maps functions u of x to the functions s of x. As u is known for all x, these are steady problems on an
    interval; there is no condition at its upper end, so `boundary` is None and `boundary_conditions` has the
    lower end only. All quantities are dimensionless. The standard interval is [0, 1]; any other will do.

    A subclass states its equations, one an output, in which the derivative of the output has a constant
    factor.

    Args:
        sampler: Distribution of each input; several inputs are independent.
    """

    steady: ClassVar[bool] = True
    dimension: ClassVar[int] = 1
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.NODES, AxisKind.CHEBYSHEV)

    sampler: Sampler = DEFAULT_SAMPLER

    @property
    def boundary_conditions(self) -> Mapping[str, sympy.Eq]:
        """All outputs are zero at the lower end."""
        outputs = [self.function(variable.name) for variable in self.outputs]
        if len(outputs) == 1:
            return {START: sympy.Eq(outputs[0], 0, evaluate=False)}
        return {START: sympy.Eq(sympy.Matrix(outputs), sympy.zeros(len(outputs), 1), evaluate=False)}

    def conditions_on(self, domain: Domain) -> dict[str, BoundaryCondition]:
        """Every output is zero at the lower end; nothing is given at the upper one."""
        return {START: Dirichlet()}

    @cached_property
    def right_hand_sides(self) -> tuple[sympy.Expr, ...]:
        """Derivative of each output, by its equation.

        Raises:
            ValueError: An equation is not of first order with a constant factor.
        """
        (x,) = self.space_symbols
        sides = []
        for variable, equation in zip(self.outputs, self.equations, strict=True):
            slope = sympy.Derivative(self.function(variable.name), x)
            difference = sympy.expand(equation.lhs - equation.rhs)
            factor = difference.coeff(slope)
            rest = sympy.expand(difference - factor * slope)
            if factor == 0 or factor.atoms(AppliedUndef) or rest.atoms(sympy.Derivative):
                raise ValueError(
                    f"{self.name}: expected an equation of first order for {variable.name!r}, got {equation}"
                )
            sides.append(sympy.expand(-rest / factor))
        return tuple(sides)

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit interval, both ends included."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw inputs; see `Problem.sample_inputs`."""
        self.check_domain(domain)
        result = {}
        for number, variable in enumerate(self.inputs):
            own = [further_seed(seed, number) if number else seed for seed in seeds]
            values = self.sampler.sample(domain, own)
            result[variable.name] = Field(values[:, None], domain, (variable.name,), (variable.unit,))
        return result
