"""Simplicial meshes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from pdeops.domains.boundary import BoundaryPart
from pdeops.domains.facets import facet_numbers, facet_table


@dataclass(frozen=True, eq=False)
class Mesh:
    """Points joined by simplices (segments, triangles or tetrahedra); values live on the points.

    Values on a mesh have the shape ``(..., num_points)``. A mesh is compared and hashed by identity.

    Args:
        points: Coordinates, float64, shape (points, dimension).
        simplices: Corners of each cell, shape (cells, dimension + 1).
        boundaries: Named boundary parts, each the corners of its facets, shape (facets, dimension).

    Raises:
        ValueError: Shapes do not fit, a corner number is out of range, or a cell has no volume.

    Failure mode: Weights are the lumped ones of linear elements; points that no cell uses have weight 0.
    Cells may overlap, and boundary parts may leave gaps: `check_mesh` looks for all that a solver cannot use.
    """

    points: Float64[Tensor, "points dimension"]
    simplices: Int64[Tensor, "cells corners"]
    boundaries: Mapping[str, Int64[Tensor, "facets facet_corners"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        num_points, dimension = self.points.shape
        if self.simplices.shape[1] != dimension + 1:
            raise ValueError(
                f"mesh: expected simplices with {dimension + 1} corners in {dimension} dimensions, "
                f"got {self.simplices.shape[1]}; try dropping a coordinate that is constant"
            )
        for name, corners in {"simplices": self.simplices, **self.boundaries}.items():
            if corners.numel() and not 0 <= int(corners.min()) <= int(corners.max()) < num_points:
                raise ValueError(
                    f"mesh: {name}: expected point numbers from 0 to {num_points - 1}, got others"
                )
        for name, facets in self.boundaries.items():
            if facets.shape[1] != dimension:
                raise ValueError(
                    f"mesh: boundary {name!r}: expected {dimension} corners, got {facets.shape[1]}"
                )
        if len(self.simplices) and not bool((self.cell_volumes > 0).all()):
            raise ValueError("mesh: expected cells with a positive volume, got a flat one; try removing it")

    def __repr__(self) -> str:
        """Sizes and names; the numbers would fill pages."""
        return (
            f"Mesh({self.num_points} points, {len(self.simplices)} cells, dimension={self.dimension}, "
            f"boundary_names={self.boundary_names})"
        )

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.points.shape[1]

    @property
    def num_points(self) -> int:
        """Number of points."""
        return self.points.shape[0]

    @property
    def shape(self) -> tuple[int]:
        """Shape of values on the mesh, without leading dimensions."""
        return (self.num_points,)

    @property
    def volume(self) -> float:
        """Length, area or volume of all cells."""
        return self.cell_volumes.sum().item()

    @property
    def cell_volumes(self) -> Float64[Tensor, " cells"]:
        """Length, area or volume of each cell."""
        return torch.linalg.det(self._edges).abs() / math.factorial(self.dimension)

    @property
    def quadrature_weights(self) -> Float64[Tensor, " points"]:
        """Lumped weights: each cell's volume in equal parts to its corners; exact for linear functions."""
        corners = self.dimension + 1
        share = (self.cell_volumes / corners).repeat_interleave(corners)
        return torch.zeros(self.num_points, dtype=torch.float64).index_add_(
            0, self.simplices.flatten(), share
        )

    @property
    def boundary_names(self) -> tuple[str, ...]:
        """Names of the boundary parts."""
        return tuple(self.boundaries)

    def boundary(self, name: str) -> BoundaryPart:
        """Return a boundary part: its points, averaged outward normals and lumped weights.

        Args:
            name: One of `boundary_names`.

        Returns:
            The part.

        Raises:
            ValueError: There is no such part.
        """
        if name not in self.boundaries:
            raise ValueError(f"boundary part: expected one of {self.boundary_names}, got {name!r}")
        facets = self.boundaries[name]
        normals, areas = self._facet_normals(facets)
        indices, position = torch.unique(facets, return_inverse=True)
        position = position.flatten()
        share = (areas / self.dimension).repeat_interleave(self.dimension)
        weights = torch.zeros(len(indices), dtype=torch.float64).index_add_(0, position, share)
        summed = torch.zeros(len(indices), self.dimension, dtype=torch.float64)
        summed.index_add_(0, position, normals.repeat_interleave(self.dimension, dim=0) * share[:, None])
        summed = summed / summed.norm(dim=1, keepdim=True)
        return BoundaryPart(name, self.points[indices], summed, weights, indices)

    def gradient(self, values: Float[Tensor, "*batch points"]) -> Float[Tensor, "*batch cells dimension"]:
        """Gradient of the piecewise linear interpolant, constant on each cell.

        Args:
            values: Values at the points.

        Returns:
            One gradient a cell.
        """
        corners = values[..., self.simplices]
        differences = corners[..., 1:] - corners[..., :1]
        inverse = torch.linalg.inv(self._edges).to(values)
        return torch.einsum("...ce,cde->...cd", differences, inverse)

    @property
    def _edges(self) -> Tensor:
        """Edges from the first corner of each cell: (cells, edge, coordinate)."""
        corners = self.points[self.simplices]
        return corners[:, 1:] - corners[:, :1]

    def _facet_normals(self, facets: Tensor) -> tuple[Tensor, Tensor]:
        """Outward unit normals and areas of facets; outward is away from the cell that owns the facet."""
        corners = self.points[facets]
        if self.dimension == 1:
            normals = torch.ones(len(facets), 1, dtype=torch.float64)
        elif self.dimension == 2:
            edge = corners[:, 1] - corners[:, 0]
            normals = torch.stack([edge[:, 1], -edge[:, 0]], dim=1)
        else:
            normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        areas = normals.norm(dim=1)
        owner = self._owners(facets)
        inward = self.points[self.simplices[owner]].mean(dim=1) - corners.mean(dim=1)
        sign = torch.where((normals * inward).sum(dim=1) > 0, -1.0, 1.0)
        return normals * (sign / areas)[:, None], areas

    def _owners(self, facets: Tensor) -> Tensor:
        """Number of the cell that each facet belongs to."""
        table = facet_table(self.simplices.numpy())
        place = facet_numbers(facets.numpy(), table.facets, self.num_points)
        return torch.from_numpy(table.cells[table.starts[place]])
