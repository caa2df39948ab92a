"""Conditions at the faces of a box, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Grid


@dataclass(frozen=True, eq=False)
class Wall:
    r"""What happens at one face of a box; made by `dirichlet`, `neumann` and `robin`.

    Args:
        value: Right side g of the condition: a number, or a tensor over the points of the other axes, with or
            without a leading batch.
        coefficient: :math:`\alpha` of :math:`a \, \partial u / \partial n + \alpha u = g`, shaped like g, or
            None for u = g.
    """

    value: Tensor | float = 0.0
    coefficient: Tensor | float | None = None

    @classmethod
    def dirichlet(cls, value: Tensor | float = 0.0) -> Wall:
        """Given values u = g."""
        return cls(value, None)

    @classmethod
    def neumann(cls, flux: Tensor | float = 0.0) -> Wall:
        r"""Given flux :math:`a \, \partial u / \partial n = g`."""
        return cls(flux, 0.0)

    @classmethod
    def robin(cls, coefficient: Tensor | float = 1.0, value: Tensor | float = 0.0) -> Wall:
        r"""Flux in proportion to the value, :math:`a \, \partial u / \partial n + \alpha u = g`."""
        return cls(value, coefficient)

    @property
    def is_dirichlet(self) -> bool:
        """Whether the values are given."""
        return self.coefficient is None


def every_wall(grid: Grid, walls: Mapping[str, Wall]) -> dict[str, Wall]:
    """One wall for each face of a box, u = 0 where none is given.

    Args:
        grid: The box.
        walls: Walls by name of the face.

    Returns:
        Walls by name, for all of ``grid.boundary_names``.

    Raises:
        ValueError: A wall is named after no face, or a coefficient is negative.
    """
    unknown = [name for name in walls if name not in grid.boundary_names]
    if unknown:
        raise ValueError(f"walls: expected names among {list(grid.boundary_names)}, got {unknown}")
    result = {name: walls.get(name, Wall.dirichlet()) for name in grid.boundary_names}
    for name, wall in result.items():
        if wall.coefficient is not None and not bool((torch.as_tensor(wall.coefficient) >= 0).all()):
            raise ValueError(
                f"wall {name!r}: expected a coefficient of 0 or more, got {wall.coefficient}; try to move "
                "the sign to the other side: a du/dn + alpha u = g, n outward"
            )
    return result


def spread(
    values: Tensor | float, grid: Grid, number: int, like: Tensor
) -> Float[Tensor, "batch *part_shape"]:
    """Values over one face of a box, with one entry along the axis across it.

    Args:
        values: A number, or a tensor over the points of the other axes, with or without a leading batch.
        grid: The box.
        number: Number of the axis across the face.
        like: Gives device and precision.

    Returns:
        Shape (batch, *grid.shape) with 1 in the place of the axis; batch is 1 where none was given.

    Raises:
        ValueError: The shape does not fit.
    """
    tensor = torch.as_tensor(values, dtype=like.dtype, device=like.device)
    part = (*grid.shape[:number], *grid.shape[number + 1 :])
    leading = tensor.shape[: max(0, tensor.ndim - len(part))]
    try:
        if len(leading) > 1:
            raise RuntimeError
        tensor = tensor.expand(*(leading or (1,)), *part)
    except RuntimeError:
        raise ValueError(
            f"wall across {grid.axes[number].name!r}: expected values of shape {part}, or (batch, *{part}), "
            f"got {tuple(tensor.shape)}"
        ) from None
    return tensor.unsqueeze(number + 1)
