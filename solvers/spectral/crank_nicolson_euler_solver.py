"""The first-order time stepper of the published Navier-Stokes benchmark, for comparison."""

from __future__ import annotations

import math
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


@dataclass(frozen=True, kw_only=True)
class CrankNicolsonEulerSolver(Solver):
    r"""Explicit Euler for the nonlinear term, Crank-Nicolson for the linear one, in Fourier space.

    .. math:: (1 - \tfrac{h}{2} L)\, u^{n+1} = (1 + \tfrac{h}{2} L)\, u^n + h\, N(u^n)

    This is the scheme that made the Navier-Stokes data sets of the Fourier neural operator paper (256 x 256
    points, h = 1e-4). It is here to be compared with: `SpectralSolver` is cheaper by orders of magnitude for
    the same error. Two details differ from the published script, both in its favour: transforms are real
    ones, and waves outside the 2/3 band are kept out of products as well as out of their result.

    Args:
        time_step: Longest step h (time); output intervals are cut into equal steps. Good values: 1e-4, as
            published; 1e-3 has ten times the error. The explicit part is stable for |u| h K of about 1 at
            most, and only with some viscosity.

    Raises:
        ValueError: The step is not positive.

    References:
        | Z. Li et al., 2021, Fourier neural operator for parametric partial differential equations,
        | arXiv:2010.08895
    """

    time_order: ClassVar[float | None] = 1
    space_order: ClassVar[float | None] = math.inf

    time_step: float = 1e-4

    def __post_init__(self) -> None:
        """Check the settings."""
        if not (math.isfinite(self.time_step) and self.time_step > 0):
            raise ValueError(f"time_step: expected a positive number, got {self.time_step}; try 1e-4")

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """See `Solver.unsuited`."""
        return fourier_unsuited(problem, domain)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of initial fields, see `Solver.solve`.

        Raises:
            ValueError: The problem is not semilinear, the grid not periodic, or the times are not ascending
                from 0.
            SolverError: Values became infinite or NaN.
        """
        trajectory = SpectralTrajectory(problem, inputs, domain, times, pad_products=False)
        control = StepControl(
            trajectory, partial(self.make_step, trajectory), order=1, tolerance=math.inf, max_steps=0
        )
        state = trajectory.initial
        for frame, (start, end) in enumerate(trajectory.intervals):
            if end > start:
                state = control.fixed(state, start, end, self.time_step)
            trajectory.record(frame, state)
        return trajectory.solution(control.report())

    def make_step(self, trajectory: SpectralTrajectory, time_step: float) -> Step:
        """The step of a length."""
        linear = trajectory.linear
        denominator = linear.plus_identity(-time_step / 2)
        keep = linear.quotient(linear.plus_identity(time_step / 2), denominator)
        gain = time_step * linear.inverse(denominator)

        def step(state: Tensor, time: float, _samples: Tensor) -> Tensor:
            return linear.apply(keep, state) + linear.apply(gain, trajectory.nonlinear(state, time))

        return step
