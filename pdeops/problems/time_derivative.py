"""Derivative in time from stored frames."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

WIDTH = 7


def time_derivative_matrix(
    times: Float[Tensor, " time"], order: int = 1, *, width: int = WIDTH
) -> Float64[Tensor, "time time"]:
    r"""Matrix of finite differences on any increasing times.

    Each row differentiates the polynomial through the nearest ``width`` frames, centred inside and one-sided
    at the ends, so the error is :math:`O(\Delta t^{width - order})`.

    Args:
        times: Times of the frames, increasing, any spacing.
        order: Order of the derivative.
        width: Number of frames a stencil; fewer frames give a lower order.

    Returns:
        The matrix: the derivative of frames ``u`` is ``matrix @ u``.

    Raises:
        ValueError: There are too few frames for the derivative, or times do not increase.

    Good values: 7 frames and more, several of them a shortest time scale.

    Failure mode: Frames that are far apart: the first and the last three rows lose most.

    Source: B. Fornberg (1988), Generation of finite difference formulas on arbitrarily spaced grids,
    doi:10.1090/S0025-5718-1988-0935077-0.
    """
    times = times.detach().cpu().double()
    count = len(times)
    if count <= order:
        raise ValueError(f"time derivative: expected {order + 1} frames or more, got {count}; try {width}")
    if not bool((times.diff() > 0).all()):
        raise ValueError(f"time derivative: expected increasing times, got {times.tolist()}")
    width = min(width, count)
    matrix = torch.zeros(count, count, dtype=torch.float64)
    powers = torch.arange(width, dtype=torch.float64)
    moments = torch.zeros(width, dtype=torch.float64)
    moments[order] = math.factorial(order)
    for row in range(count):
        start = min(max(row - width // 2, 0), count - width)
        offsets = times[start : start + width] - times[row]
        # Offsets near one keep the moment matrix well conditioned for any unit of time.
        scale = offsets.abs().max()
        weights = torch.linalg.solve((offsets / scale) ** powers[:, None], moments)
        matrix[row, start : start + width] = weights / scale**order
    return matrix
