"""Sparse elimination against polynomials that the scheme reproduces, discrete waves, and its own limits."""

import math

import numpy as np
import pytest
import scipy.sparse
import sympy
import torch

from pdeops.domains import Field, Grid
from pdeops.problems import (
    Darcy2D,
    Dirichlet,
    Helmholtz,
    Neumann,
    Poisson,
    Robin,
    ScreenedPoisson,
    SteadyAllenCahn,
)
from solvers import SolverError, SolveStatus, SparseFiniteDifferenceSolver
from solvers.elliptic.face_data import faces_of
from solvers.elliptic.sparse_element_system import assemble_elements
from solvers.elliptic.sparse_finite_difference_direct import Factors
from solvers.elliptic.sparse_finite_difference_newton import newton
from solvers.elliptic.sparse_finite_difference_system import assemble

DIRECT = SparseFiniteDifferenceSolver()


def constant(name, value, grid):
    values = torch.full((1, 1, *grid.shape), float(value), dtype=torch.float64)
    return {name: Field(values, grid, (name,))}


def evaluated(name, values, grid):
    return {name: Field(values[None, None], grid, (name,))}


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_quadratics_are_exact_on_nodes_with_every_kind_of_condition(dimension):
    """Central differences are exact for quadratics, and so is the mirrored flux at a node."""
    names = "xyz"[:dimension]
    text = "+".join(f"{i + 1}*{a}**2 - {a}" for i, a in enumerate(names)) + ("+ x*y" if dimension > 1 else "")
    slope_x = "2*x - 1" + (" + y" if dimension > 1 else "")
    conditions = {
        "x_lower": Robin(coefficient="2 + x", value=f"-({slope_x}) + (2 + x)*({text})"),
        "x_upper": Neumann(flux=slope_x),
        "default": Dirichlet(value=text),
    }
    problem = Poisson(dimension=dimension, boundary=conditions)
    grid = Grid.box((6, 5, 7)[:dimension], lower=(-0.5, 0.0, 0.2)[:dimension])
    inputs = constant("source", -2 * sum(range(1, dimension + 1)), grid)
    solution = DIRECT.solve(problem, inputs, grid)
    exact = problem.values(problem.parse(text), grid)
    torch.testing.assert_close(solution.values[0, 0], exact, rtol=0, atol=1e-13)
    assert solution.report.residual_history[-1].item() < 1e-13


