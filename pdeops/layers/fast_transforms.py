"""The transforms of `bases` along the last dimension by the fast Fourier transform."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import AxisKind
from pdeops.layers.bases import check_modes, normalisation
from pdeops.layers.constants import constant


def fast_analysis(
    values: Float[Tensor, "*batch points"], kind: AxisKind | str, modes: int
) -> Float[Tensor, "*batch modes"]:
    """Coefficients of values along the last dimension, by one real FFT.

    Args:
        values: Values at the points of the axis.
        kind: Kind of the axis: periodic, cells or nodes.
        modes: Number of coefficients wanted.

    Returns:
        The coefficients: `analysis_matrix` times the values.

    Raises:
        ValueError: See `check_modes`.
    """
    num_points = values.shape[-1]
    check_modes(kind, num_points, modes)
    factor = constant(normalisation, (str(kind), num_points, modes), values.dtype, values.device)
    match AxisKind(kind):
        case AxisKind.PERIODIC:
            spectrum = torch.fft.rfft(values, norm="forward")[..., : modes // 2 + 1]
            # cos 1, sin 1, cos 2, ...: the constant has no sine, the conjugate makes the sines positive.
            pairs = torch.view_as_real(spectrum.conj().resolve_conj()).flatten(-2)
            coefficients = torch.cat((pairs[..., :1], pairs[..., 2 : modes + 1]), dim=-1)
        case AxisKind.CELLS:
            # Even samples, then the odd ones backwards: the DCT-II is then a turned FFT (Makhoul).
            reordered = torch.cat((values[..., ::2], values[..., 1::2].flip(-1)), dim=-1)
            spectrum = torch.fft.rfft(reordered, norm="forward")
            turned = spectrum * _turn(num_points, spectrum, sign=-1)
            upper = turned.imag[..., 1 : (num_points + 1) // 2].flip(-1).neg()
            coefficients = torch.cat((turned.real, upper), dim=-1)[..., :modes]
        case _:
            extended = torch.cat((values, values[..., 1:-1].flip(-1)), dim=-1)
            coefficients = torch.fft.rfft(extended, norm="forward").real[..., :modes]
    return coefficients * factor


def fast_synthesis(
    coefficients: Float[Tensor, "*batch modes"], kind: AxisKind | str, num_points: int
) -> Float[Tensor, "*batch points"]:
    """Values along the last dimension from coefficients, by one real FFT.

    Args:
        coefficients: Coefficients along the last dimension.
        kind: Kind of the axis: periodic, cells or nodes.
        num_points: Number of points wanted.

    Returns:
        The values: `synthesis_matrix` times the coefficients.

    Raises:
        ValueError: See `check_modes`.
    """
    modes = coefficients.shape[-1]
    check_modes(kind, num_points, modes)
    factor = constant(normalisation, (str(kind), num_points, modes), coefficients.dtype, coefficients.device)
    amplitudes = coefficients * factor
    match AxisKind(kind):
        case AxisKind.PERIODIC:
            num_waves = modes // 2 + 1
            zero = torch.zeros_like(amplitudes[..., :1])
            tail = (zero,) if modes % 2 == 0 else ()
            pairs = torch.cat((amplitudes[..., :1], zero, amplitudes[..., 1:], *tail), dim=-1)
            spectrum = torch.view_as_complex(pairs.unflatten(-1, (num_waves, 2)).contiguous()).conj()
            half = torch.full((num_waves,), 0.5, dtype=amplitudes.dtype, device=amplitudes.device)
            half[0] = 1.0
            if modes == num_points and num_points % 2 == 0:
                half[-1] = 1.0
            return torch.fft.irfft(spectrum * half, n=num_points, norm="forward")
        case AxisKind.CELLS:
            # a_0 stands for a full wave, the others for half of two conjugate ones.
            padded = torch.nn.functional.pad(amplitudes, (0, num_points + 1 - modes))
            real = padded[..., : num_points // 2 + 1]
            imaginary = padded.flip(-1)[..., : num_points // 2 + 1]
            half = torch.full((num_points // 2 + 1,), 0.5, dtype=padded.dtype, device=padded.device)
            half[0] = 1.0
            spectrum = torch.complex(real * half, -imaginary * half)
            turned = spectrum * _turn(num_points, spectrum, sign=1)
            reordered = torch.fft.irfft(turned, n=num_points, norm="forward")
            num_even = (num_points + 1) // 2
            values = torch.empty_like(reordered)
            values[..., ::2] = reordered[..., :num_even]
            values[..., 1::2] = reordered[..., num_even:].flip(-1)
            return values
        case _:
            half = torch.full((num_points,), 0.5, dtype=amplitudes.dtype, device=amplitudes.device)
            half[0] = half[-1] = 1.0
            spectrum = torch.nn.functional.pad(amplitudes, (0, num_points - modes)) * half
            return torch.fft.irfft(
                spectrum.to(spectrum.dtype.to_complex()), n=2 * num_points - 2, norm="forward"
            )[..., :num_points]


def _turn(num_points: int, like: Tensor, sign: int) -> Tensor:
    """Quarter-sample shift exp(sign i pi k / 2n) of the DCT-II."""
    return constant(_turn_table, (num_points, sign), like.dtype, like.device)


def _turn_table(num_points: int, sign: int) -> Tensor:
    angle = sign * math.pi * torch.arange(num_points // 2 + 1, dtype=torch.float64) / (2 * num_points)
    return torch.polar(torch.ones_like(angle), angle)
