import math
import warnings

import pytest
import torch

from pdeops.domains import Grid
from pdeops.gp import GaussianProcessSolver, UnderResolvedWarning
from pdeops.gp.kernel_search import lattice_descent, single_moves
from pdeops.gp.krylov import preconditioned_gmres
from pdeops.gp.separable_inverse import SeparableInverse
from pdeops.problems import (
    Antiderivative,
    Dirichlet,
    ManufacturedAllenCahn,
    ManufacturedPoisson,
    Neumann,
    NonlinearODE,
    Poisson,
    Transport,
    conditions_of,
)

CIRCLE = 1 / (4 * math.pi**2)
SOLVER = GaussianProcessSolver(draws=8)


def solve(problem, shape, solver=SOLVER, kind="nodes"):
    grid = Grid.box(shape, kind)
    return solver.solve(problem, problem.sample_inputs(grid, [0]), grid)


def error_between(problem, solution, points=300):
    """Relative error on points that are not those of the collocation."""
    grid = Grid.box((points,) * problem.dimension)
    exact = problem.exact_solutions()["manufactured"].solution(grid).values[0, 0]
    return ((solution.posteriors[0].mean(grid) - exact).norm() / exact.norm()).item()


# Errors of the published method on the same problems, after 1e5 to 3e6 steps of training.
PUBLISHED = {
    "P1": (ManufacturedPoisson(solution="sin(200*pi*x)", diffusivity=CIRCLE), (400,), 3.99e-7),
    "P2": (ManufacturedPoisson(solution="sin(12*pi*x)*cos(200*pi*x)", diffusivity=CIRCLE), (400,), 1.52e-6),
    "P3": (ManufacturedPoisson(solution="2*pi*x*sin(400*pi*x)", diffusivity=CIRCLE), (900,), 8.98e-7),
    "P4": (ManufacturedPoisson(solution="sin(x)+sin(20*x)/10+sin(100*x)/20"), (400,), 3.5e-4),
    "P5": (ManufacturedPoisson(solution="sin(500*x)-2*(x-1/2)**2"), (400,), 4.2e-4),
    "A1": (
        ManufacturedAllenCahn(solution="sin(200*pi*x)", diffusivity=CIRCLE, strength=-1.0),
        (400,),
        7.71e-7,
    ),
    "P7": (
        ManufacturedPoisson(
            dimension=2,
            solution="sin(12*pi*x)*cos(40*pi*x)+sin(12*pi*y)*cos(40*pi*y)",
            diffusivity=CIRCLE,
        ),
        (120, 120),
        1.02e-3,
    ),
    "T1": (Transport(), (120, 120), 1.43e-4),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_high_frequencies_are_far_below_the_published_errors(name):
    problem, shape, published = PUBLISHED[name]
    assert error_between(problem, solve(problem, shape)) < 1e-3 * published


def test_three_dimensions():
    problem = ManufacturedPoisson(dimension=3, solution="sin(20*x+y)*cos(9*z)+x*y*z")
    assert error_between(problem, solve(problem, (30, 20, 22)), points=17) < 1e-6


def test_the_true_allen_cahn_equation_in_two_dimensions():
    problem = ManufacturedAllenCahn(dimension=2, solution="sin(30*x)*cos(20*y)+x", diffusivity=0.1)
    assert error_between(problem, solve(problem, (80, 80))) < 1e-7


@pytest.mark.parametrize("exact", ["smooth", "mixed"])
def test_conditions_of_three_kinds(exact):
    problem = Poisson(dimension=2).exact_solutions()[exact]
    grid = Grid.box((24, 26), "chebyshev")
    solution = SOLVER.solve(problem.problem, problem.inputs(grid), grid)
    assert solution.relative_error(problem.solution(grid)).item() < 1e-9


def test_a_flux_is_what_was_asked_for():
    problem = ManufacturedPoisson(solution="sin(40*x)+x", diffusivity=0.5)
    kinds = {"x_lower": Dirichlet, "x_upper": Neumann}
    conditions = conditions_of(problem.formula("solution"), problem.diffusion, kinds)
    posed = ManufacturedPoisson(solution=problem.solution, diffusivity=0.5, boundary=conditions)
    solution = solve(posed, (60,))
    end = Grid.box((2,))
    slope = solution.posteriors[0].mean(end, [1])[1].item()
    assert abs(slope / (40 * math.cos(40) + 1) - 1) < 1e-8
    assert error_between(posed, solution) < 1e-7


@pytest.mark.filterwarnings("ignore::pdeops.gp.UnderResolvedWarning")
def test_the_search_lowers_the_error_where_points_are_few():
    """A parabola is larger than a wave by far: equal weights are wrong by four orders."""
    problem = ManufacturedPoisson(solution="sin(100*x)/1000+x**3")
    first = error_between(problem, solve(problem, (50,), GaussianProcessSolver(draws=1, max_kernels=1)))
    found = error_between(problem, solve(problem, (50,), GaussianProcessSolver(draws=1)))
    assert found < first / 10


def test_descent_finds_the_least_of_a_bowl():
    seen = []

    def bowl(steps):
        seen.append(steps)
        return 10.0 ** ((steps[0] - 2) ** 2 + (steps[1] + 3) ** 2)

    assert lattice_descent(bowl, single_moves(2), 100) == (2, -3)
    assert len(seen) == len(set(seen))
    seen.clear()
    lattice_descent(bowl, single_moves(2), 4)
    assert len(seen) == 4
    assert lattice_descent(bowl, single_moves(2), 100, enough=10.0**9) == (2, 0)


@pytest.mark.parametrize("side", [1, -1])
def test_descent_takes_the_better_of_two_ways(side):
    heights = {-2: 2.0, -1: 1.0, 0: 8.0, 1: 6.0, 2: 7.0}
    found = lattice_descent(lambda steps: heights.get(side * steps[0], 9.0), single_moves(1), 100)
    assert found == (-side,)


@pytest.mark.parametrize("problem", [Antiderivative(), NonlinearODE()])
def test_ordinary_equations_begin_at_zero(problem):
    grid = Grid.box((40,))
    for exact in problem.exact_solutions().values():
        solution = SOLVER.solve(exact.problem, exact.inputs(grid), grid)
        assert solution.relative_error(exact.solution(grid)).item() < 1e-9


def test_descent_follows_a_valley_that_no_single_number_leads_along():
    def valley(steps):
        return 10.0 ** (5 * (steps[0] - steps[1]) ** 2 + abs(steps[0] + 3))

    assert lattice_descent(valley, single_moves(2), 100) == (0, 0)
    assert lattice_descent(valley, [(1, 1), *single_moves(2)], 100) == (-3, -3)


def test_student_kernels_converge_algebraically():
    problem = ManufacturedPoisson(solution="sin(60*x)+x**2")
    solver = GaussianProcessSolver(kernel="student", length_scale=1.0, max_kernels=1, draws=2)
    coarse, fine = (error_between(problem, solve(problem, (n,), solver)) for n in (50, 100))
    assert fine < coarse / 4


def test_derivatives_of_the_mean():
    problem = ManufacturedPoisson(solution="sin(50*x)")
    grid = Grid.box((77,))
    slope = solve(problem, (80,)).posteriors[0].mean(grid, [1])
    expected = 50 * torch.cos(50 * grid.axes[0].points)
    assert ((slope - expected).norm() / expected.norm()).item() < 1e-8


def test_grids_below_the_nyquist_rate_are_named_with_the_size_that_is_needed():
    problem = ManufacturedPoisson(solution="sin(200*pi*x)", diffusivity=CIRCLE)
    with pytest.warns(UnderResolvedWarning, match=r"axis 'x': expected at least 20\d points"):
        solve(problem, (100,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve(problem, (260,))


def test_a_solution_that_the_functions_cannot_hold_is_not_passed_off():
    problem = ManufacturedAllenCahn(dimension=2, solution="sin(30*x)*cos(20*y)+x", diffusivity=0.1)
    with pytest.warns(UnderResolvedWarning) as caught:
        solve(problem, (18, 14))
    assert any("of their largest terms only" in str(item.message) for item in caught)


def test_what_does_not_fit_is_said():
    periodic = Grid.periodic((16, 16))
    assert "expected a condition" in SOLVER.unsuited(Poisson(), periodic)
    assert "got cells" in SOLVER.unsuited(Poisson(), Grid.box((8, 8), "cells"))
    with pytest.raises(ValueError, match="try another solver"):
        SOLVER.solve(Poisson(), Poisson().sample_inputs(periodic, [0]), periodic)
    with pytest.raises(ValueError, match="kernel: expected one of"):
        GaussianProcessSolver(kernel="matern")


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_the_separable_inverse_is_that_of_the_dense_sum(dimension):
    generator = torch.Generator().manual_seed(1)
    sizes = (5, 4, 3)[:dimension]
    matrices = [torch.randn(n, n, generator=generator, dtype=torch.float64) + 3 * torch.eye(n) for n in sizes]
    dense = 0.7 * torch.eye(math.prod(sizes), dtype=torch.float64)
    for number, matrix in enumerate(matrices):
        parts = [torch.eye(n, dtype=torch.float64) for n in sizes]
        parts[number] = matrix
        product = parts[0]
        for part in parts[1:]:
            product = torch.kron(product, part)
        dense = dense + product
    right = torch.randn(sizes, generator=generator, dtype=torch.float64)
    expected = torch.linalg.solve(dense, right.flatten()).reshape(sizes)
    torch.testing.assert_close(SeparableInverse(matrices, 0.7)(right), expected)


def test_gmres_against_elimination():
    generator = torch.Generator().manual_seed(2)
    matrix = torch.randn(12, 12, generator=generator, dtype=torch.float64) + 4 * torch.eye(12)
    right = torch.randn(12, generator=generator, dtype=torch.float64)
    found, residual, products = preconditioned_gmres(lambda v: matrix @ v, lambda v: v / 4, right, 1e-12, 20)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, right))
    assert residual < 1e-12
    assert products <= 12
