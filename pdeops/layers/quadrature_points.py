"""A domain as a quadrature rule: points and weights."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain


@torch.compiler.disable
@lru_cache(maxsize=8)
def quadrature_points(
    domain: Domain,
) -> tuple[Float64[Tensor, "points dimension"], Float64[Tensor, " points"]]:
    """Points and weights of a domain, kept for the last few domains: layers ask for them in every step.

    Args:
        domain: Grid or mesh.

    Returns:
        Points, flattened as the values are, and the weight of each: the volume that it stands for. Shared, so
        never written to.
    """
    # A tensor made inside inference mode (validation) could not be used in training afterwards.
    with torch.inference_mode(False):
        return domain.points, domain.quadrature_weights.flatten()
