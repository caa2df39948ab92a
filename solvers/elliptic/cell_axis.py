"""Cells along one axis, and the transfer of values to cells that are joined in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from solvers.elliptic.flux_balance import along


@dataclass(frozen=True, eq=False)
class CellAxis:
    """A row of cells with the unknowns at their centres; values are zero a gap beyond the outer cells.

    Args:
        widths: Widths of the cells, shape (cells,).
        gap: Distance from the outer faces to the boundary: 0 for a cell-centred grid, half a spacing for the
            inner nodes of a nodal grid.
    """

    widths: Float[Tensor, " cells"]
    gap: float = 0.0

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return len(self.widths)

    @cached_property
    def width(self) -> float:
        """Width of the first cell; all but the last are as wide."""
        return self.widths[0].item()

    @cached_property
    def distances(self) -> Float[Tensor, " faces"]:
        """Distance across each face, between centres, and from the outer centres to the boundary."""
        halves = self.widths / 2
        end = halves.new_full((1,), self.gap)
        return torch.cat([end, halves]) + torch.cat([halves, end])

    def joined(self) -> CellAxis:
        """Cells 0+1, 2+3, ... joined; the last one of an odd number stays alone."""
        padded = torch.nn.functional.pad(self.widths, (0, self.num_cells % 2))
        return CellAxis(padded.reshape(-1, 2).sum(1), self.gap)

    @cached_property
    def face_factors(self) -> Float[Tensor, " coarse_faces"]:
        """Distance across each face that remains when cells are joined, old over new."""
        coarse = self.joined().distances
        kept = torch.arange(0, 2 * len(coarse), 2, device=coarse.device).clamp_max(self.num_cells)
        return self.distances[kept] / coarse

    @cached_property
    def _weights(self) -> tuple[Tensor, Tensor]:
        """For each fine cell, the weights of its own coarse cell and of the nearer neighbour of that."""
        coarse = self.joined()
        parent = torch.arange(self.num_cells, device=self.widths.device) // 2
        offset = (self.widths.cumsum(0) - self.widths / 2) - (coarse.widths.cumsum(0) - coarse.widths / 2)[
            parent
        ]
        # Lower children look to the face below their parent, upper children to the one above.
        face = parent + torch.arange(self.num_cells, device=parent.device) % 2
        neighbour = offset.abs() / coarse.distances[face]
        return 1 - neighbour, neighbour

    def interpolate(self, coarse: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
        """Linear interpolation from the joined cells to these, towards zero at the boundary.

        Args:
            coarse: Values with one entry a joined cell along `dim`.
            dim: The dimension of this axis, not negative.

        Returns:
            Values with one entry a cell.
        """
        num_coarse = coarse.shape[dim]
        own, neighbour = (along(weights, dim, coarse.ndim) for weights in self._weights)
        padded = torch.nn.functional.pad(coarse.movedim(dim, -1), (1, 1)).movedim(-1, dim)
        lower, upper = padded.narrow(dim, 0, num_coarse), padded.narrow(dim, 2, num_coarse)
        parents = torch.stack([coarse, coarse], dim + 1).flatten(dim, dim + 1).narrow(dim, 0, self.num_cells)
        others = torch.stack([lower, upper], dim + 1).flatten(dim, dim + 1).narrow(dim, 0, self.num_cells)
        return own * parents + neighbour * others

    def restrict(self, fine: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
        """The transpose of `interpolate`.

        Args:
            fine: Values with one entry a cell along `dim`.
            dim: The dimension of this axis, not negative.

        Returns:
            Values with one entry a joined cell.
        """
        own, neighbour = (along(weights, dim, fine.ndim) for weights in self._weights)
        mine, given = own * fine, neighbour * fine
        if self.num_cells % 2:
            mine, given = (
                torch.nn.functional.pad(part.movedim(dim, -1), (0, 1)).movedim(-1, dim)
                for part in (mine, given)
            )
        num_coarse = mine.shape[dim] // 2
        result = mine.unflatten(dim, (num_coarse, 2)).sum(dim + 1)
        pairs = given.unflatten(dim, (num_coarse, 2))
        lower, upper = pairs.select(dim + 1, 0), pairs.select(dim + 1, 1)
        result.narrow(dim, 0, num_coarse - 1).add_(lower.narrow(dim, 1, num_coarse - 1))
        result.narrow(dim, 1, num_coarse - 1).add_(upper.narrow(dim, 0, num_coarse - 1))
        return result
