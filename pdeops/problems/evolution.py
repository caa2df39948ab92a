"""Exact solutions in time: they start from their own values at time zero."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.problem import Problem


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
