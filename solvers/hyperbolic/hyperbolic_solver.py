"""What the solvers of conservation laws share: output times, and what they are not for."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems import Problem
from pdeops.problems.conservation_law import ConservationLaw
from solvers.hyperbolic.face_discretisation import FaceDiscretisation
from solvers.hyperbolic.ghost_cells import unsuited_boundary
from solvers.hyperbolic.marching import Marching, check_start
from solvers.hyperbolic.runge_kutta import StrongStabilityPreserving
from solvers.solver import Solution, Solver, SolveReport, SolveStatus, checked_times, initial_values


@dataclass(frozen=True, kw_only=True)
class HyperbolicSolver(Solver):
    """Explicit steps of a conservation law on uniform cells.

    Args:
        courant: Part of a cell that the fastest wave may cross in an Euler step, summed over the axes.
        time_step: Longest step (time) besides the limit of stability; None for no other limit. Good values:
            None, unless sources change the state faster than waves cross a cell.
        max_steps: Most steps an output interval.

    Raises:
        ValueError: A setting is out of its range.
    """

    method: ClassVar[StrongStabilityPreserving]
    ghost_width: ClassVar[int]

    courant: float = 0.4
    time_step: float | None = None
    max_steps: int = 10**6

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 0 < self.courant <= 1:
            raise ValueError(f"courant: expected a number above 0 and up to 1, got {self.courant}; try 0.4")
        if self.time_step is not None and not (math.isfinite(self.time_step) and self.time_step > 0):
            raise ValueError(f"time_step: expected a positive number or None, got {self.time_step}; try None")
        if self.max_steps < 1:
            raise ValueError(f"max_steps: expected 1 or more, got {self.max_steps}; try 1000000")

    @abstractmethod
    def discretisation(
        self, problem: ConservationLaw, grid: Grid, device: torch.device
    ) -> FaceDiscretisation:
        """The scheme in space.

        Args:
            problem: The conservation law.
            grid: Where.
            device: Device of the states.

        Returns:
            Rates of change of cells.
        """

    def prefers(self, problem: Problem, domain: Domain) -> bool:
        """See `Solver.prefers`: where shocks form."""
        return isinstance(problem, ConservationLaw) and problem.forms_shocks

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """See `Solver.unsuited`."""
        if not isinstance(problem, ConservationLaw):
            return f"expected a ConservationLaw, which states its fluxes, got {type(problem).__name__}"
        if not isinstance(domain, Grid):
            return f"expected a Grid, got a {type(domain).__name__}"
        for axis in domain.axes:
            if axis.kind not in (AxisKind.PERIODIC, AxisKind.CELLS):
                return f"expected periodic axes or cells, got {axis.kind} for {axis.name!r}"
            if axis.num_points < self.ghost_width:
                return (
                    f"expected {self.ghost_width} or more cells an axis, got {axis.num_points} for "
                    f"{axis.name!r}"
                )
        return unsuited_boundary(problem, domain)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of initial fields, see `Solver.solve`.

        Raises:
            ValueError: See `Solver.check`; or initial values that have to be positive are not.
            SolverError: Values became infinite, NaN or not positive where they must be, or there would be
                more than `max_steps` steps.
        """
        self.check(problem, inputs, domain, times)
        if not (isinstance(problem, ConservationLaw) and isinstance(domain, Grid)):
            raise TypeError("expected check() to refuse all but conservation laws on grids")
        output_times = checked_times(times)
        state = initial_values(problem, inputs, domain)
        system = self.discretisation(problem, domain, state.device)
        check_start(system, state)
        marching = Marching(
            system,
            self.method,
            courant=self.courant,
            time_step=self.time_step,
            max_steps=self.max_steps,
        )
        num_steps = torch.zeros(len(state), dtype=torch.int64)
        frames = []
        start = 0.0
        for end in output_times.tolist():
            if end > start:
                state, counts = marching.to(state, start, end)
                num_steps += counts
            frames.append(state)
            start = end
        return Solution(
            values=torch.stack(frames, dim=1),
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            times=output_times,
            report=SolveReport(
                status=SolveStatus.CONVERGED,
                message=(
                    f"{len(state)} samples, {int(num_steps.max())} steps at most, {marching.seconds:.3g} s"
                ),
                seconds=marching.seconds,
                num_steps=num_steps.to(state.device),
            ),
        )
