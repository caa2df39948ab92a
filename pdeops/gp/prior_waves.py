"""Functions of a prior on the grid of a collocation, as sums of all waves of each axis."""

from __future__ import annotations

from jaxtyping import Float64
from torch import Tensor

from pdeops.gp.boundary_rows import wave_rows
from pdeops.gp.equation_terms import Orders
from pdeops.gp.kernel_factor import along
from pdeops.gp.tensor_collocation import TensorCollocation, differentiated


class PriorWaves:
    """What a collocation needs to know of a function that is a sum of waves.

    Args:
        collocation: Grid, equation, conditions, and functions made of the waves.
    """

    def __init__(self, collocation: TensorCollocation) -> None:
        bases = collocation.bases
        self.symbols = tuple(collocation.equation.symbols)
        device = collocation.equation.device
        self.tables = {
            (number, order): basis.waves(basis.points, order).to(device)
            for number, basis in enumerate(bases)
            for order in {0, *(orders[number] for orders in self.symbols)}
        }
        self.rows = [wave_rows(ends, basis) for ends, basis in zip(collocation.ends, bases, strict=True)]
        self.shape = [basis.num_waves for basis in bases]

    def derivatives(self, waves: Float64[Tensor, "*waves"]) -> dict[Orders, Tensor]:
        """Derivatives that the equation holds, at the points of the grid."""
        return differentiated(waves, self.tables, self.symbols)

    def values(self, waves: Float64[Tensor, "*waves"]) -> Float64[Tensor, " *shape"]:
        """Values at the points of the grid."""
        zero = (0,) * waves.ndim
        return differentiated(waves, self.tables, [zero])[zero]

    def faces(self, waves: Float64[Tensor, "*waves"]) -> list[Tensor]:
        """Right sides of the conditions at the points of the faces, one tensor an axis."""
        result = []
        for number, rows in enumerate(self.rows):
            values = along(rows.to(waves), waves, number)
            for other in range(waves.ndim):
                if other != number:
                    values = along(self.tables[other, 0], values, other)
            result.append(values.cpu())
        return result
