"""The frequencies of given data, and whether a grid can hold them."""

from __future__ import annotations

import math
import warnings

import torch
from jaxtyping import Float, Float64
from torch import Tensor

KAISER_SHAPE = 14.0
"""Shape of the window: side lobes of 5e-6, so that a weak line beside a strong one is seen."""
PADDING = 4
SMALLEST_LINE = 1e-3
"""Amplitude of the weakest line, in that of the strongest."""


class UnderResolvedWarning(UserWarning):
    """The data has frequencies that the grid cannot hold."""


def amplitude_spectrum(
    values: Float[Tensor, "points columns"], spacing: float
) -> tuple[Float64[Tensor, " frequencies"], Float64[Tensor, " frequencies"]]:
    """Frequencies and amplitudes of windowed data, root of the sum of squares over the columns.

    Args:
        values: Data at uniform points, one function a column.
        spacing: Distance of the points.

    Returns:
        Frequencies in cycles a unit of length, and amplitudes.
    """
    count = len(values)
    window = torch.kaiser_window(count, periodic=False, beta=KAISER_SHAPE, dtype=torch.float64)
    waves = torch.fft.rfft(values.double() * window.to(values.device)[:, None], n=PADDING * count, dim=0)
    amplitudes = waves.abs().square().sum(dim=1).sqrt().cpu()
    return torch.arange(len(amplitudes), dtype=torch.float64) / (PADDING * count * spacing), amplitudes


def spectral_lines(values: Float[Tensor, "points columns"], spacing: float) -> Float64[Tensor, " lines"]:
    """Frequencies of the peaks of a spectrum, the lowest ones left out: a component at zero covers them.

    Args:
        values: Data at uniform points, one function a column; columns of zeros are allowed.
        spacing: Distance of the points.

    Returns:
        Frequencies in cycles a unit of length, ascending; none for smooth data.

    Good values: A uniform grid with 2.5 points a wave of the highest frequency, five or more waves long.

    Failure mode: Lines nearer than about four waves over the length of the axis count as one; a kernel of a
        quarter of the axis covers both.
    """
    frequencies, amplitudes = amplitude_spectrum(values, spacing)
    if not bool(amplitudes.max() > 0):
        return torch.empty(0, dtype=torch.float64)
    length = spacing * (len(values) - 1)
    inner = amplitudes[1:-1]
    peak = (inner > amplitudes[:-2]) & (inner >= amplitudes[2:])
    peak &= (inner > SMALLEST_LINE * amplitudes.max()) & (frequencies[1:-1] * length > 4)
    return frequencies[1:-1][peak]


def merged(lines: Float64[Tensor, " found"], distance: float) -> Float64[Tensor, " kept"]:
    """Sorted frequencies without those that are nearer to their lower neighbour than a distance."""
    kept: list[float] = []
    for line in sorted(lines.tolist()):
        if not kept or line - kept[-1] >= distance:
            kept.append(line)
    return torch.tensor(kept, dtype=torch.float64)


def band_limit(values: Float[Tensor, "points columns"], spacing: float) -> float:
    """Highest frequency whose amplitude is that of a line, in cycles a unit of length; 0 for zeros."""
    frequencies, amplitudes = amplitude_spectrum(values, spacing)
    strong = amplitudes > SMALLEST_LINE * amplitudes.max()
    return float(frequencies[strong].max()) if bool(strong.any()) else 0.0


def warn_below_nyquist(name: str, num_points: int, length: float, highest: float, what: str) -> None:
    """Warn if an axis has fewer than two points a wave of the highest frequency of the data.

    Args:
        name: Name of the axis.
        num_points: Its number of points.
        length: Its length.
        highest: The highest frequency, in cycles a unit of length.
        what: The data, in words.

    Warns:
        UnderResolvedWarning: With the number of points that is needed.
    """
    needed = math.ceil(2 * highest * length) + 1
    if num_points < needed:
        warnings.warn(
            f"axis {name!r}: expected at least {needed} points for the {what}, which has "
            f"{highest:.4g} waves a unit of length, got {num_points}; no method can tell them from slower "
            f"waves there; try {math.ceil(1.25 * needed)} points",
            UnderResolvedWarning,
            stacklevel=3,
        )
