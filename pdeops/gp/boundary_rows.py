"""Boundary conditions of a box as rows that act on the coefficients of one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Grid
from pdeops.gp.axis_basis import AxisBasis
from pdeops.problems import Dirichlet, Neumann, Problem
from pdeops.problems.expression import evaluate


@dataclass(frozen=True, eq=False)
class AxisConditions:
    """Conditions at the ends of an axis, on the functions of its basis.

    Args:
        rows: One row an end that has a condition, shape (ends, rank).
        free: Orthonormal directions that the rows do not see, shape (rank, rank - ends).
        lift: Map of data to the most likely coefficients that meet them, shape (rank, ends).
    """

    rows: Float64[Tensor, "ends rank"]
    free: Float64[Tensor, "rank free"]
    lift: Float64[Tensor, "rank ends"]


def axis_conditions(ends: Sequence[tuple[float, float, Tensor]], basis: AxisBasis) -> AxisConditions:
    """Conditions of the two faces normal to an axis.

    Args:
        ends: Factors of u and of its derivative, and the end, from `face_factors`.
        basis: Functions of the axis.

    Returns:
        The rows and maps.
    """
    rows = wave_rows(ends, basis) @ basis.mixing
    weighted = basis.variances[:, None] * rows.T
    lift = torch.linalg.solve(rows @ weighted, weighted.T).T if len(rows) else rows.T
    free = torch.linalg.qr(rows.T, mode="complete").Q[:, len(rows) :]
    return AxisConditions(rows, free, lift)


def wave_rows(ends: Sequence[tuple[float, float, Tensor]], basis: AxisBasis) -> Float64[Tensor, "ends waves"]:
    """The conditions at the ends of an axis as rows that act on the waves of a basis."""
    rows = [alpha * basis.waves(end, 0) + slope * basis.waves(end, 1) for alpha, slope, end in ends]
    return torch.cat([torch.zeros(0, basis.num_waves, dtype=torch.float64), *rows])


def parts_of(problem: Problem, grid: Grid, number: int) -> list[str]:
    """Faces normal to an axis that have a condition, lower before upper."""
    stated = problem.conditions_on(grid)
    name = grid.axes[number].name
    return [part for part in (f"{name}_lower", f"{name}_upper") if part in stated]


def face_factors(problem: Problem, grid: Grid, number: int) -> list[tuple[float, float, Tensor]]:
    """Factors of u and of its derivative along the axis in the condition of each face, and the end.

    Raises:
        ValueError: A factor is not constant over its face.
    """
    result = []
    axis = grid.axes[number]
    for part in parts_of(problem, grid, number):
        condition = problem.conditions_on(grid)[part]
        lower = part.endswith("_lower")
        end = torch.tensor([axis.lower if lower else axis.upper], dtype=torch.float64)
        if isinstance(condition, Dirichlet):
            result.append((1.0, 0.0, end))
            continue
        conormal = evaluate(problem.conormal_coefficient, {**problem.numbers}).item()
        slope = -conormal if lower else conormal
        alpha = 0.0
        if not isinstance(condition, Neumann):
            points = grid.boundary(part).points
            coefficients = problem.boundary_values(part, condition.coefficient, points)
            if bool((coefficients - coefficients[0]).abs().max() > 1e-12 * coefficients.abs().max()):
                raise ValueError(f"boundary condition on {part!r}: expected a constant coefficient")
            alpha = coefficients[0].item()
        result.append((alpha, slope, end))
    return result


def face_values(problem: Problem, grid: Grid, number: int) -> Float64[Tensor, "..."]:
    """Right sides of the conditions on the faces normal to an axis.

    Args:
        problem: States the conditions.
        grid: The box.
        number: Number of the axis.

    Returns:
        Values at the points of the faces: the shape of the grid with the number of conditions at the axis.
    """
    stated = problem.conditions_on(grid)
    shape = [axis.num_points for axis in grid.axes]
    faces = []
    for part in parts_of(problem, grid, number):
        condition = stated[part]
        text = condition.flux if isinstance(condition, Neumann) else condition.value
        values = problem.boundary_values(part, text, grid.boundary(part).points)
        faces.append(values.reshape([*shape[:number], *shape[number + 1 :]]))
    if not faces:
        return torch.empty(*shape[:number], 0, *shape[number + 1 :], dtype=torch.float64)
    return torch.stack(faces, dim=number)
