"""The entry of a grid operator: coordinates, lift, padding."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Grid
from pdeops.layers.coordinates import coordinate_channels
from pdeops.layers.padding import pad, padded_shape


class GridLift(nn.Module):
    """Append coordinates, map the channels linearly, pad the axes that are not periodic.

    Args:
        in_channels: Channels of the input.
        width: Channels of the result.
        grid: The training grid.
        coordinates: Whether coordinates are appended.
        padding: Fraction of the length added behind the upper wall, see `padded_shape`.

    Raises:
        ValueError: The padding is negative.

    Failure mode: With coordinates an operator cannot carry over to another box: it has seen this one only.
    """

    positions: Tensor

    def __init__(
        self, in_channels: int, width: int, grid: Grid, *, coordinates: bool = True, padding: float = 0.125
    ) -> None:
        super().__init__()
        if padding < 0:
            raise ValueError(f"padding: expected a fraction of at least 0, got {padding}; try 0.125")
        self.grid = grid
        self.coordinates = coordinates
        self.padding = padding
        # Not in the checkpoint: the grid gives it. Its constant channel takes the place of a bias.
        self.register_buffer("positions", self._position_channels(grid).float(), persistent=False)
        self.linear = nn.Linear(in_channels + self.positions.shape[-1], width, bias=False)

    def forward(
        self, values: Float[Tensor, "batch in_channels *shape"], grid: Grid
    ) -> Float[Tensor, "batch *padded_shape width"]:
        """Lift a field.

        Args:
            values: Field with the channels first.
            grid: Its grid.

        Returns:
            Field with the channels last, of the shape `padded_shape`.
        """
        hidden = values.movedim(1, -1)
        positions = self.positions if grid == self.grid else self._position_channels(grid)
        positions = positions.to(device=values.device, dtype=values.dtype)
        hidden = torch.cat((hidden, positions.expand(len(values), *positions.shape)), dim=-1)
        return pad(self.linear(hidden), padded_shape(grid, self.padding))

    def _position_channels(self, grid: Grid) -> Tensor:
        constant = torch.ones(*grid.shape, 1, dtype=torch.float64)
        return torch.cat((constant, coordinate_channels(grid)), dim=-1) if self.coordinates else constant
