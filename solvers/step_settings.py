"""Settings that every solver with steps in time has."""

from __future__ import annotations

import math

SMALLEST_TOLERANCE = 1e-12
"""Below it, rounding is what step control would see."""


def check_step_settings(time_step: float | None, tolerance: float, max_steps: int) -> None:
    """Check a fixed step, and the tolerance and the limit of step control.

    Args:
        time_step: Longest step (time), or None for step control.
        tolerance: Largest estimated relative error.
        max_steps: Most steps an output interval.

    Raises:
        ValueError: One is out of its range.
    """
    if time_step is not None and not (math.isfinite(time_step) and time_step > 0):
        raise ValueError(f"time_step: expected a positive number or None, got {time_step}; try 0.01")
    if not SMALLEST_TOLERANCE <= tolerance < 1:
        raise ValueError(
            f"tolerance: expected {SMALLEST_TOLERANCE} or more and less than 1, got {tolerance}; try 1e-6"
        )
    if max_steps < 2:
        raise ValueError(f"max_steps: expected 2 or more, got {max_steps}; try 65536")
