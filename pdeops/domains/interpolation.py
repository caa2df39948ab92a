"""Interpolation along one axis as a matrix; grids of any dimension apply one an axis."""

from __future__ import annotations

import math

import numpy
import torch
from jaxtyping import Float64
from scipy.interpolate import make_interp_spline
from torch import Tensor

from pdeops.domains.axis import Axis, AxisKind


def interpolation_matrix(
    axis: Axis, points: Float64[Tensor, " targets"], max_wavenumber: int | None = None
) -> Float64[Tensor, "targets num_points"]:
    r"""Matrix that takes values on an axis to values at given points.

    Periodic axes use the trigonometric interpolant, Chebyshev axes the polynomial (barycentric form),
    nodes and cells a not-a-knot cubic spline (order 4; lower degree below four points).

    Args:
        axis: Axis on which the values are given.
        points: Coordinates of the targets; periodic coordinates are wrapped.
        max_wavenumber: Periodic axes only: drop waves with more than this many periods. Resampling to a
            coarser grid sets it, so that fine waves are removed and not aliased.

    Returns:
        The matrix, float64.

    Raises:
        ValueError: A point lies outside of an axis that is not periodic.

    Source: Berrut and Trefethen (2004), doi:10.1137/S0036144502417715, for the barycentric form.
    """
    if axis.is_periodic:
        return _trigonometric(axis, points, max_wavenumber)
    slack = 1e-9 * axis.length
    if points.numel() and (points.min() < axis.lower - slack or points.max() > axis.upper + slack):
        raise ValueError(
            f"axis {axis.name!r}: expected points in [{axis.lower}, {axis.upper}], "
            f"got {points.min().item():g} to {points.max().item():g}"
        )
    return _barycentric(axis, points) if axis.kind is AxisKind.CHEBYSHEV else _spline(axis, points)


def resampling_matrix(axis: Axis, target: Axis) -> Float64[Tensor, "targets num_points"]:
    """Matrix from values on one axis to values on another sampling of the same interval.

    On periodic axes the common waves are kept, those that the target cannot hold are dropped, and the
    Nyquist wave of an even number of points is taken as a cosine.
    """
    limit = min(axis.num_points, target.num_points) // 2 if axis.is_periodic else None
    return interpolation_matrix(axis, target.points, limit)


def _trigonometric(axis: Axis, points: Tensor, max_wavenumber: int | None) -> Tensor:
    """Dirichlet kernel of the kept waves between every target and every source point."""
    num_points = axis.num_points
    highest = num_points // 2 if max_wavenumber is None else min(max_wavenumber, num_points // 2)
    wavenumbers = torch.arange(highest + 1, dtype=torch.float64)
    amplitude = torch.full((highest + 1,), 2.0 / num_points, dtype=torch.float64)
    amplitude[0] = 1.0 / num_points
    if 2 * highest == num_points:
        amplitude[-1] = 1.0 / num_points
    target_angle = 2 * math.pi * wavenumbers * ((points[:, None] - axis.lower) / axis.length)
    source_angle = 2 * math.pi * wavenumbers * ((axis.points[:, None] - axis.lower) / axis.length)
    cosines = (torch.cos(target_angle) * amplitude) @ torch.cos(source_angle).T
    return cosines + (torch.sin(target_angle) * amplitude) @ torch.sin(source_angle).T


def _barycentric(axis: Axis, points: Tensor) -> Tensor:
    weights = torch.ones(axis.num_points, dtype=torch.float64)
    weights[1::2] = -1.0
    weights[0] /= 2
    weights[-1] /= 2
    difference = points[:, None] - axis.points
    # Closer than roundoff to a node: the quotient is 0/0, its limit is that node's value.
    hit = difference.abs() <= 1e-14 * axis.length
    quotient = weights / torch.where(hit, torch.ones_like(difference), difference)
    matrix = quotient / quotient.sum(dim=1, keepdim=True)
    return torch.where(hit.any(dim=1, keepdim=True), hit.double(), matrix)


def _spline(axis: Axis, points: Tensor) -> Tensor:
    if axis.num_points == 1:
        return torch.ones(len(points), 1, dtype=torch.float64)
    degree = min(3, axis.num_points - 1)
    spline = make_interp_spline(axis.points.numpy(), numpy.eye(axis.num_points), k=degree)
    return torch.from_numpy(spline(points.numpy()))
