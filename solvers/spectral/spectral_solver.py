"""Fourier pseudo-spectral solver with fourth-order exponential time stepping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

import torch
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.problems import Problem
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus
from solvers.spectral.etdrk4 import ETDRK4Coefficients, etdrk4_step
from solvers.spectral.spectral_trajectory import SpectralTrajectory, blow_up, fourier_unsuited, march

ERROR_FACTOR = 2**4 - 1
"""Halving the step of a fourth-order method leaves 1/16 of the error: the change is 15 times what is left."""

SMALLEST_TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class SpectralSolver(Solver):
    r"""Solves :math:`\partial_t u = L u + N(u)` on a periodic box: Navier-Stokes, Burgers and the like.

    Space: trigonometric polynomials, quadratic terms free of aliasing (`FourierSpace`). Time: ETDRK4, which
    integrates :math:`L` exactly, so diffusion sets no limit on the step (`ETDRK4Coefficients`). Output times
    are met exactly: each interval between two of them is cut into equal steps.

    **Fixed step** (`time_step` given): every interval is cut into the fewest equal steps not longer than
    `time_step`. There is no error estimate.

    **Step control** (`time_step=None`): for every output interval and every sample on its own, :math:`n` and
    :math:`2n` steps are compared, and :math:`n` is doubled until the estimate
    :math:`\|u_{2n} - u_n\| / (15 \|u_{2n}\|)` is at most `tolerance`; :math:`u_{2n}` is kept. The next
    interval starts from the :math:`n` that was accepted, or half of it where that should do. As a sample's
    steps follow from that sample alone, its solution does not depend on the batch it is solved in, and data
    generated in chunks is the same whatever their size. The price is one and a half to
    two times the work of the accepted steps alone.

    Args:
        time_step: Longest step h (time), or None for step control. Good values: 0.1 for Navier-Stokes with
            viscosity 1e-3 and the benchmark's initial vorticity (relative error 6e-7 at t = 1), a fifth of
            the eddy turnover time in general.
        tolerance: Largest estimated relative L2 error in time an output interval, at least 1e-12. It bounds
            what is made in one interval, not what chaos makes of it later; nor does it see the error of the
            grid.
        max_steps: Most steps an interval under step control.
        pad_products: Form products on a grid of 3/2 as many points, so that all waves of the grid take part
            in the nonlinear term (31 instead of 21 of a 64-point axis): more exact for solutions that the
            grid hardly resolves, for up to twice the work in two dimensions.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: On a grid that does not resolve the smallest scales, energy piles up in the last kept waves
    and the solution rings; step control then asks for ever more steps and ends with `SolveStatus.STEP_LIMIT`,
    a fixed step with `SolveStatus.BLOW_UP` or, worse, with a smooth-looking wrong field. Compare two grids.

    References:
        | A.-K. Kassam, L. N. Trefethen, 2005, Fourth-order time-stepping for stiff PDEs,
        | doi:10.1137/S1064827502410633
    """

    time_order: ClassVar[float | None] = 4
    space_order: ClassVar[float | None] = math.inf

    time_step: float | None = None
    tolerance: float = 1e-8
    max_steps: int = 2**16
    pad_products: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.time_step is not None and not (math.isfinite(self.time_step) and self.time_step > 0):
            raise ValueError(f"time_step: expected a positive number or None, got {self.time_step}; try 0.05")
        if not SMALLEST_TOLERANCE <= self.tolerance < 1:
            raise ValueError(
                f"tolerance: expected {SMALLEST_TOLERANCE} or more and less than 1, got {self.tolerance}; "
                "try 1e-8"
            )
        if self.max_steps < 2:
            raise ValueError(f"max_steps: expected 2 or more, got {self.max_steps}; try 65536")

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
            SolverError: Values became infinite or NaN, or the tolerance was not met within `max_steps`.
        """
        trajectory = SpectralTrajectory(problem, inputs, domain, times, pad_products=self.pad_products)
        run = _Run(self, trajectory)
        state = trajectory.initial
        for frame, (start, end) in enumerate(trajectory.intervals):
            if end > start:
                state = (
                    run.controlled(state, start, end)
                    if self.time_step is None
                    else run.fixed(state, start, end, self.time_step)
                )
            trajectory.record(frame, state)
        return trajectory.solution(run.report())


