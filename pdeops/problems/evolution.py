"""Exact solutions in time: they start from their own values at time zero."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.problem import Problem


def evolving_solution(problem: Problem, outputs: Mapping[str, sympy.Expr], description: str) -> ExactSolution:
    """An exact solution whose initial inputs, if there are any, are its outputs at time zero.

    Args:
        problem: The instance that it solves.
        outputs: Expressions of the outputs, auxiliary unknowns and other inputs by name.
        description: See `ExactSolution`.

    Returns:
        The solution with all its inputs.
    """
    pairs = zip(problem.initial_inputs, problem.outputs, strict=False)
    inputs = {start: outputs[output.name].subs(problem.time_symbol, 0) for start, output in pairs}
    return ExactSolution(problem, {**inputs, **outputs}, description)
