"""Elasticity and Stokes flow by elements: cases exact to rounding, known solutions, locking, bad input."""

import math

import pytest
import sympy
import torch

from pdeops.domains import Field, Mesh, annulus_sector_mesh, box_mesh, disk_mesh
from pdeops.problems import Dirichlet, LinearElasticity, Neumann, Stokes
from solvers import FiniteElementSolver, SolverError, SolveStatus, solve
from solvers.elements.element_function import relative_errors
from solvers.elements.point_fields import PointFields


def distorted(mesh, size=0.25):
    """The mesh of a unit box with its inner points moved by part of a cell."""
    points = mesh.points.clone()
    inner = ((points > 1e-9) & (points < 1 - 1e-9)).all(dim=1)
    spacing = mesh.num_points ** (-1 / mesh.dimension)
    points[inner] += size * spacing * (2 * torch.rand(int(inner.sum()), mesh.dimension).double() - 1)
    return Mesh(points, mesh.simplices, mesh.boundaries)


def still(problem, mesh):
    zeros = torch.zeros(1, 1, mesh.num_points).double()
    return {variable.name: Field(zeros, mesh, (variable.name,)) for variable in problem.inputs}


@pytest.mark.parametrize("method", ["direct", "amg"])
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("shape", [(5, 4), (3, 3, 3)])
def test_patch_test_of_uniaxial_tension(shape, degree, method):
    exact = LinearElasticity(dimension=len(shape), poisson_ratio=0.35).exact_solutions()["uniaxial"]
    mesh = distorted(box_mesh(shape))
    solver = FiniteElementSolver(degree=degree, method=method, tolerance=1e-13)
    solution = solver.solve(exact.problem, exact.inputs(mesh), mesh)
    assert solution.relative_error(exact.solution(mesh)).item() < 1e-10
    assert solution.channels == tuple(variable.name for variable in exact.problem.outputs)


def thick_cylinder(ratio, degree, size):
    """Relative error of a quarter of a tube under pressure inside, against the solution of Lame."""
    modulus, inner, outer, pressure = 1.0, 1.0, 2.0, 0.01
    normal = Neumann(flux=f"{pressure}*x/sqrt(x**2 + y**2)"), Neumann(flux=f"{pressure}*y/sqrt(x**2 + y**2)")
    problem = LinearElasticity(
        youngs_modulus=modulus,
        poisson_ratio=ratio,
        boundary_x={"inner": normal[0], "end": Dirichlet(), "default": Neumann()},
        boundary_y={"inner": normal[1], "start": Dirichlet(), "default": Neumann()},
    )
    mesh = annulus_sector_mesh((size, 2 * size), inner_radius=inner, outer_radius=outer)
    x, y = problem.space_symbols
    r = sympy.sqrt(x**2 + y**2)
    # Plane strain: u_r = (1 + nu) p a^2 / (E (b^2 - a^2)) ((1 - 2 nu) r + b^2 / r)
    factor = (1 + ratio) * pressure * inner**2 / (modulus * (outer**2 - inner**2))
    radial = factor * ((1 - 2 * ratio) * r + outer**2 / r)
    solver = FiniteElementSolver(degree=degree)
    functions = solver.solve_functions(problem, still(problem, mesh), mesh).functions
    return relative_errors(functions, problem, [radial * x / r, radial * y / r])["l2"]


@pytest.mark.parametrize("degree", [1, 2])
def test_pressure_in_a_thick_cylinder(degree):
    errors = [thick_cylinder(0.3, degree, size) for size in (6, 12)]
    # Polygons in place of the circles: second order, whatever the degree.
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)
    assert errors[1] < 1e-2


def test_linear_elements_lock_and_quadratic_ones_do_not():
    ratio = 0.4999
    assert thick_cylinder(ratio, 1, 12) > 0.3
    assert thick_cylinder(ratio, 2, 12) < 5e-3


def test_poiseuille_flow_is_exact():
    exact = Stokes(viscosity=0.2).exact_solutions()["poiseuille"]
    mesh = distorted(box_mesh((5, 4)))
    solution = solve(exact.problem, mesh, inputs=exact.inputs(mesh))
    torch.testing.assert_close(solution.values, exact.solution(mesh).values, rtol=0, atol=1e-11)
    assert solution.channels == ("velocity_x", "velocity_y", "pressure")
    assert solution.report.solver == "FiniteElementSolver"


def test_flow_leaves_through_an_open_side():
    # nu du/dn - p n = 0 at x = 1: the pressure vanishes there, and needs no mean.
    inflow, wall = Dirichlet(value="4*y*(1 - y)"), Dirichlet()
    problem = Stokes(
        viscosity=2.0,
        boundary_x={"x_lower": inflow, "x_upper": Neumann(), "default": wall},
        boundary_y={"x_upper": Neumann(), "default": wall},
    )
    mesh = distorted(box_mesh((6, 5)))
    values = FiniteElementSolver().solve(problem, still(problem, mesh), mesh).values[0]
    x, y = mesh.points.T
    expected = torch.stack([4 * y * (1 - y), 0 * y, 16 * (1 - x)])
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-10)


