"""Rates of change of cells from the fluxes through their faces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Axis, Grid
from pdeops.problems.conservation_law import ConservationLaw
from solvers.hyperbolic.compiled_law import CompiledLaw
from solvers.hyperbolic.ghost_cells import GhostCells


class FaceDiscretisation(ABC):
    """A conservation law on a grid, differences of face fluxes in space and continuous in time.

    What leaves a cell enters its neighbour, so totals are conserved to rounding.

    Args:
        problem: The law.
        grid: Periodic or cell-centred axes; points of periodic axes are taken as centres of cells.
        device: Device of the states.

    Attributes:
        ghost_width: Number of cells needed beyond each end of an axis.
        diffusion_factor: Largest eigenvalue of the second difference times the squared spacing, over 4.
    """

    ghost_width: ClassVar[int]
    diffusion_factor: ClassVar[float]

    def __init__(self, problem: ConservationLaw, grid: Grid, device: torch.device) -> None:
        self.problem = problem
        self.law = CompiledLaw(problem)
        self.grid = grid
        self.diffusivity = problem.diffusivity_value
        self.points = tuple(points.to(device) for points in grid.coordinates)
        self._ghosts = GhostCells(problem, grid, self.ghost_width, device)
        self._has_sources = any(source != 0 for source in problem.sources)
        self._device = device

    def rate(self, state: Float[Tensor, "batch channels *shape"]) -> Float[Tensor, "batch channels *shape"]:
        """Time derivative of each cell."""
        rate = self.law.sources(state, self.points) if self._has_sources else torch.zeros_like(state)
        for number, axis in enumerate(self.grid.axes):
            extended = self._ghosts.extend(state, number)
            flux = self.transport(extended, number)
            if self.diffusivity:
                flux = flux - self.diffusivity * self.gradient(extended, number)
            rate = rate - flux.diff(dim=number + 2) / axis.spacing
        return rate

    def euler_limit(
        self, state: Float[Tensor, "batch channels *shape"], courant: float
    ) -> Float[Tensor, " batch"]:
        """Longest Euler step of each sample.

        Args:
            state: The state.
            courant: Part of a cell that the fastest wave may cross, summed over the axes.

        Returns:
            The length of the step; infinite where nothing moves.
        """
        frequency = state.new_zeros(state.select(1, 0).shape)
        for number, axis in enumerate(self.grid.axes):
            lowest, highest = self.law.speeds(number, state, self.points)
            speed = torch.maximum(lowest.abs(), highest.abs())
            diffusion = 2 * self.diffusion_factor * self.diffusivity / axis.spacing**2
            frequency = frequency + speed / (courant * axis.spacing) + diffusion
        return 1 / frequency.flatten(1).amax(1)

    @abstractmethod
    def transport(
        self, extended: Float[Tensor, "batch channels *extended"], number: int
    ) -> Float[Tensor, "batch channels *faces"]:
        """Flux without diffusion through all faces along an axis, from values with ghost cells."""

    @abstractmethod
    def gradient(
        self, extended: Float[Tensor, "batch channels *extended"], number: int
    ) -> Float[Tensor, "batch channels *faces"]:
        """Derivative along an axis at all its faces, from values with ghost cells."""

    def coordinates_along(self, number: int, positions: Float[Tensor, " count"]) -> tuple[Tensor, ...]:
        """Coordinates of the grid with other positions along one axis; periodic ones within the box."""
        axis = self.grid.axes[number]
        if axis.is_periodic:
            positions = axis.lower + torch.remainder(positions - axis.lower, axis.length)
        lines = [positions if i == number else other.points for i, other in enumerate(self.grid.axes)]
        return tuple(points.to(self._device) for points in torch.meshgrid(*lines, indexing="ij"))


def cell_positions(axis: Axis, width: int) -> Float[Tensor, " count"]:
    """Centres of the cells of an axis and of its ghost cells."""
    return axis.points[0] + axis.spacing * torch.arange(-width, axis.num_points + width, dtype=torch.float64)
