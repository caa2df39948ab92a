"""Points of space and time at which equations and conditions are held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from pdeops.domains import Domain, Field, Grid, derivative
from pdeops.operators.query_operator import Orders


@dataclass(frozen=True, eq=False)
class Collocation:
    """Points, shared by all functions of a batch.

    Args:
        domain: Grid or mesh in whose box, or among whose points, they lie.
        points: Coordinates, time last where there is time.
        indices: Positions among the points of a mesh; None on a grid.
        normals: Outward unit normals of points of the boundary.
    """

    domain: Domain
    points: Float64[Tensor, "points coordinates"]
    indices: Int64[Tensor, " points"] | None = None
    normals: Float64[Tensor, "points dimension"] | None = None

    def values(self, fields: Mapping[str, Field], name: str, orders: Orders) -> Tensor:
        """A field that does not depend on time, or a derivative of it, at the points.

        Args:
            fields: Fields of one channel by name.
            name: Which one.
            orders: Order of the derivative by each coordinate.

        Returns:
            Shape (batch, points), by the interpolant of `Field.at` on a grid.

        Raises:
            ValueError: A derivative is wanted on a mesh.
        """
        field = fields[name]
        if self.indices is not None:
            if any(orders):
                raise ValueError(
                    f"collocation: expected no derivative of the input {name!r} on a mesh, got {orders}; try "
                    "a grid"
                )
            return field.values[:, 0, self.indices.to(field.values.device)]
        grid, values = field.domain, field.values
        for axis, order in enumerate(orders[: grid.dimension]):
            if order and isinstance(grid, Grid):
                values = derivative(values, grid, axis, order)
        differentiated = Field(values, grid, field.channels)
        return differentiated.at(self.points[:, : grid.dimension])[:, 0]


def draw_inside(
    domain: Domain, final_time: float | None, count: int, generator: torch.Generator
) -> Collocation:
    """Draw points uniformly: anywhere in the box of a grid, or among the points of a mesh by their weights.

    Args:
        domain: Grid or mesh.
        final_time: Times are drawn from 0 to here; None for points without time.
        count: How many.
        generator: On the CPU.

    Returns:
        The points.
    """
    if isinstance(domain, Grid):
        lower = torch.tensor([axis.lower for axis in domain.axes], dtype=torch.float64)
        length = torch.tensor([axis.length for axis in domain.axes], dtype=torch.float64)
        space = lower + length * _uniform(count, domain.dimension, generator)
        return Collocation(domain, _with_times(space, final_time, generator))
    weights = domain.quadrature_weights
    indices = torch.multinomial(weights, count, replacement=True, generator=generator)
    return Collocation(domain, _with_times(domain.points[indices], final_time, generator), indices)


def draw_boundary(
    domain: Domain, part: str, final_time: float | None, count: int, generator: torch.Generator
) -> Collocation:
    """Draw points of a part of the boundary, uniformly, with their normals.

    Args:
        domain: Grid or mesh.
        part: Name of the part.
        final_time: See `draw_inside`.
        count: How many; an end of an interval has but one, without time.
        generator: On the CPU.

    Returns:
        The points.
    """
    boundary = domain.boundary(part)
    if domain.dimension == 1 and final_time is None:
        count = 1
    chosen = torch.multinomial(boundary.quadrature_weights, count, replacement=True, generator=generator)
    normals = boundary.normals[chosen]
    if isinstance(domain, Grid):
        # Anywhere on the face, not only at the points of the grid.
        inside = draw_inside(domain, final_time, count, generator).points
        flat = normals != 0
        space = torch.where(flat, boundary.points[chosen], inside[:, : domain.dimension])
        points = torch.cat((space, inside[:, domain.dimension :]), dim=1)
        return Collocation(domain, points, normals=normals)
    points = _with_times(boundary.points[chosen], final_time, generator)
    indices = None if boundary.indices is None else boundary.indices[chosen]
    return Collocation(domain, points, indices, normals)


def seeded(seed: int, step: int) -> torch.Generator:
    """A generator that depends on (seed, step) only, so that a resumed run draws what it would have drawn."""
    state = numpy.random.SeedSequence((seed, step)).generate_state(1, numpy.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


def _uniform(count: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, columns, dtype=torch.float64, generator=generator)


def _with_times(space: Tensor, final_time: float | None, generator: torch.Generator) -> Tensor:
    if final_time is None:
        return space
    return torch.cat((space, final_time * _uniform(len(space), 1, generator)), dim=1)
