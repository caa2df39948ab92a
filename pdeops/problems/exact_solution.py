"""Solutions in closed form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.problems.boundary_condition import DEFAULT
from pdeops.problems.expression import Value, evaluate
from pdeops.problems.parameterised import SPACE
from pdeops.problems.problem import Problem
from pdeops.problems.residual import TIME
from pdeops.problems.variable import Variable


@dataclass(frozen=True, eq=False)
class ExactSolution:
    """A solution in closed form.

    Args:
        problem: The instance that it solves: some solutions need other parameters than the problem that lists
            them (no forcing, a manufactured one).
        expressions: SymPy expressions of all inputs, outputs and auxiliary unknowns by name, in the problem's
            coordinate and parameter symbols.
        description: What it is and what it tests.
    """

    problem: Problem
    expressions: Mapping[str, sympy.Expr]
    description: str

    def inputs(self, domain: Domain) -> dict[str, Field]:
        """The inputs, one sample of each.

        Args:
            domain: Where.

        Returns:
            Fields by name, float64, on the CPU.
        """
        return {variable.name: self._field((variable,), domain, None) for variable in self.problem.inputs}

    def solution(self, domain: Domain, times: Float[Tensor, " time"] | None = None) -> Field:
        """The outputs.

        Args:
            domain: Where.
            times: When; None for a steady problem.

        Returns:
            A field of one sample with all outputs.

        Raises:
            ValueError: Times are missing, or given to a steady problem.
        """
        if self.problem.steady != (times is None):
            raise ValueError(
                f"{self.problem.name}: expected {'no times' if self.problem.steady else 'times'}"
            )
        return self._field(self.problem.outputs, domain, times)

    def time_derivative(self, domain: Domain, times: Float[Tensor, " time"]) -> Field:
        """First time derivative of the outputs.

        Args:
            domain: Where.
            times: When.

        Returns:
            A field of one sample with all outputs.
        """
        slopes = {name: sympy.diff(item, self.problem.time_symbol) for name, item in self.expressions.items()}
        return dataclasses.replace(self, expressions=slopes)._field(self.problem.outputs, domain, times)

    def boundary_mismatch(
        self, domain: Domain, times: Float[Tensor, " time"] | None = None
    ) -> dict[str, float]:
        """How far the solution is from the problem's conditions on the boundary of a domain.

        A periodic solution, for example, is none between walls.

        Args:
            domain: Where.
            times: When; None for a steady problem.

        Returns:
            By boundary part, the largest difference between the two sides of its condition.
        """
        conditions = self.problem.boundary_conditions
        functions = {self.problem.function(name): item for name, item in self.expressions.items()}
        result = {}
        for name in domain.boundary_names:
            condition = conditions.get(name, conditions.get(DEFAULT))
            if condition is None:
                continue
            part = domain.boundary(name)
            values: dict[str, Value] = {**self.problem.numbers}
            values |= dict(zip(SPACE, part.points.unbind(1), strict=False))
            normals = zip(self.problem.normal_symbols, part.normals.unbind(1), strict=True)
            values |= {symbol.name: normal for symbol, normal in normals}
            if times is not None:
                values[TIME] = times.detach().cpu().double()[:, None]
            sides = condition.lhs - condition.rhs
            rows = sides if isinstance(sides, sympy.MatrixBase) else [sides]
            differences = [evaluate(row.subs(functions).doit(), values).abs().max() for row in rows]
            result[name] = max(difference.item() for difference in differences)
        return result

    def _field(self, variables: Sequence[Variable], domain: Domain, times: Tensor | None) -> Field:
        values = [
            self.problem.values(self.expressions[variable.name], domain, times) for variable in variables
        ]
        stacked = torch.stack(values, dim=0 if times is None else 1)
        names, units = zip(*((variable.name, variable.unit) for variable in variables), strict=True)
        return Field(stacked[None], domain, names, units, times)
