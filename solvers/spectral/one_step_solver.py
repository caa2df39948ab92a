"""What the one-step methods in Fourier space share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.problems import Problem
from solvers.solver import Solution, Solver
from solvers.spectral.march import Step
from solvers.spectral.spectral_trajectory import SpectralTrajectory, fourier_unsuited
from solvers.spectral.step_control import StepControl
from solvers.step_settings import check_step_settings


@dataclass(frozen=True, kw_only=True)
class OneStepSolver(Solver):
    """A solver for periodic evolution equations: a space, a time step, and its control.

    Subclasses give the time step; see them for the settings.
    """

    time_order: ClassVar[int]
    space_order: ClassVar[float | None] = math.inf

    time_step: float | None = None
    tolerance: float = 1e-8
    max_steps: int = 2**16
    pad_products: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        check_step_settings(self.time_step, self.tolerance, self.max_steps)

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """See `Solver.unsuited`."""
        return fourier_unsuited(problem, domain)

    @abstractmethod
    def make_step(self, trajectory: SpectralTrajectory, time_step: float) -> Step:
        """Prepare the time step of a length.

        Args:
            trajectory: Linear and nonlinear part.
            time_step: Its length.

        Returns:
            The step.
        """

    def control(self, trajectory: SpectralTrajectory) -> StepControl:
        """The step control of one solve: steps are doubled until they meet the tolerance."""
        return StepControl(
            trajectory,
            partial(self.make_step, trajectory),
            order=self.time_order,
            tolerance=self.tolerance,
            max_steps=self.max_steps,
        )

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of initial fields, see `Solver.solve`.

        Raises:
            ValueError: The problem is not semilinear, the grid not periodic, or the times are not ascending
                from 0.
            SolverError: Values became infinite or NaN, or the tolerance was not met within `max_steps`.
        """
        trajectory = SpectralTrajectory(problem, inputs, domain, times, pad_products=self.pad_products)
        control = self.control(trajectory)
        state = trajectory.initial
        for frame, (start, end) in enumerate(trajectory.intervals):
            if end > start:
                state = (
                    control.controlled(state, start, end)
                    if self.time_step is None
                    else control.fixed(state, start, end, self.time_step)
                )
            trajectory.record(frame, state)
        return trajectory.solution(control.report())
