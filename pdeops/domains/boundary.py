"""A named part of the boundary of a domain."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float64, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class BoundaryPart:
    r"""Points on one part :math:`\Gamma` of the boundary, with what is needed to integrate over it.

    Args:
        name: Name of the part, for example ``"x_lower"``.
        points: Coordinates, shape (points, dimension).
        normals: Outward unit normals, shape (points, dimension).
        quadrature_weights: Weights :math:`w_i` with :math:`\sum_i w_i g(x_i) \approx \int_\Gamma g`.
        indices: Positions of these points among the domain's flattened points, or None where the
            boundary carries no point of the domain (cell-centred axes).
    """

    name: str
    points: Float64[Tensor, "points dimension"]
    normals: Float64[Tensor, "points dimension"]
    quadrature_weights: Float64[Tensor, " points"]
    indices: Int64[Tensor, " points"] | None
