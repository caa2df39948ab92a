"""Evolution equations with walls: series solutions, Cole-Hopf, other solvers, bad input."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import pytest
import torch
from scipy.optimize import brentq
from sympy import Derivative, Eq
from sympy.core.function import AppliedUndef

from pdeops.domains import AxisKind, Field, Grid, derivative
from pdeops.problems import (
    AllenCahn,
    Burgers1D,
    Dirichlet,
    FisherKPP,
    HeatEquation,
    KuramotoSivashinsky,
    Neumann,
    Poisson,
    Robin,
    SemilinearProblem,
    Variable,
    cole_hopf_burgers,
)
from pdeops.problems.parameter import parameter
from solvers import ChebyshevETDRK4Solver, SolverError, SolveStatus, SpectralSolver
from solvers.chebyshev.evolution_split import EvolutionSplit

SOLVER = ChebyshevETDRK4Solver()
BENCHMARK = 0.01 / math.pi


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def solved(problem, start, grid, output_times, solver=SOLVER):
    """Solve from values of the first output."""
    name = problem.inputs[0].name
    return solver.solve(problem, {name: Field(start[None, None], grid, (name,))}, grid, output_times)


@dataclass(frozen=True, kw_only=True)
class RotatingPair(SemilinearProblem):
    """Two outputs that advection carries, diffusion damps and a linear coupling turns into one another."""

    name: ClassVar[str] = "rotating_pair"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("first_start"), Variable("second_start"))
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("first"), Variable("second"))
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.CHEBYSHEV, AxisKind.PERIODIC)
    boundary: object = None
    speed: float = parameter(0.5, symbol="c")
    along: float = parameter(0.1, symbol="D_x", positive=True)
    across: float = parameter(0.02, symbol="D_y", positive=True)
    turning: float = parameter(3.0, symbol="w")

    @property
    def equations(self):
        x, y = self.space_symbols
        u, v = self.function("first"), self.function("second")

        def rate(w, source):
            diffusion = self.symbol("along") * Derivative(w, (x, 2)) + self.symbol("across") * Derivative(
                w, (y, 2)
            )
            transport = -self.symbol("speed") * Derivative(w, y)
            return Eq(Derivative(w, self.time_symbol), diffusion + transport + source, evaluate=False)

        return (rate(u, self.symbol("turning") * v), rate(v, -self.symbol("turning") * u))

    @classmethod
    def default_domain(cls, shape):
        return Grid.box(shape, (AxisKind.CHEBYSHEV, AxisKind.PERIODIC))

    def sample_inputs(self, domain, seeds):
        raise NotImplementedError


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("name", ["sine_mode", "cosine_mode", "warm_wall"])
def test_heat_with_dirichlet_and_neumann_walls(dimension, name):
    exact = HeatEquation(dimension=dimension, diffusivity=0.1).exact_solutions()[name]
    grid = Grid.box((25,) * dimension, "chebyshev")
    output_times = times(0.0, 0.5, 1.0)
    solution = SOLVER.solve(exact.problem, exact.inputs(grid), grid, output_times)
    # The linear part and a steady source are integrated exactly, whatever the step.
    assert (solution.values - exact.solution(grid, output_times).values).abs().max() < 1e-11
    start = exact.inputs(grid)["initial_temperature"].values
    assert torch.equal(solution.values[:, 0], start)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_heat_with_robin_walls(mode):
    # cos(k (x - 1/2)) with k tan(k / 2) = alpha / D loses heat through both walls.
    diffusivity, alpha = 0.1, 0.25
    lowest = 2 * math.pi * mode
    k = brentq(
        lambda s: s * math.sin(s / 2) - alpha / diffusivity * math.cos(s / 2),
        lowest,
        lowest + math.pi,
        xtol=1e-14,
    )
    problem = HeatEquation(
        dimension=1, diffusivity=diffusivity, boundary={"default": Robin(coefficient=str(alpha))}
    )
    grid = Grid.box((30,), "chebyshev")
    shape = torch.cos(k * (grid.axes[0].points - 0.5))
    solution = solved(problem, shape, grid, times(0.3, 1.0))
    decay = torch.exp(-diffusivity * k**2 * times(0.3, 1.0))
    assert (solution.values[0, :, 0] - decay[:, None] * shape).abs().max() < 1e-10


def test_flux_that_does_not_balance_warms_for_ever():
    # x^2 / 2 q / D + q t: a flux q through x = 1 and none through x = 0; no steady state, no harmonic lift.
    problem = HeatEquation(
        dimension=1, diffusivity=0.2, boundary={"x_lower": Neumann(), "x_upper": Neumann(flux="0.7")}
    )
    grid = Grid.box((16,), "chebyshev")
    profile = 0.7 / 0.2 * grid.axes[0].points ** 2 / 2
    solution = solved(problem, profile, grid, times(1.0, 5.0))
    expected = profile + 0.7 * times(1.0, 5.0)[:, None]
    assert (solution.values[0, :, 0] - expected).abs().max() < 1e-10


def test_boundary_data_that_varies_along_the_walls():
    # A harmonic function of the plane at the walls, and a mode that dies out.
    problem = HeatEquation(
        dimension=2,
        diffusivity=0.1,
        boundary={
            "x_lower": Dirichlet(value="cos(y)"),
            "x_upper": Neumann(flux="0.1*exp(x)*cos(y)"),
            "default": Dirichlet(value="exp(x)*cos(y)"),
        },
    )
    grid = Grid.box((24, 26), "chebyshev")
    x, y = grid.coordinates
    harmonic, mode = torch.exp(x) * torch.cos(y), torch.sin(math.pi * x / 2) * torch.sin(math.pi * y)
    solution = solved(problem, harmonic + mode, grid, times(0.4, 2.0))
    decay = torch.exp(-0.1 * math.pi**2 * 1.25 * times(0.4, 2.0))[:, None, None]
    assert (solution.values[0, :, 0] - (harmonic + decay * mode)).abs().max() < 1e-11


def test_coupled_outputs_advection_and_a_periodic_axis():
    problem = RotatingPair(boundary={"default": Dirichlet()})
    grid = problem.default_domain((20, 16))
    x, y = grid.coordinates
    moved = y[None] - 0.5 * times(0.25, 1.0)[:, None, None]
    rate = 0.1 * math.pi**2 + 0.02 * 4 * math.pi**2
    shape = torch.sin(math.pi * x) * torch.cos(2 * math.pi * moved)
    shape = shape * torch.exp(-rate * times(0.25, 1.0))[:, None, None]
    angle = 3.0 * times(0.25, 1.0)[:, None, None]
    start = torch.sin(math.pi * x) * torch.cos(2 * math.pi * y)
    inputs = {
        "first_start": Field(start[None, None], grid, ("first_start",)),
        "second_start": Field(torch.zeros_like(start)[None, None], grid, ("second_start",)),
    }
    solution = ChebyshevETDRK4Solver(time_step=0.01).solve(problem, inputs, grid, times(0.25, 1.0))
    assert (solution.values[0, :, 0] - shape * torch.cos(angle)).abs().max() < 1e-7
    assert (solution.values[0, :, 1] + shape * torch.sin(angle)).abs().max() < 1e-7


def sine(grid):
    values = -torch.sin(math.pi * grid.axes[0].points)
    values[grid.axes[0].points == 0] = 0.0
    return values


@pytest.mark.parametrize("num_points", [33, 49])
def test_viscous_burgers_against_cole_hopf(num_points):
    grid = Grid.box((num_points,), "chebyshev", lower=(-1.0,))
    output_times = times(0.2, 1.0)
    solution = solved(Burgers1D(viscosity=0.2), sine(grid), grid, output_times)
    exact = cole_hopf_burgers(grid.axes[0].points, output_times[:, None], 0.2)
    # Twice the tolerance of the steps, relative to values of one, and what 33 points leave.
    assert (solution.values[0, :, 0] - exact).abs().max() < 5e-8


def test_burgers_benchmark_with_the_layer_resolved():
    # On [0, 1] the layer at x = 0 is at a wall, where the points are dense; by symmetry it is the same
    # problem as on [-1, 1]. Published: the slope is steepest, 152.00516, at t = 1.6037 / pi.
    grid = Grid.box((129,), "chebyshev")
    output_times = times(0.25, 1.6037 / math.pi)
    solver = ChebyshevETDRK4Solver(time_step=1e-3)
    solution = solved(Burgers1D(viscosity=BENCHMARK), sine(grid), grid, output_times, solver)
    exact = cole_hopf_burgers(grid.axes[0].points, output_times[:, None], BENCHMARK)
    assert (solution.values[0, :, 0] - exact).abs().max() < 2e-8
    slope = derivative(solution.values[0, -1, 0], grid, 0)[0].item()
    assert slope == pytest.approx(-152.00516, abs=1e-4)


@pytest.mark.slow
def test_burgers_benchmark_on_the_whole_interval():
    # In the middle points are 2 / n apart on average and the nearest pole is 0.0104 away at this time, so
    # 513 points leave exp(-513 * 0.0104) = 5e-3 of the layer's slope.
    grid = Grid.box((513,), "chebyshev", lower=(-1.0,))
    output_times = times(0.25, 1.6037 / math.pi)
    solver = ChebyshevETDRK4Solver(time_step=1e-3)
    solution = solved(Burgers1D(viscosity=BENCHMARK), sine(grid), grid, output_times, solver)
    exact = cole_hopf_burgers(grid.axes[0].points, output_times[:, None], BENCHMARK)
    errors = (solution.values[0, :, 0] - exact).abs().amax(dim=1)
    assert errors[0] < 1e-9
    assert errors[1] < 5e-3
    assert "highest coefficients" in solution.report.message


def test_errors_in_space_fall_geometrically():
    # With viscosity 0.05 / pi on [0, 1] the layer is at the wall; eight points more gain a digit at least.
    errors = []
    for num_points in (17, 25, 33, 41):
        grid = Grid.box((num_points,), "chebyshev")
        solver = ChebyshevETDRK4Solver(time_step=5e-3)
        solution = solved(Burgers1D(viscosity=0.05 / math.pi), sine(grid), grid, times(0.5), solver)
        exact = cole_hopf_burgers(grid.axes[0].points, 0.5, 0.05 / math.pi)
        errors.append((solution.values[0, 0, 0] - exact).abs().max().item())
    ratios = [fine / coarse for coarse, fine in pairwise(errors)]
    assert max(ratios) < 0.1, errors
    assert errors[-1] < 1e-5


@pytest.mark.parametrize("name", ["moving_fronts", "relaxation"])
def test_allen_cahn(name):
    exact = AllenCahn(dimension=1).exact_solutions()[name]
    grid = Grid.box((257,), "chebyshev", lower=(-1.0,))
    output_times = times(0.25, 0.5)
    solution = SOLVER.solve(exact.problem, exact.inputs(grid), grid, output_times)
    error = (solution.values - exact.solution(grid, output_times).values).abs().max()
    assert error < 1e-7  # errors of the steps, 1e-8, grow by exp(5 t) where 0 is unstable


def test_neumann_walls_continue_evenly_to_a_periodic_solution():
    # Fisher-KPP from an even function: on [0, 1] with no flux, or on the circle of length 2 by Fourier modes.
    problem = FisherKPP(dimension=1, diffusivity=0.01)
    walls = Grid.box((65,), "chebyshev")
    circle = Grid.periodic((192,), lengths=(2.0,))

    def start(x):
        return 0.5 + 0.3 * torch.cos(math.pi * x) + 0.1 * torch.cos(3 * math.pi * x)

    name = problem.inputs[0].name
    on_circle = Field(start(circle.axes[0].points)[None, None], circle, (name,))
    fourier = SpectralSolver(tolerance=1e-10).solve(problem, {name: on_circle}, circle, times(1.0))
    chebyshev = solved(
        problem, start(walls.axes[0].points), walls, times(1.0), ChebyshevETDRK4Solver(tolerance=1e-10)
    )
    expected = fourier.snapshot(0).at(walls.points)
    assert (chebyshev.values[0, 0] - expected[0]).abs().max() < 1e-8


def test_samples_do_not_influence_one_another():
    problem = Burgers1D(viscosity=0.1)
    grid = Grid.box((33,), "chebyshev")
    start = torch.stack([sine(grid), 3 * torch.sin(2 * math.pi * grid.axes[0].points)])[:, None]
    start[..., [0, -1]] = 0.0
    together = SOLVER.solve(
        problem, {"initial_velocity": Field(start, grid, ("initial_velocity",))}, grid, times(0.1, 0.3)
    )
    assert together.report.num_steps[0] < together.report.num_steps[1]
    for i in range(2):
        alone = solved(problem, start[i, 0], grid, times(0.1, 0.3))
        torch.testing.assert_close(alone.values[0], together.values[i], rtol=0, atol=1e-13)
        assert alone.report.num_steps[0] == together.report.num_steps[i]


def test_initial_data_that_violates_the_conditions_is_refused_with_the_size():
    grid = Grid.box((33,), "chebyshev")
    x = grid.axes[0].points
    dirichlet = HeatEquation(dimension=1, diffusivity=0.1)
    with pytest.raises(ValueError, match=r"a mismatch of 0\.25 on x_upper in samples \[0\]"):
        solved(dirichlet, 0.25 * x, grid, times(0.1))
    inside = replace(dirichlet, boundary={"x_lower": Dirichlet(), "x_upper": Dirichlet(value="1/4")})
    solved(inside, 0.25 * x, grid, times(0.1))


def test_a_jump_that_is_allowed_is_smoothed():
    # A rod of temperature one whose ends are put into ice: the sine series of Fourier.
    grid = Grid.box((65,), "chebyshev")
    problem = HeatEquation(dimension=1, diffusivity=0.1)
    solver = ChebyshevETDRK4Solver(boundary_tolerance=math.inf)
    solution = solved(problem, torch.ones(65, dtype=torch.float64), grid, times(0.01, 0.1), solver)
    k = math.pi * torch.arange(1, 200, 2, dtype=torch.float64)[:, None]
    series = [
        (4 / k * torch.sin(k * grid.axes[0].points) * torch.exp(-0.1 * k**2 * t)).sum(0) for t in (0.01, 0.1)
    ]
    assert (solution.values[0, :, 0] - torch.stack(series)).abs().max() < 1e-11


def test_an_initial_flux_that_misses_the_condition_is_smoothed_and_reported():
    # From x with insulated ends: the cosine series.
    grid = Grid.box((65,), "chebyshev")
    x = grid.axes[0].points
    problem = HeatEquation(dimension=1, diffusivity=0.1, boundary={"default": Neumann()})
    solution = solved(problem, x, grid, times(0.01, 0.1))
    assert "the initial data misses the flux on x_lower by 0.1;" in solution.report.message  # D du/dx
    k = math.pi * torch.arange(1, 200, 2, dtype=torch.float64)[:, None]
    series = [0.5 - (4 / k**2 * torch.cos(k * x) * torch.exp(-0.1 * k**2 * t)).sum(0) for t in (0.01, 0.1)]
    assert (solution.values[0, :, 0] - torch.stack(series)).abs().max() < 1e-11
    fits = solved(problem, torch.cos(math.pi * x), grid, times(0.1))
    assert "misses" not in fits.report.message


def test_a_step_that_is_too_long_for_advection_is_diagnosed():
    grid = Grid.box((129,), "chebyshev")
    solver = ChebyshevETDRK4Solver(time_step=0.05)
    with pytest.raises(SolverError, match="made values that are not finite") as caught:
        solved(Burgers1D(viscosity=1e-3), 20 * sine(grid), grid, times(1.0), solver)
    assert caught.value.report.status is SolveStatus.BLOW_UP
    assert "the largest value before was |velocity|" in str(caught.value)


def test_what_does_not_fit_is_refused():
    grid = Grid.box((16,), "chebyshev")
    assert SOLVER.unsuited(Burgers1D(), grid) is None
    assert "expected constant, positive diffusion of 'velocity' along 'x', got the coefficient 0" in (
        SOLVER.unsuited(Burgers1D(viscosity=0.0), grid)
    )
    assert "SemilinearProblem" in SOLVER.unsuited(Poisson(), grid)
    assert "got periodic ones only" in SOLVER.unsuited(Burgers1D(), Grid.periodic((16,)))
    assert "got 'nodes' for 'x'" in SOLVER.unsuited(Burgers1D(), Grid.box((16,), "nodes"))
    assert SOLVER.unsuited(KuramotoSivashinsky(), grid) is not None
    square = Grid.box((8, 8), "chebyshev")
    varying = HeatEquation(boundary={"default": Robin(coefficient="1 + x + y")})
    assert "expected Robin coefficients that are constant" in SOLVER.unsuited(varying, square)


def test_settings_out_of_range_are_refused():
    for name, value in {
        "time_step": 0.0,
        "tolerance": 1.0,
        "max_steps": 1,
        "boundary_tolerance": 0.0,
    }.items():
        with pytest.raises(ValueError, match=f"{name}: expected"):
            ChebyshevETDRK4Solver(**{name: value})


def test_the_split_takes_second_derivatives_and_leaves_the_rest():
    split = EvolutionSplit.of(RotatingPair(boundary={"default": Dirichlet()}))
    assert split.weights == ((0.1, 0.02), (0.1, 0.02))
    assert split.rates == (0.0, 0.0)
    assert split.highest_order == 1
    names = {f.func.__name__ for f in split.expressions[0].atoms(AppliedUndef)}
    assert names == {"first", "second"}
    burgers = EvolutionSplit.of(Burgers1D(viscosity=0.1))
    assert burgers.weights == ((0.1,),)
    assert EvolutionSplit.of(FisherKPP(dimension=1, growth_rate=2.5)).rates == (2.5,)
