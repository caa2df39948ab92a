"""What a problem may look like: conditions that disagree, constants, few points, inputs that do not fit."""

import math

import pytest
import torch

from pdeops.domains import Axis, Field, Grid
from pdeops.gp import GaussianProcessSolver, JointGaussianProcessSolver, UnderResolvedWarning
from pdeops.gp.krylov import preconditioned_gmres
from pdeops.problems import Dirichlet, HeatEquation, Neumann, Poisson, ScreenedPoisson

SOLVER = GaussianProcessSolver(draws=8)
JOINT = JointGaussianProcessSolver(num_steps=1)
ONE = torch.tensor([1.0], dtype=torch.float64)


def constant(problem, grid, value, samples=1):
    """Its first input is a constant."""
    name = problem.inputs[0].name
    return {name: Field(torch.full((samples, 1, *grid.shape), value, dtype=torch.float64), grid, (name,))}


def test_a_start_that_the_walls_contradict_is_not_passed_off():
    """Heat of 1 between walls of 0, whose series is known."""
    problem = HeatEquation(dimension=1, boundary={"default": Dirichlet(value="0")})
    grid, times = Grid.box((48,)), torch.tensor([0.05, 0.1, 1.0], dtype=torch.float64)
    odd = math.pi * torch.arange(1, 800, 2, dtype=torch.float64)[:, None]
    modes = 4 / odd * torch.sin(odd * grid.axes[0].points)
    exact = torch.exp(-problem.diffusivity * odd[:, 0] ** 2 * times[:, None]) @ modes
    with pytest.warns(UnderResolvedWarning, match="conditions that agree where they meet"):
        solution = SOLVER.solve(problem, constant(problem, grid, 1.0), grid, times)
    error = (solution.values[0, :, 0] - exact).abs()
    assert error.norm() > 0.1 * exact.norm()
    assert (error <= 1.96 * solution.standard_deviation.values[0, :, 0]).double().mean() > 0.8


@pytest.mark.filterwarnings("error::pdeops.gp.UnderResolvedWarning")
@pytest.mark.parametrize("num_points", [5, 24, 100])
def test_a_constant_in_time_is_found_without_a_warning(num_points):
    """All of its terms are nothing: a residual of rounding is no misfit."""
    problem, grid = HeatEquation(dimension=1), Grid.periodic((num_points,))
    solution = SOLVER.solve(problem, constant(problem, grid, 3.0), grid, ONE)
    assert (solution.values - 3).abs().max() < 1e-12


@pytest.mark.filterwarnings("error::pdeops.gp.UnderResolvedWarning")
def test_a_constant_between_walls_is_found_without_a_warning():
    problem = Poisson(dimension=2, boundary={"default": Dirichlet(value="3")})
    grid = Grid.box((24, 24))
    solution = SOLVER.solve(problem, constant(problem, grid, 0.0), grid)
    assert (solution.values - 3).abs().max() < 1e-10


def test_conditions_by_name_beside_a_periodic_axis():
    problem = Poisson(dimension=2, boundary={"y_lower": Dirichlet(), "y_upper": Dirichlet()})
    grid = Grid.box((24, 26), ["periodic", "nodes"])
    x, y = grid.coordinates
    expected = torch.sin(2 * math.pi * x) * torch.sin(math.pi * y)
    source = Field((5 * math.pi**2 * expected)[None, None], grid, ("source",))
    solution = SOLVER.solve(problem, {"source": source}, grid)
    assert ((solution.values[0, 0] - expected).norm() / expected.norm()).item() < 1e-8


def test_three_points_are_enough_for_a_constant_and_fewer_are_refused():
    problem, grid = ScreenedPoisson(dimension=1), Grid.periodic((3,))
    solution = SOLVER.solve(problem, constant(problem, grid, 2.0), grid)
    torch.testing.assert_close(solution.values, torch.full((1, 1, 3), 2 / problem.decay).double())
    assert "3 or more points" in SOLVER.unsuited(problem, Grid.periodic((2,)))


def test_fluxes_alone_do_not_fix_a_solution():
    problem = Poisson(dimension=1, boundary={"default": Neumann()})
    assert "condition on the value" in SOLVER.unsuited(problem, Grid.box((9,)))
    warmed = HeatEquation(dimension=1, boundary={"default": Neumann()})
    assert SOLVER.unsuited(warmed, Grid.box((9,))) is None


@pytest.mark.parametrize("solver", [SOLVER, JOINT])
def test_inputs_that_do_not_fit_are_named(solver):
    problem, grid = Poisson(dimension=1), Grid.box((24,))
    longer = Grid((Axis("x", 0, 2, 24, "nodes"),))
    with pytest.raises(ValueError, match="on the domain asked for"):
        solver.solve(problem, constant(problem, grid, 1.0), longer)
    with pytest.raises(ValueError, match="expected finite values of 'source'"):
        solver.solve(problem, constant(problem, grid, math.nan), grid)


def test_inputs_may_require_a_gradient():
    problem, grid = Poisson(dimension=1), Grid.box((24,))
    inputs = constant(problem, grid, 1.0)
    inputs["source"].values.requires_grad_()
    solution = SOLVER.solve(problem, inputs, grid)
    assert not solution.values.requires_grad
    x = grid.axes[0].points
    torch.testing.assert_close(solution.values[0, 0], x * (1 - x) / 2, rtol=0, atol=1e-3)


def test_lengths_that_cannot_be_tried_are_refused():
    with pytest.raises(ValueError, match="length_scale: expected at most 4"):
        GaussianProcessSolver(length_scale=5.0)
    problem, grid = HeatEquation(dimension=1), Grid.periodic((8,))
    with pytest.raises(ValueError, match="400 times"):
        GaussianProcessSolver(length_scale=1e-3, max_kernels=1).solve(
            problem, constant(problem, grid, 1.0), grid, ONE
        )


@pytest.mark.filterwarnings("ignore::pdeops.gp.UnderResolvedWarning")
def test_parts_of_a_solution_keep_their_own_deviation():
    problem, grid = HeatEquation(dimension=1), Grid.periodic((16,))
    inputs = problem.sample_inputs(grid, [0, 1, 2])
    times = torch.tensor([0.5, 1.0], dtype=torch.float64)
    solution = SOLVER.solve(problem, inputs, grid, times)
    deviation = solution.standard_deviation.values
    second, both = solution.sample(1), solution.sample(torch.tensor([2, 1]))
    assert torch.equal(second.standard_deviation.values, deviation[1:2])
    assert second.posteriors == solution.posteriors[1:2]
    assert torch.equal(both.standard_deviation.values, deviation[[2, 1]])
    assert both.posteriors == (solution.posteriors[2], solution.posteriors[1])
    assert torch.equal(solution.snapshot(1).standard_deviation.values, deviation[:, 1])
    assert solution.to(dtype=torch.float32).standard_deviation.values.dtype == torch.float32
    assert type(solution.resample(Grid.periodic((8,)))) is Field


@pytest.mark.parametrize("size", [1e-18, 1.0, 1e18])
def test_gmres_in_any_unit(size):
    speeds = torch.arange(1.0, 21.0, dtype=torch.float64)
    right = torch.full((20,), size, dtype=torch.float64)
    found, _, _ = preconditioned_gmres(lambda v: speeds * v, lambda v: v, right, 1e-12, 40)
    torch.testing.assert_close(found / size, 1 / speeds, rtol=1e-11, atol=0)
