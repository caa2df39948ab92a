"""Exact solution of Burgers' equation from a sine wave: the Cole-Hopf integral by quadrature."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

POINTS_A_WIDTH = 2.5
LONGEST_SPACING = 0.09
"""In the strip |Im y| <= a, pi a <= 2, the integrand grows by at most exp(K a^2 / 2) with
K = 2 / (4 nu t) + 1.4 c pi^2, so the trapezoidal rule of spacing h errs by exp(K a^2 / 2 - 2 pi a / h) or
less: below exp(-40) for these two."""

CURVATURE = 1.4 * math.pi**2
"""See `POINTS_A_WIDTH`: cosh(s) - 1 <= 1.4 s^2 / 2 for s <= 2."""

LOG_ROUNDING = 40.0
"""Parts of the integrand below exp(-40) of its peak do not count in double precision."""

CHUNK = 2**22
"""Most integrand values held at a time."""


def cole_hopf_burgers(
    x: Float[Tensor, "..."], t: Float[Tensor, "..."] | float, viscosity: float
) -> Float64[Tensor, "..."]:
    r"""Velocity :math:`u(x, t)` of Burgers' equation that starts from :math:`-\sin \pi x` on [-1, 1].

    .. math:: \partial_t u + u\, \partial_x u = \nu\, \partial_x^2 u, \qquad u(\pm 1, t) = 0

    By the transform of Cole and Hopf, with :math:`c = 1 / (2 \pi \nu)`,

    .. math:: u(x, t) = -\frac{\int \sin(\pi y)\, e^{E(y)}\, dy}{\int e^{E(y)}\, dy}, \qquad
        E(y) = -c \cos \pi y - \frac{(x - y)^2}{4 \nu t} .

    The integrands are positive or odd about a zero of u, so nothing cancels; the trapezoidal rule on the
    line converges faster than any power for them. (The series in cosines of the same heat flow loses
    all digits near the layer for small viscosity: its terms are :math:`e^{2c}` times larger than its sum.)
    The odd, periodic continuation solves the same problem on the circle of length 2, and the half [0, 1] is
    the same problem there with zeros at both ends.

    Args:
        x: Positions, any shape; the velocity has the period 2.
        t: Times from 0 on; a number or a tensor that broadcasts with `x`.
        viscosity: Viscosity :math:`\nu > 0`.

    Returns:
        Velocities of the shape that `x` and `t` broadcast to, on the device of `x`.

    Raises:
        ValueError: The viscosity is not positive or a time is negative.

    Good values: viscosity 0.01 / pi, the benchmark: the layer at x = 0 is steepest at t = 1.6037 / pi, where
    the slope is -152.00516.

    Failure mode: The number of points grows like one over the viscosity: 300 for 0.01 / pi, 30 000
    for 1e-4 / pi.

    Source: C. Basdevant et al. (1986), Spectral and finite difference solutions of the Burgers equation,
    doi:10.1016/0045-7930(86)90036-8. Trapezoidal rule: L. N. Trefethen and J. A. C. Weideman (2014),
    doi:10.1137/130932132.

    Example:
        >>> round(cole_hopf_burgers(torch.tensor([0.5]), 0.25, 0.1).item(), 6)
        -0.700006
    """
    times = torch.as_tensor(t, dtype=torch.float64, device=x.device)
    if not (math.isfinite(viscosity) and viscosity > 0):
        raise ValueError(f"viscosity: expected a positive number, got {viscosity}; try 0.01 / math.pi")
    if times.numel() and not bool((times >= 0).all()):
        raise ValueError(f"t: expected times from 0 on, got {times.min().item()}")
    shape = torch.broadcast_shapes(x.shape, times.shape)
    points = x.double().expand(shape).flatten()
    spreads = (4 * viscosity * times).expand(shape).flatten()
    steepness = 1 / (2 * math.pi * viscosity)
    count = _half_count(steepness, spreads.max().item() if len(spreads) else 0.0)
    rows = max(1, CHUNK // (2 * count + 1))
    parts = [
        _quotient(some, spread, steepness, count)
        for some, spread in zip(points.split(rows), spreads.split(rows), strict=True)
    ]
    return torch.cat(parts).reshape(shape) if parts else torch.empty(shape, dtype=torch.float64)


def _half_count(steepness: float, spread: float) -> int:
    """Quadrature points on each side: the Gaussian has to win over the factor exp(2c) as well."""
    reach_over_width = math.sqrt((2 * steepness + LOG_ROUNDING) * (2 + CURVATURE * steepness * spread))
    reach = math.sqrt((2 * steepness + LOG_ROUNDING) * spread)
    return math.ceil(max(POINTS_A_WIDTH * reach_over_width, reach / LONGEST_SPACING))


def _quotient(points: Tensor, spread: Tensor, steepness: float, count: int) -> Tensor:
    # At time 0 the width is 0, and every quadrature point is x itself.
    width = torch.sqrt(spread / (2 + CURVATURE * steepness * spread))
    spacing = (width / POINTS_A_WIDTH).clamp_max(LONGEST_SPACING)
    index = torch.arange(-count, count + 1, dtype=torch.float64, device=points.device)
    offsets = index * spacing[:, None]
    angles = math.pi * (points[:, None] - offsets)
    safe = torch.where(spread > 0, spread, 1.0)[:, None]
    weights = torch.softmax(-steepness * torch.cos(angles) - offsets**2 / safe, dim=1)
    return -(weights * torch.sin(angles)).sum(dim=1)
