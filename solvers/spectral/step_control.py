"""Fixed steps, and steps that are halved until an output interval meets the tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor

from solvers.solver import SolveReport, SolverError, SolveStatus
from solvers.spectral.march import March, Step, blow_up, march
from solvers.spectral.trajectory import Trajectory


class StepControl:
    """Counters and prepared steps of one call of `solve`.

    Args:
        trajectory: What is solved.
        make_step: Prepares the time step of a length: coefficients are computed once a length.
        order: Order of the step, for the error estimate.
        tolerance: Largest estimated relative error an output interval under control.
        max_steps: Most steps an interval under control.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        make_step: Callable[[float], Step],
        *,
        order: int,
        tolerance: float,
        max_steps: int,
    ) -> None:
        self.trajectory = trajectory
        self.make_step = make_step
        # Halving the step of a method of order p leaves 2^-p of the error: the change is 2^p - 1 times that.
        self.error_factor = 2**order - 1
        self.order = order
        self.tolerance = tolerance
        self.max_steps = max_steps
        self.started = perf_counter()
        self.has_estimate = False
        device = trajectory.initial.device
        self.num_steps = torch.zeros(trajectory.batch_size, dtype=torch.int64, device=device)
        self.error_estimate = torch.zeros(trajectory.batch_size, dtype=torch.float64, device=device)
        # The number of steps that the next interval is tried with first is 2**level, a sample.
        self.levels = torch.zeros(trajectory.batch_size, dtype=torch.int64, device=device)
        self._steps: dict[str, Step] = {}

    def step(self, time_step: float) -> Step:
        """The step of a length, prepared once."""
        # Intervals such as 0.1 and 0.3 - 0.2 differ in the last bit and may share coefficients.
        key = f"{time_step:.12e}"
        if key not in self._steps:
            self._steps[key] = self.make_step(time_step)
        return self._steps[key]

    def fixed(self, state: Tensor, start: float, end: float, longest_step: float) -> Tensor:
        """The fewest equal steps that are not longer than the given one.

        Raises:
            SolverError: Values became infinite or NaN.
        """
        # The factor keeps 0.3 / 0.1 from becoming four steps by its last bit.
        num_steps = max(1, math.ceil((end - start) / longest_step * (1 - 1e-12)))
        time_step = (end - start) / num_steps
        everyone = torch.arange(len(state), device=state.device)
        result = march(state, self.step(time_step), everyone, start, time_step, num_steps)
        if (result.finite_steps < num_steps).any():
            raise self._blow_up(result, list(range(len(state))), start, time_step, num_steps)
        self.num_steps += num_steps
        return result.state

    def controlled(self, state: Tensor, start: float, end: float) -> Tensor:
        """Steps that meet the tolerance, for each sample on its own.

        Raises:
            SolverError: `max_steps` do not meet it, or make values that are not finite.
        """
        self.has_estimate = True
        result = torch.empty_like(state)
        for level in self.levels.unique().tolist():
            members = torch.nonzero(self.levels == level).flatten()
            self._refine(state, result, members, level, start, end)
        return result

    def _refine(
        self, state: Tensor, result: Tensor, members: Tensor, level: int, start: float, end: float
    ) -> None:
        """Double the steps of some samples until each meets the tolerance; write them to `result`."""
        coarse = self._trial(state, members, start, end, 2**level).state
        while len(members):
            num_steps = 2 ** (level + 1)
            if num_steps > self.max_steps:
                raise self._step_limit(members, start, end)
            trial = self._trial(state, members, start, end, num_steps)
            fine = trial.state
            if 2 * num_steps > self.max_steps and (trial.finite_steps < num_steps).any():
                raise self._blow_up(trial, members.tolist(), start, (end - start) / num_steps, num_steps)
            error = (fine - coarse).flatten(1).norm(dim=1) / fine.flatten(1).norm(dim=1).clamp_min(1e-300)
            error = error / self.error_factor
            accepted = error <= self.tolerance  # false for NaN
            done = members[accepted]
            result[done] = fine[accepted]
            self.num_steps[done] += num_steps
            self.error_estimate[done] += error[accepted]
            # Half the steps make 2^p times the error; the factor 4 keeps most trials from being wasted.
            easy = 4 * 2**self.order * error[accepted] <= self.tolerance
            self.levels[done] = (level - easy.long()).clamp_min(0)
            members, coarse, level = members[~accepted], fine[~accepted], level + 1

    def _trial(self, state: Tensor, members: Tensor, start: float, end: float, num_steps: int) -> March:
        time_step = (end - start) / num_steps
        return march(
            state[members], self.step(time_step), members, start, time_step, num_steps, goes_on_without=True
        )

    def _blow_up(
        self, result: March, samples: list[int], start: float, time_step: float, num_steps: int
    ) -> SolverError:
        return blow_up(
            self.trajectory,
            self.step(time_step),
            result,
            num_steps,
            samples=samples,
            start=start,
            time_step=time_step,
            seconds=self.seconds,
        )

    def _step_limit(self, members: Tensor, start: float, end: float) -> SolverError:
        message = (
            f"{self.max_steps} steps from t = {start:g} to t = {end:g} did not meet the tolerance "
            f"{self.tolerance:g} in samples {members.tolist()}"
        )
        return SolverError(SolveReport(status=SolveStatus.STEP_LIMIT, message=message, seconds=self.seconds))

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return perf_counter() - self.started

    def report(self) -> SolveReport:
        """What it cost."""
        if self.num_steps.is_cuda:
            torch.cuda.synchronize(self.num_steps.device)
        steps = self.num_steps.double().mean().item() if len(self.num_steps) else 0.0
        seconds = self.seconds
        return SolveReport(
            status=SolveStatus.CONVERGED,
            message=f"{len(self.num_steps)} samples, {steps:g} steps a sample on average, {seconds:.3g} s",
            seconds=seconds,
            num_steps=self.num_steps,
            error_estimate=self.error_estimate if self.has_estimate else None,
        )
