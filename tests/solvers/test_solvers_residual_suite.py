"""What solvers return for random data satisfies the problem's own equations, derived from SymPy."""

import inspect

import pytest
import torch

import pdeops.problems
from pdeops.domains import AxisKind, Field, Grid, derivative
from pdeops.gp import GaussianProcessSolver
from pdeops.problems import Dirichlet, LognormalPermeability, NeumannRandomField, Problem
from solvers import ChebyshevEllipticSolver, ChebyshevETDRK4Solver, InitialValueSolver, SpectralSolver

PROBLEMS = {
    item.__name__: item
    for item in vars(pdeops.problems).values()
    if inspect.isclass(item) and issubclass(item, Problem) and not inspect.isabstract(item)
}
# Parameters, points an axis that resolve what becomes of waves below the sixth, and a time.
EVOLVING = {
    "Advection": ({}, 32, 0.1),
    "AdvectionDiffusionReaction": ({}, 48, 0.1),
    "AllenCahn": ({"dimension": 1}, 512, 0.1),
    "Burgers1D": ({}, 128, 0.1),
    "Burgers2D": ({"viscosity": 0.1}, 64, 0.1),
    "CahnHilliard": ({"dimension": 1}, 256, 0.002),
    "FisherKPP": ({"dimension": 1}, 256, 0.1),
    "GrayScott": ({"dimension": 1}, 256, 1.0),
    "HeatEquation": ({}, 32, 0.1),
    "KortewegDeVries": ({}, 128, 0.02),
    "KuramotoSivashinsky": ({"dimension": 2}, 96, 1.0),
    "NavierStokes2D": ({"viscosity": 0.01}, 64, 0.1),
    "NavierStokes3D": ({"viscosity": 0.5}, 32, 0.05),
    "NonlinearSchrodinger": ({}, 128, 0.1),
    "ShallowWater": ({"dimension": 1}, 128, 0.02),
    "Wave": ({}, 48, 0.1),
}
SMOOTH = NeumannRandomField(scale=20.0, smoothness=3.0, inverse_length=3.0, max_wavenumber=3)
# Elliptic problems by parameters; the others are solved on meshes, where tests measure weak residuals.
STEADY = {
    "Poisson": {"sampler": SMOOTH},
    "ScreenedPoisson": {"sampler": SMOOTH},
    "SteadyAllenCahn": {"sampler": SMOOTH},
    "Darcy2D": {"sampler": LognormalPermeability(field=SMOOTH)},
    "Helmholtz": {"frequency": 100.0, "boundary": {"default": Dirichlet(value="cos(2*x + y)")}},
}
ON_MESHES = {"ElasticCell", "LinearElasticity", "PipeFlow", "Stokes"}
ORDINARY = {"Antiderivative", "DrivenPendulum", "NonlinearODE", "Pendulum"}
FROM_ZERO = {"DiffusionReaction"}
# Parameters of problems whose data is made for a chosen solution.
CHOSEN = {
    "ManufacturedAllenCahn": {"dimension": 2, "solution": "sin(3*x)*cos(2*y)"},
    "ManufacturedPoisson": {"dimension": 2, "solution": "sin(3*x)*cos(2*y)"},
    "Transport": {"velocity_x": 2.0, "velocity_y": 1.0, "solution": "sin(3*x)*cos(2*y)"},
}


def test_every_problem_is_here():
    listed = EVOLVING.keys() | STEADY.keys() | ON_MESHES | ORDINARY | FROM_ZERO | CHOSEN.keys()
    assert set(PROBLEMS) == listed


