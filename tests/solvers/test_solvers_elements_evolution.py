"""Finite elements in time: conservation, exact solutions, step control, steady limits, and bad input."""

import math
from dataclasses import replace

import pytest
import torch

from pdeops.domains import Field, Grid, box_mesh, l_shape_mesh, square_with_holes_mesh
from pdeops.problems import (
    AdvectionDiffusionReaction,
    AllenCahn,
    Burgers1D,
    CahnHilliard,
    Dirichlet,
    FisherKPP,
    GrayScott,
    HeatEquation,
    Neumann,
    Poisson,
    Robin,
)
from solvers import FiniteElementEvolutionSolver, FiniteElementSolver, SolverError, SolveStatus, solve

HOLES = square_with_holes_mesh(12, holes=((0.3, 0.35, 0.14), (0.68, 0.65, 0.18)))
TIMES = torch.tensor([0.0, 0.1, 0.25]).double()


def start(problem, domain, *values):
    name = problem.inputs[0].name
    stacked = torch.stack([torch.as_tensor(value).double().expand(domain.shape) for value in values])
    return {name: Field(stacked[:, None], domain, (name,))}


@pytest.mark.parametrize("degree", [1, 2])
def test_heat_stays_inside_closed_walls(degree):
    problem = HeatEquation(diffusivity=0.1, boundary={"default": Neumann()})
    x, y = HOLES.points.T
    inputs = start(problem, HOLES, torch.sin(3 * x) + y, torch.exp(x * y))
    solver = FiniteElementEvolutionSolver(degree=degree, time_step=0.02)
    functions = solver.solve_functions(problem, inputs, HOLES, TIMES)
    for sample in (0, 1):
        contents = [function.integral(sample) for function in functions]
        assert contents == pytest.approx([contents[0]] * 3, rel=1e-12)
    # L2 norms fall towards those of the means.
    norms = [
        function.space.integral(function.space.at_quadrature(function.coefficients[0]) ** 2)
        for function in functions
    ]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < 0.99 * norms[0]


@pytest.mark.parametrize("degree", [1, 2])
def test_linear_steady_states_stay(degree):
    # u = 1 + 2 x - 3 y is steady under diffusion, with every kind of condition.
    conditions = {
        "x_lower": Neumann(flux="-2*diffusivity"),
        "x_upper": Robin(coefficient="1 + y", value="2*diffusivity + (1 + y)*(3 - 3*y)"),
        "y_upper": Neumann(flux="-3*diffusivity"),
        "default": Dirichlet(value="1 + 2*x - 3*y"),
    }
    problem = HeatEquation(diffusivity=0.3, boundary=conditions)
    x, y = HOLES.points.T
    solver = FiniteElementEvolutionSolver(degree=degree, time_step=0.05)
    solution = solver.solve(problem, start(problem, HOLES, 1 + 2 * x - 3 * y), HOLES, TIMES)
    torch.testing.assert_close(solution.values[0, -1, 0], 1 + 2 * x - 3 * y, rtol=0, atol=1e-11)


def test_heat_settles_to_the_solution_of_poisson():
    heat = HeatEquation(
        diffusivity=1.0, source="exp(x)*y", boundary={"x_lower": Robin(), "default": Dirichlet()}
    )
    mesh = l_shape_mesh(3)
    solver = FiniteElementEvolutionSolver(time_step=0.5)
    settled = solver.solve(heat, start(heat, mesh, 0.0), mesh, torch.tensor([30.0]).double())
    x, y = mesh.points.T
    source = {"source": Field((torch.exp(x) * y)[None, None], mesh, ("source",))}
    steady = FiniteElementSolver().solve(Poisson(boundary=heat.boundary), source, mesh)
    # The source is a formula there and a field at the points here: fourth order in the cell.
    torch.testing.assert_close(settled.values[:, 0], steady.values, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (HeatEquation(), "warm_wall"),
        (AdvectionDiffusionReaction(), "boundary_layer"),
        (FisherKPP(), "logistic"),
        (AllenCahn(), "relaxation"),
    ],
    ids=lambda item: item if isinstance(item, str) else item.name,
)
def test_exact_solutions_up_to_the_mesh_and_the_tolerance(problem, name):
    exact = problem.exact_solutions()[name]
    axes = exact.problem.default_domain((9,) * problem.dimension).axes
    ends = {"lower": [axis.lower for axis in axes], "upper": [axis.upper for axis in axes]}
    errors = []
    for count in (9, 17):
        grid = Grid.box((count,) * problem.dimension, **ends)
        solution = FiniteElementEvolutionSolver().solve(exact.problem, exact.inputs(grid), grid, TIMES)
        errors.append(solution.relative_error(exact.solution(grid, TIMES)).item())
        assert torch.equal(solution.values[:, 0], exact.inputs(grid)[problem.inputs[0].name].values)
        assert solution.report.error_estimate.item() <= 2e-5
    # Third order in space, and 1e-5 in time for each of the two intervals.
    assert errors[1] < errors[0] / 4 + 2e-5
    assert errors[1] < 1e-3


