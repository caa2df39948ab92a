"""From a fine grid to a coarser one, as published data sets were made from fine solutions."""

from __future__ import annotations

import torch

from pdeops.domains import Axis, AxisKind, Field, Grid


def restrict(field: Field, domain: Grid) -> Field:
    """Bring a field to a coarser grid of the same box, axis by axis.

    - Periodic axes: the spectrum is truncated (`Field.resample`), so no wave is aliased.
    - Nodes, cells, Chebyshev: the values at the points that both grids share, unchanged. Such points exist
      when ``fine - 1`` is a multiple of ``coarse - 1`` (nodes, Chebyshev) or ``fine`` an odd multiple of
      ``coarse`` (cells). Discontinuous coefficients keep their two values this way.
    - Cells with an even ratio share no centres: mean of the fine cells inside each coarse cell, which is the
      exact cell average of a finite-volume solution, second order at the centre, and blurs interfaces.

    Args:
        field: Field on the fine grid.
        domain: The coarse grid.

    Returns:
        The field on the coarse grid.

    Raises:
        ValueError: The boxes or kinds differ, or an axis cannot be coarsened this way.
        TypeError: The field lives on a mesh.
    """
    if field.domain == domain:
        return field
    fine = field.domain
    if not isinstance(fine, Grid):
        raise TypeError(
            "restrict: expected a field on a Grid, got one on a Mesh; try Field.at for its points"
        )
    if len(fine.axes) != len(domain.axes) or any(
        axis.with_num_points(target.num_points) != target or axis.num_points < target.num_points
        for axis, target in zip(fine.axes, domain.axes, strict=True)
    ):
        raise ValueError(
            f"restrict: expected a coarser sampling of {fine.axes}, got {domain.axes}; "
            "try fine_domain.with_shape(...)"
        )
    spectral = Grid(
        tuple(
            target if axis.is_periodic else axis for axis, target in zip(fine.axes, domain.axes, strict=True)
        )
    )
    field = field.resample(spectral)
    values = field.values
    for number, (axis, target) in enumerate(zip(spectral.axes, domain.axes, strict=True)):
        if axis != target:
            values = _coarsen(values, number - domain.dimension, axis, target)
    return Field(values, domain, field.channels, field.units, field.times)


def _coarsen(values: torch.Tensor, dim: int, axis: Axis, target: Axis) -> torch.Tensor:
    distance = (axis.points[None, :] - target.points[:, None]).abs()
    nearest = distance.min(dim=1)
    if bool((nearest.values < 1e-9 * axis.length).all()):
        return values.index_select(dim, nearest.indices.to(values.device))
    ratio, rest = divmod(axis.num_points, target.num_points)
    if axis.kind is AxisKind.CELLS and rest == 0:
        return values.unflatten(dim, (target.num_points, ratio)).mean(dim=dim)
    offset = 1 if axis.has_ends else 0
    raise ValueError(
        f"restrict: axis {axis.name!r} ({axis.kind}): expected {axis.num_points} points to "
        "be reduced by "
        f"an integer ratio, got {target.num_points} wanted; try {(axis.num_points - offset) // 2 + offset}"
    )
