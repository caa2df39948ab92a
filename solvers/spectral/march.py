"""Steps of equal length, and the diagnosis where they end in infinity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from solvers.solver import SolveReport, SolverError, SolveStatus
from solvers.spectral.trajectory import Trajectory

STEPS_BETWEEN_CHECKS = 16
"""Looking whether values are finite makes a GPU wait, so it is done once in so many steps."""

UNRESOLVED = 1e-4
"""Share of the squares in the outer third of the waves above which the grid is to blame."""

Step = Callable[[Tensor, float, Tensor], Tensor]
"""``step(spectrum, time, samples)``: the spectrum one step later, in new memory; which samples of the batch
the spectra belong to matters where the equation holds functions that differ from sample to sample."""


@dataclass(frozen=True)
class March:
    """What came of a number of steps.

    Args:
        state: Spectra after the last step made.
        finite_steps: Steps after which all values of a sample were finite.
        checkpoint: The last spectra that were looked at and finite in every sample, or where it began.
        checkpoint_step: Number of steps before it.
    """

    state: Shaped[Tensor, "batch ..."]
    finite_steps: Int[Tensor, " batch"]
    checkpoint: Shaped[Tensor, "batch ..."]
    checkpoint_step: int


def march(
    state: Shaped[Tensor, "batch ..."],
    step: Step,
    samples: Int[Tensor, " batch"],
    start: float,
    time_step: float,
    num_steps: int,
    *,
    goes_on_without: bool = False,
) -> March:
    """Make time steps, counting for each sample the steps after which all its values were finite.

    Args:
        state: Spectra of the batch.
        step: One time step.
        samples: Numbers in the whole batch of the samples.
        start: Time of the state.
        time_step: Length of a step.
        num_steps: Number of steps; fewer are made once values are lost.
        goes_on_without: Go on until every sample is lost, not only until one is.

    Returns:
        The state after the steps and the number of finite steps: `num_steps` where all went well.
    """
    finite_steps = torch.zeros(len(state), dtype=torch.int64, device=state.device)
    checkpoint, checkpoint_step = state, 0
    for count in range(1, num_steps + 1):
        state = step(state, start + (count - 1) * time_step, samples)
        # A sum is finite only where every term is; NaN and infinity never become finite again.
        finite_steps += torch.isfinite(state.flatten(1).sum(1))
        if count % STEPS_BETWEEN_CHECKS == 0:
            finite = finite_steps == count
            if finite.all():
                checkpoint, checkpoint_step = state, count
            elif not (goes_on_without and finite.any()):
                break
    return March(state, finite_steps, checkpoint, checkpoint_step)


def blow_up(
    trajectory: Trajectory,
    step: Step,
    result: March,
    num_steps: int,
    *,
    samples: list[int],
    start: float,
    time_step: float,
    seconds: float,
) -> SolverError:
    """The error for samples whose values became infinite or NaN.

    Args:
        trajectory: Space and initial data.
        step: The time step that was made; it is repeated from the last checkpoint to look at the values
            before they were lost.
        result: What came of the steps.
        num_steps: Number of steps that were wanted.
        samples: Numbers in the batch of the samples that were marched.
        start: Time of the start of the steps.
        time_step: Length of the steps.
        seconds: Wall time so far.

    Returns:
        An error that names the first bad step, its time, the samples, where the largest value was before,
        and what would help.
    """
    lost = result.finite_steps < num_steps
    first = int(result.finite_steps[lost].min())
    at_first = torch.nonzero(lost & (result.finite_steps == first)).flatten().tolist()
    state = result.checkpoint
    members = torch.tensor(samples, device=state.device)
    for count in range(result.checkpoint_step, first):
        state = step(state, start + count * time_step, members)
    time = start + (first + 1) * time_step
    message = (
        f"step {first + 1} after t = {start:g} (to t = {time:g}, step length {time_step:g}) "
        f"made values that are not finite in samples {[samples[i] for i in at_first]}"
        f"{largest_value(trajectory, state[at_first], [samples[i] for i in at_first])}"
        f"; {advice(trajectory, time_step)}"
    )
    return SolverError(SolveReport(status=SolveStatus.BLOW_UP, message=message, seconds=seconds))


def largest_value(trajectory: Trajectory, state: Tensor, samples: list[int]) -> str:
    """Where the largest value of some spectra is, in words; nothing if they are not finite on the grid."""
    values = trajectory.space.to_grid(state).abs()
    if not torch.isfinite(values).all():
        return ""
    index = torch.unravel_index(values.argmax(), values.shape)
    sample, channel, *place = (int(i) for i in index)
    grid = trajectory.space.product_grid
    point = ", ".join(f"{axis.name} = {axis.points[i]:g}" for axis, i in zip(grid.axes, place, strict=True))
    name = trajectory.problem.outputs[channel].name
    value = values.flatten().max().item()
    return f"; the largest value before was |{name}| = {value:.3g} in sample {samples[sample]} at {point}"


def advice(trajectory: Trajectory, time_step: float) -> str:
    """What would help, from how well the initial data is resolved."""
    share = outer_share(trajectory)
    if share > UNRESOLVED:
        return (
            f"the outer third of the waves held {share:.1e} of the squares at t = 0, so try more points first"
        )
    return (
        f"the initial data is resolved, so try steps of {time_step / 4:.2g} or less; if the values are lost "
        "at the same time again, the solution itself ends there"
    )


def outer_share(trajectory: Trajectory) -> float:
    """Largest share of a sample's squares in the outer third of the de-aliased waves at time 0."""
    outer = torch.zeros((), dtype=torch.bool, device=trajectory.initial.device)
    for waves in trajectory.space.wavenumbers:
        outer = outer | (waves.abs() > 2 / 3 * waves.abs().max())
    squares = trajectory.initial.abs().square()
    total = squares.flatten(1).sum(1).clamp_min(1e-300)
    return ((squares * outer).flatten(1).sum(1) / total).max().item() if len(total) else 0.0
