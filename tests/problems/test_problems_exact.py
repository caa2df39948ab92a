"""Exact solutions satisfy the equations: symbolically, on grids, and where they start and end."""

import math

import pytest
import sympy
import torch

from pdeops.domains import AxisKind, Field, Grid
from pdeops.problems import (
    Advection,
    Burgers1D,
    Darcy2D,
    Helmholtz,
    NavierStokes2D,
    Poisson,
    ScreenedPoisson,
    SteadyAllenCahn,
    evaluate,
)

STEADY = [
    Darcy2D(),
    Poisson(),
    Poisson(dimension=1),
    Poisson(dimension=3),
    ScreenedPoisson(),
    SteadyAllenCahn(),
    Helmholtz(),
]
PROBLEMS = [NavierStokes2D(viscosity=0.02), Burgers1D(), *STEADY]
CASES = [(problem, name) for problem in PROBLEMS for name in problem.exact_solutions()]
IDS = [f"{problem.name}-{name}" for problem, name in CASES]


def substituted(exact, expression):
    """The expression with the closed forms in place of the unknown functions."""
    problem = exact.problem
    return expression.subs({problem.function(name): item for name, item in exact.expressions.items()}).doit()


@pytest.mark.parametrize(("problem", "name"), CASES, ids=IDS)
def test_equations_hold_symbolically(problem, name):
    """Evaluated to 30 digits at points of no symmetry: a mistake cannot hide in a discretisation."""
    exact = problem.exact_solutions()[name]
    numbers = {
        exact.problem.symbol(key): sympy.Rational(value) for key, value in exact.problem.numbers.items()
    }
    names = [*exact.problem.space_symbols, exact.problem.time_symbol]
    points = dict(zip(names, map(sympy.Rational, ("17/100", "53/100", "29/100")), strict=False))
    points[exact.problem.time_symbol] = sympy.Rational("31/100")
    for equation in exact.problem.equations:
        left = substituted(exact, equation.lhs).subs(numbers).subs(points)
        right = substituted(exact, equation.rhs).subs(numbers).subs(points)
        assert abs(sympy.N(left - right, 30)) < 1e-20
        terms = sympy.Add.make_args(equation.lhs - equation.rhs)
        sizes = [abs(sympy.N(substituted(exact, term).subs(numbers).subs(points), 30)) for term in terms]
        assert max(sizes) > 1e-3  # the point tests something


@pytest.mark.parametrize(("problem", "name"), CASES, ids=IDS)
def test_initial_and_boundary_conditions_hold(problem, name):
    exact = problem.exact_solutions()[name]
    t = exact.problem.time_symbol
    for variable in exact.problem.inputs if not problem.steady else ():
        start = exact.expressions[exact.problem.outputs[0].name].subs(t, 0)
        assert sympy.simplify(start - exact.expressions[variable.name]) == 0
    domain = exact.problem.default_domain((8,) * problem.dimension)
    for part in domain.boundary_names:
        place = domain.boundary(part)
        conditions = exact.problem.boundary_conditions
        condition = conditions.get(part, conditions.get("default"))
        normals = dict(zip(exact.problem.normal_symbols, place.normals.T.double(), strict=True))
        difference = substituted(exact, condition.lhs - condition.rhs)
        values = dict(zip("xyz", place.points.T, strict=False)) | {str(k): v for k, v in normals.items()}
        assert evaluate(difference, values | exact.problem.numbers).abs().max() < 1e-12
    assert len(domain.boundary_names) == (2 * problem.dimension if problem.steady else 0)
    assert len(exact.problem.initial_conditions) == (0 if problem.steady else 1)


@pytest.mark.parametrize(("problem", "name"), CASES[:4], ids=IDS[:4])
def test_periodic_residual_vanishes_to_rounding(problem, name):
    """Spectral in space and exact in time: rounding is left."""
    exact = problem.exact_solutions()[name]
    domain = problem.default_domain((64,) * problem.dimension)
    times = torch.tensor([0.0, 0.2, 0.7], dtype=torch.float64)
    residual = exact.problem.residual(
        exact.solution(domain, times),
        exact.inputs(domain),
        time_derivative=exact.time_derivative(domain, times),
    )
    assert residual.values.abs().max() < 1e-10
    assert residual.channels == tuple(v.name for v in problem.outputs + problem.auxiliary)


