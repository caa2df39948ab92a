"""From a fine domain to a coarser one, as published data sets were made from fine solutions."""

from __future__ import annotations

from dataclasses import replace

import torch
from scipy.spatial import cKDTree

from pdeops.data.stored_meshes import same_domain
from pdeops.domains import Axis, AxisKind, Domain, Field, Grid, Mesh

COINCIDENT = 1e-9
"""Largest distance of two points that count as one, relative to the size of the domain."""


def restrict(field: Field, domain: Domain) -> Field:
    """Bring a field to a coarser grid of the same box, axis by axis, or to a mesh that its own one refines.

    - Periodic axes: the spectrum is truncated (`Field.resample`), so no wave is aliased.
    - Nodes, cells, Chebyshev: the values at the points that both grids share, unchanged. Such points exist
      when ``fine - 1`` is a multiple of ``coarse - 1`` (nodes, Chebyshev) or ``fine`` an odd multiple of
      ``coarse`` (cells). Discontinuous coefficients keep their two values this way.
    - Cells with an even ratio share no centres: mean of the fine cells inside each coarse cell, which is the
      exact cell average of a finite-volume solution, second order at the centre, and blurs interfaces.
    - Meshes: the values at the points that both share, unchanged; every point of the coarse mesh has to be
      one of the fine mesh, as `pdeops.domains.refine_mesh` leaves them.

    Args:
        field: Field on the fine domain.
        domain: The coarse domain.

    Returns:
        The field on the coarse domain.

    Raises:
        ValueError: Boxes or kinds differ, an axis cannot be coarsened this way, or meshes do not nest.
    """
    fine = field.domain
    if same_domain(fine, domain):
        return replace(field, domain=domain)
    if isinstance(fine, Mesh) and isinstance(domain, Mesh):
        points = _shared_points(fine, domain).to(field.values.device)
        return replace(field, values=field.values.index_select(-1, points), domain=domain)
    if not (isinstance(fine, Grid) and isinstance(domain, Grid)):
        raise ValueError(
            f"restrict: expected two grids or two meshes, got a {type(fine).__name__} to coarsen to a "
            f"{type(domain).__name__}; try pdeops.domains.grid_mesh"
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


def _shared_points(fine: Mesh, coarse: Mesh) -> torch.Tensor:
    """Number in the fine mesh of each point of the coarse one."""
    size = float((coarse.points.amax(dim=0) - coarse.points.amin(dim=0)).max())
    distance, number = cKDTree(fine.points.numpy()).query(coarse.points.numpy())
    missing = int((distance > COINCIDENT * size).sum())
    if missing:
        raise ValueError(
            f"restrict: expected a finer mesh with all {coarse.num_points} points of the coarse one among "
            f"its own, got one without {missing} of them; try pdeops.domains.refine_mesh"
        )
    return torch.from_numpy(number)


def _coarsen(values: torch.Tensor, dim: int, axis: Axis, target: Axis) -> torch.Tensor:
    distance = (axis.points[None, :] - target.points[:, None]).abs()
    nearest = distance.min(dim=1)
    if bool((nearest.values < COINCIDENT * axis.length).all()):
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
