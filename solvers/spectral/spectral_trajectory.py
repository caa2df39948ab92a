"""Trajectories of a periodic semilinear problem: what every time stepper in Fourier space shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Complex, Int
from torch import Tensor

from pdeops.domains import Domain, Field, Grid
from pdeops.problems import Problem, SemilinearProblem
from solvers.solver import Solution, SolveReport, SolverError, SolveStatus, checked_times, initial_values
from solvers.spectral.spectral_space import FourierSpace

STEPS_BETWEEN_CHECKS = 64
"""Looking whether everything is lost makes a GPU wait, so it is done once in so many steps."""


class SpectralTrajectory:
    """Initial spectrum, linear symbol, nonlinear term and recorded frames of one call of `solve`.

    Waves of the grid beyond the de-aliased band take no part in the nonlinear term; they are carried exactly
    by the linear part, so smooth data loses nothing and rough data is damped as it should be.

    Args:
        problem: A problem with a spectral linear and nonlinear part.
        inputs: Initial data by name.
        domain: A periodic grid.
        times: Output times, ascending, not negative.
        pad_products: See `FourierSpace`.

    Raises:
        ValueError: The problem is not semilinear, the domain is not a periodic grid, or the times are
            missing, negative or not ascending.
    """

    def __init__(
        self,
        problem: Problem,
        inputs: Mapping[str, Field],
        domain: Domain,
        times: Tensor | None,
        *,
        pad_products: bool,
    ) -> None:
        if not isinstance(problem, SemilinearProblem):
            raise ValueError(
                f"expected a problem with a diagonal linear part in Fourier space (SemilinearProblem), "
                f"got {type(problem).__name__}; try another solver"
            )
        if not isinstance(domain, Grid):
            raise ValueError(f"expected a periodic Grid, got a {type(domain).__name__}; try Grid.periodic")
        self.problem = problem
        self.grid = domain
        self.times = checked_times(times)
        values = initial_values(problem, inputs, domain)
        self.space = FourierSpace(domain, pad_products=pad_products, device=values.device)
        self.symbol = problem.linear_symbol(self.space.wavenumbers)
        self._full_symbol = problem.linear_symbol(self.space.full_wavenumbers)
        self._full_initial = self.space.full_spectrum(values)
        self.initial = self.space.truncate(self._full_initial)
        self._frames = values.new_empty(len(values), len(self.times), *values.shape[1:])
        self._values = values

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return len(self._values)

    @property
    def intervals(self) -> list[tuple[float, float]]:
        """Start and end of each output interval; the first starts at time 0 and may be empty."""
        ends: list[float] = self.times.tolist()
        return list(zip([0.0, *ends[:-1]], ends, strict=True))

    def nonlinear(self, spectrum: Complex[Tensor, "batch ..."]) -> Complex[Tensor, "batch ..."]:
        """The problem's nonlinear term in this space."""
        return self.problem.nonlinear_term(spectrum, self.space)

    def record(self, frame: int, spectrum: Complex[Tensor, "batch ..."]) -> None:
        """Write the values at one output time; at time 0 they are the given ones, bit for bit."""
        time = self.times[frame].item()
        if time == 0:
            self._frames[:, frame] = self._values
            return
        linear_only = torch.exp(time * self._full_symbol) * self._full_initial
        self._frames[:, frame] = self.space.full_to_grid(self.space.insert(linear_only, spectrum))

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


def march(
    state: Complex[Tensor, "batch ..."], step: Callable[[Tensor], Tensor], num_steps: int
) -> tuple[Complex[Tensor, "batch ..."], Int[Tensor, " batch"]]:
    """Make time steps, counting for each sample the steps after which all its values were finite.

    Args:
        state: Spectra of the batch.
        step: One time step.
        num_steps: Number of steps; fewer are made once no sample is finite.

    Returns:
        The state after the steps, and the number of finite steps (batch,): `num_steps` where all went well.
    """
    finite_steps = torch.zeros(len(state), dtype=torch.int64, device=state.device)
    for count in range(1, num_steps + 1):
        state = step(state)
        # A sum is finite only where every term is; NaN and infinity never become finite again.
        finite_steps += torch.isfinite(state.flatten(1).sum(1))
        if count % STEPS_BETWEEN_CHECKS == 0 and not (finite_steps == count).any():
            break
    return state, finite_steps


def blow_up(
    samples: list[int], finite_steps: list[int], start: float, time_step: float, seconds: float
) -> SolverError:
    """The error for samples whose values became infinite or NaN.

    Args:
        samples: Their numbers in the batch.
        finite_steps: Finite steps of each since `start`.
        start: Time of the start of the output interval.
        time_step: Length of the steps.
        seconds: Wall time so far.

    Returns:
        An error that names the first bad step, its time, and the samples.
    """
    first = min(finite_steps) + 1
    message = (
        f"step {first} after t = {start:g} (to t = {start + first * time_step:g}, step length {time_step:g}) "
        f"made values that are not finite; in samples {samples} by the end of the output interval"
    )
    return SolverError(SolveReport(status=SolveStatus.BLOW_UP, message=message, seconds=seconds))


def fourier_unsuited(problem: Problem, domain: Domain) -> str | None:
    """Why Fourier methods in time cannot solve a problem on a domain; None if they can."""
    if not isinstance(problem, SemilinearProblem):
        return (
            f"expected a problem in time with a linear part (SemilinearProblem), got {type(problem).__name__}"
        )
    if not isinstance(domain, Grid):
        return f"expected a periodic grid, got a {type(domain).__name__}"
    for axis in domain.axes:
        if not axis.is_periodic:
            return f"expected periodic axes, got {axis.kind} for {axis.name!r}"
    return None
