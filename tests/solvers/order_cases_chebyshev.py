"""Orders of the Chebyshev solvers."""

import math
from dataclasses import replace
from functools import cache

import torch
from chebyshev_problems import grid_for, manufactured, x, y
from order_case import OrderCase

from pdeops.domains import Field, Grid
from pdeops.problems import AllenCahn, Burgers1D, Dirichlet, cole_hopf_burgers
from solvers import ChebyshevEllipticSolver, ChebyshevETDRK4Solver

# Poles at -2 and -4 make the error fall like (2 - sqrt(3))^n, to 1e-11 at 20 points.
RATIONAL = 1 / (2 + x) + 1 / (4 + y)


def elliptic(kinds, **coefficients):
    """A manufactured solution with these conditions; 30 points along y resolve it to rounding."""
    exact = manufactured(RATIONAL, kinds, **coefficients)

    def run(solver, num_points):
        grid = grid_for(kinds, (num_points, 30))
        solution = solver.solve(exact.problem, exact.inputs(grid), grid)
        reference = exact.solution(grid)
        return 1 / num_points, {
            norm: solution.relative_error(reference, norm).item() for norm in ("l2", "h1")
        }

    return run


def burgers_in_space(solver, num_points):
    """The layer of a sine wave on [0, 1], at steps that leave 1e-8."""
    grid = Grid.box((num_points,), "chebyshev")
    points, end = grid.axes[0].points, torch.tensor([0.5], dtype=torch.float64)
    start = -torch.sin(math.pi * points)
    inputs = {"initial_velocity": Field(start[None, None], grid, ("initial_velocity",))}
    solution = solver.solve(Burgers1D(viscosity=0.1), inputs, grid, end).snapshot(0)
    exact = Field(cole_hopf_burgers(points, 0.5, 0.1)[None, None], grid, ("velocity",))
    return 1 / num_points, {"l2": solution.relative_error(exact).item()}


def burgers():
    """On [-1, 1] against the exact solution."""
    grid = Grid.box((65,), "chebyshev", lower=(-1.0,))
    points = grid.axes[0].points
    exact = cole_hopf_burgers(points, 0.5, 0.1)
    return Burgers1D(viscosity=0.1), -torch.sin(math.pi * points), grid, 0.5, exact


@cache
def allen_cahn():
    """Between unequal fixed ends, so with a lift; the reference has steps of a quarter."""
    ends = {"x_lower": Dirichlet(value="1"), "x_upper": Dirichlet(value="1/2")}
    problem = AllenCahn(dimension=1, diffusivity=0.02, boundary=ends)
    grid = Grid.box((33,), "chebyshev", lower=(-1.0,))
    points = grid.axes[0].points
    start = 0.75 - points / 4 + torch.sin(math.pi * points) / 2
    inputs = {"initial_phase": Field(start[None, None], grid, ("initial_phase",))}
    end = torch.tensor([1.0], dtype=torch.float64)
    reference = ChebyshevETDRK4Solver(time_step=1 / 640).solve(problem, inputs, grid, end)
    return problem, start, grid, 1.0, reference.values[0, 0, 0]


def in_time(case):
    """Relative errors at the end of so many steps."""

    def run(solver, num_steps):
        problem, start, grid, end, exact = case()
        name, output = problem.inputs[0].name, problem.outputs[0].name
        inputs = {name: Field(start[None, None], grid, (name,))}
        stepped = replace(solver, time_step=end / num_steps)
        solution = stepped.solve(problem, inputs, grid, torch.tensor([end], dtype=torch.float64)).snapshot(0)
        return end / num_steps, {
            "l2": solution.relative_error(Field(exact[None, None], grid, (output,))).item()
        }

    return run


EVERY_POWER = {"l2": math.inf, "h1": math.inf}

CASES = [
    OrderCase(
        label="constant-RNDN",
        solver=ChebyshevEllipticSolver(),
        kind="space",
        sizes=[6, 8, 10, 12, 14],
        run=elliptic("RNDN", decay=1),
        norms=EVERY_POWER,
    ),
    OrderCase(
        label="variable-DRND",
        solver=ChebyshevEllipticSolver(),
        kind="space",
        sizes=[6, 8, 10, 12, 14],
        run=elliptic("DRND", coefficient=1 + x**2 / 4, decay=1 + y, robin=1 + y**2),
        norms=EVERY_POWER,
    ),
    OrderCase(
        label="burgers",
        solver=ChebyshevETDRK4Solver(time_step=1e-2),
        kind="space",
        sizes=[9, 12, 15, 18],
        run=burgers_in_space,
        norms={"l2": math.inf},
    ),
    OrderCase(
        label="burgers",
        solver=ChebyshevETDRK4Solver(),
        kind="time",
        sizes=[40, 80, 160],
        run=in_time(burgers),
        norms={"l2": 4},
    ),
    OrderCase(
        label="allen_cahn",
        solver=ChebyshevETDRK4Solver(),
        kind="time",
        sizes=[40, 80, 160],
        run=in_time(allen_cahn),
        norms={"l2": 4},
    ),
]
