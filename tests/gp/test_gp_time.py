"""Equations in time, with the time as an axis, on boxes and on tori."""

import math
from dataclasses import replace

import pytest
import torch

from pdeops.domains import Axis, Field, Grid
from pdeops.gp import GaussianProcessSolver, JointGaussianProcessSolver, UnderResolvedWarning
from pdeops.gp.separable_inverse import SeparableInverse
from pdeops.problems import (
    Advection,
    AdvectionDiffusionReaction,
    AllenCahn,
    Burgers1D,
    DiffusionReaction,
    FisherKPP,
    HeatEquation,
    Poisson,
    ScreenedPoisson,
    SmoothRandomField,
)
from solvers import SpectralSolver

SOLVER = GaussianProcessSolver(draws=8)
TIMES = torch.tensor([0.0, 0.3, 0.55, 1.0], dtype=torch.float64)


def relative_error(problem, name, grid, times=TIMES):
    exact = problem.exact_solutions()[name]
    solution = SOLVER.solve(exact.problem, exact.inputs(grid), grid, times)
    assert solution.times is not None
    assert solution.standard_deviation.values.shape == solution.values.shape
    return solution.relative_error(exact.solution(grid, times)).item()


@pytest.mark.parametrize(
    ("problem", "name", "grid", "largest"),
    [
        (HeatEquation(dimension=1), "sine_mode", Grid.periodic((24,)), 1e-12),
        (HeatEquation(dimension=1), "warm_wall", Grid.box((24,)), 1e-10),
        (HeatEquation(dimension=1), "cosine_mode", Grid.box((32,), "chebyshev"), 1e-9),
        (HeatEquation(dimension=2), "cosine_mode", Grid.box((20, 18), ["nodes", "periodic"]), 1e-6),
        (HeatEquation(dimension=3), "cosine_mode", Grid.periodic((8, 8, 8)), 1e-12),
        (Advection(), "wave", Grid.periodic((32,)), 1e-12),
        (AdvectionDiffusionReaction(), "moving_wave", Grid.periodic((24, 24)), 1e-12),
        (AdvectionDiffusionReaction(), "boundary_layer", Grid.box((24, 24)), 1e-6),
        # The rest are nonlinear.
        (Burgers1D(), "cole_hopf", Grid.periodic((64,)), 1e-12),
        (AllenCahn(dimension=1), "relaxation", Grid.box((64,)), 1e-8),
        (DiffusionReaction(), "runaway", Grid.box((24,)), 1e-11),
    ],
)
def test_exact_solutions_in_time(problem, name, grid, largest):
    exact = problem.exact_solutions()[name]
    standard = exact.problem.default_domain(grid.shape)
    ends = [(axis.lower, axis.upper) for axis in standard.axes]
    axes = (replace(a, lower=low, upper=high) for a, (low, high) in zip(grid.axes, ends, strict=True))
    assert relative_error(problem, name, Grid(tuple(axes))) < largest


def test_random_heat_is_that_of_the_exponential_of_each_wave():
    problem = HeatEquation(dimension=2, sampler=SmoothRandomField())
    grid = Grid.periodic((32, 32))
    inputs = problem.sample_inputs(grid, [3, 4])
    found = SOLVER.solve(problem, inputs, grid, TIMES)
    exact = SpectralSolver().solve(problem, inputs, grid, TIMES)
    assert ((found.values - exact.values).norm() / exact.values.norm()).item() < 1e-11


@pytest.mark.filterwarnings("ignore::pdeops.gp.UnderResolvedWarning")
def test_more_waves_than_the_time_holds_at_first_are_found_by_the_search():
    """Twelve waves pass: a kernel of a quarter of the time holds ten."""
    problem = Advection(velocity_x="4").exact_solutions()["wave"]
    grid = Grid.periodic((48,))
    times = torch.tensor([1.5], dtype=torch.float64)
    exact = problem.solution(grid, times)
    errors = [
        solver.solve(problem.problem, problem.inputs(grid), grid, times).relative_error(exact).item()
        for solver in (SOLVER, GaussianProcessSolver(draws=2, max_kernels=1))
    ]
    assert errors[0] < 1e-9 < 1e-2 * errors[1]


