"""How good a solution is, in numbers where they exist and in words where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy
import torch
from torch import Tensor

from pdeops.data import ReferenceSolver
from pdeops.domains import AxisKind, Domain, Field, Grid, squared_norm
from pdeops.gp import GaussianProcessSolution
from pdeops.problems import Problem, evaluate, grid_rule

# One-sided differences at the ends of an axis would drown what happens between them.
END_POINTS = 2
# A short series of frames behind the last one, in parts of the distance of the frames; the middle one counts.
SHORT_SERIES = 7
PARTS = (16, 128)
# Where a residual is a good part of its terms, it says as much about the grid as about the solver.
ROUGH = 0.3


def residual_of(
    problem: Problem, inputs: Mapping[str, Field], solution: Field, solver: ReferenceSolver
) -> tuple[float | None, str]:
    r"""Residual of a solution in the equations of its problem, relative to the largest of their terms.

    .. math:: \|R(u)\| \, / \, \max_i \|T_i(u)\|, \qquad R = T_1 + T_2 + \dots

    For a problem with a time this is measured just after the last frame: the solver goes on from there for
    seven close frames, because those of the solution may be too far apart to tell the time derivative from
    them. Of two distances of these frames the better one counts. Walls are left out, where only one-sided
    differences are to be had.

    Args:
        problem: The problem.
        inputs: Its inputs.
        solution: Its outputs.
        solver: What solved it.

    Returns:
        The largest number of the batch, and what it is relative to; or None, and why there is none.
    """
    if isinstance(solution, GaussianProcessSolution):
        # Differences of values on the grid would be worse than what it knows of its own derivatives.
        return None, "the misfit above, by the derivatives of the posterior"
    if not isinstance(solution.domain, Grid):
        return None, "not defined on a mesh, where linear elements have no second derivatives"
    try:
        if solution.times is None:
            residual, reference = residual_and_terms(problem, inputs, solution)
            words = "the largest term"
        else:
            residual, reference = residual_after(problem, inputs, solution, solver)
            words = f"the largest term at t = {solution.times[-1].item():g}"
    except (ValueError, RuntimeError) as error:
        return None, f"not defined: {error}"
    if not bool((reference > 0).all()):
        return None, "not defined: all terms of the equation are zero"
    ratio = (residual / reference).max().item()
    if not ratio < ROUGH:
        words += ": the fields are too rough for pointwise derivatives on this grid, or no solution"
    return ratio, f"relative to {words}"


def residual_after(
    problem: Problem, inputs: Mapping[str, Field], solution: Field, solver: ReferenceSolver
) -> tuple[Tensor, Tensor]:
    """Norms of the residual and of the largest terms just after the last frame of a solution.

    Raises:
        ValueError: The solution has one frame only.
        RuntimeError: The solver does not go on.
    """
    if solution.times is None or len(solution.times) < 2:
        raise ValueError("with a single frame there is no time derivative")
    last = solution.snapshot(-1)
    start = dict(inputs)
    for initial, output in zip(problem.initial_inputs, problem.outputs, strict=False):
        start[initial] = replace(last.select(output.name), channels=(initial,))
    # A problem that always starts from zero cannot go on from a state: it is solved anew.
    origin = 0.0 if problem.initial_inputs else solution.times[-1].item()
    found = []
    for parts in PARTS:
        distance = solution.times.diff()[-1].item() / parts
        times = origin + distance * torch.arange(SHORT_SERIES, dtype=torch.float64)
        after = solver.solve(problem, start, solution.domain, times)
        series = replace(solution, values=after.values, times=times)
        found.append(residual_and_terms(problem, start, series))
    return min(found, key=lambda pair: (pair[0] / pair[1]).max().item())


def residual_and_terms(
    problem: Problem, inputs: Mapping[str, Field], solution: Field
) -> tuple[Tensor, Tensor]:
    """Norm of the residual of each sample and of the largest term of each equation, at the middle frame."""
    grid = problem.check_grid(solution.domain)
    times, dim = solution.times, 1 if solution.times is None else 2
    names = [variable.name for variable in problem.outputs]
    values: dict[str, Any] = {**problem.coordinates(grid), **problem.numbers}
    if times is not None:
        values["t"] = times.reshape(-1, *(1,) * grid.dimension)
    # (batch, 1, *shape), whose 1 stands for time, or (batch, *shape)
    values |= {name: item.values if times is not None else item.values[:, 0] for name, item in inputs.items()}
    values |= dict(zip(names, solution.values.unbind(dim), strict=True))
    values |= problem.auxiliary_values(solution)
    rule = grid_rule(grid, times)
    squares = []
    for equation in problem.equations[: len(names)]:
        norms = [
            norm_away_from_walls(evaluate(term, values, rule).expand_as(values[names[0]]), grid, times)
            for term in terms_of(equation)
        ]
        squares.append(torch.stack(norms).amax(0).square())
    left = problem.residual(solution, inputs).select(*names).values
    residual = [norm_away_from_walls(item, grid, times).square() for item in left.unbind(dim)]
    return sum(residual, torch.zeros(())).sqrt(), sum(squares, torch.zeros(())).sqrt()


def terms_of(equation: sympy.Eq) -> list[sympy.Expr]:
    """What is added up in an equation, all on the left side; products are multiplied out."""
    terms = sympy.Add.make_args(equation.lhs - equation.rhs)
    return [part for term in terms for part in sympy.Add.make_args(sympy.expand_mul(term, deep=False))]


def norm_away_from_walls(values: Tensor, grid: Grid, times: Tensor | None) -> Tensor:
    """L2 norm of each sample, of the middle frame where there are several, without points near walls."""
    frame = values if times is None else values[:, len(times) // 2]
    mask = torch.ones(grid.shape, dtype=values.dtype)
    for number, axis in enumerate(grid.axes):
        if axis.kind is not AxisKind.PERIODIC and axis.num_points > 4 * END_POINTS:
            mask.movedim(number, 0)[:END_POINTS] = 0
            mask.movedim(number, 0)[-END_POINTS:] = 0
    return squared_norm(frame * mask, grid).sqrt()


def errors_of(solution: Field, exact: Field) -> dict[str, float]:
    """Relative errors in L2 and H1 against an exact solution, the largest of the batch."""
    found = solution.to("cpu")
    return {f"relative_{kind}": found.relative_error(exact, kind).max().item() for kind in ("l2", "h1")}


def order_in_words(time_order: float | None, space_order: float | None) -> str:
    """Words for declared orders: ``order 4 in time, spectral in space``."""

    def words(order: float | None, place: str) -> list[str]:
        if order is None:
            return []
        return [f"spectral in {place}" if order == float("inf") else f"order {order:g} in {place}"]

    return ", ".join(words(time_order, "time") + words(space_order, "space"))


def describe_domain(domain: Domain) -> dict[str, object]:
    """Plain containers that say what a domain is."""
    if isinstance(domain, Grid):
        return domain.to_dict()
    return {
        "num_points": domain.num_points,
        "num_cells": len(domain.simplices),
        "boundaries": list(domain.boundary_names),
    }
