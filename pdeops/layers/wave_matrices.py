"""Matrices of the truncated discrete Fourier transform in real arithmetic."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor


def real_to_waves(num_points: int, modes: int) -> Float64[Tensor, "pairs points"]:
    r"""Analysis of a real line: :math:`\hat u_k = n^{-1}\sum_j u_j e^{-2\pi i jk/n}` for 0 <= k < modes.

    Args:
        num_points: Number of points n.
        modes: Number of waves kept.

    Returns:
        Matrix (2 modes, n): first all real parts, then all imaginary parts.
    """
    cosine, sine = _waves(num_points, torch.arange(modes))
    return torch.cat((cosine, -sine)) / num_points


def waves_to_real(num_points: int, modes: int) -> Float64[Tensor, "points pairs"]:
    r"""Synthesis of a real line, :math:`u_j = \mathrm{Re}\sum_k s_k \hat u_k e^{2\pi i jk/n}`.

    The factor s is 2, for the conjugate wave that is not stored, but 1 for the constant and the Nyquist wave.
    Their imaginary parts meet a sine that vanishes at every point, so they cannot leak in.

    Args:
        num_points: Number of points n.
        modes: Number of waves given.

    Returns:
        Matrix (n, 2 modes); columns as the rows of `real_to_waves`.
    """
    wave = torch.arange(modes)
    cosine, sine = _waves(num_points, wave)
    factor = torch.where((wave == 0) | (2 * wave == num_points), 1.0, 2.0).double()[:, None]
    return torch.cat((cosine * factor, -sine * factor)).T


def pairs_to_waves(num_points: int, modes: int) -> Float64[Tensor, "pairs points_pairs"]:
    r"""Analysis of a complex line for the waves 0, ..., m - 1, -m, ..., -1, in the order of an FFT.

    Args:
        num_points: Number of points n.
        modes: Number of waves m of each sign.

    Returns:
        Matrix (2 * 2 modes, n * 2): columns run over (point, part), rows over (part, wave).
    """
    cosine, sine = _waves(num_points, _signed(modes))
    rows_real = torch.stack((cosine, sine), dim=-1)
    rows_imaginary = torch.stack((-sine, cosine), dim=-1)
    return torch.cat((rows_real, rows_imaginary)).flatten(start_dim=1) / num_points


def waves_to_pairs(num_points: int, modes: int) -> Float64[Tensor, "points_pairs pairs"]:
    """Synthesis of a complex line: the adjoint of `pairs_to_waves`, times the number of points.

    Args:
        num_points: Number of points n.
        modes: Number of waves of each sign.

    Returns:
        Matrix (n * 2, 2 * 2 modes).
    """
    return pairs_to_waves(num_points, modes).T * num_points


def _signed(modes: int) -> Tensor:
    return torch.cat((torch.arange(modes), torch.arange(-modes, 0)))


def _waves(num_points: int, wave: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of 2 pi j k / n, shape (waves, points); the integer phase is reduced first."""
    phase = torch.remainder(torch.outer(wave, torch.arange(num_points)), num_points)
    angle = 2 * math.pi * phase.double() / num_points
    # In floating point sin(pi) is not 0, and the imaginary part of the Nyquist wave would leak in.
    sine = torch.where(2 * phase % num_points == 0, 0.0, torch.sin(angle))
    return torch.cos(angle), sine
