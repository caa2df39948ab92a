"""Boundary conditions as values on the faces of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Grid
from pdeops.problems import BoundaryCondition, EllipticProblem, Neumann, Robin


@dataclass(frozen=True, eq=False)
class FaceData:
    """The condition on one face of a box.

    Args:
        name: Name of the part, ``"x_lower"``.
        number: Number of the axis that ends there.
        is_upper: Whether it is the upper end.
        condition: The condition.
        values: g of the condition (given value, flux, or right side of Robin's) at the points of the face:
            the grid's shape without axis `number`.
        coefficients: Robin's coefficient there; None for the other conditions.
        problem: The problem, whose parameters the formulas of the condition hold.
    """

    name: str
    number: int
    is_upper: bool
    condition: BoundaryCondition
    values: Float64[Tensor, "..."]
    coefficients: Float64[Tensor, "..."] | None
    problem: EllipticProblem

    def values_at(self, points: Float64[Tensor, "points dimension"]) -> Float64[Tensor, " points"]:
        """The data g at other points of the face, as jumps are lost between those of the grid.

        Args:
            points: Coordinates.

        Returns:
            One value a point.
        """
        return self.problem.boundary_values(self.name, _data_of(self.condition), points)


def _data_of(condition: BoundaryCondition) -> str:
    return condition.flux if isinstance(condition, Neumann) else condition.value


def faces_of(problem: EllipticProblem, grid: Grid) -> list[FaceData]:
    """The conditions on all faces, lower before upper, axis by axis.

    Args:
        problem: The problem.
        grid: The grid; its periodic axes have no faces.

    Returns:
        One entry a face.

    Raises:
        ValueError: A formula of a condition gives values that are not finite.
    """
    names = [axis.name for axis in grid.axes]
    result = []
    for name, condition in problem.conditions_on(grid).items():
        axis_name, side = name.rsplit("_", 1)
        number = names.index(axis_name)
        shape = tuple(size for i, size in enumerate(grid.shape) if i != number)
        points = _points(grid, number, side == "upper")
        texts = [_data_of(condition)]
        if isinstance(condition, Robin):
            texts.append(condition.coefficient)
        data = [problem.boundary_values(name, text, points).reshape(shape) for text in texts]
        coefficients = data[1] if len(data) > 1 else None
        result.append(FaceData(name, number, side == "upper", condition, data[0], coefficients, problem))
    return result


def _points(grid: Grid, number: int, is_upper: bool) -> Tensor:
    """Points of one face; those of the whole grid, of which `Grid.boundary` takes them, cost far more."""
    axis = grid.axes[number]
    end = torch.tensor([axis.upper if is_upper else axis.lower], dtype=torch.float64)
    coordinates = [end if i == number else item.points for i, item in enumerate(grid.axes)]
    return torch.stack([item.flatten() for item in torch.meshgrid(*coordinates, indexing="ij")], dim=-1)
