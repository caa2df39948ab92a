"""Orthonormal real bases on one axis, as matrices."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import AxisKind

TRANSFORM_KINDS = (AxisKind.PERIODIC, AxisKind.CELLS, AxisKind.NODES)


def check_modes(kind: AxisKind | str, num_points: int, modes: int) -> None:
    """Check that an axis carries a number of basis functions.

    Args:
        kind: Kind of the axis.
        num_points: Number of points of the axis.
        modes: Number of basis functions.

    Raises:
        ValueError: The kind has no such basis, or there are more functions than points.
    """
    if kind not in TRANSFORM_KINDS:
        raise ValueError(
            f"transform: expected an axis of kind {', '.join(TRANSFORM_KINDS)}, got {str(kind)!r}; "
            "try to resample the field to such a grid"
        )
    if kind == AxisKind.NODES and num_points < 2:
        raise ValueError(f"transform: expected at least 2 nodes on an axis, got {num_points}")
    if not 1 <= modes <= num_points:
        raise ValueError(
            f"transform: expected 1 to {num_points} modes on {num_points} points (above that is the Nyquist "
            f"limit), got {modes}; try modes={num_points} or a finer grid"
        )


def synthesis_matrix(kind: AxisKind | str, num_points: int, modes: int) -> Float64[Tensor, "points modes"]:
    r"""Values of the basis functions at the points of an axis of unit length.

    * periodic: :math:`1, \sqrt2\cos 2\pi x, \sqrt2\sin 2\pi x, \sqrt2\cos 4\pi x, \dots`; with an even number
      of modes the last cosine stands alone;
    * cells and nodes: :math:`1, \sqrt2\cos \pi x, \sqrt2\cos 2\pi x, \dots` (at cell centres this is the
      DCT-II/III pair, at nodes the DCT-I).

    The functions are orthonormal under the quadrature of the axis, not only in the limit of many points. The
    one function that the points see at its extrema only (Nyquist, ``modes == num_points``; periodic axes of
    even size and nodes) has the factor 1 in place of :math:`\sqrt2`, which keeps that true.

    Args:
        kind: Kind of the axis: periodic, cells or nodes.
        num_points: Number of points.
        modes: Number of basis functions, at most the number of points.

    Returns:
        Matrix :math:`\phi_k(x_j)`, shape (points, modes), float64.

    Raises:
        ValueError: See `check_modes`.

    Source: Strang (1999), The discrete cosine transform, doi:10.1137/S0036144598336745.
    """
    check_modes(kind, num_points, modes)
    index = torch.arange(num_points, dtype=torch.float64)
    number = torch.arange(modes, dtype=torch.float64)
    match AxisKind(kind):
        case AxisKind.PERIODIC:
            # A sine is a cosine shifted by a quarter wave; reduce the integer phase first for accuracy.
            wave = torch.div(number + 1, 2, rounding_mode="floor")
            phase = torch.remainder(torch.outer(index, wave), num_points) / num_points
            quarter = torch.where((number > 0) & (number % 2 == 0), 0.25, 0.0)
            matrix = torch.cos(2 * math.pi * (phase - quarter))
        case AxisKind.CELLS:
            phase = torch.remainder(torch.outer(2 * index + 1, number), 4 * num_points)
            matrix = torch.cos(math.pi * phase / (2 * num_points))
        case _:
            intervals = num_points - 1
            phase = torch.remainder(torch.outer(index, number), 2 * intervals)
            matrix = torch.cos(math.pi * phase / intervals)
    return matrix * normalisation(kind, num_points, modes)


def analysis_matrix(kind: AxisKind | str, num_points: int, modes: int) -> Float64[Tensor, "modes points"]:
    r"""Matrix that turns values into coefficients: :math:`w_j\,\phi_k(x_j)`.

    Args:
        kind: Kind of the axis: periodic, cells or nodes.
        num_points: Number of points.
        modes: Number of basis functions.

    Returns:
        Matrix, shape (modes, points), float64: the left inverse of `synthesis_matrix`.

    Raises:
        ValueError: See `check_modes`.
    """
    matrix = synthesis_matrix(kind, num_points, modes).T
    if kind == AxisKind.NODES:
        weights = torch.full((num_points,), 1.0 / (num_points - 1), dtype=torch.float64)
        weights[0] /= 2
        weights[-1] /= 2
        return matrix * weights
    return matrix / num_points


def normalisation(kind: AxisKind | str, num_points: int, modes: int) -> Float64[Tensor, " modes"]:
    """Factor of each cosine or sine: 1 for the constant and for the Nyquist function, else root of 2."""
    factor = torch.full((modes,), math.sqrt(2.0), dtype=torch.float64)
    factor[0] = 1.0
    if modes == num_points and modes > 1 and _has_nyquist(kind, num_points):
        factor[-1] = 1.0
    return factor


def _has_nyquist(kind: AxisKind | str, num_points: int) -> bool:
    return kind == AxisKind.NODES or (kind == AxisKind.PERIODIC and num_points % 2 == 0)