@pytest.mark.parametrize("name", EVOLVING)
def test_evolution_satisfies_its_equations(name):
    """Seven frames around a time: their difference is of sixth order, far below the bound."""
    parameters, num_points, end = EVOLVING[name]
    problem = PROBLEMS[name](**parameters)
    grid = problem.default_domain((num_points,) * problem.dimension)
    coarse = problem.default_domain((12,) * problem.dimension)
    inputs = {key: field.resample(grid) for key, field in problem.sample_inputs(coarse, [0]).items()}
    spacing = end / 100
    times = end + spacing * torch.arange(-3, 4, dtype=torch.float64)
    solution = SpectralSolver().solve(problem, inputs, grid, times)
    residual = problem.residual(solution, inputs).values[:, 3, : len(problem.outputs)]
    rates = (solution.values[:, 4] - solution.values[:, 2]) / (2 * spacing)
    assert residual.norm() < 1e-6 * rates.norm()
    assert rates.norm() > 1e-3 * solution.values[:, 3].norm()  # something happens


@pytest.mark.parametrize("name", STEADY)
def test_steady_solutions_satisfy_their_equations(name):
    """Polynomials of degree 31: differentiated twice, the solvers' 1e-10 grows by up to 31^4 = 1e6."""
    problem = PROBLEMS[name](**STEADY[name])
    grid = Grid.box((32,) * problem.dimension, AxisKind.CHEBYSHEV)
    inputs = problem.sample_inputs(grid, [0])
    solution = ChebyshevEllipticSolver().solve(problem, inputs, grid)
    inner = (0, 0, *(slice(1, -1),) * problem.dimension)
    residual = problem.residual(solution, inputs).values[inner]
    curvature = derivative(solution.values, grid, 0, 2)[inner]
    assert residual.norm() < 1e-4 * curvature.norm()


@pytest.mark.parametrize("name", sorted(ORDINARY))
def test_initial_value_problems_satisfy_their_equations(name):
    """Polynomials of degree 47 hold the samples and, to 1e-10, the solutions; one derivative costs 47^2."""
    problem = PROBLEMS[name]()
    grid = Grid.box((48,), AxisKind.CHEBYSHEV)
    inputs = problem.sample_inputs(grid, range(4))
    solution = InitialValueSolver().solve(problem, inputs, grid)
    assert torch.equal(solution.values[..., 0], torch.zeros(4, len(problem.outputs)).double())
    slope = derivative(solution.values, grid, 0, 1)
    residual = problem.residual(solution, inputs).values
    assert (residual.norm(dim=2) < 1e-7 * slope.norm(dim=2)).all()


@pytest.mark.parametrize("name", sorted(CHOSEN))
def test_problems_made_for_a_solution_have_it_and_it_satisfies_their_equations(name):
    problem = PROBLEMS[name](**CHOSEN[name])
    grid = Grid.box((24, 24), AxisKind.CHEBYSHEV)
    inputs = problem.sample_inputs(grid, [0])
    solution = GaussianProcessSolver().solve(problem, inputs, grid)
    x, y = grid.coordinates
    exact = torch.sin(3 * x) * torch.cos(2 * y)
    torch.testing.assert_close(solution.values[0, 0], exact, rtol=0, atol=1e-7)
    # Two derivatives of polynomials of degree 23 cost up to 23^4.
    residual = problem.residual(Field(exact[None, None], grid, solution.channels), inputs).values
    assert residual.norm() < 1e-8 * inputs["source"].values.norm()


@pytest.mark.parametrize("name", sorted(FROM_ZERO))
def test_problems_that_start_from_zero_satisfy_their_equations(name):
    """After the layers of the start are wider than the points at the ends; seven frames around time 0.5."""
    problem = PROBLEMS[name]()
    grid = Grid.box((64,), AxisKind.CHEBYSHEV)
    inputs = problem.sample_inputs(grid, range(3))
    times = 0.5 + 0.005 * torch.arange(-3, 4, dtype=torch.float64)
    solution = ChebyshevETDRK4Solver(tolerance=1e-11).solve(problem, inputs, grid, times)
    residual = problem.residual(solution, inputs).values[:, 3, 0, 1:-1]
    rates = (solution.values[:, 4] - solution.values[:, 2])[:, 0, 1:-1] / 0.01
    assert (residual.norm(dim=1) < 1e-6 * rates.norm(dim=1)).all()
