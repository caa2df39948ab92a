"""Spectral differentiation matrices of one axis."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, AxisKind

Matrix = Float64[Tensor, "num_points num_points"]


@lru_cache(maxsize=32)
def differentiation_matrices(axis: Axis) -> tuple[Matrix, Matrix]:
    r"""Matrices of the first and the second derivative along a Chebyshev or a periodic axis.

    On Chebyshev points :math:`x_j` differences are formed as products of sines, off-diagonal entries of the
    second derivative from those of the first, :math:`D^{(2)}_{ij} = 2 D_{ij} (D_{ii} - 1/(x_i - x_j))`, and
    diagonals so that constants have derivative zero. Rounding in a second derivative is then about
    1e-16 :math:`n^4 / 10`: 1e-9 at 65 points, 1e-6 at 513.

    On periodic points the trigonometric interpolant is differentiated; the odd derivative of the highest wave
    of an even number of points is unknown and taken as zero.

    Args:
        axis: The axis, of n points on [a, b].

    Returns:
        First (1 / length) and second (1 / length^2) derivative, float64 on the CPU; not to be written to.

    Raises:
        ValueError: The axis is of another kind.

    Source: B. D. Welfert (1997), Generation of pseudospectral differentiation matrices I,
    doi:10.1137/S0036142993295545; R. Baltensperger and M. R. Trummer (2003), Spectral differencing with a
    twist, doi:10.1137/S1064827501388182.
    """
    # A tensor made inside inference mode could not be used in training afterwards.
    with torch.inference_mode(False):
        match axis.kind:
            case AxisKind.CHEBYSHEV:
                return _chebyshev(axis)
            case AxisKind.PERIODIC:
                return _trigonometric(axis, 1), _trigonometric(axis, 2)
    raise ValueError(
        f"axis {axis.name!r}: expected a Chebyshev or periodic axis, got {str(axis.kind)!r}; "
        "try Grid.box(shape, 'chebyshev')"
    )


def _chebyshev(axis: Axis) -> tuple[Tensor, Tensor]:
    count = axis.num_points
    angles = math.pi * (2 * torch.arange(count, dtype=torch.float64) - (count - 1)) / (2 * (count - 1))
    # x_i - x_j on [-1, 1] without cancellation.
    differences = 2 * torch.cos((angles[:, None] + angles) / 2) * torch.sin((angles[:, None] - angles) / 2)
    inverse = 1 / differences.fill_diagonal_(1.0)
    scale = torch.ones(count, dtype=torch.float64)
    scale[0] = scale[-1] = 2.0
    scale[1::2] *= -1
    first = _rows_sum_to_zero(scale[:, None] / scale * inverse)
    second = _rows_sum_to_zero(2 * first * (first.diagonal()[:, None] - inverse))
    stretch = 2 / axis.length
    return stretch * first, stretch**2 * second


def _rows_sum_to_zero(matrix: Tensor) -> Tensor:
    """Choose the diagonal so that the rows sum to zero: constants have derivative zero."""
    matrix.fill_diagonal_(0.0)
    return matrix - torch.diag(matrix.sum(dim=1))


def _trigonometric(axis: Axis, order: int) -> Tensor:
    count = axis.num_points
    waves = torch.arange(count // 2 + 1, dtype=torch.float64) * (2 * math.pi / axis.length)
    factor = (1j * waves) ** order
    if count % 2 == 0 and order % 2 == 1:
        factor[-1] = 0
    spectrum = torch.fft.rfft(torch.eye(count, dtype=torch.float64), dim=0)
    return torch.fft.irfft(spectrum * factor[:, None], n=count, dim=0)