class _Run:
    """Counters and cached coefficients of one call of `solve`."""

    def __init__(self, settings: SpectralSolver, trajectory: SpectralTrajectory) -> None:
        self.settings = settings
        self.trajectory = trajectory
        self.started = perf_counter()
        device = trajectory.initial.device
        self.num_steps = torch.zeros(trajectory.batch_size, dtype=torch.int64, device=device)
        self.error_estimate = torch.zeros(trajectory.batch_size, dtype=torch.float64, device=device)
        # The number of steps that the next interval is tried with first is 2**level, a sample.
        self.levels = torch.zeros(trajectory.batch_size, dtype=torch.int64, device=device)
        self._coefficients: dict[str, ETDRK4Coefficients] = {}

    def advance(self, state: Tensor, time_step: float, num_steps: int) -> tuple[Tensor, Tensor]:
        # Intervals such as 0.1 and 0.3 - 0.2 differ in the last bit and may share coefficients.
        key = f"{time_step:.12e}"
        if key not in self._coefficients:
            self._coefficients[key] = ETDRK4Coefficients.build(self.trajectory.symbol, time_step)
        coefficients = self._coefficients[key]
        return march(state, lambda u: etdrk4_step(u, coefficients, self.trajectory.nonlinear), num_steps)

    def fixed(self, state: Tensor, start: float, end: float, longest_step: float) -> Tensor:
        # The factor keeps 0.3 / 0.1 from becoming four steps by its last bit.
        num_steps = max(1, math.ceil((end - start) / longest_step * (1 - 1e-12)))
        time_step = (end - start) / num_steps
        state, finite_steps = self.advance(state, time_step, num_steps)
        bad = torch.nonzero(finite_steps < num_steps).flatten()
        if len(bad):
            raise blow_up(bad.tolist(), finite_steps[bad].tolist(), start, time_step, self.seconds)
        self.num_steps += num_steps
        return state

    def controlled(self, state: Tensor, start: float, end: float) -> Tensor:
        result = torch.empty_like(state)
        for level in self.levels.unique().tolist():
            members = torch.nonzero(self.levels == level).flatten()
            self._refine(state, result, members, level, start, end)
        return result

    def _refine(
        self, state: Tensor, result: Tensor, members: Tensor, level: int, start: float, end: float
    ) -> None:
        """Double the steps of some samples until each meets the tolerance; write them to `result`."""
        length = end - start
        coarse, _ = self.advance(state[members], length / 2**level, 2**level)
        while len(members):
            num_steps = 2 ** (level + 1)
            if num_steps > self.settings.max_steps:
                raise self._step_limit(members, start, end)
            fine, finite_steps = self.advance(state[members], length / num_steps, num_steps)
            if 2 * num_steps > self.settings.max_steps and (finite_steps < num_steps).any():
                bad = finite_steps < num_steps
                raise blow_up(
                    members[bad].tolist(), finite_steps[bad].tolist(), start, length / num_steps, self.seconds
                )
            error = (fine - coarse).flatten(1).norm(dim=1) / fine.flatten(1).norm(dim=1).clamp_min(1e-300)
            error = error / ERROR_FACTOR
            accepted = error <= self.settings.tolerance  # false for NaN
            done = members[accepted]
            result[done] = fine[accepted]
            self.num_steps[done] += num_steps
            self.error_estimate[done] += error[accepted]
            # Half the steps make 16 times the error; the factor 4 keeps most trials from being wasted.
            easy = 64 * error[accepted] <= self.settings.tolerance
            self.levels[done] = (level - easy.long()).clamp_min(0)
            members, coarse, level = members[~accepted], fine[~accepted], level + 1

    def _step_limit(self, members: Tensor, start: float, end: float) -> SolverError:
        message = (
            f"{self.settings.max_steps} steps from t = {start:g} to t = {end:g} did not meet the tolerance "
            f"{self.settings.tolerance:g} in samples {members.tolist()}"
        )
        return SolverError(SolveReport(status=SolveStatus.STEP_LIMIT, message=message, seconds=self.seconds))

    @property
    def seconds(self) -> float:
        return perf_counter() - self.started

    def report(self) -> SolveReport:
        if self.num_steps.is_cuda:
            torch.cuda.synchronize(self.num_steps.device)
        controlled = self.settings.time_step is None
        steps = self.num_steps.double().mean().item() if len(self.num_steps) else 0.0
        seconds = self.seconds
        return SolveReport(
            status=SolveStatus.CONVERGED,
            message=f"{len(self.num_steps)} samples, {steps:g} steps a sample on average, {seconds:.3g} s",
            seconds=seconds,
            num_steps=self.num_steps,
            error_estimate=self.error_estimate if controlled else None,
        )
