"""Derivatives of values on a grid along one axis."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pdeops.domains.axis import Axis, AxisKind
from pdeops.domains.grid import Grid

ACCURACY = 4  # order of the finite differences on nodes and cells


def derivative(
    values: Float[Tensor, "*batch_and_shape"], grid: Grid, axis: int, order: int = 1
) -> Float[Tensor, "*batch_and_shape"]:
    r"""Differentiate :math:`\partial^p u / \partial x_a^p` on a grid.

    Spectral on periodic axes (FFT) and on Chebyshev axes (powers of the differentiation matrix), finite
    differences of order 4 on nodes and cells, one-sided at the ends.

    Args:
        values: Values :math:`u`, shape (..., *grid.shape).
        grid: The grid.
        axis: Number of the axis :math:`a`, from 0.
        order: Order :math:`p` of the derivative; at least 1.

    Returns:
        The derivative, same shape and dtype.

    Raises:
        ValueError: The shape is not the grid's, or there is no such axis.

    Failure mode: Periodic derivatives of values that do not close the period ring (Gibbs); the odd
    derivative of the Nyquist wave is unknown and taken as zero.

    Source: Trefethen (2000), Spectral Methods in MATLAB, doi:10.1137/1.9780898719598.
    """
    if tuple(values.shape[-grid.dimension :]) != grid.shape or not 0 <= axis < grid.dimension or order < 1:
        raise ValueError(
            f"derivative: expected values of shape (..., {', '.join(map(str, grid.shape))}), an axis below "
            f"{grid.dimension} and an order of at least 1, got {tuple(values.shape)}, {axis} and {order}"
        )
    dim = axis - grid.dimension
    line = grid.axes[axis]
    if not line.is_periodic:
        matrix = differentiation_matrix(line, order).to(values)
        return torch.movedim(torch.movedim(values, dim, -1) @ matrix.T, -1, dim)
    wavenumbers = torch.arange(line.num_points // 2 + 1, dtype=torch.float64) * (2 * math.pi / line.length)
    factor = ((1j * wavenumbers) ** order).to(device=values.device, dtype=values.dtype.to_complex())
    if line.num_points % 2 == 0 and order % 2 == 1:
        factor[-1] = 0
    spectrum = torch.fft.rfft(values, dim=dim) * factor.reshape(-1, *(1,) * (-dim - 1))
    return torch.fft.irfft(spectrum, n=line.num_points, dim=dim)


@lru_cache(maxsize=64)
def differentiation_matrix(axis: Axis, order: int = 1) -> Float64[Tensor, "num_points num_points"]:
    """Matrix of the derivative along an axis that is not periodic; see `derivative`.

    Raises:
        ValueError: The axis has too few points for the order.
    """
    # A tensor made inside inference mode (validation) could not be used in training afterwards.
    with torch.inference_mode(False):
        return _differentiation_matrix(axis, order)


def _differentiation_matrix(axis: Axis, order: int) -> Tensor:
    if axis.kind is AxisKind.CHEBYSHEV:
        return torch.linalg.matrix_power(_chebyshev(axis), order)
    width = order + ACCURACY
    if axis.num_points < width:
        raise ValueError(
            f"axis {axis.name!r}: expected at least {width} points for derivative {order}, "
            f"got {axis.num_points}"
        )
    matrix = torch.zeros(axis.num_points, axis.num_points, dtype=torch.float64)
    # A centred stencil of odd width gains one order by symmetry, so it needs one point less.
    centred = width if width % 2 else width - 1
    for row in range(axis.num_points):
        start = row - centred // 2
        size = centred
        if start < 0 or start + centred > axis.num_points:
            size = width
            start = 0 if start < 0 else axis.num_points - width
        matrix[row, start : start + size] = _stencil(size, row - start, order) / axis.spacing**order
    return matrix


def _stencil(size: int, position: int, order: int) -> Tensor:
    """Weights exact for polynomials up to degree ``size - 1``, on unit spacing, at one of the points."""
    offsets = torch.arange(size, dtype=torch.float64) - position
    moments = torch.zeros(size, dtype=torch.float64)
    moments[order] = math.factorial(order)
    return torch.linalg.solve(offsets ** torch.arange(size)[:, None], moments)


def _chebyshev(axis: Axis) -> Tensor:
    """First derivative at Chebyshev points; diagonal by the negative-sum trick, which limits roundoff."""
    scale = torch.ones(axis.num_points, dtype=torch.float64)
    scale[0] = scale[-1] = 2.0
    scale[1::2] *= -1
    difference = axis.points[:, None] - axis.points
    matrix = scale[:, None] / scale / (difference + torch.eye(axis.num_points, dtype=torch.float64))
    matrix.fill_diagonal_(0.0)
    return matrix - torch.diag(matrix.sum(dim=1))
