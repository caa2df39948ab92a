"""Smooth waves of one family before they break, along their characteristics."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

ROUNDS = 200
"""Bisections at most; 60 reach rounding from an interval of length one."""


def simple_wave(
    initial: Callable[[Tensor], Tensor],
    speed: Callable[[Tensor], Tensor],
    x: Float64[Tensor, "..."],
    t: float,
    *,
    reach: float,
) -> Float64[Tensor, "..."]:
    r"""Values of :math:`\partial_t w + s(w)\, \partial_x w = 0` before a shock forms.

    The value at (x, t) has come straight from the foot :math:`\xi` of its characteristic,
    :math:`x = \xi + t\, s(w_0(\xi))`. Before the shock the right side grows with :math:`\xi`, so bisection
    finds the foot.

    Burgers' equation has :math:`s(u) = u`. A wave of the shallow-water equations that runs to the right into
    water at rest of the depth :math:`c_0^2 / g` has :math:`s(c) = 3c - 2c_0` for the celerity :math:`c`, the
    depth :math:`c^2 / g` and the velocity :math:`2(c - c_0)`.

    Args:
        initial: Values :math:`w_0` at points, on the whole line.
        speed: Speed :math:`s` of a value.
        x: Points.
        t: Time, from 0 on and before the first shock.
        reach: No less than the largest speed.

    Returns:
        Values at the points.

    Raises:
        ValueError: A foot is further away than `reach` allows.

    Failure mode: After the shock there are several feet, and one of them is returned: the shock is at
        :math:`t = -1 / \min_\xi \partial_\xi s(w_0(\xi))`.

    Example:
        >>> x = torch.tensor([0.25], dtype=torch.float64)
        >>> wave = simple_wave(lambda y: y, lambda u: u, x, 1.0, reach=1.0)
        >>> wave.item()  # u = x / (1 + t)
        0.125
    """

    def arrival(foot: Tensor) -> Tensor:
        return foot + t * speed(initial(foot))

    margin = reach * t * (1 + 1e-12)
    lower, upper = x - margin, x + margin
    if bool((arrival(lower) > x).any()) or bool((arrival(upper) < x).any()):
        raise ValueError(f"reach: expected no less than the largest speed, got {reach}; try a larger one")
    for _ in range(ROUNDS):
        middle = (lower + upper) / 2
        is_early = arrival(middle) < x
        lower, upper = torch.where(is_early, middle, lower), torch.where(is_early, upper, middle)
        if bool((upper - lower <= math.ulp(1.0) * (1 + x.abs())).all()):
            break
    return initial((lower + upper) / 2)
