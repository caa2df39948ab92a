"""What the data of a problem tells of the frequencies of its solution, and whether a grid can hold them."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import AxisKind, Grid
from pdeops.gp.boundary_rows import face_values
from pdeops.gp.posed_problem import PosedProblem
from pdeops.gp.spectral_lines import band_limit, merged, spectral_lines, warn_below_nyquist
from pdeops.problems import ManufacturedPoisson, Problem, Transport

REFINEMENT = 8


def axis_lines(posed: PosedProblem, number: int) -> Float64[Tensor, " components"]:
    """Frequencies of a mixture for an axis: zero, and the lines of inputs and conditions along it.

    Args:
        posed: The problem on its grid.
        number: Number of the axis.

    Returns:
        Frequencies in cycles a unit of length.
    """
    axis = posed.grid.axes[number]
    zero = torch.zeros(1, dtype=torch.float64)
    columns = posed.data_along(number)
    if not columns:
        return zero
    if axis.kind is AxisKind.CHEBYSHEV:
        columns = [uniform(axis.points, item) for item in columns]
    spacing = axis.length / (axis.num_points - (0 if axis.is_periodic else 1))
    lines = torch.cat([spectral_lines(item, spacing) for item in columns])
    return torch.cat([zero, merged(lines, 2 / axis.length)])


def uniform(points: Float64[Tensor, " points"], values: Float64[Tensor, "points columns"]) -> Tensor:
    """Values at as many uniform points, by linear interpolation: enough to see where the peaks are."""
    wanted = torch.linspace(points[0].item(), points[-1].item(), len(points), dtype=torch.float64)
    upper = torch.searchsorted(points, wanted).clamp(1, len(points) - 1)
    share = ((wanted - points[upper - 1]) / (points[upper] - points[upper - 1]))[:, None]
    return values[upper - 1] * (1 - share) + values[upper] * share


def check_resolution(problem: Problem, grid: Grid) -> None:
    """Warn where formulas of the data have frequencies that an axis cannot hold; see `warn_below_nyquist`.

    Boundary data is always a formula; the source is one for manufactured problems, and known on the grid only
    for others.

    Args:
        problem: The problem.
        grid: The grid.
    """
    for number, axis in enumerate(grid.axes):
        count = REFINEMENT * axis.num_points
        finer = Grid(
            tuple(
                replace(
                    other,
                    num_points=count if n == number else min(other.num_points, 33),
                    kind=AxisKind.PERIODIC if other.is_periodic else AxisKind.NODES,
                )
                for n, other in enumerate(grid.axes)
            )
        )
        known = [face_values(problem, finer, n) for n in range(grid.dimension) if n != number]
        if isinstance(problem, ManufacturedPoisson | Transport):
            known.append(problem.values(problem.source_formula, finer))
        spacing = finer.axes[number].spacing
        columns = [torch.movedim(item, number, 0).reshape(count, -1) for item in known]
        highest = max((band_limit(item, spacing) for item in columns if item.shape[1]), default=0.0)
        # The window widens every line by a few waves over the length of the axis.
        highest = max(highest - 4 / axis.length, 0.0)
        warn_below_nyquist(axis.name, axis.num_points, axis.length, highest, "data")
