"""In which cell of a mesh points lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy
import torch
from jaxtyping import Float64, Int64
from scipy.spatial import cKDTree
from torch import Tensor

from pdeops.domains.mesh import Mesh

SLACK = 1e-9
"""How far outside of a cell a point may lie that still counts as inside, relative to the mesh's extent."""

FIRST_CANDIDATES = 8
LARGEST_CHUNK = 2**22
"""Pairs of a point and a cell that are looked at together."""


def locate_points(
    mesh: Mesh, points: Float64[Tensor, "points dimension"]
) -> tuple[Int64[Tensor, " points"], Float64[Tensor, "points corners"]]:
    r"""Find a cell around each point, and the shares of its corners.

    .. math:: x = \sum_i \lambda_i p_i, \qquad \sum_i \lambda_i = 1

    The cells whose midpoints are nearest are tried first, then more of them until every cell that could
    reach the point was tried: no cell reaches further from its midpoint than its farthest corner.

    Args:
        mesh: Mesh in 1 to 3 dimensions.
        points: Coordinates.

    Returns:
        Number of the cell, -1 outside of all, and the barycentric coordinates :math:`\lambda`, down to
        rounding below 0 for points within 1e-9 of the mesh's extent outside; zeros outside of all.

    Failure mode: Points outside of a mesh of very unequal cells are compared with many of them.
    """
    search = _search(mesh)
    wanted = points.detach().cpu().double().numpy()
    cells = numpy.full(len(wanted), -1, dtype=numpy.int64)
    shares = numpy.zeros((len(wanted), mesh.dimension + 1))
    num_cells = search.tree.n
    # A point that is no number is nowhere.
    left = numpy.flatnonzero(numpy.isfinite(wanted).all(axis=1)) if num_cells else numpy.zeros(0, dtype=int)
    count = min(FIRST_CANDIDATES, num_cells)
    while len(left):
        remaining = []
        for chunk in numpy.array_split(left, -(-len(left) * count // LARGEST_CHUNK)):
            reached, tried = search.try_nearest(wanted[chunk], count)
            found = reached.cell >= 0
            cells[chunk[found]] = reached.cell[found]
            shares[chunk[found]] = reached.shares[found]
            remaining.append(chunk[~found & (tried <= search.reach)])
        left = numpy.concatenate(remaining) if count < num_cells else left[:0]
        count = min(4 * count, num_cells)
    return torch.from_numpy(cells), torch.from_numpy(shares)


@dataclass(frozen=True, eq=False)
class _Reached:
    """Cell around each point, -1 for none, and the shares of its corners."""

    cell: numpy.ndarray
    shares: numpy.ndarray


@dataclass(frozen=True, eq=False)
class _Search:
    """What is computed once a mesh.

    Args:
        tree: Of the midpoints.
        origins: First corner of each cell.
        gradients: Of the shares of all corners but the first: shape (cells, dimension, dimension).
        heights: Of each corner above its facet, shape (cells, dimension + 1).
        slack: Distance that counts as none.
        reach: Largest distance from a midpoint to a point of its cell.
    """

    tree: cKDTree
    origins: numpy.ndarray
    gradients: numpy.ndarray
    heights: numpy.ndarray
    slack: float
    reach: float

    def try_nearest(self, points: numpy.ndarray, count: int) -> tuple[_Reached, numpy.ndarray]:
        """Compare points with the cells of the nearest midpoints; the distance of the last one, too."""
        distance, candidates = self.tree.query(points, k=numpy.arange(1, count + 1))
        offsets = points[:, None] - self.origins[candidates]
        others = numpy.einsum("pce,pcie->pci", offsets, self.gradients[candidates])
        shares = numpy.concatenate([1 - others.sum(axis=-1, keepdims=True), others], axis=-1)
        # How far inside of its nearest side a point lies, as a length.
        depth = (shares * self.heights[candidates]).min(axis=-1)
        best = depth.argmax(axis=1)
        rows = numpy.arange(len(points))
        cell = numpy.where(depth[rows, best] >= -self.slack, candidates[rows, best], -1)
        return _Reached(cell, shares[rows, best]), distance[:, -1]


@lru_cache(maxsize=8)
def _search(mesh: Mesh) -> _Search:
    corners = mesh.points.numpy()[mesh.simplices.numpy()]
    midpoints = corners.mean(axis=1)
    edges = corners[:, 1:] - corners[:, :1]
    # x - p_0 = sum_i share_i edge_i; row i of the transposed inverse is the gradient of share i.
    gradients = numpy.linalg.inv(edges).transpose(0, 2, 1)
    all_gradients = numpy.concatenate([-gradients.sum(axis=1, keepdims=True), gradients], axis=1)
    slack = SLACK * float(numpy.ptp(mesh.points.numpy(), axis=0).max(initial=0.0))
    reach = float(numpy.linalg.norm(corners - midpoints[:, None], axis=-1).max(initial=0.0))
    return _Search(
        tree=cKDTree(midpoints),
        origins=corners[:, 0],
        gradients=gradients,
        heights=1 / numpy.linalg.norm(all_gradients, axis=-1),
        slack=slack,
        reach=reach + slack,
    )
