"""Trajectories of a periodic semilinear problem: what every time stepper in Fourier space shares."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Complex
from torch import Tensor

from pdeops.domains import Domain, Field, Grid
from pdeops.problems import Problem, SemilinearProblem
from solvers.solver import Solution, SolveReport, checked_times, initial_values, static_inputs
from solvers.spectral.linear_part import LinearPart
from solvers.spectral.resolution import ResolutionCheck
from solvers.spectral.spectral_space import FourierSpace

DEGREE_WITHOUT_BOUND = 2
"""Terms that are no polynomials alias on every grid; they are treated as the common case is."""


LARGEST_THRESHOLD = 31 * 2**20
"""In bytes; glibc does not follow blocks of 32 MB and more."""


class SpectralTrajectory:
    """Initial spectrum, linear part, nonlinear part and recorded frames of one call of `solve`.

    Waves of the grid beyond the de-aliased band take no part in the nonlinear term; they are carried exactly
    by the linear part, so smooth data loses nothing and rough data is damped as it should be. Those that the
    linear part would make grow are dropped after time 0: only the nonlinear term could bound them.

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
                f"expected a problem with a linear part in Fourier space (SemilinearProblem), "
                f"got {type(problem).__name__}; try another solver"
            )
        if not isinstance(domain, Grid):
            raise ValueError(f"expected a periodic Grid, got a {type(domain).__name__}; try Grid.periodic")
        keep_freed_memory()
        self.problem = problem
        self.grid = domain
        self.times = checked_times(times)
        values = initial_values(problem, inputs, domain)
        degree = problem.nonlinear_degree
        self.space = FourierSpace(
            domain,
            pad_products=pad_products,
            degree=DEGREE_WITHOUT_BOUND if degree is None else degree,
            device=values.device,
        )
        is_coupled = problem.is_coupled
        self.linear = LinearPart(problem.linear_symbol(self.space.wavenumbers), is_coupled=is_coupled)
        self._nonlinear = problem.nonlinear_operator(self.space)
        full = problem.linear_symbol(self.space.full_wavenumbers)
        self._full_linear = LinearPart(full, is_coupled=is_coupled)
        self._full_initial = self.space.full_spectrum(values)
        self.initial = self.space.truncate(self._full_initial)
        if self.space.band != self.space.full_band:
            outside = torch.where(self._full_linear.is_growing, 0, self._full_initial)
            self._full_initial = self.space.insert(outside, self.initial)
        self._frames = values.new_empty(len(values), len(self.times), *values.shape[1:])
        self._values = values
        # Waves of a linear problem do not feed one another: what the grid holds is right.
        self._check = None if degree == 1 else ResolutionCheck(self.space)

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return len(self._values)

    @property
    def intervals(self) -> list[tuple[float, float]]:
        """Start and end of each output interval; the first starts at time 0 and may be empty."""
        ends: list[float] = self.times.tolist()
        return list(zip([0.0, *ends[:-1]], ends, strict=True))

    def nonlinear(
        self, spectrum: Complex[Tensor, "batch ..."], time: Tensor | float = 0.0
    ) -> Complex[Tensor, "batch ..."]:
        """The problem's nonlinear term in this space, at a time or at one time a sample."""
        return self._nonlinear(spectrum, time)

    def record(self, frame: int, spectrum: Complex[Tensor, "batch ..."]) -> None:
        """Write the values at one output time; at time 0 they are the given ones, bit for bit."""
        time = self.times[frame].item()
        if self._check is not None and time > 0:
            self._check.look(spectrum, time)
        if time == 0:
            self._frames[:, frame] = self._values
        elif self.space.band == self.space.full_band:
            self._frames[:, frame] = self.space.full_to_grid(spectrum)
        else:
            linear_only = self._full_linear.apply(self._full_linear.exponential(time), self._full_initial)
            self._frames[:, frame] = self.space.full_to_grid(self.space.insert(linear_only, spectrum))

    def solution(self, report: SolveReport) -> Solution:
        """The recorded frames as a solution; the report says if the grid is too coarse for them."""
        return Solution(
            values=self._frames,
            domain=self.grid,
            channels=tuple(variable.name for variable in self.problem.outputs),
            units=tuple(variable.unit for variable in self.problem.outputs),
            times=self.times,
            report=report if self._check is None else self._check.judge(report),
        )


def keep_freed_memory() -> None:
    """Let glibc hand out freed memory again instead of giving it back to the system.

    A time step makes and frees the same arrays over and over. With the thresholds that a process starts with,
    every one above about a megabyte is given back and has to be paged in anew, which costs up to three times
    what its transform does. glibc raises the thresholds to the size of the largest block freed so far, up to
    32 MB; so one such block, whose pages are never touched, is freed. Elsewhere this does nothing.
    """
    torch.empty(LARGEST_THRESHOLD, dtype=torch.uint8)


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
        if axis.num_points < 4:
            return f"expected 4 points or more, got {axis.num_points} for {axis.name!r}"
    names = static_inputs(problem)
    if names:
        return f"expected the initial values as the only inputs, got {names} too"
    return None