@pytest.mark.parametrize("kind", ["cells", "nodes"])
def test_linear_functions_are_exact_with_robin_conditions_that_vary(kind):
    """Half a cell to the wall is exact for linear functions, the eliminated Robin value included."""
    text = "1 + 2*x - 3*y"
    conditions = {
        "x_lower": Robin(coefficient="1 + y", value=f"-2 + (1 + y)*({text})"),
        "x_upper": Robin(coefficient="3", value=f"2 + 3*({text})"),
        "y_lower": Neumann(flux="3"),
        "y_upper": Dirichlet(value=text),
    }
    problem = Poisson(boundary=conditions)
    grid = Grid.box((5, 8), kind, upper=(2.0, 1.0))
    solution = DIRECT.solve(problem, constant("source", 0, grid), grid)
    exact = problem.values(problem.parse(text), grid)
    torch.testing.assert_close(solution.values[0, 0], exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("degree", [2, 3, 4, 5, 6])
def test_elements_are_exact_for_polynomials_of_their_degree(degree, dimension):
    """Galerkin's method finds what its space holds, here with a reaction and all kinds of conditions."""
    text, slope = f"x**{degree} - x", f"{degree}*x**{degree - 1} - 1"
    if dimension > 1:
        text, slope = f"({text})*(1 + y) + y**{degree}", f"({slope})*(1 + y)"
    conditions = {
        "x_lower": Robin(coefficient="2", value=f"-({slope}) + 2*({text})"),
        "x_upper": Neumann(flux=slope),
        "default": Dirichlet(value=text),
    }
    problem = ScreenedPoisson(dimension=dimension, decay=3.0, boundary=conditions)
    grid = Grid.box((2 * degree + 1, degree + 1, degree + 1)[:dimension], upper=(1.5, 1.0, 0.5)[:dimension])
    exact = problem.values(problem.parse(text), grid)
    laplacian = sum(sympy.diff(problem.parse(text), x, 2) for x in problem.space_symbols)
    source = 3 * exact - problem.values(laplacian, grid)
    solution = SparseFiniteDifferenceSolver(degree=degree).solve(
        problem, evaluated("source", source, grid), grid
    )
    torch.testing.assert_close(solution.values[0, 0], exact, rtol=0, atol=1e-11)


def test_elements_integrate_a_flux_that_jumps_at_a_node_exactly():
    grid = Grid.box((41, 21))
    problem = Helmholtz()  # a flux of one on an interval of length 0.3
    system = assemble_elements(np.ones(grid.shape), faces_of(problem, grid), grid, 5)
    assert system.load.sum() == pytest.approx(0.3, abs=1e-14)
    assert system.volumes.sum() == pytest.approx(1.0, abs=1e-13)
    assert np.abs(system.matrix.sum(0)).max() < 1e-12
    assert abs(system.matrix - system.matrix.T).max() < 1e-13


def test_elements_carry_waves_that_differences_lose():
    """Eight waves across on 13 points each: differences lag by half a radian, elements do not."""
    problem = Helmholtz(frequency=1000.0).exact_solutions()["plane_wave_flux"]
    grid = Grid.box((101, 101))
    errors = {}
    for degree in (1, 5):
        solution = SparseFiniteDifferenceSolver(degree=degree).solve(
            problem.problem, problem.inputs(grid), grid
        )
        errors[degree] = solution.relative_error(problem.solution(grid)).item()
        remains_open = "a resonance the problem is remains open" in solution.report.message
        assert remains_open == (degree == 1)
    assert errors[5] < 1e-3 < 0.1 < errors[1]


def test_elements_on_periodic_axes_and_with_fluxes_alone_have_mean_zero():
    grid = Grid.box((13, 12), ("nodes", "periodic"))
    x, y = grid.coordinates
    problem = Poisson(boundary={"default": Neumann()})
    wave = torch.cos(math.pi * x) * torch.cos(2 * math.pi * y)
    inputs = evaluated("source", 5 * math.pi**2 * wave, grid)
    solution = SparseFiniteDifferenceSolver(degree=4).solve(problem, inputs, grid).values[0, 0]
    # Three elements a wave: the error of interpolation, max |u^(5)| H^5 / 3780, is about 0.01.
    assert (solution - wave).abs().max() < 0.01
    system = assemble_elements(np.ones(grid.shape), faces_of(problem, grid), grid, 4)
    assert abs(system.volumes @ solution.numpy().ravel()) < 1e-13


@pytest.mark.parametrize(
    ("grid", "reason"),
    [(Grid.box((9, 12)), "a multiple of 4 intervals along 'y'"), (Grid.box((8, 8), "cells"), "got 'cells'")],
)
def test_grids_that_elements_do_not_fit_are_said(grid, reason):
    assert reason in SparseFiniteDifferenceSolver(degree=4).unsuited(Poisson(), grid)


def test_layers_in_series_are_exact_with_harmonic_means():
    """The flux is constant: with a = 1 and 4 the pressure falls four times as steeply in the first layer."""
    grid = Grid.box((10, 3), "cells")
    x, _ = grid.coordinates
    permeability = torch.where(x < 0.5, 1.0, 4.0).double()
    problem = Darcy2D(
        forcing="0",
        boundary={"x_lower": Dirichlet(), "x_upper": Dirichlet(value="1"), "default": Neumann()},
    )
    inputs = evaluated("permeability", permeability, grid)
    flux = 1 / (0.5 / 1 + 0.5 / 4)
    exact = torch.where(x < 0.5, flux * x, flux * 0.5 + flux * (x - 0.5) / 4)
    harmonic = DIRECT.solve(problem, inputs, grid).values[0, 0]
    torch.testing.assert_close(harmonic, exact, rtol=0, atol=1e-14)
    arithmetic = (
        SparseFiniteDifferenceSolver(face_mean="arithmetic").solve(problem, inputs, grid).values[0, 0]
    )
    assert (arithmetic - exact).abs().max() > 0.01


@pytest.mark.parametrize("kind", ["cells", "nodes", "periodic"])
def test_the_matrix_is_symmetric_conserves_and_is_weighted_by_volumes(kind):
    grid = Grid.box((5, 4, 6), (kind, "periodic", "cells"))
    problem = Poisson(dimension=3, boundary={"default": Neumann(flux="x + y*z")})
    diffusion = 1 + np.random.default_rng(0).random(grid.shape)
    system = assemble(diffusion, faces_of(problem, grid), grid, "harmonic")
    assert abs(system.matrix - system.matrix.T).max() < 1e-15
    assert np.abs(system.matrix.sum(0)).max() < 1e-13  # what leaves a cell enters its neighbour
    assert (np.linalg.eigvalsh(system.matrix.toarray()) > -1e-13).all()
    assert system.volumes.sum() == pytest.approx(1.0, rel=1e-14)
    inflow = sum(
        (face.values * _area_weights(grid, face.number)).sum().item() for face in faces_of(problem, grid)
    )
    assert system.load.sum() == pytest.approx(inflow, rel=1e-13)


def _area_weights(grid, number):
    others = [axis.weights for i, axis in enumerate(grid.axes) if i != number]
    return others[0][:, None] * others[1][None]


@pytest.mark.parametrize("angular", [60.0, 200.0, 500.0])
def test_helmholtz_carries_discrete_waves_whose_lag_is_the_pollution(angular):
    """Waves cos(q x) with 2 - 2 cos(q h) = (k h)^2 solve the scheme; q - k is k^3 h^2 / 24 at first."""
    grid = Grid.box((81, 5))
    wavenumber, spacing = angular / 20, grid.axes[0].spacing
    lagging = math.acos(1 - (wavenumber * spacing) ** 2 / 2) / spacing
    boundary = {
        "x_lower": Dirichlet(value="1"),
        "x_upper": Dirichlet(value=f"cos({lagging!r})"),
        "default": Neumann(),
    }
    problem = Helmholtz(frequency=angular, boundary=boundary)
    solution = DIRECT.solve(problem, constant("sound_speed", 20, grid), grid)
    wave = torch.cos(lagging * grid.coordinates[0])
    torch.testing.assert_close(solution.values[0, 0], wave, rtol=0, atol=1e-10)
    expected = wavenumber**3 * spacing**2 / 24
    # 2 arcsin(s / 2) = s + s^3 / 24 + 3 s^5 / 640 + ...: the next term is 9 s^2 / 80 of the first.
    assert lagging - wavenumber == pytest.approx(expected, rel=0.12 * (wavenumber * spacing) ** 2)


def test_the_error_of_helmholtz_at_fixed_points_a_wave_grows_with_the_wavenumber():
    """With k h fixed the lag across the box grows like k (k h)^2 / 24: fourfold for four times the waves."""
    errors = []
    for waves in (1, 4):
        wavenumber = (waves + 0.25) * math.pi  # a quarter between two resonances of the line
        num_points = round(wavenumber / 0.1) + 1
        grid = Grid.box((num_points, 3))
        problem = Helmholtz(
            frequency=20 * wavenumber,
            boundary={"x_upper": Dirichlet(value=f"cos({wavenumber!r})"), "default": Neumann()},
        )
        solution = DIRECT.solve(problem, constant("sound_speed", 20, grid), grid)
        exact = torch.cos(wavenumber * grid.coordinates[0])
        errors.append((solution.values[0, 0] - exact).abs().max().item())
    assert 2.5 < errors[1] / errors[0] < 6


def discrete_resonance(grid):
    """The wavenumber of cos(pi x) in the scheme on nodes with no flux at all sides."""
    spacing = grid.axes[0].spacing
    return 2 * math.sin(math.pi * spacing / 2) / spacing


@pytest.mark.parametrize("offset", [1e-9, 0.3])
def test_a_resonance_is_diagnosed_with_condition_and_eigenvalue(offset):
    grid = Grid.box((33, 9))
    resonant = discrete_resonance(grid)
    wavenumber = math.sqrt(resonant**2 + offset)
    problem = Helmholtz(frequency=20 * wavenumber, boundary={"default": Neumann(flux="x")})
    report = DIRECT.solve(problem, constant("sound_speed", 20, grid), grid).report
    assert report.status is SolveStatus.CONVERGED
    assert f"eigenvalue nearest to zero about {-offset:.3g}" in report.message
    # The grid's error of this eigenvalue is pi^4 h^2 / 12 = 0.127: of the two only the first is not resolved.
    assert ("of a resonance the problem is remains open" in report.message) == (offset < 0.1)


def test_the_condition_estimate_is_right_to_a_factor_of_three():
    grid = Grid.box((9, 8))
    problem = Poisson(boundary={"default": Robin()})
    system = assemble(np.ones(grid.shape), faces_of(problem, grid), grid, "harmonic")
    shifted = (system.matrix - scipy.sparse.diags(3 * system.volumes)).tocsc()
    factors = Factors.of(shifted)
    exact = np.linalg.cond(shifted.toarray(), 1)
    assert exact / 3 <= factors.condition() <= exact * (1 + 1e-10)
    root = np.sqrt(system.volumes)
    eigenvalues = np.linalg.eigvalsh(shifted.toarray() / np.outer(root, root))
    nearest = eigenvalues[np.abs(eigenvalues).argmin()]
    assert factors.smallest_eigenvalue(system.mass) == pytest.approx(nearest, rel=0.05)


def test_a_resonance_to_rounding_is_an_error():
    grid = Grid.box((33, 9))
    problem = Helmholtz(frequency=20 * discrete_resonance(grid), boundary={"default": Neumann(flux="x")})
    with pytest.raises(SolverError, match=r"singular|resonance to rounding") as caught:
        DIRECT.solve(problem, constant("sound_speed", 20, grid), grid)
    assert caught.value.report.status is SolveStatus.SINGULAR


@pytest.mark.parametrize("method", ["cg", "minres", "gmres"])
@pytest.mark.parametrize("problem", [ScreenedPoisson(decay=2.0), Poisson(boundary={"default": Neumann()})])
def test_iterative_methods_agree_with_elimination(method, problem):
    grid = Grid.box((14, 11), ("nodes", "cells"))
    x, y = grid.coordinates
    inputs = evaluated("source", torch.cos(math.pi * x) + torch.cos(2 * math.pi * y), grid)
    solver = SparseFiniteDifferenceSolver(method=method, tolerance=1e-11)
    solution = solver.solve(problem, inputs, grid)
    expected = DIRECT.solve(problem, inputs, grid).values
    torch.testing.assert_close(solution.values, expected, rtol=0, atol=1e-9)
    assert solution.report.iterations.item() > 1
    assert solution.report.residual_history[-1].item() <= 1e-11


@pytest.mark.parametrize("method", ["minres", "gmres"])
def test_indefinite_helmholtz_by_minres_and_gmres(method):
    grid = Grid.box((21, 18))
    problem = Helmholtz(frequency=140.0)
    inputs = problem.sample_inputs(grid, [0, 1])
    solution = SparseFiniteDifferenceSolver(method=method).solve(problem, inputs, grid)
    expected = DIRECT.solve(problem, inputs, grid)
    assert solution.relative_error(expected).max() < 1e-8


def test_conjugate_gradients_on_helmholtz_break_down_with_the_curvature():
    grid = Grid.box((15, 15))
    problem = Helmholtz(frequency=200.0)
    with pytest.raises(SolverError, match=r"sample 0: iteration \d+, system 0: curvature d.Ad = -"):
        SparseFiniteDifferenceSolver(method="cg").solve(problem, problem.sample_inputs(grid, [0]), grid)


def test_iterations_that_do_not_suffice_are_an_error_with_the_history():
    grid = Grid.box((31, 31))
    solver = SparseFiniteDifferenceSolver(method="cg", max_iterations=5)
    with pytest.raises(SolverError, match="iteration_limit") as caught:
        solver.solve(Poisson(), Poisson().sample_inputs(grid, [0]), grid)
    assert caught.value.report.residual_history.shape == (6, 1)


def test_samples_with_one_matrix_share_factors_and_samples_with_others_do_not():
    grid = Grid.box((9, 10), "cells")
    problem = Darcy2D()
    inputs = problem.sample_inputs(grid, [3, 3, 4])
    together = DIRECT.solve(problem, inputs, grid).values
    assert torch.equal(together[0], together[1])
    for index in range(3):
        alone = DIRECT.solve(problem, {"permeability": inputs["permeability"].sample(index)}, grid).values
        assert torch.equal(alone[0], together[index])


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_allen_cahn_without_gradients_is_the_cubic(sign):
    """No flux and a constant source of one: u^3 - u = 1 everywhere, whose only root is the plastic number."""
    grid = Grid.box((7, 6), "cells")
    problem = SteadyAllenCahn(boundary={"default": Neumann()})
    values = DIRECT.solve(problem, constant("source", sign, grid), grid).values
    torch.testing.assert_close(values, torch.full_like(values, sign * 1.324717957244746), rtol=0, atol=1e-9)


def test_newton_converges_quadratically_halves_steps_and_says_where_it_is_stuck():
    def slope_of(function):
        return lambda u: scipy.sparse.diags(function(u)).tocsr()

    cubic = newton(
        lambda u: u**3 - 8, slope_of(lambda u: 3 * u**2), np.array([3.0]), tolerance=1e-13, max_steps=20
    )
    assert cubic.status is SolveStatus.CONVERGED
    assert cubic.solution[0] == pytest.approx(2.0, abs=1e-12)
    late = [value for value in cubic.history if value < 0.1]
    assert late[1] < 3 * late[0] ** 2  # the error is squared
    # Full steps for arctan diverge from 3 on: beyond 1.39 the next iterate is farther away.
    damped = newton(
        np.arctan, slope_of(lambda u: 1 / (1 + u**2)), np.array([3.0]), tolerance=1e-12, max_steps=20
    )
    assert damped.status is SolveStatus.CONVERGED
    assert abs(damped.solution[0]) < 1e-11
    stuck = newton(
        lambda u: u**2 + 1, slope_of(lambda u: 2 * u), np.array([1.7]), tolerance=1e-12, max_steps=60
    )
    assert stuck.status in (SolveStatus.STAGNATION, SolveStatus.ITERATION_LIMIT, SolveStatus.SINGULAR)
    assert "Newton's method stopped after" in stuck.message
    flat = newton(
        lambda u: u**2 + 1, slope_of(lambda u: 2 * u), np.array([0.0]), tolerance=1e-12, max_steps=60
    )
    assert flat.status is SolveStatus.SINGULAR
    short = newton(
        lambda u: u**3 - 8, slope_of(lambda u: 3 * u**2), np.array([9.0]), tolerance=1e-13, max_steps=2
    )
    assert short.status is SolveStatus.ITERATION_LIMIT


def test_a_coefficient_that_is_not_positive_is_named():
    grid = Grid.box((6, 6), "cells")
    values = torch.ones(2, 1, 6, 6, dtype=torch.float64)
    values[1, 0, 2, 3] = -0.5
    inputs = {"permeability": Field(values, grid, ("permeability",))}
    with pytest.raises(ValueError, match=r"a > 0, got -0\.5 in sample 1"):
        DIRECT.solve(Darcy2D(), inputs, grid)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "options",
    [
        {"method": "lu"},
        {"face_mean": "mean"},
        {"tolerance": 0.0},
        {"max_iterations": 0},
        {"max_newton_steps": 0},
    ],
)
def test_bad_settings_are_named(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected"):
        SparseFiniteDifferenceSolver(**options)


@pytest.mark.parametrize("kind", ["nodes", "cells"])
def test_a_formula_that_gives_no_finite_source_is_refused(kind):
    grid = Grid.box((9, 9), kind)
    problem = Helmholtz(frequency=30.0, forcing="log(x - 1/2)")
    with pytest.raises(
        ValueError, match="helmholtz: expected a finite source, got NaN or infinity in sample 0"
    ):
        SparseFiniteDifferenceSolver().solve(problem, problem.sample_inputs(grid, [0]), grid)
