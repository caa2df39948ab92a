"""Steps of explicit Runge-Kutta methods, each as long as its own error estimate allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from solvers.solver import SolveReport, SolverError, SolveStatus
from solvers.spectral.march import Step, largest_value
from solvers.spectral.runge_kutta_tableau import RungeKuttaTableau
from solvers.spectral.spectral_trajectory import SpectralTrajectory
from solvers.spectral.step_control import StepControl

SAFETY = 0.9
SHRINK, GROW = 0.2, 5.0
INTEGRAL, PROPORTIONAL = 0.7, 0.4
"""Exponents of the PI controller over the order: K. Gustafsson, 1991, doi:10.1145/210232.210242."""

SMALLEST_STEP = 1e-12
"""Of the interval: below it rounding decides."""

STABLE = 3.3
"""An explicit Runge-Kutta method of order five is stable for |h L| below about this."""


class EmbeddedControl(StepControl):
    """PI step control with an embedded pair, a step length a sample.

    The samples of a batch make their steps together, each of its own length, so that the solution of one does
    not depend on the others. Half of the tolerance is shared out by length, half by number: a step of length
    h out of at most n in an interval T may make an error of (h / T + 1 / n) / 2 of it, so that the estimates
    of an interval sum up to the tolerance at most, and short steps are not held to errors below rounding.

    Args:
        trajectory: What is solved.
        tableau: The pair.
        tolerance: Largest sum of the estimated relative errors in an output interval.
        max_steps: Most steps an interval, those that are repeated included.
        make_step: Prepares steps of a given length, for fixed steps.
    """

    def __init__(
        self,
        trajectory: SpectralTrajectory,
        tableau: RungeKuttaTableau,
        make_step: Callable[[float], Step],
        *,
        tolerance: float,
        max_steps: int,
    ) -> None:
        super().__init__(trajectory, make_step, order=tableau.order, tolerance=tolerance, max_steps=max_steps)
        self.fourier = trajectory
        self.tableau = tableau
        size = trajectory.linear.multipliers.abs()
        self.stiffness = size.sum(1).max().item() if trajectory.linear.is_coupled else size.max().item()
        self._lengths: Tensor | None = None

    def controlled(self, state: Tensor, start: float, end: float) -> Tensor:
        """Steps that meet the tolerance, for each sample on its own.

        Raises:
            SolverError: `max_steps` do not suffice, or the steps shrink to nothing.
        """
        self.has_estimate = True
        length = end - start
        result = torch.empty_like(state)
        members = torch.arange(len(state), device=state.device)
        elapsed = torch.zeros(len(state), dtype=torch.float64, device=state.device)
        slope = explicit_slope(self.fourier, state, start)
        lengths = self._first_lengths(state, slope) if self._lengths is None else self._lengths
        self._lengths = lengths.clone()
        previous = torch.ones_like(elapsed)
        count = 0
        while len(members):
            count += 1
            if count > self.max_steps:
                raise self._too_many(members, start, start + elapsed.min().item(), end, lengths)
            remaining = length - elapsed
            is_last = lengths >= remaining * (1 - 1e-9)
            taken = torch.where(is_last, remaining, torch.minimum(lengths, remaining / 2))
            new, error, last_slope = embedded_step(
                self.fourier, self.tableau, state, slope, start + elapsed, taken
            )
            size = torch.maximum(_norm(state), _norm(new)).clamp_min(1e-300)
            estimate = _norm(error) / size
            ratio = estimate / (self.tolerance / 2 * (taken / length + 1 / self.max_steps))
            accepted = ratio <= 1  # false for NaN
            factor = SAFETY * ratio.clamp_min(1e-10) ** (-INTEGRAL / self.tableau.embedded_order)
            factor = factor * previous ** (PROPORTIONAL / self.tableau.embedded_order)
            factor = torch.nan_to_num(factor, nan=SHRINK, posinf=SHRINK).clamp(SHRINK, GROW)
            # The last step of an interval is cut short: it says nothing against the longer one.
            longer = torch.where(is_last & accepted, torch.maximum(lengths, taken * factor), taken * factor)
            lengths = torch.where(accepted, longer, taken * factor.clamp_max(SAFETY))
            collapsed = (lengths < SMALLEST_STEP * length) & ~(accepted & is_last)
            if collapsed.any():
                raise self._collapsed(members, collapsed, state, start + elapsed)
            keep = _like(accepted, state)
            state, slope = torch.where(keep, new, state), torch.where(keep, last_slope, slope)
            previous = torch.where(accepted, ratio.clamp_min(1e-4), previous)
            self.num_steps[members] += accepted.long()
            self.error_estimate[members] += torch.where(accepted, estimate, 0)
            elapsed = torch.where(accepted, elapsed + taken, elapsed)
            done = accepted & is_last
            if done.any():
                result[members[done]] = state[done]
                self._lengths[members[done]] = lengths[done]
                going = ~done
                members, state, slope = members[going], state[going], slope[going]
                elapsed, lengths, previous = elapsed[going], lengths[going], previous[going]
        return result

    def _first_lengths(self, state: Tensor, slope: Tensor) -> Float[Tensor, " batch"]:
        """A hundredth of the time in which the solution changes by itself, within the bound of stability."""
        lengths = 0.01 * _norm(state).clamp_min(1e-300) / _norm(slope).clamp_min(1e-300)
        return lengths.clamp_max(STABLE / max(self.stiffness, 1e-300))

    def _too_many(
        self, members: Tensor, start: float, time: float, end: float, lengths: Tensor
    ) -> SolverError:
        message = (
            f"{self.max_steps} steps from t = {start:g} came to t = {time:g} only, not to t = {end:g}, in "
            f"samples {members.tolist()} (step length {lengths.min().item():.2g})"
        )
        bound = STABLE / max(self.stiffness, 1e-300)
        if lengths.median().item() < 3 * bound:
            message += (
                f"; the linear part is stiff (it limits explicit steps to {bound:.2g}), so try "
                "SpectralSolver or ImexRungeKuttaSolver"
            )
        return SolverError(SolveReport(status=SolveStatus.STEP_LIMIT, message=message, seconds=self.seconds))

    def _collapsed(self, members: Tensor, lost: Tensor, state: Tensor, times: Tensor) -> SolverError:
        samples = members[lost].tolist()
        place = largest_value(self.trajectory, state[lost], samples)
        message = (
            f"the step length fell to nothing at t = {times[lost].min().item():.6g} in samples "
            f"{samples}{place}; the solution leaves every bound there, so try smaller initial values or an "
            "earlier end"
        )
        return SolverError(SolveReport(status=SolveStatus.BLOW_UP, message=message, seconds=self.seconds))


def explicit_slope(
    trajectory: SpectralTrajectory, state: Complex[Tensor, "batch ..."], time: Tensor | float
) -> Complex[Tensor, "batch ..."]:
    """L u + N(u, t), both by their values."""
    linear = trajectory.linear
    if isinstance(time, Tensor):
        time = _like(time, trajectory.space.points[0][None])
    return linear.apply(linear.multipliers, state) + trajectory.nonlinear(state, time)


def embedded_step(
    trajectory: SpectralTrajectory,
    tableau: RungeKuttaTableau,
    state: Tensor,
    slope: Tensor,
    time: Tensor,
    lengths: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of an explicit pair whose last slope is that of the result.

    Args:
        trajectory: What is solved.
        tableau: The pair.
        state: Spectra.
        slope: Slope of the state.
        time: Time of each sample.
        lengths: Step of each sample.

    Returns:
        The next state, the estimated error, and the slope of the next state.
    """
    slopes, stage = [slope], state
    scale = _like(lengths, state)
    for row, node in list(zip(tableau.stages, tableau.nodes, strict=True))[1:]:
        stage = state + scale * combination(row, slopes)
        slopes.append(explicit_slope(trajectory, stage, time + node * lengths))
    differences = [a - b for a, b in zip(tableau.weights, tableau.embedded, strict=True)]
    return stage, scale * combination(differences, slopes), slopes[-1]


def combination(weights: Sequence[float], tensors: Sequence[Tensor]) -> Tensor:
    """Sum of tensors with weights, in new memory."""
    used = [(w, t) for w, t in zip(weights, tensors, strict=False) if w]
    (first, tensor), rest = used[0], used[1:]
    return reduce(lambda total, item: total.add_(item[1], alpha=item[0]), rest, first * tensor)


def _norm(spectrum: Tensor) -> Float[Tensor, " batch"]:
    return spectrum.flatten(1).norm(dim=1)


def _like(values: Tensor, spectrum: Tensor) -> Tensor:
    """One value a sample, shaped to multiply spectra or values (batch, ...)."""
    return values.reshape(-1, *(1,) * (spectrum.ndim - 1))
