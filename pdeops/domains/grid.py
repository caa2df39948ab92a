"""Tensor-product grids."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains.axis import Axis, AxisKind
from pdeops.domains.boundary import BoundaryPart

AXIS_NAMES = ("x", "y", "z")


@dataclass(frozen=True)
class Grid:
    """A box sampled at the tensor product of its axes; frozen and hashable.

    Values on a grid have the shape ``(..., *grid.shape)``: axis 0 is the first of the last dimensions.

    Args:
        axes: The axes, one a dimension, with different names.

    Raises:
        ValueError: There is no axis, or two axes share a name.

    Example:
        >>> Grid.periodic((64, 32)).quadrature_weights.sum().item()
        1.0
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        """Check the axes."""
        object.__setattr__(self, "axes", tuple(self.axes))
        names = [axis.name for axis in self.axes]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a grid: expected one or more axes with different names, got {names}")

    @classmethod
    def box(
        cls,
        shape: Sequence[int],
        kind: AxisKind | str | Sequence[AxisKind | str] = AxisKind.NODES,
        *,
        lower: Sequence[float] | None = None,
        upper: Sequence[float] | None = None,
        names: Sequence[str] = AXIS_NAMES,
    ) -> Grid:
        """Build a box, by default the unit box.

        Args:
            shape: Number of points an axis.
            kind: Kind of all axes, or one kind an axis.
            lower: Lower corner; zeros by default.
            upper: Upper corner; ones by default.
            names: Names of the axes; the first ones are taken.

        Returns:
            The grid.

        Raises:
            ValueError: The arguments name different numbers of axes.
        """
        dimension = len(shape)
        kinds = [kind] * dimension if isinstance(kind, str) else list(kind)
        lower = [0.0] * dimension if lower is None else lower
        upper = [1.0] * dimension if upper is None else upper
        if not len(kinds) == len(lower) == len(upper) == dimension <= len(names):
            raise ValueError(
                f"a box of shape {tuple(shape)}: expected {dimension} kinds, lower and upper ends and names, "
                f"got {len(kinds)}, {len(lower)}, {len(upper)} and {len(names)}"
            )
        return cls(tuple(Axis(*axis) for axis in zip(names, lower, upper, shape, kinds, strict=False)))

    @classmethod
    def periodic(
        cls,
        shape: Sequence[int],
        *,
        lengths: Sequence[float] | None = None,
        names: Sequence[str] = AXIS_NAMES,
    ) -> Grid:
        """Build a torus that starts at the origin, by default of unit lengths.

        Args:
            shape: Number of points an axis.
            lengths: Periods; ones by default.
            names: Names of the axes.

        Returns:
            The grid.
        """
        return cls.box(shape, AxisKind.PERIODIC, upper=lengths, names=names)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points an axis."""
        return tuple(axis.num_points for axis in self.axes)

    @property
    def num_points(self) -> int:
        """Number of all points."""
        return math.prod(self.shape)

    @property
    def volume(self) -> float:
        """Length, area or volume of the box."""
        return math.prod(axis.length for axis in self.axes)

    @property
    def is_periodic(self) -> bool:
        """Whether every axis is periodic."""
        return all(axis.is_periodic for axis in self.axes)

    @property
    def coordinates(self) -> tuple[Float64[Tensor, " *shape"], ...]:
        """One tensor of coordinates an axis, each of the grid's shape."""
        return torch.meshgrid(*(axis.points for axis in self.axes), indexing="ij")

    @property
    def points(self) -> Float64[Tensor, "points dimension"]:
        """All points, the last axis running fastest."""
        return torch.stack([coordinate.flatten() for coordinate in self.coordinates], dim=-1)

    @property
    def quadrature_weights(self) -> Float64[Tensor, " *shape"]:
        """Product weights: their sum is the volume."""
        return reduce(
            lambda product, axis: product[..., None] * axis.weights, self.axes, torch.ones(()).double()
        )

    @property
    def boundary_names(self) -> tuple[str, ...]:
        """Names of the boundary parts: ``<axis>_lower`` and ``<axis>_upper`` of the axes that end."""
        return tuple(
            f"{axis.name}_{side}" for axis in self.axes if not axis.is_periodic for side in ("lower", "upper")
        )

    def boundary(self, name: str) -> BoundaryPart:
        """Return one face of the box.

        Args:
            name: One of `boundary_names`.

        Returns:
            The face with the quadrature of the other axes. On cell-centred axes its points are the
            centres of the outer cell faces, which are not points of the grid.

        Raises:
            ValueError: There is no such part.
        """
        if name not in self.boundary_names:
            raise ValueError(f"boundary part: expected one of {self.boundary_names}, got {name!r}")
        axis_name, side = name.rsplit("_", 1)
        number = [axis.name for axis in self.axes].index(axis_name)
        axis = self.axes[number]
        position = 0 if side == "lower" else axis.num_points - 1
        index = torch.arange(self.num_points).reshape(self.shape).select(number, position).flatten()
        points = self.points[index].clone()
        points[:, number] = axis.lower if side == "lower" else axis.upper
        normals = torch.zeros_like(points)
        normals[:, number] = -1.0 if side == "lower" else 1.0
        weights = self.quadrature_weights.select(number, position).flatten() / axis.weights[position]
        return BoundaryPart(name, points, normals, weights, index if axis.has_ends else None)

    def with_shape(self, shape: Sequence[int]) -> Grid:
        """Return the same box with other numbers of points.

        Args:
            shape: Number of points an axis.

        Returns:
            The grid.

        Raises:
            ValueError: The number of axes differs.
        """
        if len(shape) != self.dimension:
            raise ValueError(f"shape: expected {self.dimension} numbers of points, got {tuple(shape)}")
        return Grid(tuple(axis.with_num_points(n) for axis, n in zip(self.axes, shape, strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, as stored in files and checkpoints."""
        return {"axes": [{**asdict(axis), "kind": str(axis.kind)} for axis in self.axes]}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Grid:
        """Build a grid from `to_dict`."""
        return cls(tuple(Axis(**axis) for axis in description["axes"]))