def test_a_force_with_a_potential_moves_nothing():
    # b = grad(x y) is balanced by the pressure x y - 1/4, a hydrostatic state; p is linear on each cell only.
    problem, mesh = Stokes(), box_mesh((16, 16))
    x, y = mesh.points.T
    inputs = {
        name: Field(values[None, None], mesh, (name,)) for name, values in (("force_x", y), ("force_y", x))
    }
    solution = FiniteElementSolver().solve(problem, inputs, mesh).values[0]
    assert solution[:2].abs().max() < 1e-5
    torch.testing.assert_close(solution[2], x * y - 0.25, rtol=0, atol=2e-3)


def test_velocity_is_free_of_divergence_against_every_pressure():
    exact = Stokes().exact_solutions()["vortex"]
    mesh = distorted(box_mesh((8, 8)))
    outcome = FiniteElementSolver().solve_functions(exact.problem, exact.inputs(mesh), mesh)
    velocities, pressure = outcome.functions[:2], outcome.functions[2]
    tested = sum(
        function.space.slope(axis, test=pressure.space) @ function.coefficients[0]
        for axis, function in enumerate(velocities)
    )
    assert abs(tested).max() < 1e-13
    assert abs(pressure.integral()) < 1e-13


def test_samples_share_the_factorisation_and_nothing_else():
    problem, mesh = Stokes(), box_mesh((6, 6))
    inputs = problem.sample_inputs(mesh, [0, 1])
    together = FiniteElementSolver().solve(problem, inputs, mesh)
    alone = {name: field.sample(1) for name, field in inputs.items()}
    assert torch.equal(FiniteElementSolver().solve(problem, alone, mesh).values[0], together.values[1])
    # Linear in the force.
    doubled = {name: Field(2 * field.values, mesh, (name,)) for name, field in inputs.items()}
    twice = FiniteElementSolver().solve(problem, doubled, mesh)
    torch.testing.assert_close(twice.values, 2 * together.values, rtol=1e-10, atol=1e-14)


def test_work_is_symmetric():
    # Betti: the work of one load on the displacement of another does not depend on the order.
    problem, mesh = LinearElasticity(), disk_mesh(2)
    outcome = FiniteElementSolver().solve_functions(problem, problem.sample_inputs(mesh, [0, 1]), mesh)
    inputs = problem.sample_inputs(mesh, [0, 1])
    space = outcome.functions[0].space
    fields = PointFields(space)
    work = [
        sum(
            space.load(fields.at_quadrature(inputs[name].values[load, 0].numpy()))
            @ function.coefficients[other]
            for name, function in zip(("force_x", "force_y"), outcome.functions, strict=True)
        )
        for load, other in ((0, 1), (1, 0))
    ]
    assert work[0] == pytest.approx(work[1], rel=1e-9)
    assert abs(work[0]) > 1e-6


def test_bodies_that_can_move_are_refused():
    mesh = box_mesh((6, 6))
    free = LinearElasticity(boundary_x={"default": Neumann()}, boundary_y={"default": Neumann()})
    sliding = LinearElasticity(boundary_x={"default": Neumann()})
    for problem in (free, sliding):
        with pytest.raises(SolverError, match="leave a constant or a motion free") as caught:
            FiniteElementSolver().solve(problem, still(problem, mesh), mesh)
        assert caught.value.report.status is SolveStatus.SINGULAR


def test_flow_that_does_not_balance_is_refused():
    mesh = box_mesh((8, 8))
    problem = Stokes(boundary_x={"x_lower": Dirichlet(value="y*(1 - y)"), "default": Dirichlet()})
    with pytest.raises(ValueError, match="flow through the boundary to vanish"):
        FiniteElementSolver().solve(problem, still(problem, mesh), mesh)


def test_what_does_not_fit_stokes_flow():
    mesh = box_mesh((4, 4))
    assert "Taylor-Hood" in FiniteElementSolver(degree=1).unsuited(Stokes(), mesh)
    assert "definite" in FiniteElementSolver(method="amg").unsuited(Stokes(), mesh)
    assert FiniteElementSolver(degree=1, method="amg").unsuited(LinearElasticity(), mesh) is None


def test_inputs_of_different_numbers_of_samples_are_refused():
    # Three forces along y with one along x are not three loads, and certainly not one.
    mesh, problem = box_mesh((4, 4)), LinearElasticity()
    forces = still(problem, mesh)
    name = problem.inputs[1].name
    forces[name] = Field(torch.ones(3, 1, mesh.num_points).double(), mesh, (name,))
    with pytest.raises(ValueError, match=rf"as many samples of every input, got .*'{name}': 3"):
        FiniteElementSolver().solve(problem, forces, mesh)
