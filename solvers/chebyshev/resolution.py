"""How well a tensor grid resolves values: the size of their highest coefficients."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, AxisKind, Grid
from solvers.chebyshev.line_basis import LineBasis
from solvers.chebyshev.tensor_products import apply_along


def spectral_tail(values: Float64[Tensor, "batch *shape"], grid: Grid) -> Float64[Tensor, " batch"]:
    """Largest of the highest tenth of the coefficients along any axis, relative to the largest of all.

    Where coefficients decay geometrically this is about the error of the interpolant: 1e-12 says that more
    points gain nothing, 1e-2 that the grid does not resolve the values.

    Args:
        values: Values on the grid.
        grid: Chebyshev and periodic axes.

    Returns:
        One number a sample; 0 for values that are zero.
    """
    worst = values.new_zeros(len(values))
    for number, axis in enumerate(grid.axes):
        matrix, high = _coefficients(axis)
        dim = number - grid.dimension
        sizes = torch.movedim(apply_along(matrix.to(values), values, dim), dim, -1).abs()
        tail = sizes[..., high.to(values.device)].flatten(1).amax(dim=1)
        largest = sizes.flatten(1).amax(dim=1)
        worst = torch.maximum(worst, tail / largest.clamp_min(1e-300))
    return worst


def _coefficients(axis: Axis) -> tuple[Tensor, Tensor]:
    """Matrix from values to coefficients, and which of them are the highest tenth (two at least)."""
    count = max(2, math.ceil(axis.num_points / 10))
    if axis.kind is AxisKind.PERIODIC:
        basis = LineBasis.periodic(axis)
        return basis.inverse, (-basis.eigenvalues).argsort()[-count:]
    degree = axis.num_points - 1
    index = torch.arange(axis.num_points, dtype=torch.float64)
    polynomials = torch.cos(math.pi * (1 - index[:, None] / degree) * index)
    return torch.linalg.inv(polynomials), torch.arange(axis.num_points - count, axis.num_points)