def test_residual_from_stored_frames_has_the_error_of_the_time_difference():
    """For exp(-r t) the seven-frame difference at the first frame is off by r^7 h^6 / 7 (1 + O(r h))."""
    exact = NavierStokes2D(viscosity=0.01).exact_solutions()["taylor_green"]
    domain = exact.problem.default_domain((8, 8))
    rate = 8 * math.pi**2 * 0.01
    for count in (11, 21):
        times = torch.linspace(0, 0.5, count, dtype=torch.float64)
        residual = exact.problem.residual(exact.solution(domain, times), exact.inputs(domain))
        step = 0.5 / (count - 1)
        expected = rate**7 * step**6 / 7
        assert residual.values[0, 0, 0, 0, 0].abs().item() == pytest.approx(expected, rel=4 * rate * step)


@pytest.mark.parametrize("kind", ["nodes", "cells"])
def test_darcy_residual_has_the_order_of_the_differences(kind):
    exact = Darcy2D().exact_solutions()["smooth"]
    errors = []
    for count in (32, 64):
        domain = Grid.box((count, count), kind)
        errors.append(exact.problem.residual(exact.solution(domain), exact.inputs(domain)).values.abs().max())
    assert (
        math.log2(errors[0] / errors[1]) > 2.7
    )  # order 4 for one derivative, one-sided twice in a row near the ends
    spectral = Grid.box((32, 32), AxisKind.CHEBYSHEV)
    assert exact.problem.residual(exact.solution(spectral), exact.inputs(spectral)).values.abs().max() < 1e-7


def test_residual_of_a_wrong_field_is_what_is_wrong():
    """A pressure that solves nothing, differentiated by hand."""
    problem = Darcy2D(forcing="0")
    domain = Grid.box((24, 24), AxisKind.CHEBYSHEV)
    x, y = domain.coordinates
    pressure = Field((x**2 * y)[None, None], domain, ("pressure",))
    permeability = Field((1 + x)[None, None], domain, ("permeability",))
    residual = problem.residual(pressure, {"permeability": permeability})
    # div((1 + x) grad(x^2 y)) = (1 + x) 2 y + 2 x y
    torch.testing.assert_close(residual.values[0, 0], -(2 * y * (1 + x) + 2 * x * y), rtol=0, atol=1e-9)


def test_stream_function_is_recovered_from_vorticity():
    problem = NavierStokes2D(viscosity=0.05)
    exact = problem.exact_solutions()["manufactured_steady"]
    domain = problem.default_domain((16, 15))
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    computed = exact.problem.auxiliary_values(exact.solution(domain, times))["stream_function"]
    expected = exact.problem.values(exact.expressions["stream_function"], domain, times)
    torch.testing.assert_close(computed[0], expected, rtol=0, atol=1e-15)


def test_known_numbers_of_the_exact_solutions():
    problem = NavierStokes2D(viscosity=0.01)
    solutions = problem.exact_solutions()
    assert solutions["taylor_green"].problem.forcing_amplitude == 0.0
    assert solutions["taylor_green"].problem.viscosity == 0.01
    domain, times = problem.default_domain((8, 8)), torch.tensor([0.0, 1.0], dtype=torch.float64)
    field = solutions["taylor_green"].solution(domain, times)
    ratio = field.values[0, 1, 0, 0, 0] / field.values[0, 0, 0, 0, 0]
    assert ratio.item() == pytest.approx(math.exp(-8 * math.pi**2 * 0.01))
    relaxed = solutions["forced_relaxation"].solution(domain, torch.tensor([1000.0], dtype=torch.float64))
    assert relaxed.values[0, 0, 0, 0, 0].item() == pytest.approx(0.1 / (8 * math.pi**2 * 0.01))


def test_exact_solutions_ask_for_times_where_there_are_some():
    domain = Burgers1D.default_domain((8,))
    with pytest.raises(ValueError, match="expected times"):
        Burgers1D().exact_solutions()["cole_hopf"].solution(domain)
    with pytest.raises(ValueError, match="expected no times"):
        Darcy2D().exact_solutions()["constant"].solution(Darcy2D.default_domain((8, 8)), torch.zeros(1))


def test_a_periodic_solution_is_none_between_walls():
    """sin(2 pi x) has the slope 2 pi where it should have none; on the torus there is no condition."""
    exact = Advection(dimension=1).exact_solutions()["wave"]
    start = torch.zeros(1, dtype=torch.float64)
    assert exact.boundary_mismatch(Grid.periodic((8,)), start) == {}
    mismatch = exact.boundary_mismatch(Grid.box((8,), "cells"), start)
    assert max(mismatch.values()) == pytest.approx(2 * math.pi)
    mixed = Poisson().exact_solutions()["mixed"]
    assert max(mixed.boundary_mismatch(Grid.box((8, 9))).values()) < 1e-15