def test_the_rate_of_the_mean_is_that_of_the_equation():
    exact = HeatEquation(dimension=1).exact_solutions()["sine_mode"]
    grid = Grid.periodic((16,))
    posterior = SOLVER.solve(exact.problem, exact.inputs(grid), grid, TIMES).posteriors[0]
    elsewhere = Grid((Axis("x", 0.1, 0.8, 9, "nodes"),))
    rate = posterior.mean(elsewhere, [1, 0], TIMES)
    bend = posterior.mean(elsewhere, [0, 2], TIMES)
    decay = 4 * math.pi**2 * exact.problem.diffusivity
    expected = torch.exp(-decay * TIMES)[:, None] * torch.sin(2 * math.pi * elsewhere.axes[0].points)
    torch.testing.assert_close(rate, -decay * expected, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(bend, -4 * math.pi**2 * expected, rtol=1e-8, atol=1e-8)


def test_nothing_is_said_outside_of_the_box_and_the_times():
    exact = HeatEquation(dimension=1).exact_solutions()["sine_mode"]
    grid = Grid.periodic((16,))
    posterior = SOLVER.solve(exact.problem, exact.inputs(grid), grid, TIMES).posteriors[0]
    later, wider = torch.tensor([0.5, 1.5], dtype=torch.float64), Grid.box((5,), upper=[1.5])
    for places in ((grid, None, later), (wider, None, TIMES)):
        with pytest.raises(ValueError, match="expected points within"):
            posterior.mean(*places)
        with pytest.raises(ValueError, match="expected points within"):
            posterior.standard_deviation(*places)
    with pytest.raises(ValueError, match=r"try times=solution\.times"):
        posterior.mean(grid)
    with pytest.raises(ValueError, match=r"2 coordinates and orders \[1\]"):
        posterior.mean(grid, [1], TIMES)


@pytest.mark.filterwarnings("ignore::pdeops.gp.UnderResolvedWarning")
@pytest.mark.parametrize(
    ("problem", "num_points"), [(AdvectionDiffusionReaction(dimension=1), 24), (FisherKPP(dimension=1), 48)]
)
def test_intervals_cover_where_the_grid_misses_waves(problem, num_points):
    """Random fields with more waves than the grid holds: errors of 6e-5 to 3e-1."""
    coarse, fine = problem.default_domain((num_points,)), problem.default_domain((4 * num_points,))
    seeds = list(range(30, 38))
    exact = SpectralSolver().solve(problem, problem.sample_inputs(fine, seeds), fine, TIMES)
    found = SOLVER.solve(problem, problem.sample_inputs(coarse, seeds), coarse, TIMES)
    error, deviation = (found.values - exact.values[..., ::4]).abs(), found.standard_deviation.values
    assert (error.flatten(1).norm(dim=1) > 1e-5).all()
    assert (error <= 1.96 * deviation).double().mean().item() > 0.9


def test_a_torus_without_time():
    """A steady equation with a term in u itself has one solution there, one without has none or many."""
    problem, grid = ScreenedPoisson(), Grid.periodic((16, 14))
    x, y = grid.coordinates
    expected = torch.sin(2 * math.pi * x) * torch.cos(4 * math.pi * y)
    factor = 20 * math.pi**2 + problem.decay
    inputs = {"source": Field((factor * expected)[None, None], grid, ("source",))}
    solution = SOLVER.solve(problem, inputs, grid)
    torch.testing.assert_close(solution.values[0, 0], expected, rtol=0, atol=1e-12)
    assert "expected a condition" in SOLVER.unsuited(Poisson(), grid)


def test_one_periodic_axis_and_one_that_ends():
    problem, grid = Poisson(dimension=2), Grid.box((24, 26), ["periodic", "nodes"])
    x, y = grid.coordinates
    expected = torch.sin(2 * math.pi * x) * torch.sin(math.pi * y)
    inputs = {"source": Field((5 * math.pi**2 * expected)[None, None], grid, ("source",))}
    solution = SOLVER.solve(problem, inputs, grid)
    assert ((solution.values[0, 0] - expected).norm() / expected.norm()).item() < 1e-8


def test_what_does_not_fit_in_time_is_said():
    problem, grid = HeatEquation(dimension=1), Grid.periodic((16,))
    inputs = problem.sample_inputs(grid, [0])
    for times, words in (
        (None, "expected output times"),
        (torch.tensor([0.0]), "the last above 0"),
        (torch.tensor([1.0, 0.5]), "ascending"),
    ):
        with pytest.raises(ValueError, match=words):
            SOLVER.solve(problem, inputs, grid, times)
    joint, mixed = JointGaussianProcessSolver(), Grid.box((8, 8), ["nodes", "periodic"])
    assert "steady" in joint.unsuited(problem, grid)
    assert "nodes or Chebyshev" in joint.unsuited(Poisson(), mixed)


def test_a_front_that_the_grid_cannot_hold_is_not_passed_off():
    exact = AllenCahn(dimension=1).exact_solutions()["walls"]
    grid = Grid((replace(exact.problem.default_domain((24,)).axes[0], kind="nodes"),))
    with pytest.warns(UnderResolvedWarning, match="shorter time"):
        SOLVER.solve(exact.problem, exact.inputs(grid), grid, TIMES[1:2])


def test_the_separable_inverse_holds_for_a_first_matrix_far_from_normal():
    """A matrix of differences in time has no basis of eigenvectors."""
    generator = torch.Generator().manual_seed(5)
    step = torch.eye(12, dtype=torch.float64) - torch.diag(torch.ones(11, dtype=torch.float64), -1)
    others = []
    for size in (3, 4, 2):
        matrix = torch.randn(size, size, generator=generator, dtype=torch.float64)
        others.append(matrix @ matrix.T)
    right = torch.randn(12, 3, 4, 2, generator=generator, dtype=torch.float64)
    found = SeparableInverse([12 * step, *others], 0.3)(right)
    back = 0.3 * found + torch.einsum("ij,jabc->iabc", 12 * step, found)
    for number, matrix in enumerate(others, start=1):
        moved = torch.movedim(found, number, 0)
        back = back + torch.movedim(torch.tensordot(matrix, moved, dims=1), 0, number)
    torch.testing.assert_close(back, right, rtol=1e-11, atol=1e-11)
