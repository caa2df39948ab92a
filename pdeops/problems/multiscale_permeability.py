"""A permeability with six scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Grid


@dataclass(frozen=True, kw_only=True)
class MultiscalePermeability:
    r"""Product of waves of ever shorter length.

    .. math:: a = \prod_{k=1}^{K} \left(1 + \tfrac12 \cos(\alpha_k \pi (\xi + \eta))\right)
        \left(1 + \tfrac12 \sin(\alpha_k \pi (\eta - 3 \xi))\right),
        \quad \alpha_k \sim U[2^{k-1}, 1.5 \cdot 2^{k-1}]

    with :math:`(\xi, \eta)` the coordinates mapped to :math:`[-1, 1]^2`. On the unit square a source of 4
    gives the same pressure as a source of 1 on :math:`[-1, 1]^2`.

    Args:
        num_scales: K.

    Raises:
        ValueError: There is no scale.

    Good values: 6, the benchmark, on 256 x 256 points and more.

    Failure mode: The shortest wave has :math:`2 / (1.5 \cdot 2^{K-1} \sqrt{10})` of the side of
        :math:`[-1, 1]`: 0.013 for 6 scales, three points of a 512 x 512 grid. Coarser grids alias it.

    Source: H. Owhadi, L. Zhang (2008), doi:10.1137/07070146X, for the form; benchmark of J. He et al. (2024),
    arXiv:2310.19809.
    """

    num_scales: int = 6

    def __post_init__(self) -> None:
        """Check the number of scales."""
        if self.num_scales < 1:
            raise ValueError(f"num_scales: expected 1 or more, got {self.num_scales}; try 6")

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one permeability a seed, float64, on the CPU."""
        if domain.dimension != 2:
            raise ValueError(f"multiscale permeability: expected 2 dimensions, got {domain.dimension}")
        points = domain.points
        if isinstance(domain, Grid):
            lower = torch.tensor([axis.lower for axis in domain.axes], dtype=torch.float64)
            upper = torch.tensor([axis.upper for axis in domain.axes], dtype=torch.float64)
        else:
            lower, upper = points.min(0).values, points.max(0).values
        first, second = (2 * (points - lower) / (upper - lower) - 1).unbind(1)
        scales = 2.0 ** torch.arange(self.num_scales, dtype=torch.float64)
        samples = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            draws = torch.rand(self.num_scales, generator=generator, dtype=torch.float64)
            waves = (math.pi * scales * (1 + draws / 2))[:, None]
            factors = (1 + torch.cos(waves * (first + second)) / 2) * (
                1 + torch.sin(waves * (second - 3 * first)) / 2
            )
            samples.append(factors.prod(0).reshape(domain.shape))
        return torch.stack(samples)
