"""Flows from one jump: closed formulas, or one root, to measure shock-capturing solvers against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64
from scipy.optimize import brentq
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class BurgersJump:
    r"""Velocity of Burgers' equation without viscosity from a jump at x = 0.

    With ``left > right`` a shock with speed :math:`(u_l + u_r) / 2`, else a fan :math:`u = x / t` between the
    two states.

    Args:
        left: Velocity :math:`u_l` at x < 0.
        right: Velocity :math:`u_r` at x > 0.
    """

    left: float
    right: float

    @property
    def shock_speed(self) -> float:
        """Speed of the shock, by the jump of the flux over that of the velocity."""
        return (self.left + self.right) / 2

    def velocity(self, x: Float64[Tensor, "..."], t: float) -> Float64[Tensor, "..."]:
        """Velocity at points at a time after 0."""
        if self.left > self.right:
            return torch.where(x < self.shock_speed * t, self.left, self.right).double()
        return (x / t).clamp(self.left, self.right)


def n_wave(
    x: Float64[Tensor, "..."], t: float, *, slope: float = 1.0, length: float = 1.0
) -> Float64[Tensor, "..."]:
    r"""Velocity of Burgers' equation without viscosity that starts from the letter N.

    .. math:: u(x, 0) = s x \text{ for } |x| < l, \text{ else } 0; \qquad
        u(x, t) = \frac{s x}{1 + s t} \text{ for } |x| < l \sqrt{1 + s t}

    The amplitude falls like :math:`t^{-1/2}`, each half keeps its area :math:`s l^2 / 2`.

    Args:
        x: Points.
        t: Time, from 0 on.
        slope: Initial slope s > 0.
        length: Initial half length l > 0.

    Returns:
        Velocities.

    Source: P. D. Lax (1973), Hyperbolic systems of conservation laws, doi:10.1137/1.9781611970562.
    """
    stretch = 1 + slope * t
    return torch.where(x.abs() < length * math.sqrt(stretch), slope * x / stretch, 0.0).double()


@dataclass(frozen=True, kw_only=True)
class DamBreak:
    r"""Shallow water at rest, deeper on the left, from the moment that the dam at x = 0 is gone.

    On a wet bed (Stoker) a fan runs up the deep side and a bore down the other, with one state between; its
    depth is the root of the condition that both give the same velocity,

    .. math:: 2 (\sqrt{g h_l} - \sqrt{g h}) = (h - h_r) \sqrt{\tfrac{g}{2} \left(\tfrac{1}{h} +
        \tfrac{1}{h_r}\right)} .

    On a dry bed (Ritter) the fan reaches down to depth zero at speed :math:`2 \sqrt{g h_l}`.

    Args:
        left: Depth :math:`h_l > h_r` at x < 0 (length).
        right: Depth :math:`h_r \ge 0` at x > 0 (length).
        gravity: Acceleration g > 0.

    Raises:
        ValueError: The left side is not the deeper one, or a number has the wrong sign.

    Source: J. J. Stoker (1957), Water Waves, doi:10.1002/9781118033159, section 10.8; A. Ritter (1892), Die
    Fortpflanzung der Wasserwellen, Z. Ver. Dtsch. Ing. 36.
    """

    left: float = 1.0
    right: float = 0.5
    gravity: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not (self.left > self.right >= 0 and self.gravity > 0):
            raise ValueError(
                f"dam break: expected left > right >= 0 and gravity > 0, got left={self.left}, "
                f"right={self.right}, gravity={self.gravity}; try left=1, right=0.5, gravity=1"
            )

    @cached_property
    def middle_depth(self) -> float:
        """Depth between fan and bore; 0 on a dry bed."""
        if self.right == 0:
            return 0.0
        return float(brentq(self._velocity_difference, self.right, self.left, xtol=1e-15, rtol=1e-15))

    @property
    def middle_velocity(self) -> float:
        """Velocity between fan and bore, or of the front on a dry bed."""
        return 2 * (self._celerity(self.left) - self._celerity(self.middle_depth))

    @property
    def bore_speed(self) -> float:
        """Speed of the bore, by conservation of water; of the front on a dry bed."""
        depth = self.middle_depth
        return self.middle_velocity * (1.0 if self.right == 0 else depth / (depth - self.right))

    def depth(self, x: Float64[Tensor, "..."], t: float) -> Float64[Tensor, "..."]:
        """Depth at points at a time after 0."""
        fan = (2 * self._celerity(self.left) - x / t).clamp(min=0) ** 2 / (9 * self.gravity)
        behind = fan.clamp(self.middle_depth, self.left)
        return torch.where(x < self.bore_speed * t, behind, self.right)

    def momentum(self, x: Float64[Tensor, "..."], t: float) -> Float64[Tensor, "..."]:
        """Depth times velocity at points at a time after 0."""
        depth = self.depth(x, t)
        velocity = 2 * (self._celerity(self.left) - torch.sqrt(self.gravity * depth))
        return torch.where(x < self.bore_speed * t, depth * velocity, 0.0)

    def _celerity(self, depth: float) -> float:
        return math.sqrt(self.gravity * depth)

    def _velocity_difference(self, depth: float) -> float:
        fan = 2 * (self._celerity(self.left) - self._celerity(depth))
        return fan - (depth - self.right) * math.sqrt(self.gravity / 2 * (1 / depth + 1 / self.right))
