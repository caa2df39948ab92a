"""Periodic grids with their seam closed, for pictures."""

from __future__ import annotations

from pdeops.domains import Axis, AxisKind, Grid


def close_period(grid: Grid) -> Grid:
    """Add the point that a periodic axis leaves out because it equals the first one.

    Args:
        grid: Any grid.

    Returns:
        The grid with every periodic axis turned into nodes with both ends; the old points stay where they
        are.
    """
    return Grid(
        tuple(
            Axis(axis.name, axis.lower, axis.upper, axis.num_points + 1, AxisKind.NODES)
            if axis.is_periodic
            else axis
            for axis in grid.axes
        )
    )
