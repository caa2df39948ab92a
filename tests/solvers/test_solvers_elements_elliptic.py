"""Finite elements for elliptic problems: exact cases, linear solvers, Newton, and bad input."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy
import pytest
import torch
from scipy import sparse

from pdeops.domains import Field, Grid, Mesh, box_mesh, disk_mesh, grid_mesh, square_with_holes_mesh
from pdeops.problems import (
    AllenCahn,
    Darcy2D,
    Dirichlet,
    Helmholtz,
    Neumann,
    Poisson,
    Robin,
    ScreenedPoisson,
    SteadyAllenCahn,
)
from solvers import FiniteElementSolver, SolverError, SolveStatus, solve
from solvers.elements import mesh_of
from solvers.elements.element_space import ElementSpace
from solvers.elements.point_fields import PointFields
from solvers.elements.sparse_system import SingularMatrix, SparseSystem

HOLES = square_with_holes_mesh(12, holes=((0.3, 0.35, 0.14), (0.68, 0.65, 0.18)))


def source(domain, *values):
    stacked = torch.stack([torch.as_tensor(value).double().expand(domain.shape) for value in values])
    return {"source": Field(stacked[:, None], domain, ("source",))}


def test_linear_stiffness_is_the_five_point_stencil():
    # On right triangles the diagonal edges have no weight.
    grid = Grid.box((6, 6))
    matrix = ElementSpace.build(grid_mesh(grid), 1).stiffness(numpy.ones((50, 6))).toarray()
    line = 2 * numpy.eye(6) - numpy.eye(6, k=1) - numpy.eye(6, k=-1)
    stencil = numpy.kron(line, numpy.eye(6)) + numpy.kron(numpy.eye(6), line)
    inner = [row * 6 + column for row in range(1, 5) for column in range(1, 5)]
    numpy.testing.assert_allclose(matrix[inner], stencil[inner], atol=1e-14)


@pytest.mark.parametrize("degree", [1, 2])
def test_linear_solutions_are_exact_with_every_kind_of_condition(degree):
    # u = 1 + 2 x - 3 y in a square with holes: fluxes on straight sides, values on the others.
    conditions = {
        "x_lower": Neumann(flux="-2"),
        "x_upper": Robin(coefficient="1 + y", value="2 + (1 + y)*(3 - 3*y)"),
        "y_upper": Neumann(flux="-3"),
        "default": Dirichlet(value="1 + 2*x - 3*y"),
    }
    problem = Poisson(boundary=conditions)
    solution = FiniteElementSolver(degree=degree).solve(problem, source(HOLES, 0.0), HOLES)
    x, y = HOLES.points.T
    torch.testing.assert_close(solution.values[0, 0], 1 + 2 * x - 3 * y, rtol=0, atol=1e-12)
    assert solution.report.status is SolveStatus.CONVERGED
    assert solution.report.residual_history[-1].item() < 1e-12


def test_quadratic_elements_give_a_paraboloid_to_rounding():
    exact = Poisson().exact_solutions()["disk"]
    mesh = disk_mesh(3)
    solution = solve(exact.problem, mesh, inputs=exact.inputs(mesh))
    assert solution.report.solver == "FiniteElementSolver"
    assert solution.relative_error(exact.solution(mesh)).item() < 1e-12
    linear = FiniteElementSolver(degree=1).solve(exact.problem, exact.inputs(mesh), mesh)
    assert linear.relative_error(exact.solution(mesh)).item() > 1e-3


@pytest.mark.parametrize("degree", [1, 2])
def test_algebraic_multigrid_agrees_with_the_direct_solver(degree):
    exact = Darcy2D().exact_solutions()["smooth"]
    mesh = box_mesh((24, 24))
    direct = FiniteElementSolver(degree=degree).solve(exact.problem, exact.inputs(mesh), mesh)
    solver = FiniteElementSolver(degree=degree, method="amg")
    iterative = solver.solve(exact.problem, exact.inputs(mesh), mesh)
    assert iterative.relative_error(direct).item() < 1e-8
    assert 3 <= int(iterative.report.iterations) <= 40
    history = iterative.report.residual_history[:, 0]
    assert history[0] == 1
    assert history[-1] <= 1e-9
    assert len(history) == int(iterative.report.iterations) + 1


def test_a_limit_of_iterations_is_reported():
    solver = FiniteElementSolver(method="amg", max_iterations=2)
    with pytest.raises(SolverError, match="try a larger max_iterations") as caught:
        solver.solve(Poisson(), source(HOLES, 1.0), HOLES)
    assert caught.value.report.status is SolveStatus.ITERATION_LIMIT
    assert len(caught.value.report.residual_history) == 3


def test_a_grid_of_nodes_is_solved_on_its_own_points():
    exact = Poisson().exact_solutions()["mixed"]
    grid = Grid.box((9, 12))
    solution = FiniteElementSolver().solve(exact.problem, exact.inputs(grid), grid)
    mesh = grid_mesh(grid)
    again = FiniteElementSolver().solve(exact.problem, exact.inputs(mesh), mesh)
    assert solution.values.shape == (1, 1, 9, 12)
    assert torch.equal(solution.values.flatten(2), again.values)


def test_samples_do_not_depend_on_their_batch():
    problem, mesh = Darcy2D(), box_mesh((12, 12))
    inputs = problem.sample_inputs(mesh, [0, 1, 2])
    together = FiniteElementSolver(degree=1).solve(problem, inputs, mesh)
    for number in range(3):
        alone = {name: field.sample(number) for name, field in inputs.items()}
        solution = FiniteElementSolver(degree=1).solve(problem, alone, mesh)
        assert torch.equal(solution.values[0], together.values[number])


def test_the_order_of_corners_does_not_change_the_solution():
    turned = HOLES.simplices.clone()
    turned[::3] = turned[::3].flip(1)
    mesh = Mesh(HOLES.points, turned, HOLES.boundaries)
    expected = FiniteElementSolver().solve(Poisson(), source(HOLES, 1.0), HOLES).values
    solution = FiniteElementSolver().solve(Poisson(), source(mesh, 1.0), mesh).values
    torch.testing.assert_close(solution, expected, rtol=1e-11, atol=0)


# Without a level.


@pytest.mark.parametrize("method", ["direct", "amg"])
@pytest.mark.parametrize("degree", [1, 2])
def test_pure_neumann_gives_mean_zero(method, degree):
    problem = Poisson(
        boundary={"x_lower": Neumann(flux="-1"), "x_upper": Neumann(flux="1"), "default": Neumann()}
    )
    mesh = box_mesh((8, 8))
    solver = FiniteElementSolver(method=method, degree=degree)
    solution = solver.solve(problem, source(mesh, 0.0), mesh)
    torch.testing.assert_close(solution.values[0, 0], mesh.points[:, 0] - 0.5, rtol=0, atol=1e-9)
    function = solver.solve_functions(problem, source(mesh, 0.0), mesh).functions[0]
    assert abs(function.integral()) < 1e-12


def test_a_flux_all_around_a_disk_balances_up_to_the_polygon():
    # Source 1 over the area, flux -1/2 along the circle; the polygon loses both by the square of its edge.
    problem = Poisson(boundary={"circle": Neumann(flux="-1/2")})
    errors = []
    for refinements in (3, 4, 5):
        mesh = disk_mesh(refinements)
        solution = FiniteElementSolver(degree=1).solve(problem, source(mesh, 1.0), mesh)
        exact = 1 / 8 - mesh.points.square().sum(1) / 4
        errors.append(replace(solution, values=solution.values - exact).norm().item())
    assert 3 < errors[0] / errors[1] < 5
    assert 3 < errors[1] / errors[2] < 5


@pytest.mark.parametrize("method", ["direct", "amg"])
def test_data_that_does_not_balance_is_refused(method):
    problem = Poisson(boundary={"default": Neumann()})
    solver = FiniteElementSolver(method=method)
    mesh = box_mesh((16, 16))
    with pytest.raises(ValueError, match="integral of the source plus that of the Neumann flux to vanish"):
        solver.solve(problem, source(mesh, 1.0), mesh)
    x = mesh.points[:, 0]
    with pytest.raises(ValueError, match=r"got 0\.0(5|4999)"):
        solver.solve(problem, source(mesh, torch.cos(math.pi * x), torch.cos(math.pi * x) + 0.05), mesh)


def test_an_imbalance_that_the_mesh_may_explain_is_reported_with_its_size():
    # The integral of |cos(pi x)| is 2 / pi.
    mesh = box_mesh((16, 16))
    x = mesh.points[:, 0]
    wave = torch.cos(math.pi * x)
    problem = Poisson(boundary={"default": Neumann()})
    off = FiniteElementSolver().solve(problem, source(mesh, wave, wave + 1e-3), mesh)
    assert "Neumann flux is 1.00e-03 of 6.37e-01, taken for an error of the mesh" in off.report.message
    # What is taken off is the constant: both samples have one solution.
    torch.testing.assert_close(off.values[1], off.values[0], rtol=0, atol=1e-11)
    # u = x: the fluxes balance to rounding.
    fluxes = {"x_lower": Neumann(flux="-1"), "x_upper": Neumann(flux="1"), "default": Neumann()}
    exact = FiniteElementSolver().solve(Poisson(boundary=fluxes), source(mesh, 0.0), mesh)
    assert "taken for" not in exact.report.message


# Other equations.


def test_helmholtz_plane_wave():
    exact = Helmholtz(frequency=400.0).exact_solutions()["plane_wave"]
    errors = []
    for count in (33, 65):
        grid = Grid.box((count, count))
        solution = FiniteElementSolver().solve(exact.problem, exact.inputs(grid), grid)
        errors.append(solution.relative_error(exact.solution(grid)).item())
    # At the points of a uniform mesh quadratic elements gain an order on the waves: 16 times.
    assert 12 < errors[0] / errors[1] < 20
    assert errors[1] < 0.02
    with pytest.raises(ValueError, match="method='amg' expected a reaction that grows"):
        FiniteElementSolver(method="amg").solve(exact.problem, exact.inputs(grid), grid)


def test_newton_converges_with_second_order():
    exact = SteadyAllenCahn().exact_solutions()["mixed"]
    mesh = box_mesh((16, 16))
    report = FiniteElementSolver().solve(exact.problem, exact.inputs(mesh), mesh).report
    history = report.residual_history[:, 0].tolist()
    assert history == sorted(history, reverse=True)
    # The ratio of a residual to the square of the one before settles.
    ratios = [later / size**2 for size, later in pairwise(history) if size < 1e-2 and later > 1e-11]
    assert len(ratios) >= 2
    assert max(ratios) < 2 * min(ratios)
    with pytest.raises(SolverError, match="iteration_limit"):
        FiniteElementSolver(max_iterations=1).solve(exact.problem, exact.inputs(mesh), mesh)


def test_newton_solves_the_linear_problem_in_one_step():
    # Far from the bottom of the well the cube matters; near zero the equation is that of screening.
    mesh, small = box_mesh((12, 12)), 1e-9
    problem = SteadyAllenCahn(diffusivity=1.0)
    solution = FiniteElementSolver().solve(problem, source(mesh, small), mesh)
    assert int(solution.report.iterations) == 1
    scaled = FiniteElementSolver().solve(problem, source(mesh, 2 * small), mesh)
    torch.testing.assert_close(scaled.values, 2 * solution.values, rtol=1e-10, atol=0)


def test_screening_agrees_with_its_exact_solution():
    exact = ScreenedPoisson().exact_solutions()["smooth"]
    exact_on_holes = FiniteElementSolver().solve(exact.problem, exact.inputs(HOLES), HOLES)
    assert exact_on_holes.relative_error(exact.solution(HOLES)).item() < 1e-4


# Fields between the points of a mesh.


@pytest.mark.parametrize(
    "mesh",
    [box_mesh((12,)), HOLES, box_mesh((8, 8), upper=(8.0, 1.0)), box_mesh((4, 4, 4))],
    ids=["interval", "holes", "stretched", "box"],
)
def test_cubic_fields_are_extended_exactly(mesh):
    space = ElementSpace.build(mesh, 2)

    def cubic(places):
        rows = [row / mesh.points[:, axis].max().item() for axis, row in enumerate(places)]
        return sum((axis + 1) * (row**3 + row) for axis, row in enumerate(rows)) + rows[0] * rows[-1] ** 2

    coefficients = PointFields(space).coefficients(cubic(mesh.points.numpy().T))
    # It grows along every axis, so that no value is cut.
    numpy.testing.assert_allclose(coefficients, cubic(space.basis.doflocs), rtol=0, atol=1e-10)


def test_jumps_stay_within_their_values():
    space = ElementSpace.build(HOLES, 2)
    phases = torch.where(HOLES.points[:, 0] > 0.5, 12.0, 3.0).double().numpy()
    coefficients = PointFields(space).coefficients(phases)
    assert (coefficients.min(), coefficients.max()) == (3, 12)


# Bad input.


def test_singular_matrices_are_named():
    neumann = ElementSpace.build(box_mesh((8, 8)), 1).stiffness(numpy.ones((128, 6)))
    with pytest.raises(SingularMatrix):
        SparseSystem(neumann, numpy.zeros(0, dtype=int))


def test_bad_meshes_do_not_reach_the_assembly():
    square = box_mesh((4, 4))
    folded = square.points.clone()
    folded[12, 0] += 0.35
    for points, message in (
        (folded, "inverted"),
        (torch.cat([square.points, square.points[:1] + 9]), "orphan"),
    ):
        mesh = Mesh(points, square.simplices, square.boundaries)
        with pytest.raises(ValueError, match=message):
            FiniteElementSolver().solve(Poisson(), source(mesh, 1.0), mesh)
    named = Poisson(boundary={"inlet": Dirichlet(), "default": Neumann()})
    with pytest.raises(ValueError, match=r"expected parts among .* got \['inlet'\]"):
        FiniteElementSolver().solve(named, source(square, 1.0), square)
    partly = Poisson(boundary={"x_lower": Dirichlet()})
    with pytest.raises(ValueError, match="got none for"):
        FiniteElementSolver().solve(partly, source(square, 1.0), square)


def test_data_that_makes_no_sense_is_refused():
    mesh = box_mesh((4, 4))
    permeability = Field(torch.full((1, 1, 25), -1.0).double(), mesh, ("permeability",))
    with pytest.raises(ValueError, match="expected positive diffusion"):
        FiniteElementSolver().solve(Darcy2D(), {"permeability": permeability}, mesh)
    problem = Poisson(boundary={"default": Robin(coefficient="-1")})
    with pytest.raises(ValueError, match="coefficient of zero or more"):
        FiniteElementSolver().solve(problem, source(mesh, 1.0), mesh)
    problem = Poisson(boundary={"default": Dirichlet(value="1/x")})
    with pytest.raises(ValueError, match=r"finite values, got NaN or infinity from '1/x'"):
        FiniteElementSolver().solve(problem, source(mesh, 1.0), mesh)
    with pytest.raises(ValueError, match="in samples \\[1\\]"):
        FiniteElementSolver().solve(Poisson(), source(mesh, 1.0, math.nan), mesh)


@pytest.mark.usefixtures("unchecked")
def test_what_it_is_not_for():
    solver = FiniteElementSolver()
    assert "got AllenCahn" in solver.unsuited(AllenCahn(), box_mesh((4, 4)))
    assert "got cells for 'x'" in solver.unsuited(Poisson(), Grid.box((4, 4), "cells"))
    assert solver.unsuited(Poisson(), Grid.box((4, 4), "chebyshev")) is None
    for settings in ({"degree": 3}, {"method": "cg"}, {"tolerance": 0.0}, {"max_iterations": 0}):
        with pytest.raises(ValueError, match="expected"):
            replace(solver, **settings)


@pytest.mark.usefixtures("unchecked")
def test_without_scikit_fem_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(mesh_of, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'pdeops\[fem\]'"):
        FiniteElementSolver().solve(Poisson(), source(HOLES, 1.0), HOLES)
    monkeypatch.setitem(__import__("sys").modules, "skfem", None)
    with pytest.raises(ImportError, match=r"pip install 'pdeops\[fem\]'"):
        box_mesh((4, 4))
    monkeypatch.setitem(__import__("sys").modules, "pyamg", None)
    with pytest.raises(ImportError, match=r"pip install 'pdeops\[fem\]'"):
        SparseSystem(sparse.eye_array(2), numpy.zeros(0, dtype=int), method="amg")
