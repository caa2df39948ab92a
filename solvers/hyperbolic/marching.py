"""Marching a batch of cell values through time, each sample with steps of its own."""

from __future__ import annotations

import math
from time import perf_counter

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from solvers.hyperbolic.face_discretisation import FaceDiscretisation
from solvers.hyperbolic.runge_kutta import StrongStabilityPreserving
from solvers.solver import SolveReport, SolverError, SolveStatus

ROUNDING = 1e-12
"""Keeps an interval that is a whole number of steps, but for its last bits, from one step more."""


class Marching:
    """Steps as long as stability allows, shortened so that output times are met.

    The steps of a sample follow from that sample alone, so its solution does not depend on its batch.

    Args:
        system: Rates of change and the limit of an Euler step.
        method: The Runge-Kutta method.
        courant: Part of a cell that the fastest wave may cross in an Euler step.
        time_step: Longest step besides that; no other limit if None.
        max_steps: Most steps an output interval.
    """

    def __init__(
        self,
        system: FaceDiscretisation,
        method: StrongStabilityPreserving,
        *,
        courant: float,
        time_step: float | None,
        max_steps: int,
    ) -> None:
        self._system = system
        self._method = method
        self._courant = courant
        self._longest = math.inf if time_step is None else time_step
        self._max_steps = max_steps
        self._started = perf_counter()
        outputs = system.problem.outputs
        self._positive = [
            number for number, item in enumerate(outputs) if item.name in system.problem.positive_outputs
        ]

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return perf_counter() - self._started

    def to(
        self, state: Float64[Tensor, "batch channels *shape"], start: float, end: float
    ) -> tuple[Float64[Tensor, "batch channels *shape"], Tensor]:
        """March from one output time to the next.

        Args:
            state: Values at the start.
            start: Time of the state.
            end: Time wanted, later.

        Returns:
            Values at the end, and the number of steps of each sample (batch,), on the CPU.

        Raises:
            SolverError: Values lost their meaning, or there are too many steps.
        """
        result = torch.empty_like(state)
        counts = torch.zeros(len(state), dtype=torch.int64)
        samples = torch.arange(len(state))  # those that are on the way, in the order of the state
        remaining = torch.full((len(state),), end - start, dtype=torch.float64)
        while len(samples):
            limit = self._method.coefficient * self._system.euler_limit(state, self._courant)
            limit = limit.clamp(max=self._longest).cpu()
            num_left = torch.ceil(remaining / limit * (1 - ROUNDING)).clamp(min=1)
            self._check_count(counts[samples] + num_left, samples, end - remaining, limit)
            time_step = remaining / num_left
            columns = time_step.to(state.device).reshape(-1, *(1,) * (state.ndim - 1))
            state = self._method.step(state, columns, self._system.rate)
            counts[samples] += 1
            self._check_values(state, samples, end - remaining + time_step, time_step)
            arrived = num_left <= 1
            remaining = remaining - time_step
            if bool(arrived.any()):
                mask = arrived.to(state.device)
                result[samples[arrived].to(state.device)] = state[mask]
                state, samples, remaining = state[~mask], samples[~arrived], remaining[~arrived]
        return result, counts

    def _check_count(self, totals: Tensor, samples: Tensor, times: Tensor, limits: Tensor) -> None:
        worst = int(totals.argmax())
        if totals[worst] <= self._max_steps:
            return
        cause = "the wave speeds and the spacing set it"
        if self._system.diffusivity:
            cause = "diffusion limits it to the squared spacing: an implicit solver has no such limit"
        message = (
            f"sample {int(samples[worst])} needs about {totals[worst]:.3g} steps of {limits[worst]:.3g} in "
            f"the output interval at t = {times[worst]:g}, more than max_steps = {self._max_steps}; {cause}"
        )
        raise SolverError(SolveReport(status=SolveStatus.STEP_LIMIT, message=message, seconds=self.seconds))

    def _check_values(self, state: Tensor, samples: Tensor, times: Tensor, time_steps: Tensor) -> None:
        is_bad = ~torch.isfinite(state)
        if self._positive:
            is_bad[:, self._positive] |= state[:, self._positive] <= 0
        if not bool(is_bad.any()):
            return
        row, channel, *place = torch.nonzero(is_bad)[0].tolist()
        problem, grid = self._system.problem, self._system.grid
        value = state[(row, channel, *place)].item()
        at = ", ".join(
            f"{axis.name} = {axis.points[index].item():g}"
            for axis, index in zip(grid.axes, place, strict=True)
        )
        message = (
            f"{problem.outputs[channel].name!r} became {value:g} at {at} at t = {times[row]:g} "
            f"(step length {time_steps[row]:g}) in sample {int(samples[row])}"
        )
        if self._positive:
            names = " and ".join(repr(problem.outputs[number].name) for number in self._positive)
            message += (
                f"; {names} has to stay positive, and beds that fall dry are beyond this method: "
                "try a deeper layer, limiter='minmod' or a smaller courant"
            )
        raise SolverError(SolveReport(status=SolveStatus.BLOW_UP, message=message, seconds=self.seconds))


def check_start(system: FaceDiscretisation, state: Float[Tensor, "batch channels *shape"]) -> None:
    """Check that initial values have a meaning.

    Args:
        system: The problem and its grid.
        state: Initial values.

    Raises:
        ValueError: An output that has to be positive is not.
    """
    problem = system.problem
    for number, variable in enumerate(problem.outputs):
        if variable.name in problem.positive_outputs:
            lowest = state[:, number].flatten(1).amin(1)
            bad = torch.nonzero(lowest <= 0).flatten().tolist()
            if bad:
                raise ValueError(
                    f"{problem.name}: expected positive initial values of {variable.name!r}, got "
                    f"{lowest.min().item():g} in samples {bad}; try a thin layer instead of a dry bed"
                )
