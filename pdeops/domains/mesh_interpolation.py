"""Values between the points of a mesh."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains.mesh import Mesh
from pdeops.domains.point_location import locate_points


def interpolate_on_mesh(
    values: Float[Tensor, "*batch mesh_points"], mesh: Mesh, points: Float[Tensor, "points dimension"]
) -> Float[Tensor, "*batch points"]:
    """Values of the continuous, piecewise linear function on a mesh; of second order, exact if it is linear.

    Args:
        values: Values at the points of the mesh.
        mesh: The mesh.
        points: Where values are wanted; cells are searched once for the same mesh and points.

    Returns:
        Values there.

    Raises:
        ValueError: The points have another dimension, or one lies outside of the mesh by more than 1e-9 of
            its extent.

    Failure mode: Points on a curve lie outside of a coarser polygon with corners on that curve.
    """
    if points.ndim != 2 or points.shape[1] != mesh.dimension:
        raise ValueError(
            f"mesh: expected points of shape (points, {mesh.dimension}), got {tuple(points.shape)}"
        )
    corners, shares = _stencil(mesh, _Content.of(points), values.dtype, values.device)
    return (values[..., corners] * shares).sum(dim=-1)


@dataclass(frozen=True)
class _Content:
    """Points that are equal when their numbers are, whichever tensor holds them."""

    digest: bytes
    points: Tensor = field(compare=False)

    @classmethod
    def of(cls, points: Tensor) -> _Content:
        points = points.detach().cpu().double().contiguous()
        return cls(hashlib.sha256(points.numpy().tobytes()).digest(), points)


@lru_cache(maxsize=32)
def _stencil(
    mesh: Mesh, content: _Content, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Corners of the cell around each point, and their shares."""
    points = content.points
    cells, shares = locate_points(mesh, points)
    outside = (cells < 0).nonzero().flatten()
    if len(outside):
        raise ValueError(
            f"mesh: expected points inside, got {len(outside)} of {len(points)} outside, for example "
            f"{points[outside[0]].tolist()}; try points inside of all cells, for a polygon cuts curves short"
        )
    # A tensor made inside inference mode (validation) could not be used in training afterwards.
    with torch.inference_mode(False):
        return mesh.simplices[cells].to(device), shares.to(device=device, dtype=dtype)
