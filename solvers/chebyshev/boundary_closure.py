"""Values on the faces of a tensor grid, which follow from the inner ones by the boundary conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pdeops.domains import Grid
from pdeops.problems import BoundaryCondition, Dirichlet, Neumann, Problem
from solvers.chebyshev.differentiation import differentiation_matrices
from solvers.chebyshev.line_basis import EndCondition


@dataclass(frozen=True)
class FaceCondition:
    r"""The condition :math:`\alpha u + \beta\, \partial u / \partial n = g` at the points of one face.

    Args:
        value: Factor :math:`\alpha`, shape (batch or 1, *shape of the face).
        slope: Factor :math:`\beta`, same shape.
        data: Right side g, same shape.
    """

    value: Float64[Tensor, "#batch *face"]
    slope: Float64[Tensor, "#batch *face"]
    data: Float64[Tensor, "#batch *face"]

    @classmethod
    def build(
        cls,
        problem: Problem,
        condition: BoundaryCondition,
        grid: Grid,
        part: str,
        conormal: Float64[Tensor, "batch *shape"],
    ) -> FaceCondition:
        r"""Evaluate a condition of a problem.

        Args:
            problem: Reads the formulas.
            condition: The condition.
            grid: The grid.
            part: Name of the face.
            conormal: Factor :math:`\beta` of Neumann and Robin conditions on the grid.

        Returns:
            The condition at all points of the face, edges and corners included.

        Raises:
            ValueError: A formula gives values that are not finite.
        """
        number, position = face_position(grid, part)
        points = grid.boundary(part).points
        beta = conormal.select(number - grid.dimension, position)
        shape = (1, *beta.shape[1:])

        def values(text: str) -> Tensor:
            return problem.boundary_values(part, text, points).reshape(shape).to(beta)

        if isinstance(condition, Dirichlet):
            return cls(torch.ones_like(beta[:1]), torch.zeros_like(beta[:1]), values(condition.value))
        if isinstance(condition, Neumann):
            return cls(torch.zeros_like(beta), beta, values(condition.flux))
        return cls(values(condition.coefficient).expand_as(beta), beta, values(condition.value))

    @property
    def is_dirichlet(self) -> bool:
        """Whether the values are given."""
        return bool((self.slope == 0).all())

    @property
    def is_neumann(self) -> bool:
        """Whether the values do not matter."""
        return bool((self.value == 0).all())

    @property
    def is_constant(self) -> bool:
        """Whether the ratio of the two factors is the same at all points and in all samples."""
        if self.is_dirichlet:
            return True
        ratio = self.value / self.slope
        return bool((ratio - ratio.mean()).abs().max() <= 1e-14 * ratio.abs().max())

    @property
    def mean(self) -> EndCondition:
        """One condition for the whole face."""
        if self.is_dirichlet:
            return EndCondition(1.0, 0.0)
        return EndCondition((self.value / self.slope).mean().item(), 1.0)


def face_position(grid: Grid, part: str) -> tuple[int, int]:
    """Number of the axis that a face belongs to, and the position of the face on it (0 or the last)."""
    name, side = part.rsplit("_", 1)
    number = [axis.name for axis in grid.axes].index(name)
    return number, 0 if side == "lower" else grid.shape[number] - 1


def face_conditions(
    problem: Problem, grid: Grid, conormal: Float64[Tensor, "batch *shape"]
) -> dict[int, tuple[FaceCondition, FaceCondition]]:
    """The conditions at the two ends of each axis that has ends.

    Args:
        problem: States the conditions.
        grid: The grid.
        conormal: See `FaceCondition.build`.

    Returns:
        Lower and upper condition by number of the axis.

    Raises:
        ValueError: The problem has no boundary conditions for a grid that ends.
    """
    if not grid.boundary_names:
        return {}
    if problem.boundary is None:
        raise ValueError(f"{problem.name}: expected boundary conditions for {grid.boundary_names}, got none")
    sides: dict[int, list[FaceCondition]] = {}
    for part, condition in problem.conditions_on(grid).items():
        number, _ = face_position(grid, part)
        sides.setdefault(number, []).append(FaceCondition.build(problem, condition, grid, part, conormal))
    return {number: (lower, upper) for number, (lower, upper) in sides.items()}


class BoundaryClosure:
    r"""Completes values at the inner points of a grid by those on its faces, line by line.

    On a line along a Chebyshev axis the two conditions at its ends are two equations for the two end values:
    with the rows :math:`d_0, d_n` of the differentiation matrix,
    :math:`\alpha_0 u_0 - \beta_0\, d_0 \cdot u = g_0` and :math:`\alpha_n u_n + \beta_n\, d_n \cdot u = g_n`.
    Every line has its own conditions, so they may vary along the boundary.

    Edges and corners belong to several faces. They take no part in the equations inside; their values come
    from the axis with the most Dirichlet ends (of equals, the last).

    Args:
        grid: Chebyshev and periodic axes.
        faces: Conditions of each Chebyshev axis.
        device: Where the values live.

    Raises:
        ValueError: A condition fixes neither value nor slope.
    """

    def __init__(
        self, grid: Grid, faces: Mapping[int, tuple[FaceCondition, FaceCondition]], device: torch.device
    ) -> None:
        """Collect matrices."""
        self.grid = grid
        self.faces = dict(faces)
        matrices = [differentiation_matrices(axis) for axis in grid.axes]
        self.first = [first.to(device) for first, _ in matrices]
        self.second = [second.to(device) for _, second in matrices]
        for number, sides in self.faces.items():
            if any(bool(((side.value == 0) & (side.slope == 0)).any()) for side in sides):
                raise ValueError(
                    f"axis {grid.axes[number].name!r}: expected conditions on the value or slope"
                )

    @property
    def inner_shape(self) -> tuple[int, ...]:
        """Number of unknowns an axis: all points but the ends of Chebyshev axes."""
        return tuple(n - 2 * (number in self.faces) for number, n in enumerate(self.grid.shape))

    @property
    def homogeneous(self) -> BoundaryClosure:
        """The same conditions with right sides of zero."""
        faces = {
            number: (
                replace(low, data=torch.zeros_like(low.data)),
                replace(high, data=torch.zeros_like(high.data)),
            )
            for number, (low, high) in self.faces.items()
        }
        return BoundaryClosure(self.grid, faces, self.first[0].device)

    def inner(self, values: Float[Tensor, "... *shape"], skip: Sequence[int] = ()) -> Float[Tensor, "..."]:
        """A view of the inner points, with the ends of the axes in `skip` left on."""
        for number, count in enumerate(self.grid.shape):
            if number in self.faces and number not in skip:
                values = values.narrow(number - self.grid.dimension, 1, count - 2)
        return values

    def lines(
        self, values: Float[Tensor, "batch *inner"], number: int, full: Sequence[int] = ()
    ) -> Float[Tensor, "batch *lines"]:
        """Complete values along one axis.

        Args:
            values: Values at inner points along all axes but those in `full`.
            number: Number of the axis.
            full: Axes along which the values are complete already.

        Returns:
            Values complete along this axis as well.
        """
        if number not in self.faces:
            return values
        dim = number - self.grid.dimension
        ends = self._end_values(torch.movedim(values, dim, -1), number, full)
        low, high = (end.unsqueeze(dim) for end in ends)
        return torch.cat([low, values, high], dim)

    def complete(self, values: Float[Tensor, "batch *inner"]) -> Float[Tensor, "batch *shape"]:
        """Values at all points of the grid, edges and corners included."""
        full: list[int] = []
        for number in sorted(self.faces, key=lambda k: sum(side.is_dirichlet for side in self.faces[k])):
            values = self.lines(values, number, full)
            full.append(number)
        return values

    def corner_mismatch(self) -> float:
        r"""Largest contradiction between Dirichlet values where two faces meet, 0 where all agree."""
        largest = 0.0
        for number, sides in self.faces.items():
            for other in [k for k in self.faces if k > number]:
                for i, side in enumerate(sides):
                    for j, neighbour in enumerate(self.faces[other]):
                        if side.is_dirichlet and neighbour.is_dirichlet:
                            here = side.data.select(other - self.grid.dimension, -j)
                            there = neighbour.data.select(number - self.grid.dimension + 1, -i)
                            largest = max(largest, (here - there).abs().max().item())
        return largest

    def _end_values(self, lines: Tensor, number: int, full: Sequence[int]) -> tuple[Tensor, Tensor]:
        """End values of lines that run along the last dimension."""
        first = self.first[number]
        low, high = (
            FaceCondition(
                *(self._restricted(item, number, full) for item in (side.value, side.slope, side.data))
            )
            for side in self.faces[number]
        )
        right_low = low.data + low.slope * (lines @ first[0, 1:-1])
        right_high = high.data - high.slope * (lines @ first[-1, 1:-1])
        a, b = low.value - low.slope * first[0, 0], -low.slope * first[0, -1]
        c, d = high.slope * first[-1, 0], high.value + high.slope * first[-1, -1]
        determinant = a * d - b * c
        return (d * right_low - b * right_high) / determinant, (a * right_high - c * right_low) / determinant

    def _restricted(self, face: Tensor, number: int, full: Sequence[int]) -> Tensor:
        """Values on a face at the points that lines end at: inner ones of the axes not in `full`."""
        others = [k for k in range(self.grid.dimension) if k != number]
        for dim, other in zip(range(-len(others), 0), others, strict=True):
            if other in self.faces and other not in full:
                face = face.narrow(dim, 1, face.shape[dim] - 2)
        return face
