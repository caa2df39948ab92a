"""A few points that cover many, with weights."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def spread_points(
    places: Float[Tensor, "points channels"], volumes: Float[Tensor, " points"], count: int
) -> tuple[Int64[Tensor, " chosen"], Float[Tensor, " chosen"]]:
    """Choose points far from one another: each next one is the farthest from those chosen before.

    Args:
        places: Where the points are.
        volumes: Quadrature weights of the points; those without weight are not chosen.
        count: Number of points to choose; all with weight, if there are fewer.

    Returns:
        Numbers of the chosen points, the first with weight first, and the volumes of all points, each given
        to the nearest chosen one.
    """
    chosen = [int(torch.nonzero(volumes)[0])]
    distance = torch.full_like(volumes, torch.inf)
    nearest = torch.zeros(len(places), dtype=torch.int64)
    while True:
        to_last = (places - places[chosen[-1]]).norm(dim=-1)
        nearest = torch.where(to_last < distance, len(chosen) - 1, nearest)
        distance = torch.minimum(distance, to_last)
        farthest = int(torch.where(volumes > 0, distance, -1).argmax())
        if len(chosen) == count or distance[farthest] <= 0:
            break
        chosen.append(farthest)
    return torch.tensor(chosen), volumes.new_zeros(len(chosen)).index_add(0, nearest, volumes)
