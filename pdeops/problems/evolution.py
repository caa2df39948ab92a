"""What problems in time share: they start from their first inputs."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Eq

from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.problem import Problem


def starting_values(problem: Problem) -> tuple[sympy.Eq, ...]:
    """Each output at time zero equals the input of the same place.

    Args:
        problem: A problem in time, whose first inputs are the initial values of its outputs.

    Returns:
        One equation an output.
    """
    pairs = zip(problem.outputs, problem.inputs[: len(problem.outputs)], strict=True)
    return tuple(
        Eq(problem.function(output.name).subs(problem.time_symbol, 0), problem.function(start.name))
        for output, start in pairs
    )


def evolving_solution(problem: Problem, outputs: Mapping[str, sympy.Expr], description: str) -> ExactSolution:
    """An exact solution whose initial inputs are its outputs at time zero.

    Args:
        problem: The instance that it solves.
        outputs: Expressions of the outputs and auxiliary unknowns by name.
        description: See `ExactSolution`.

    Returns:
        The solution with all its inputs.
    """
    pairs = zip(problem.inputs, problem.outputs, strict=False)
    inputs = {start.name: outputs[output.name].subs(problem.time_symbol, 0) for start, output in pairs}
    return ExactSolution(problem, {**inputs, **outputs}, description)
