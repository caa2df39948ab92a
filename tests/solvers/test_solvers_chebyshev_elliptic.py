"""Chebyshev collocation for elliptic problems: exact solutions, orders, bad input."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
import sympy
import torch
from chebyshev_problems import grid_for, largest_error, manufactured, stacked, x, y, z
from sympy import cos, exp, pi, sin

from pdeops.domains import AxisKind, Field, Grid, derivative
from pdeops.problems import Burgers1D, Dirichlet, Neumann, Poisson, SteadyAllenCahn
from solvers import ChebyshevEllipticSolver, SolverError, SolveStatus
from solvers.chebyshev.boundary_closure import BoundaryClosure, face_conditions

SOLVER = ChebyshevEllipticSolver()
SMOOTH = exp(x / 2) * cos(2 * x + y + 1)


@pytest.mark.parametrize("kinds", ["DD", "DN", "NR", "RR", "ND", "RD"])
@pytest.mark.parametrize("coefficient", ["1", "2 + sin(2*x)"])
def test_one_dimension(kinds, coefficient):
    exact = manufactured(exp(x) * sin(3 * x + 1), kinds, coefficient=coefficient, robin=2, dimension=1)
    error, _ = largest_error(SOLVER, exact, grid_for(kinds, 33))
    assert error < 1e-10


@pytest.mark.parametrize("kinds", ["DDDD", "DNRD", "RRNN", "NNDN", "RDDR"])
def test_constant_coefficients_take_one_iteration(kinds):
    exact = manufactured(SMOOTH, kinds, coefficient=3, decay=2, robin=2)
    error, solution = largest_error(SOLVER, exact, grid_for(kinds, 33))
    assert error < 1e-10
    assert solution.report.status is SolveStatus.CONVERGED
    assert solution.report.iterations.tolist() == [1]


@pytest.mark.parametrize("kinds", ["DDDD", "DNRD", "RRNN", "NNRR"])
def test_everything_varies(kinds):
    # Diffusion, decay, Robin coefficient and all data vary; the axes have different numbers of points.
    exact = manufactured(SMOOTH, kinds, coefficient=2 + cos(x + y), decay=1 + y**2, robin=1 + x**2 + y**2)
    error, solution = largest_error(SOLVER, exact, grid_for(kinds, (33, 30)))
    assert error < 1e-10
    assert solution.report.iterations.item() < 20


def test_iterations_do_not_depend_on_the_grid():
    exact = manufactured(SMOOTH, "DNRD", coefficient=exp(2 * sin(x + y)), decay=1)
    counts = [
        largest_error(SOLVER, exact, grid_for("DNRD", n))[1].report.iterations.item() for n in (24, 48, 96)
    ]
    assert max(counts) - min(counts) <= 2
    assert counts[0] < 40


@pytest.mark.parametrize("kinds", ["DRPP", "NNPP", "PPRD"])
@pytest.mark.parametrize("num_points", [(32, 33), (33, 32)])
def test_periodic_axes_are_mixed_with_chebyshev_axes(kinds, num_points):
    periodic, other = (y, x) if kinds.endswith("PP") else (x, y)
    wave = pi * periodic
    exact = manufactured(
        exp(other / 2) * cos(wave + other + 1),
        kinds,
        coefficient=2 + cos(other + wave),
        decay=1,
        robin=1 + cos(wave) / 2,
    )
    error, _ = largest_error(SOLVER, exact, grid_for(kinds, num_points))
    assert error < 1e-10


@pytest.mark.parametrize("coefficient", ["1", "2 + cos(x + y*z)"])
def test_three_dimensions(coefficient):
    kinds = "DNRDNR"
    solution = exp(x / 2) * cos(x + y + 1) * sin(2 * z)
    exact = manufactured(solution, kinds, coefficient=coefficient, decay=1, robin=1 + x**2, dimension=3)
    error, _ = largest_error(SOLVER, exact, grid_for(kinds, (16, 17, 15)))
    assert error < 1e-9


def test_errors_fall_geometrically_with_the_rate_of_the_nearest_pole():
    # 1 / (2 + x) has its pole at -2, so polynomials converge as r^n with r = 2 - sqrt(3); two points more
    # gain a factor of r^2 = 1 / 13.9, whatever the boundary conditions.
    exact = manufactured(1 / (2 + x) + 1 / (4 + y) ** 2, "RNDN", coefficient=1 + x**2 / 4, decay=1)
    errors = [largest_error(SOLVER, exact, grid_for("RNDN", (n, 20)))[0] for n in (8, 10, 12, 14, 16)]
    rate = (2 - math.sqrt(3)) ** 2
    ratios = [fine / coarse for coarse, fine in pairwise(errors)]
    assert errors[-1] > 1e-11, "rounding would make the ratio"
    assert (errors[-1] / errors[0]) ** (1 / 4) == pytest.approx(rate, rel=0.35), ratios


def test_torsion_of_a_square():
    # -Laplace u = 1 on the unit square; the sine series converges like the cube of its index.
    n = torch.arange(1, 400, 2, dtype=torch.float64)
    signs = torch.sin(math.pi * n / 2)
    series = 1 / 8 - (4 / math.pi**3 * signs / (n**3 * torch.cosh(n * math.pi / 2))).sum().item()
    assert series == pytest.approx(0.0736713532815, abs=1e-12)
    grid = Grid.box((33, 33), "chebyshev")
    ones = Field(torch.ones(1, 1, 33, 33, dtype=torch.float64), grid, ("source",))
    solution = SOLVER.solve(Poisson(), {"source": ones}, grid)
    # The corners are singular as r^2 log r, so the order is finite: 4th or better here.
    assert solution.values[0, 0, 16, 16].item() == pytest.approx(series, abs=1e-8)


def test_neumann_conditions_alone_give_the_solution_of_mean_zero():
    # On [-1, 1] x [0, 2]; the mean of cos(pi x) cos(pi y) is zero, that of the linear part is removed.
    exact = manufactured(cos(pi * x) * cos(pi * y) + x + y - 1, "NNNN", coefficient=1 + x**2 / 4)
    grid = grid_for("NNNN", 33)
    error, solution = largest_error(SOLVER, exact, grid)
    assert error < 1e-10
    weights = grid.quadrature_weights
    assert (solution.values * weights).sum().abs() < 1e-12


def test_neumann_conditions_that_do_not_balance_are_refused_with_the_numbers():
    exact = manufactured(cos(pi * x) * cos(pi * y), "NNNN")
    grid = grid_for("NNNN", 20)
    inputs = exact.inputs(grid)
    inputs["load"] = replace(inputs["load"], values=inputs["load"].values + 0.25)
    with pytest.raises(ValueError, match="got a total of") as caught:
        SOLVER.solve(exact.problem, inputs, grid)
    # The surplus is a quarter on an area of four; its mean is what has to be subtracted.
    total = float(re.search(r"a total of \[([^\]]+)\]", str(caught.value)).group(1))
    assert total == pytest.approx(1.0, abs=1e-10)
    assert "subtracting the mean 0.25 from the source" in str(caught.value)


def test_samples_do_not_influence_one_another():
    grid = grid_for("DNRD", 24)
    one = manufactured(SMOOTH, "DNRD", coefficient=2 + cos(x + y), decay=1)
    inputs = one.inputs(grid)
    rough = {
        "load": replace(inputs["load"], values=inputs["load"].values * torch.cos(9 * grid.coordinates[0]))
    }
    together = SOLVER.solve(one.problem, stacked(inputs, rough), grid)
    for i, item in enumerate((inputs, rough)):
        alone = SOLVER.solve(one.problem, item, grid)
        torch.testing.assert_close(together.values[i], alone.values[0], rtol=0, atol=1e-12)
        assert together.report.iterations[i] == alone.report.iterations[0]


@pytest.mark.parametrize("kinds", ["DNRD", "DDDD", "RRNN"])
def test_newton_finds_a_manufactured_solution_of_a_nonlinear_equation(kinds):
    exact = manufactured(SMOOTH, kinds, coefficient=sympy.Rational(1, 5), decay=-1, cubic=1.0)
    error, solution = largest_error(SOLVER, exact, grid_for(kinds, 33))
    assert error < 1e-10
    assert solution.report.status is SolveStatus.CONVERGED
    history = solution.report.residual_history[:, 0]
    # Quadratic convergence: the last steps double the digits.
    assert history[-2] < 1e-4
    assert history[-1] < 1e-8 * max(1.0, history[-2].item() / 1e-4)


@pytest.mark.parametrize("name", ["eigenfunction", "smooth", "mixed"])
@pytest.mark.parametrize("problem", [Poisson(), SteadyAllenCahn()], ids=["poisson", "steady_allen_cahn"])
def test_problems_of_the_library_are_solved_and_satisfy_their_own_residual(problem, name):
    exact = problem.exact_solutions()[name]
    grid = Grid.box((32, 32), "chebyshev")
    error, solution = largest_error(SOLVER, exact, grid)
    assert error < 1e-10
    residual = exact.problem.residual(solution, exact.inputs(grid)).values[0, 0, 1:-1, 1:-1]
    assert residual.abs().max() < 1e-7  # second derivatives amplify rounding by n^4 / 10


def test_wall_between_two_phases():
    # tanh(x / sqrt(2 D)) is at rest; the ends hold its values. Shifting the wall costs next to no energy
    # (exp(-3 sqrt(2 / D)) = 1.5e-6), which amplifies rounding of 1e-15 to 1e-9.
    profile = Dirichlet(value="tanh(x/sqrt(2*diffusivity))")
    problem = SteadyAllenCahn(dimension=1, diffusivity=0.1, boundary={"default": profile})
    grid = Grid.box((97,), "chebyshev", lower=(-1.5,), upper=(1.5,))
    zero = Field(torch.zeros(1, 1, 97, dtype=torch.float64), grid, ("source",))
    solution = SOLVER.solve(problem, {"source": zero}, grid)
    expected = torch.tanh(grid.axes[0].points / math.sqrt(0.2))
    assert (solution.values[0, 0] - expected).abs().max() < 1e-9


@pytest.mark.parametrize("seed", [0, 3])
def test_a_solution_among_several_satisfies_the_equation(seed):
    # For D = 0.01 the zero state is unstable and there are many solutions; samples 0 and 3 need the flow.
    problem = SteadyAllenCahn(diffusivity=0.01, boundary={"default": Neumann()})
    grid = Grid.box((33, 33), "chebyshev")
    inputs = problem.sample_inputs(grid, [seed])
    solution = SOLVER.solve(problem, inputs, grid)
    residual = problem.residual(solution, inputs).values[0, 0, 1:-1, 1:-1]
    assert residual.abs().max() < 1e-8 * inputs["source"].values.abs().max()
    slopes = derivative(solution.values, grid, 0)[0, 0, [0, -1]]
    assert slopes.abs().max() < 1e-9


def test_resonance_is_diagnosed():
    # -u'' - pi^2 u on [0, 1] with zero ends has the null space sin(pi x).
    exact = manufactured(x * (1 - x), "DD", decay=-(pi**2), dimension=1)
    grid = Grid.box((24,), "chebyshev")
    with pytest.raises(SolverError, match="zero to rounding") as caught:
        SOLVER.solve(exact.problem, exact.inputs(grid), grid)
    assert caught.value.report.status is SolveStatus.SINGULAR


def test_below_and_above_resonance_the_solution_is_exact():
    for decay in (-5, -20, -90):
        exact = manufactured(x * (1 - x) * exp(x), "DD", decay=decay, dimension=1)
        error, _ = largest_error(SOLVER, exact, Grid.box((24,), "chebyshev"))
        assert error < 1e-11


@pytest.mark.parametrize("kinds", ["DDDD", "NRND"])
def test_waves_in_a_medium_that_varies(kinds):
    # -Laplace u - k^2 u with k^2 from 300 to 500: 6 waves across, far from definite.
    exact = manufactured(sin(14 * x + 9 * y), kinds, decay=-(400 + 100 * sin(x + y)))
    error, solution = largest_error(SOLVER, exact, grid_for(kinds, 56))
    assert error < 1e-9
    assert solution.report.iterations.item() < 150


def test_contradicting_corners_are_reported_and_do_not_spoil_the_rest():
    boundary = {"x_lower": Dirichlet(value="1"), "default": Dirichlet(value="0")}
    grid = Grid.box((49, 49), "chebyshev")
    zero = Field(torch.zeros(1, 1, 49, 49, dtype=torch.float64), grid, ("source",))
    solution = SOLVER.solve(Poisson(boundary=boundary), {"source": zero}, grid)
    assert "contradict by 1.00e+00 at corners" in solution.report.message
    # By symmetry each side contributes a quarter to the centre.
    assert solution.values[0, 0, 24, 24].item() == pytest.approx(0.25, abs=1e-12)


def test_closure_meets_conditions_that_vary_at_all_points_but_the_corners():
    exact = manufactured(SMOOTH, "RNDR", coefficient=2 + cos(x + y), robin=1 + x**2 + y**2)
    grid = grid_for("RNDR", (20, 17))
    diffusion = exact.problem.values(exact.problem.diffusion, grid)[None]
    faces = face_conditions(exact.problem, grid, diffusion)
    closure = BoundaryClosure(grid, faces, torch.device("cpu"))
    values = exact.solution(grid).values[:, 0]
    completed = closure.complete(closure.inner(values))
    assert (completed - values).abs().max() < 1e-11
    noise = torch.randn(1, 18, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    completed = closure.complete(noise)
    torch.testing.assert_close(closure.inner(completed), noise, rtol=0, atol=0)
    for number, sides in faces.items():
        slopes = torch.movedim(completed, number + 1, -1) @ closure.first[number].T
        lines = torch.movedim(completed, number + 1, -1)
        for position, sign, side in zip((0, -1), (-1, 1), sides, strict=True):
            left = side.value * lines[..., position] + sign * side.slope * slopes[..., position]
            mismatch = (left - side.data)[:, 1:-1].abs().max()
            assert mismatch < 1e-9  # slopes of noise are of size n^2 / 3


def test_what_does_not_fit_is_refused():
    grid = Grid.box((8, 8), "chebyshev")
    assert SOLVER.unsuited(Poisson(), grid) is None
    assert SOLVER.unsuited(Burgers1D(), grid).startswith("expected an equation -div(a grad u) + g(u) = f")
    nodes = Grid.box((8, 8), ("chebyshev", "nodes"))
    assert SOLVER.unsuited(Poisson(), nodes) == "expected Chebyshev or periodic axes, got 'nodes' for 'y'"
    assert "got periodic ones only" in SOLVER.unsuited(Poisson(), Grid.periodic((8, 8)))
    assert "expected 4 to 2049 points" in SOLVER.unsuited(Poisson(), Grid.box((3, 8), AxisKind.CHEBYSHEV))
    exact = manufactured(SMOOTH, "DDDD", coefficient=x)
    inputs = exact.inputs(grid_for("DDDD", 8))
    with pytest.raises(ValueError, match=r"expected a positive diffusion, got -1 in samples \[0\]"):
        SOLVER.solve(exact.problem, inputs, grid_for("DDDD", 8))
    jump = manufactured(SMOOTH, "DDDD", coefficient=2 + sympy.tanh(100 * x))
    with pytest.raises(ValueError, match="expected a diffusion that the grid resolves"):
        SOLVER.solve(jump.problem, jump.inputs(grid_for("DDDD", 24)), grid_for("DDDD", 24))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="tolerance: expected a number between 0 and 1, got 0"):
        ChebyshevEllipticSolver(tolerance=0.0)
    with pytest.raises(ValueError, match="max_iterations: expected 1 or more, got 0"):
        ChebyshevEllipticSolver(max_iterations=0)


def test_too_few_iterations_end_in_an_error_with_the_history():
    exact = manufactured(SMOOTH, "DNRD", coefficient=2 + cos(x + y))
    grid = grid_for("DNRD", 24)
    with pytest.raises(SolverError, match="iteration_limit") as caught:
        ChebyshevEllipticSolver(max_iterations=3).solve(exact.problem, exact.inputs(grid), grid)
    history = caught.value.report.residual_history
    assert history.shape == (4, 1)
    assert 1e-12 < history[-1].item() < history[0].item()


def test_pure_neumann_and_periodic_sides_with_a_reaction_need_no_balance():
    problem = manufactured(SMOOTH, "NNNN", decay=1).problem
    assert problem.boundary.on(grid_for("NNNN", 8))["x_lower"].__class__ is Neumann
    error, _ = largest_error(SOLVER, manufactured(SMOOTH, "NNNN", decay=1), grid_for("NNNN", 33))
    assert error < 1e-10
