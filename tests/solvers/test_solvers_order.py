"""Every solver declares its orders of convergence; here the slopes are measured."""

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
import torch

from pdeops.domains import Grid
from pdeops.problems import Burgers1D, Darcy2D, NavierStokes2D
from solvers import CrankNicolsonEulerSolver, FiniteVolumeMultigridSolver, SpectralSolver


@cache
def reference(case):
    """A solution with an eighth of the smallest of the steps, so 4000 times more exact in fourth order."""
    problem, inputs, grid, end = case()
    return SpectralSolver(time_step=end.item() / 160).solve(problem, inputs, grid, end)


def time_errors(solver, case, counts):
    """Relative errors at one time, with so many steps."""
    problem, inputs, grid, end = case()
    solutions = [
        replace(solver, time_step=end.item() / count).solve(problem, inputs, grid, end) for count in counts
    ]
    return [solution.relative_error(reference(case)).max().item() for solution in solutions]


def slopes(sizes, errors):
    """Slopes of the error over the size in a log-log plot, between neighbours."""
    pairs = zip(sizes, errors, sizes[1:], errors[1:], strict=False)
    return [math.log(e / e2) / math.log(h / h2) for h, e, h2, e2 in pairs]


def navier_stokes():
    problem, grid = NavierStokes2D(viscosity=1e-3), Grid.periodic((24, 24))
    return problem, problem.sample_inputs(grid, [0]), grid, torch.tensor([0.5]).double()


def burgers():
    problem, grid = Burgers1D(viscosity=0.02), Grid.periodic((64,))
    inputs = replace(problem, viscosity=0.1).exact_solutions()["cole_hopf"].inputs(grid)
    return problem, inputs, grid, torch.tensor([0.0625]).double()


@pytest.mark.parametrize("case", [navier_stokes, burgers])
@pytest.mark.parametrize(
    ("solver", "counts"),
    [
        (SpectralSolver(time_step=1.0), [5, 10, 20]),
        (CrankNicolsonEulerSolver(time_step=1.0), [20, 40, 80]),
    ],
    ids=["SpectralSolver", "CrankNicolsonEulerSolver"],
)
def test_slope_in_time(case, solver, counts):
    errors = time_errors(solver, case, counts)
    assert errors[-1] > 1e-13, "rounding would make the slope"
    assert slopes([1 / n for n in counts], errors) == pytest.approx([solver.time_order] * 2, abs=0.25), errors


@pytest.mark.parametrize("kind", ["cells", "nodes", ("cells", "nodes")])
@pytest.mark.parametrize("norm", ["l2", "h1"])
@pytest.mark.parametrize("face_mean", ["harmonic", "arithmetic"])
def test_slope_in_space_of_finite_volumes(kind, norm, face_mean):
    exact = Darcy2D().exact_solutions()["smooth"]
    solver = FiniteVolumeMultigridSolver(face_mean=face_mean)
    sizes, errors = [], []
    for num_points in (33, 65, 129):
        grid = Grid.box((num_points, num_points), kind)
        solution = solver.solve(exact.problem, exact.inputs(grid), grid)
        sizes.append(max(axis.spacing for axis in grid.axes))
        errors.append(solution.relative_error(exact.solution(grid), norm).item())
    assert slopes(sizes, errors) == pytest.approx([solver.space_order] * 2, abs=0.15), errors


@pytest.mark.parametrize(
    ("solver", "sizes"),
    [
        (SpectralSolver(time_step=0.01), [8, 14, 20, 26]),
        (SpectralSolver(time_step=0.01, pad_products=True), [6, 10, 14, 18]),
    ],
    ids=["truncate", "pad"],
)
def test_errors_in_space_of_the_spectral_solver_fall_geometrically(solver, sizes):
    # The exact solution has its poles at cos 2 pi x = -2 at time 0 and further away later, so the k-th
    # coefficient is at most of order r^k, r = 2 - sqrt(3). The sizes keep 2, 4, 6 and 8 waves: two more gain
    # a factor of r^2.
    exact = Burgers1D().exact_solutions()["cole_hopf"]
    times = torch.tensor([0.1], dtype=torch.float64)
    errors = []
    for num_points in sizes:
        grid = Grid.periodic((num_points,))
        solution = solver.solve(exact.problem, exact.inputs(grid), grid, times)
        errors.append(solution.relative_error(exact.solution(grid, times)).item())
    assert solver.space_order == math.inf
    assert errors[-1] > 1e-12, "rounding or the time step would make the ratio"
    assert max(fine / coarse for coarse, fine in pairwise(errors)) < (2 - 3**0.5) ** 2, errors
