"""Trajectories of an evolution equation on a box, in the eigenvectors of its Laplacian."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Field, Grid
from pdeops.problems import SemilinearProblem
from solvers.chebyshev.boundary_closure import FaceCondition, face_conditions
from solvers.chebyshev.eigen_space import EigenSpace
from solvers.chebyshev.evolution_split import EvolutionSplit
from solvers.chebyshev.explicit_part import ExplicitPart
from solvers.chebyshev.resolution import spectral_tail
from solvers.solver import (
    Solution,
    SolveReport,
    checked_times,
    checked_values,
    initial_values,
    static_inputs,
)

FLUX_TOLERANCE = 1e-6
"""Initial fluxes at the walls that miss the conditions by more, relative to their size, are reported."""


class ChebyshevTrajectory:
    """Initial state, symbol, explicit part and recorded frames of one call of `solve`.

    Args:
        problem: The problem.
        inputs: Initial data and known functions of space by name.
        grid: Chebyshev and periodic axes.
        times: Output times.
        boundary_tolerance: Largest relative violation of Dirichlet conditions by the initial data.

    Attributes:
        note: What the initial data misses of the other conditions, in words for the report.

    Raises:
        ValueError: The initial data violates a Dirichlet condition by more.
    """

    def __init__(
        self,
        problem: SemilinearProblem,
        inputs: Mapping[str, Field],
        grid: Grid,
        times: Tensor | None,
        *,
        boundary_tolerance: float,
    ) -> None:
        """Set up the basis and transform the initial data."""
        self.problem = problem
        self.grid = grid
        self.times = checked_times(times)
        self._values = initial_values(problem, inputs, grid)
        device = self._values.device
        faces = evolution_faces(problem, grid, device)
        self.space = EigenSpace(grid, faces, device)
        self.note = self._check_start(boundary_tolerance)
        known = {name: checked_values(problem, name, inputs, grid) for name in static_inputs(problem)}
        self.explicit = ExplicitPart(problem, known, EvolutionSplit.of(problem), self.space)
        self.initial: Tensor = self.space.to_state(self._values)
        self._frames = self._values.new_empty(len(self._values), len(self.times), *self._values.shape[1:])

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return len(self._values)

    @property
    def intervals(self) -> list[tuple[float, float]]:
        """Start and end of each output interval; the first starts at time 0 and may be empty."""
        ends: list[float] = self.times.tolist()
        return list(zip([0.0, *ends[:-1]], ends, strict=True))

    def record(self, frame: int, state: Float64[Tensor, "batch channels *inner"]) -> None:
        """Write the values at one output time; at time 0 they are the given ones, bit for bit."""
        at_start = self.times[frame].item() == 0
        self._frames[:, frame] = self._values if at_start else self.space.to_grid(state)

    def solution(self, report: SolveReport) -> Solution:
        """The recorded frames as a solution."""
        return Solution(
            values=self._frames,
            domain=self.grid,
            channels=tuple(variable.name for variable in self.problem.outputs),
            units=tuple(variable.unit for variable in self.problem.outputs),
            times=self.times,
            report=report,
        )

    @property
    def last_frame(self) -> Float64[Tensor, "batch_channels *shape"]:
        """Values at the last output time, all channels of all samples in a row."""
        return self._frames[:, -1].flatten(0, 1)

    def _check_start(self, tolerance: float) -> str:
        """Compare the initial data with the conditions at every point of every face.

        Returns:
            What of the fluxes is missed, in words; a slope at an end is known up to the data's unresolved
            part times its largest factor there, about the square of the number of points.
        """
        size = _size(self._values)
        tail = spectral_tail(self._values.flatten(0, 1), self.grid).reshape(self._values.shape[:2]).amax(1)
        note = ""
        for number, sides in self.space.closure.faces.items():
            axis = self.grid.axes[number]
            dim = number - self.grid.dimension
            slopes = self.space.derivative(self._values, number, 1)
            for end, position, sign, side in zip(
                ("lower", "upper"), (0, -1), (-1.0, 1.0), sides, strict=True
            ):
                at_end = self._values.select(dim, position)
                outward = sign * slopes.select(dim, position)
                difference = side.value * at_end + side.slope * outward - side.data
                mismatch = difference.flatten(1).abs().amax(1)
                if side.is_dirichlet:
                    scale = torch.maximum(size, side.data.abs().max())
                    bad = torch.nonzero(mismatch > tolerance * scale).flatten().tolist()
                    if bad:
                        raise ValueError(
                            f"{self.problem.name}: expected initial data that meets the boundary conditions, "
                            f"got a mismatch of {mismatch[bad].max().item():.3g} on {axis.name}_{end} in "
                            f"samples {bad}; try initial data that fits, other conditions, or "
                            "boundary_tolerance=math.inf, which lets the values jump to the conditions"
                        )
                    continue
                largest = (side.slope.abs().max(), side.value.abs().max())
                scale = largest[0] * (_size(slopes) + size / axis.length) + largest[1] * size
                unresolved = largest[0] * tail * size * axis.num_points**2 / axis.length
                if bool((mismatch > FLUX_TOLERANCE * scale + unresolved).any()):
                    note += f"; the initial data misses the flux on {axis.name}_{end} by {mismatch.max():.2g}"
        return note


def evolution_faces(
    problem: SemilinearProblem, grid: Grid, device: torch.device
) -> dict[int, tuple[FaceCondition, FaceCondition]]:
    """The boundary conditions of an evolution equation, see `face_conditions`."""
    conormal = problem.values(problem.conormal_coefficient, grid)[None].to(device)
    return face_conditions(problem, grid, conormal)


def _size(values: Tensor) -> Tensor:
    return values.flatten(1).abs().amax(dim=1)
