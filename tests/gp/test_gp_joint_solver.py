import math

import pytest
import torch

from pdeops.domains import Grid
from pdeops.gp import JointGaussianProcessSolver, JointModel
from pdeops.gp.joint_solver import log_prior
from pdeops.gp.kernel_factor import along
from pdeops.problems import Dirichlet, ManufacturedAllenCahn, ManufacturedPoisson, Neumann, Poisson


def model_of(problem, shape, **settings):
    grid = Grid.box(shape)
    given = {
        "kernel": "student",
        "components": 4,
        "highest_frequency": 3.0,
        "boundary_weight": 200.0,
        "jitter": 1e-6,
    }
    return JointModel(problem, problem.sample_inputs(grid, [0]), grid, **{**given, **settings})


def test_the_objective_is_the_dense_one():
    """On 8 x 9 points, with one joint matrix of all points."""
    problem = ManufacturedAllenCahn(dimension=2, solution="sin(3*x)*cos(2*y)", diffusivity=0.3)
    model = model_of(problem, (8, 9), jitter=1e-4)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.values.normal_(generator=generator)
        model.log_boundary_precision.fill_(0.7)
        model.log_equation_precision.fill_(-1.3)
    u = model.values.detach().flatten()
    k, k2 = [], []
    for kernel, axis in zip(model.kernels, model.grid.axes, strict=True):
        lags = axis.points[:, None] - axis.points
        k.append(kernel.derivative(lags).detach() + 1e-4 * torch.eye(len(lags), dtype=torch.float64))
        k2.append(kernel.derivative(lags, 2).detach())
    dense = torch.kron(k[0], k[1])
    prior = -(torch.linalg.slogdet(dense).logabsdet + u @ torch.linalg.solve(dense, u)) / 2
    torch.testing.assert_close(log_prior(model.values, model.factors()), prior, rtol=1e-10, atol=0)
    bend = torch.kron(k2[0], k[1]) + torch.kron(k[0], k2[1])
    source = problem.sample_inputs(model.grid, [0])["source"].values.flatten()
    residual = -0.3 * bend @ torch.linalg.solve(dense, u) + u**3 - u - source
    exact = problem.exact_solutions()["manufactured"].solution(model.grid).values[0, 0]
    miss = model.values.detach() - exact
    # Corners belong to two sides.
    squares = sum(side.square().sum() for side in (miss[0], miss[-1], miss[:, 0], miss[:, -1]))
    boundary = (34 * 0.7 - math.exp(0.7) * squares) / 2
    equation = (72 * -1.3 - math.exp(-1.3) * residual.square().sum()) / 2
    torch.testing.assert_close(model().detach(), prior + 200 * boundary + equation, rtol=1e-10, atol=0)


def test_the_gradient_is_that_of_differences():
    problem = ManufacturedPoisson(solution="sin(9*x)")
    model = model_of(problem, (12,), jitter=1e-3)
    torch.nn.init.normal_(model.values, generator=torch.Generator().manual_seed(1))
    model().backward()
    parameter = model.kernels[0].log_length_scales
    step = 1e-5
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter[2] += sign * step
            values.append(model().item())
            parameter[2] -= sign * step
    slope = (values[0] - values[1]) / (2 * step)
    assert abs(slope / parameter.grad[2].item() - 1) < 1e-5


def predicted(model, grid):
    """Conditional mean of the values on another grid."""
    values = model.values
    for number, (factor, axis) in enumerate(zip(model.factors(), grid.axes, strict=True)):
        lags = axis.points[:, None] - factor.axis.points
        values = along(factor.solve(factor.kernel.derivative(lags).mT).mT, values, number)
    return values.detach()


def test_the_first_hundred_steps_are_those_of_the_authors():
    """Their log of the problem: 0.2756, the least error after every fifth of the steps 1, 6, ..., 96."""
    problem = ManufacturedPoisson(solution="sin(100*x)")
    grid = Grid.box((400,), upper=(2 * math.pi,))
    test = grid.with_shape((300,))
    exact = problem.exact_solutions()["manufactured"].solution(test)
    solver = JointGaussianProcessSolver(num_steps=96, highest_frequency=20.0)
    error = predicted(solver.fit(problem, problem.sample_inputs(grid, [0]), grid), test) - exact.values[0, 0]
    # It falls all the way, so the last one is the least.
    assert (error.norm() / exact.values.norm()).item() == pytest.approx(0.2756, abs=5e-5)


def test_training_solves_a_smooth_problem():
    problem = ManufacturedPoisson(solution="sin(6*x)")
    grid = Grid.box((16,))
    solver = JointGaussianProcessSolver(
        num_steps=400,
        learning_rate=0.03,
        components=2,
        highest_frequency=1.0,
        boundary_weight=1000.0,
        jitter=1e-4,
    )
    solution = solver.solve(problem, problem.sample_inputs(grid, [0]), grid)
    exact = problem.exact_solutions()["manufactured"].solution(grid)
    assert solution.relative_error(exact).item() < 0.05


def test_what_does_not_fit_is_said():
    solver = JointGaussianProcessSolver()
    problem = Poisson(dimension=1, boundary={"x_lower": Dirichlet(), "x_upper": Neumann()})
    assert solver.unsuited(problem, Grid.box((9,))) == "expected Dirichlet conditions"
    with pytest.raises(ValueError, match="num_steps: expected a positive number"):
        JointGaussianProcessSolver(num_steps=0)
