"""Random patches: a few bumps of random place, width and height."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, Domain, Grid
from pdeops.problems.smooth_random_field import bounding_axes, generator

IMAGES = (-2, -1, 0, 1, 2)
MARGIN = 0.2


@dataclass(frozen=True, kw_only=True)
class GaussianPatches:
    r"""Union of Gaussian bumps, between zero and one.

    .. math:: u(x) = 1 - \prod_j \bigl(1 - h_j e^{-|x - x_j|^2 / 2 w_j^2}\bigr)

    Places are uniform in the box (on axes that end, a fifth of the length away from the ends), widths between
    half and three halves of `width`, heights between half of `height` and all of it. On periodic axes each
    bump is repeated with the period. On axes that end, and on a mesh, the union is multiplied by
    :math:`\sin^2 \pi s` with s from 0 to 1 along each axis of the box, so that values and slopes vanish where
    the box ends. A seed is the same function on every grid and mesh of the same box.

    Args:
        count: Number of bumps.
        width: Typical standard deviation :math:`w` of a bump, in the unit of the coordinates.
        height: Largest height :math:`h`, above 0 and at most 1.

    Raises:
        ValueError: A number is out of range.

    Good values: Widths of four grid spacings and more; less than a tenth of the box, or bumps merge.

    Failure mode: Widths above half the period are cut: only two images to each side are summed.
    """

    count: int = 8
    width: float = 0.05
    height: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.count < 1:
            raise ValueError(f"patches: count: expected 1 or more, got {self.count}; try 8")
        if not 0 < self.width < math.inf:
            raise ValueError(f"patches: width: expected a positive number, got {self.width}; try 0.05")
        if not 0 < self.height <= 1:
            raise ValueError(f"patches: height: expected above 0 and at most 1, got {self.height}; try 1.0")
        for name in ("width", "height"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one field a seed.

        Args:
            domain: Grid of any kinds of axes, or mesh.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: A seed is no seed.
        """
        return torch.stack([self._one(domain, seed) for seed in seeds])

    def _one(self, domain: Domain, seed: int) -> Tensor:
        axes = domain.axes if isinstance(domain, Grid) else bounding_axes(domain)
        lines = [axis.points for axis in axes] if isinstance(domain, Grid) else domain.points.unbind(-1)
        numbers = torch.rand(self.count, len(axes) + 2, generator=generator(seed), dtype=torch.float64)
        widths = self.width * (0.5 + numbers[:, -1])
        heights = self.height * (1 + numbers[:, -2]) / 2
        profiles = [
            _profile(axis, points, place, widths)
            for axis, points, place in zip(axes, lines, numbers.T, strict=False)
        ]
        windows = [_window(axis, points) for axis, points in zip(axes, lines, strict=True)]
        if isinstance(domain, Grid):
            profiles = [_along(profile, number, len(axes)) for number, profile in enumerate(profiles)]
            windows = [_along(window[None], number, len(axes))[0] for number, window in enumerate(windows)]
        bumps = reduce(torch.mul, profiles)
        union = 1 - (1 - heights.reshape(-1, *(1,) * (bumps.ndim - 1)) * bumps).prod(0)
        return union * reduce(torch.mul, windows)


def _along(profile: Tensor, number: int, count: int) -> Tensor:
    """Shape (bumps, points) on one of some axes, for products with the others."""
    return profile.reshape(len(profile), *(1,) * number, -1, *(1,) * (count - 1 - number))


def _window(axis: Axis, points: Tensor) -> Tensor:
    """Factor that vanishes with its slope at the ends, shape (points,)."""
    if axis.is_periodic:
        return torch.ones_like(points)
    return torch.sin(math.pi * (points - axis.lower) / axis.length) ** 2


def _profile(axis: Axis, points: Tensor, place: Tensor, widths: Tensor) -> Tensor:
    """Factor of each bump that depends on one coordinate, shape (bumps, points)."""
    if not axis.is_periodic:
        place = MARGIN + (1 - 2 * MARGIN) * place
    centres = axis.lower + axis.length * place
    images = torch.tensor(IMAGES if axis.is_periodic else (0,), dtype=torch.float64) * axis.length
    distances = points[None, :, None] - centres[:, None, None] - images
    return torch.exp(-(distances**2) / (2 * widths[:, None, None] ** 2)).sum(-1)