def test_transport_by_the_flow_itself():
    # Burgers: u = -tanh(x / 2 nu) is a shock that stands still. Its order shows that u u_x is right.
    shock = "-(exp(x/viscosity) - 1)/(exp(x/viscosity) + 1)"
    problem = Burgers1D(viscosity=0.1, boundary={"default": Dirichlet(value=shock)})
    errors = []
    for cells in (16, 32):
        grid = Grid.box((cells + 1,), lower=(-1.0,), upper=(1.0,))
        truth = -torch.tanh(grid.points[:, 0] / (2 * problem.viscosity))
        solver = FiniteElementEvolutionSolver(degree=1, time_step=0.01)
        times = torch.tensor([2.0]).double()
        solution = solver.solve(problem, start(problem, grid, truth), grid, times)
        errors.append((solution.values[0, 0, 0] - truth).norm().item() / truth.norm().item())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3), errors
    assert errors[1] < 1e-2


def test_symmetries_are_kept():
    problem = AllenCahn(dimension=1, diffusivity=0.05, boundary={"default": Neumann()})
    mesh = box_mesh((40,))
    x = mesh.points[:, 0]
    inputs = start(problem, mesh, torch.cos(math.pi * x) / 2)
    solution = FiniteElementEvolutionSolver().solve(problem, inputs, mesh, TIMES)
    # Odd about the middle, as the start and the equation are.
    torch.testing.assert_close(solution.values, -solution.values.flip(-1), rtol=0, atol=1e-9)


def test_step_control_keeps_what_it_promises():
    problem = AllenCahn(diffusivity=0.01)
    mesh = l_shape_mesh(2)
    inputs = problem.sample_inputs(mesh, [0, 1])
    times = torch.tensor([0.2, 1.0]).double()
    reference = FiniteElementEvolutionSolver(degree=1, time_step=1 / 400).solve(problem, inputs, mesh, times)
    for tolerance in (1e-3, 1e-5):
        solver = FiniteElementEvolutionSolver(degree=1, tolerance=tolerance)
        solution = solver.solve(problem, inputs, mesh, times)
        error = solution.relative_error(reference)
        # Errors of the first interval may grow with the reaction, by exp(5 * 0.8) at most.
        assert (error < tolerance * 50).all()
        assert (solution.report.error_estimate <= 2 * tolerance).all()
        assert (solution.report.num_steps > 0).all()
    alone = {name: field.sample(1) for name, field in inputs.items()}
    single = solver.solve(problem, alone, mesh, times)
    assert single.report.num_steps[0] == solution.report.num_steps[1]
    torch.testing.assert_close(single.values[0], solution.values[1], rtol=1e-10, atol=1e-12)


def test_the_catalogue_finds_it_for_meshes():
    solution = solve(HeatEquation(), HOLES, TIMES)
    assert solution.report.solver == "FiniteElementEvolutionSolver"
    assert solution.values.shape == (1, 3, 1, HOLES.num_points)
    part = HOLES.boundary("hole_0").indices
    assert solution.values[:, 1:, :, part].abs().max() == 0


def test_a_blow_up_says_when():
    problem = AllenCahn(boundary={"default": Neumann()})
    mesh = box_mesh((4, 4))
    solver = FiniteElementEvolutionSolver(time_step=0.1)
    inputs = start(problem, mesh, 0.5, 100.0)
    with pytest.raises(SolverError, match=r"step \d+ after t = 0 .* in samples \[1\]") as caught:
        solver.solve(problem, inputs, mesh, torch.tensor([5.0]).double())
    assert caught.value.report.status is SolveStatus.BLOW_UP
    limited = FiniteElementEvolutionSolver(tolerance=1e-10, max_steps=8)
    with pytest.raises(SolverError, match=r"sample 0, from t = 0 to 0\.5: 8 steps leave") as caught:
        limited.solve(problem, start(problem, mesh, 0.5), mesh, torch.tensor([0.5]).double())
    assert caught.value.report.status is SolveStatus.STEP_LIMIT


def test_what_it_is_not_for():
    solver = FiniteElementEvolutionSolver()
    square = box_mesh((4, 4))
    reasons = {
        Poisson(): "expected a SemilinearProblem",
        GrayScott(): "expected one unknown",
        CahnHilliard(): "periodic one",
    }
    for problem, reason in reasons.items():
        assert reason in solver.unsuited(problem, square)
    assert "periodic for 'x'" in solver.unsuited(HeatEquation(), Grid.periodic((8, 8)))
    assert solver.unsuited(HeatEquation(), square) is None
    for settings in ({"degree": 0}, {"time_step": 0.0}, {"tolerance": 2.0}, {"max_steps": 1}):
        with pytest.raises(ValueError, match="expected"):
            replace(solver, **settings)
    with pytest.raises(ValueError, match="ascending"):
        solver.solve(
            HeatEquation(), start(HeatEquation(), square, 0.0), square, torch.tensor([1.0, 0.5]).double()
        )
