"""Orders of the solvers of conservation laws, before shocks form, against characteristics."""

from dataclasses import replace
from functools import cache

import torch
from hyperbolic_flows import (
    INVISCID,
    DiagonalBurgers,
    burgers_inputs,
    cells,
    diagonal_velocity,
    fields,
    norms,
    rising_velocity,
    running_water,
    sine_velocity,
    times,
    water_inputs,
)
from order_case import OrderCase

from pdeops.domains import Grid
from pdeops.problems import Burgers1D, ShallowWater
from solvers import FiniteVolumeSolver, WenoSolver


def sine(solver, size):
    """Smooth, periodic, with a crest and a trough, and a point where the speed changes sign."""
    grid = Grid.periodic((size,))
    solution = solver.solve(INVISCID, burgers_inputs(grid, sine_velocity), grid, times(0.4))
    return 1 / size, norms(solution.values[0, 0, 0] - sine_velocity(grid.coordinates[0], 0.4))


def fan(solver, size):
    """Smooth and monotone on an interval with open ends."""
    grid = cells(size, -2.0, 3.0)
    solution = solver.solve(INVISCID, burgers_inputs(grid, rising_velocity), grid, times(0.5))
    return 5 / size, norms(solution.values[0, 0, 0] - rising_velocity(grid.coordinates[0], 0.5))


def water(solver, size):
    """A system."""
    grid = Grid.periodic((size,))
    problem = ShallowWater(dimension=1)
    solution = solver.solve(problem, water_inputs(grid), grid, times(0.1))
    return 1 / size, norms(solution.values[0, 0] - torch.stack(running_water(grid.coordinates[0], 0.1)))


def plane(solver, size):
    """A nonlinear law in two dimensions, oblique to the grid."""
    problem, grid = DiagonalBurgers(), Grid.periodic((size, size))
    inputs = fields(problem, grid, diagonal_velocity(grid, 0.0))
    solution = solver.solve(problem, inputs, grid, times(0.15))
    return 1 / size, norms(solution.values[0, 0, 0] - diagonal_velocity(grid, 0.15))


def layer(solver, size):
    """Diffusion as large as transport, by the heat flow under the Cole-Hopf transform."""
    exact = Burgers1D(viscosity=0.02).exact_solutions()["cole_hopf"]
    grid = Grid.periodic((size,))
    solution = solver.solve(exact.problem, exact.inputs(grid), grid, times(0.25))
    return 1 / size, norms(solution.values - exact.solution(grid, times(0.25)).values)


def fan_start():
    grid = cells(40, -2.0, 3.0)
    return grid, burgers_inputs(grid, rising_velocity)


def sine_start():
    grid = Grid.periodic((16,))
    return grid, burgers_inputs(grid, sine_velocity)


def in_time(start, longest):
    """Against the same scheme in space with steps so short that they count for nothing."""

    @cache
    def reference(solver):
        grid, inputs = start()
        return (
            replace(solver, time_step=longest / 16).solve(INVISCID, inputs, grid, times(longest * 4)).values
        )

    def run(solver, count):
        grid, inputs = start()
        solution = replace(solver, time_step=longest * 4 / count).solve(
            INVISCID, inputs, grid, times(longest * 4)
        )
        assert solution.report.num_steps.item() == count
        return longest * 4 / count, norms(solution.values - reference(solver))

    return run


FINITE_VOLUMES, WENO = FiniteVolumeSolver(), WenoSolver(courant=0.1)
CLIPPED = "the limiter is of first order at crests, which are wide as h: order 2 in L1, 5/3 in L2"

CASES = [
    OrderCase(
        label="fan",
        solver=FINITE_VOLUMES,
        kind="space",
        sizes=[64, 128, 256],
        run=fan,
        norms={"l2": 2, "l1": 2},
    ),
    OrderCase(
        label="fan with the other flux and limiter",
        solver=FiniteVolumeSolver(limiter="van_leer", numerical_flux="rusanov"),
        kind="space",
        sizes=[256, 512, 1024],
        run=fan,
        norms={"l2": 2, "l1": 2},
    ),
    OrderCase(
        label="sine",
        solver=FINITE_VOLUMES,
        kind="space",
        sizes=[64, 128, 256],
        run=sine,
        norms={"l2": 5 / 3, "l1": 2},
        reason=CLIPPED,
    ),
    OrderCase(
        label="water",
        solver=FINITE_VOLUMES,
        kind="space",
        sizes=[64, 128, 256],
        run=water,
        norms={"l2": 5 / 3, "l1": 2},
        reason=CLIPPED,
    ),
    OrderCase(
        label="sine", solver=WENO, kind="space", sizes=[48, 96, 192], run=sine, norms={"l2": 5, "l1": 5}
    ),
    OrderCase(
        label="water", solver=WENO, kind="space", sizes=[32, 64, 128], run=water, norms={"l2": 5, "l1": 5}
    ),
    OrderCase(label="plane", solver=WENO, kind="space", sizes=[32, 64], run=plane, norms={"l2": 5}),
    OrderCase(label="layer", solver=WENO, kind="space", sizes=[96, 192], run=layer, norms={"l2": 5}),
    OrderCase(
        label="fan",
        solver=FINITE_VOLUMES,
        kind="time",
        sizes=[8, 16, 32],
        run=in_time(fan_start, 0.05),
        norms={"l2": 3},
    ),
    OrderCase(
        label="sine",
        solver=WENO,
        kind="time",
        sizes=[4, 8, 16],
        run=in_time(sine_start, 0.05),
        norms={"l2": 4},
    ),
]
