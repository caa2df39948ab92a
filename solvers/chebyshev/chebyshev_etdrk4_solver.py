"""Chebyshev collocation with fourth-order exponential time stepping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from pdeops.domains import Domain, Field, Grid
from pdeops.problems import Problem, SemilinearProblem
from solvers.chebyshev.chebyshev_trajectory import ChebyshevTrajectory, evolution_faces
from solvers.chebyshev.evolution_split import EvolutionSplit
from solvers.chebyshev.resolution import spectral_tail
from solvers.chebyshev.suitability import unsuited_grid
from solvers.solver import Solution, Solver
from solvers.spectral.etdrk4 import ETDRK4Coefficients, etdrk4_step
from solvers.spectral.march import Step
from solvers.spectral.step_control import StepControl
from solvers.step_settings import check_step_settings

HIGHEST_ORDER = 2


@dataclass(frozen=True, kw_only=True)
class ChebyshevETDRK4Solver(Solver):
    r"""Solves :math:`\partial_t u = \sum_i c_i \partial_i^2 u + c_0 u + N(u, \nabla u, x, t)` on a box.

    Inputs that are no initial values are known functions of space in N, one a sample.

    Space: polynomials on Chebyshev axes, trigonometric ones on periodic axes, in the eigenvectors of the
    Laplacian with the boundary conditions (`LineBasis`). Steady boundary data is carried by a harmonic
    function (`SteadyLift`), so that the rest meets homogeneous conditions. Time: ETDRK4, which integrates
    second derivatives and multiples of u with constant coefficients exactly; advection, mixed derivatives,
    other outputs and nonlinear terms are evaluated on the grid. Conditions hold for every output alike, the
    conormal coefficient being the problem's.

    `time_step`, `tolerance` and `max_steps` mean what they do in `SpectralSolver`.

    Args:
        time_step: Longest step (time), or None for step control.
        tolerance: Largest estimated relative error in time an output interval, in the norm of the
            coefficients, which is equivalent to that of the values.
        max_steps: Most steps an interval under step control.
        boundary_tolerance: Largest violation of Dirichlet conditions by the initial data, relative to its
            size; the values at the ends are replaced. ``math.inf`` allows any: a jump that diffusion smooths.
            Initial fluxes that miss Neumann or Robin conditions are smoothed likewise, and reported. The
            solution is then good to 1e-6 from times t on with :math:`\sqrt{c\, t}` of :math:`1 / n` of the
            side, to rounding from twice that width on, and rings before.

    Raises:
        ValueError: A setting is out of its range.

    Good values: Points lie at distances of :math:`(\pi/n)^2/2` of half the side near the ends and
    :math:`\pi/n` in the middle: boundary layers are cheap, layers inside need :math:`n \approx 15 /
    thickness`. Burgers' equation from a sine wave with viscosity 0.01/pi on [0, 1], the layer at the end, is
    solved to 1e-8 by 160 points.

    Failure mode: Explicit advection needs steps below about :math:`10/n^2` over the speed at the ends; step
    control finds that out, a fixed step blows up. Products alias: a solution that the grid does not resolve
    grows wiggles; the report names the size of the highest coefficients, which is about the error in space.

    Example:
        >>> exact = HeatEquation(dimension=1).exact_solutions()["warm_wall"]
        >>> grid, times = Grid.box((24,), "chebyshev"), torch.tensor([1.0])
        >>> solution = ChebyshevETDRK4Solver().solve(exact.problem, exact.inputs(grid), grid, times)
        >>> bool(solution.relative_error(exact.solution(grid, times)) < 1e-12)
        True

    References:
        | A.-K. Kassam, L. N. Trefethen, 2005, Fourth-order time-stepping for stiff PDEs,
        | doi:10.1137/S1064827502410633
    """

    time_order: ClassVar[float | None] = 4
    space_order: ClassVar[float | None] = math.inf

    time_step: float | None = None
    tolerance: float = 1e-8
    max_steps: int = 2**16
    boundary_tolerance: float = 1e-6

    def __post_init__(self) -> None:
        """Check the settings."""
        check_step_settings(self.time_step, self.tolerance, self.max_steps)
        if not self.boundary_tolerance > 0:
            raise ValueError(
                f"boundary_tolerance: expected a positive number, got {self.boundary_tolerance}; try 1e-6"
            )

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Equations with diffusion along each Chebyshev axis; see `Solver.unsuited`."""
        if not isinstance(problem, SemilinearProblem):
            return (
                f"expected a problem in time with a linear part (SemilinearProblem), "
                f"got {type(problem).__name__}"
            )
        reason = unsuited_grid(domain)
        if reason is not None or not isinstance(domain, Grid):
            return reason
        if problem.boundary is None:
            return f"expected boundary conditions for {', '.join(domain.boundary_names)}, got none"
        if problem.auxiliary:
            return f"expected no auxiliary unknowns, got {problem.auxiliary[0].name!r}"
        return _unsuited_equation(problem, domain)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of initial fields, see `Solver.solve`.

        Raises:
            ValueError: Problem, domain, inputs or times do not fit, or initial data violates the boundary
                conditions.
            SolverError: Values became infinite or NaN, or the tolerance was not met within `max_steps`.
        """
        self.check(problem, inputs, domain, times)
        if not isinstance(problem, SemilinearProblem) or not isinstance(domain, Grid):
            raise TypeError(f"expected a SemilinearProblem on a Grid, got {type(problem).__name__}")
        trajectory = ChebyshevTrajectory(
            problem, inputs, domain, times, boundary_tolerance=self.boundary_tolerance
        )
        control = StepControl(
            trajectory,
            partial(_make_step, trajectory),
            order=4,
            tolerance=self.tolerance,
            max_steps=self.max_steps,
        )
        state = trajectory.initial
        for frame, (start, end) in enumerate(trajectory.intervals):
            if end > start:
                state = (
                    control.controlled(state, start, end)
                    if self.time_step is None
                    else control.fixed(state, start, end, self.time_step)
                )
            trajectory.record(frame, state)
        report = control.report()
        tail = spectral_tail(trajectory.last_frame, domain).max().item()
        message = f"{report.message}; highest coefficients {tail:.1e} of the largest at the end"
        message += trajectory.note
        return trajectory.solution(replace(report, message=message))


def _make_step(trajectory: ChebyshevTrajectory, time_step: float) -> Step:
    coefficients = ETDRK4Coefficients.build(trajectory.explicit.symbol, time_step)
    explicit = trajectory.explicit

    def step(state: Tensor, time: float, samples: Tensor) -> Tensor:
        first, middle, last = (
            partial(explicit, time=time + fraction * time_step, samples=samples) for fraction in (0, 0.5, 1)
        )
        return etdrk4_step(state, coefficients, first, (middle, last))

    return step


def _unsuited_equation(problem: SemilinearProblem, grid: Grid) -> str | None:
    """Why the equations do not fit: their order, their diffusion, or conditions that vary."""
    try:
        split = EvolutionSplit.of(problem)
    except ValueError as error:
        return str(error)
    if split.highest_order > HIGHEST_ORDER:
        return f"expected space derivatives up to order {HIGHEST_ORDER}, got order {split.highest_order}"
    for variable, weights in zip(problem.outputs, split.weights, strict=True):
        for axis, weight in zip(grid.axes, weights, strict=True):
            if weight < 0 or (weight == 0 and not axis.is_periodic):
                return (
                    f"expected constant, positive diffusion of {variable.name!r} along {axis.name!r}, "
                    f"got the coefficient {weight:g}"
                )
    for number, sides in evolution_faces(problem, grid, torch.device("cpu")).items():
        if not all(side.is_constant for side in sides):
            return (
                f"expected Robin coefficients that are constant along the faces of {grid.axes[number].name!r}"
            )
    return None
