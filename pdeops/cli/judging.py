"""How good a solution is, in numbers where they exist and in words where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid, squared_norm
from pdeops.problems import Problem, time_derivative_matrix

# One-sided differences at the ends of a series and of an axis would drown what happens between them.
END_FRAMES = 3
END_POINTS = 2
ENOUGH_FRAMES = 13
# Where a residual is a good part of its terms, it says as much about the grid as about the solver.
ROUGH = 0.3


def residual_of(problem: Problem, inputs: Mapping[str, Field], solution: Field) -> tuple[float | None, str]:
    r"""Relative residual of a solution in the equations of its problem.

    For a problem with a time, :math:`\|R(u)\| / \|u_t\|`; for a steady one :math:`\|R(u)\| / \|R(0)\|`, R(0)
    being what the equation leaves of the field zero: its source. Walls and, of long series, the first and the
    last three frames are left out, where only one-sided differences are to be had.

    Args:
        problem: The problem.
        inputs: Its inputs.
        solution: Its outputs.

    Returns:
        The largest number of the batch, and what it is relative to; or None, and why there is none.
    """
    if not isinstance(solution.domain, Grid):
        return None, "not defined on a mesh, where linear elements have no second derivatives"
    if solution.times is not None and len(solution.times) < 2:
        return None, "not defined with a single frame, which has no time derivative"
    try:
        left = problem.residual(solution, inputs)
        if solution.times is None:
            zero = replace(solution, values=torch.zeros_like(solution.values))
            scale, words = problem.residual(zero, inputs).values, "its source"
        else:
            matrix = time_derivative_matrix(solution.times).to(solution.values)
            scale, words = (
                torch.einsum("ts,bs...->bt...", matrix, solution.values),
                "the differences in time of its frames",
            )
    except ValueError as error:
        return None, f"not defined: {error}"
    channels = [left.channels.index(variable.name) for variable in problem.outputs]
    steady = solution.times is None
    numerator = inner_norm(left.values.index_select(1 if steady else 2, torch.tensor(channels)), solution)
    denominator = inner_norm(scale.narrow(1 if steady else 2, 0, len(channels)), solution)
    if not bool((denominator > 0).all()):
        return None, f"{numerator.max().item():.1e}, with {words} zero there is nothing to relate it to"
    ratio = (numerator / denominator).max().item()
    if not ratio < ROUGH:
        words += ": the fields are too rough for pointwise derivatives on this grid, or no solution"
    return ratio, f"relative to {words}"


def inner_norm(values: Tensor, like: Field) -> Tensor:
    """L2 norm of each sample away from walls and from the ends of a long series."""
    grid, times = like.domain, like.times
    if times is not None and len(times) >= ENOUGH_FRAMES:
        values = values[:, END_FRAMES:-END_FRAMES]
    mask = torch.ones(grid.shape, dtype=values.dtype)
    for number, axis in enumerate(grid.axes if isinstance(grid, Grid) else ()):
        if axis.kind is not AxisKind.PERIODIC and axis.num_points > 4 * END_POINTS:
            mask.movedim(number, 0)[:END_POINTS] = 0
            mask.movedim(number, 0)[-END_POINTS:] = 0
    return squared_norm(values.cpu() * mask, grid).flatten(1).sum(1).sqrt()


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
