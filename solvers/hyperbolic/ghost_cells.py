"""Cells beyond the boundary, filled by its conditions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Grid
from pdeops.problems import Dirichlet, Neumann
from pdeops.problems.conservation_law import ConservationLaw


class GhostCells:
    """Extends states beyond the ends of an axis.

    Periodic axes go round. On the others `Neumann(flux="0")` is an open end: without diffusion the outer cell
    is repeated, with diffusion its neighbourhood is mirrored. `Dirichlet` sets the values that flow in:
    without diffusion they fill the ghost cells, with diffusion the states are mirrored about them. For
    problems that know walls (`ConservationLaw.mirror_signs`), `Dirichlet` is a wall.

    Args:
        problem: Names the conditions.
        grid: Periodic or cell-centred axes.
        width: Number of ghost cells an end.
        device: Device of the states.
    """

    def __init__(self, problem: ConservationLaw, grid: Grid, width: int, device: torch.device) -> None:
        self._width = width
        self._is_periodic = [axis.is_periodic for axis in grid.axes]
        self._is_diffusive = problem.diffusivity_value > 0
        self._given: dict[tuple[int, int], Tensor] = {}
        self._signs: dict[tuple[int, int], Tensor] = {}
        conditions = problem.conditions_on(grid)
        for number, axis in enumerate(grid.axes):
            for end, side in enumerate(("lower", "upper")):
                condition = conditions.get(f"{axis.name}_{side}")
                if not isinstance(condition, Dirichlet):
                    continue
                signs = problem.mirror_signs(number)
                if signs is not None:
                    shape = (-1, *(1,) * grid.dimension)
                    self._signs[number, end] = torch.tensor(signs, device=device).reshape(shape)
                    continue
                part = f"{axis.name}_{side}"
                values = problem.boundary_values(part, condition.value, grid.boundary(part).points).to(device)
                self._given[number, end] = values.reshape(
                    [1 if i == number else n for i, n in enumerate(grid.shape)]
                )

    def extend(self, state: Float[Tensor, "batch channels *shape"], number: int) -> Float[Tensor, "..."]:
        """Values with ghost cells at both ends of one axis.

        Args:
            state: Values in the cells.
            number: The axis.

        Returns:
            Values with `width` more cells at each end.
        """
        dim, width = number + 2, self._width
        count = state.shape[dim]
        if self._is_periodic[number]:
            parts = [state.narrow(dim, count - width, width), state, state.narrow(dim, 0, width)]
            return torch.cat(parts, dim)
        lower = self._ghosts(state.narrow(dim, 0, width), number, 0)
        upper = self._ghosts(state.narrow(dim, count - width, width), number, 1)
        return torch.cat([lower, state, upper], dim)

    def _ghosts(self, inner: Tensor, number: int, end: int) -> Tensor:
        """The ghost cells next to the outermost cells."""
        dim = number + 2
        if (number, end) in self._signs:
            return inner.flip(dim) * self._signs[number, end]
        given = self._given.get((number, end))
        if self._is_diffusive:
            return inner.flip(dim) if given is None else 2 * given - inner.flip(dim)
        if given is None:
            outermost = inner.narrow(dim, 0 if end == 0 else self._width - 1, 1)
            return outermost.expand(inner.shape)
        return given.expand(inner.shape)


def unsuited_boundary(problem: ConservationLaw, grid: Grid) -> str | None:
    """Why the conditions cannot be met by `GhostCells`; None if they can."""
    if not grid.boundary_names:
        return None
    if problem.boundary is None:
        return f"expected periodic axes for a problem without boundary conditions, got {grid.boundary_names}"
    for name, condition in problem.conditions_on(grid).items():
        if isinstance(condition, Dirichlet | Neumann) and problem.parse(_text(condition)) == 0:
            continue
        walls = any(problem.mirror_signs(number) is not None for number in range(grid.dimension))
        if isinstance(condition, Dirichlet) and not walls:
            continue
        return (
            f"expected Dirichlet{'(value=0), a wall,' if walls else ''} or Neumann(flux=0), an open end, "
            f"on {name!r}, got {condition}"
        )
    return None


def _text(condition: Dirichlet | Neumann) -> str:
    return condition.value if isinstance(condition, Dirichlet) else condition.flux
