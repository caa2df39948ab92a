"""Orders of the time steppers in Fourier space, and of their common space."""

import math
from dataclasses import replace
from functools import cache

import torch
from order_case import OrderCase
from periodic_systems import Schroedinger, Shallow

from pdeops.domains import Grid
from pdeops.problems import Burgers1D, NavierStokes2D
from solvers import (
    CrankNicolsonEulerSolver,
    ExplicitRungeKuttaSolver,
    ImexRungeKuttaSolver,
    SpectralSolver,
)


def navier_stokes():
    """A scalar with an auxiliary unknown."""
    problem, grid = NavierStokes2D(viscosity=1e-3), Grid.periodic((24, 24))
    return problem, problem.sample_inputs(grid, [0]), grid, 0.5


def schroedinger():
    """A linear part with matrices, and a cubic nonlinear one."""
    problem, grid = Schroedinger(cubic=True), Grid.periodic((16,))
    (x,) = grid.coordinates
    real, imaginary = 1 + 0.2 * torch.cos(2 * math.pi * x), 0.1 * torch.sin(2 * math.pi * x)
    return problem, problem.fields(grid, real[None], imaginary[None]), grid, 0.2


def shallow():
    """A complex symbol with matrices."""
    problem, grid = Shallow(), Grid.periodic((16,))
    (x,) = grid.coordinates
    height, velocity = 1 + 0.1 * torch.cos(2 * math.pi * x), 0.1 * torch.sin(2 * math.pi * x)
    return problem, problem.fields(grid, height[None], velocity[None]), grid, 0.125


@cache
def reference(case):
    """Fifth order with steps at most a quarter of any below, by the method that treats nothing exactly."""
    problem, inputs, grid, end = case()
    solver = ExplicitRungeKuttaSolver(time_step=end / (480 if case is schroedinger else 240))
    return solver.solve(problem, inputs, grid, torch.tensor([end], dtype=torch.float64))


def in_time(case):
    def run(solver, count):
        problem, inputs, grid, end = case()
        stepped = replace(solver, time_step=end / count)
        solution = stepped.solve(problem, inputs, grid, torch.tensor([end], dtype=torch.float64))
        return end / count, {"l2": solution.relative_error(reference(case)).max().item()}

    return run


def in_space(solver, num_points):
    """Against the same steps on a grid that resolves the solution to rounding: space alone is compared."""
    exact = Burgers1D().exact_solutions()["cole_hopf"]
    times = torch.tensor([0.02], dtype=torch.float64)
    fine, grid = Grid.periodic((64,)), Grid.periodic((num_points,))
    known = solver.solve(exact.problem, exact.inputs(fine), fine, times)
    solution = solver.solve(exact.problem, exact.inputs(grid), grid, times)
    return 1 / num_points, {"l2": solution.resample(fine).relative_error(known).max().item()}


FOURTH, FIFTH, FIRST = (20, 40, 80), (60, 90, 120), (80, 160, 320)

TIME = [
    (SpectralSolver(time_step=1.0), navier_stokes, (5, 10, 20)),
    (SpectralSolver(time_step=1.0), schroedinger, FOURTH),
    (SpectralSolver(time_step=1.0), shallow, FOURTH),
    (ImexRungeKuttaSolver(time_step=1.0), navier_stokes, (5, 10, 20)),
    (ImexRungeKuttaSolver(time_step=1.0), schroedinger, FOURTH),
    (ImexRungeKuttaSolver(time_step=1.0), shallow, FOURTH),
    (ExplicitRungeKuttaSolver(time_step=1.0), navier_stokes, (10, 20, 40)),
    (ExplicitRungeKuttaSolver(time_step=1.0), schroedinger, FIFTH),
    (ExplicitRungeKuttaSolver(time_step=1.0), shallow, (30, 45, 60)),
    (CrankNicolsonEulerSolver(time_step=1.0), navier_stokes, FIRST),
    (CrankNicolsonEulerSolver(time_step=1.0), schroedinger, FIRST),
    (CrankNicolsonEulerSolver(time_step=1.0), shallow, FIRST),
]

SPACE = [
    SpectralSolver(time_step=0.01),
    ImexRungeKuttaSolver(time_step=0.01),
    ExplicitRungeKuttaSolver(time_step=0.0005),  # stable on the finer grid
    CrankNicolsonEulerSolver(time_step=0.001),
]

CASES = [
    *(
        OrderCase(
            label=f"in time, {case.__name__}",
            solver=solver,
            kind="time",
            sizes=sizes,
            run=in_time(case),
            norms={"l2": solver.time_order},
        )
        for solver, case, sizes in TIME
    ),
    *(
        OrderCase(
            label="in space",
            solver=solver,
            kind="space",
            sizes=(14, 20, 26, 32),
            run=in_space,
            norms={"l2": math.inf},
        )
        for solver in SPACE
    ),
]
