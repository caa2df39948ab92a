"""A problem on the tensor grid of all its coordinates, with the time among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, Field, Grid
from pdeops.gp.boundary_rows import face_factors, face_values
from pdeops.problems import Problem


@dataclass(frozen=True, eq=False)
class PosedProblem:
    r"""One instance of a problem for one unknown, on a box of space or of time and space.

    The time is a coordinate like the others, the first one: the initial value :math:`u_0` is the condition on
    its lower face, and its upper face has none.

    Args:
        problem: Equation and conditions.
        inputs: Inputs by name on the grid of space, one sample.
        space: Nodes, Chebyshev points or periodic axes.
        time: Axis of the time, from zero on; None for a steady problem.
    """

    problem: Problem
    inputs: Mapping[str, Field]
    space: Grid
    time: Axis | None = None

    @cached_property
    def grid(self) -> Grid:
        """All coordinates, the time first."""
        return self.space if self.time is None else Grid((self.time, *self.space.axes))

    @cached_property
    def start(self) -> Float64[Tensor, " *space"]:
        """The unknown at time zero."""
        names = self.problem.initial_inputs
        if not names:
            return torch.zeros(self.space.shape, dtype=torch.float64)
        return self.inputs[names[0]].values[0, 0].detach().double().cpu()

    def ends(self, number: int) -> list[tuple[float, float, Tensor]]:
        """Conditions of the faces normal to an axis, see `face_factors`.

        Args:
            number: Number of the axis in `grid`.

        Returns:
            Factors of u and of its derivative along the axis, and the end; none on a periodic axis.
        """
        if self.time is None:
            return face_factors(self.problem, self.space, number)
        if number == 0:
            return [(1.0, 0.0, torch.tensor([self.time.lower], dtype=torch.float64))]
        return face_factors(self.problem, self.space, number - 1)

    def face_values(self, number: int) -> Float64[Tensor, "..."]:
        """Right sides of the conditions on the faces normal to an axis, see `face_values`.

        Args:
            number: Number of the axis in `grid`.

        Returns:
            The shape of the grid with the number of conditions at the axis.
        """
        if self.time is None:
            return face_values(self.problem, self.space, number)
        if number == 0:
            return self.start[None]
        values = face_values(self.problem, self.space, number - 1)
        return values.expand(self.time.num_points, *values.shape).contiguous()

    def known(self, device: torch.device) -> dict[str, Tensor]:
        """Coordinates and inputs by name; their shapes broadcast to that of the grid."""
        coordinates = self.problem.coordinates(self.grid)
        inputs = {name: field.values[0, 0].detach().double() for name, field in self.inputs.items()}
        return {name: values.to(device) for name, values in (coordinates | inputs).items()}

    def data_along(self, number: int) -> list[Float64[Tensor, "points columns"]]:
        """What is known of inputs and conditions along an axis, one function a column.

        Args:
            number: Number of the axis in `grid`.

        Returns:
            Functions of this coordinate; none where nothing that is given varies with it.
        """
        shift = 0 if self.time is None else 1
        if number < shift:
            return []
        given = [field.values[0, 0].detach().double().cpu() for field in self.inputs.values()]
        others = (n for n in range(self.space.dimension) if n != number - shift)
        given += [face_values(self.problem, self.space, other) for other in others]
        columns = [
            torch.movedim(item, number - shift, 0).reshape(self.grid.shape[number], -1) for item in given
        ]
        return [item for item in columns if item.shape[1]]
