"""Problems in time: every exact solution satisfies its equation, its start and its boundary conditions."""

from dataclasses import replace

import pytest
import sympy
import torch
from evolution_cases import CASES, CHAOTIC, CLASSES, INSTANCES, PERIODISED

from pdeops.domains import AxisKind, Grid, Mesh
from pdeops.problems import SemilinearProblem, evaluate

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
EVERY_PROBLEM = pytest.mark.parametrize(
    "problem", INSTANCES, ids=lambda problem: f"{problem.name}-{problem.dimension}d"
)
EPSILON = torch.finfo(torch.float64).eps


def substituted(exact, expression):
    """The expression with the closed forms in place of the unknown functions."""
    problem = exact.problem
    return expression.subs({problem.function(name): item for name, item in exact.expressions.items()}).doit()


def test_every_problem_has_an_exact_solution_or_is_known_to_have_none():
    solved = {case.problem.name for case in CASES}
    assert solved | CHAOTIC == {kind.name for kind in CLASSES}
    assert not solved & CHAOTIC


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.problem.dimension == 1 or case.name not in PERIODISED | {"cole_hopf"}],
    ids=lambda case: case.label,
)
def test_equations_hold_symbolically(case):
    """Evaluated to 30 digits at two points of no symmetry: a mistake cannot hide in a discretisation."""
    exact, problem = case.exact, case.problem
    numbers = {problem.symbol(key): sympy.Rational(value) for key, value in problem.numbers.items()}
    box = problem.default_domain((4,) * problem.dimension).axes
    sizes = []
    for fractions in (("76/100", "53/100", "29/100"), ("46/100", "31/100", "87/100")):
        place = {
            symbol: sympy.Rational(axis.lower) + sympy.Rational(fraction) * sympy.Rational(axis.length)
            for symbol, axis, fraction in zip(problem.space_symbols, box, fractions, strict=False)
        } | {problem.time_symbol: sympy.Rational("31/100")}
        for equation in problem.equations:
            terms = sympy.Add.make_args(sympy.expand(equation.lhs - equation.rhs))
            values = [
                substituted(exact, term).subs(numbers).evalf(30, subs=place, maxn=200) for term in terms
            ]
            size = sum(map(abs, values))
            # Tails that were cut are as large as the largest term says.
            assert abs(sum(values)) < (1e-13 if case.name in PERIODISED else 1e-20) * max(1, size)
            sizes.append(size)
    assert max(sizes) > 1e-3  # the points test something


@EVERY
def test_residual_on_a_grid_is_rounding(case):
    """Spectral in space and exact in time; rounding grows with the highest derivative."""
    if case.problem.dimension == 3 and case.name in {"wave", "travelling_pulse", *PERIODISED}:
        pytest.skip("not resolved by a grid in three dimensions that is small enough for a test")
    exact, grid = case.exact, case.domain()
    times = torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64)
    solution, slope = exact.solution(grid, times), exact.time_derivative(grid, times)
    residual = exact.problem.residual(solution, exact.inputs(grid), time_derivative=slope)
    assert residual.channels == tuple(v.name for v in exact.problem.outputs + exact.problem.auxiliary)
    assert residual.values.abs().max() < rounding(exact.problem, solution)


def rounding(problem, solution):
    """Bound on the rounding of all terms: derivatives of order p multiply it by the largest wavenumber^p."""
    grid, size = solution.domain, max(1.0, solution.values.abs().max().item())
    if grid.is_periodic:
        steepest = max(torch.pi * axis.num_points / axis.length for axis in grid.axes)
    else:  # the largest entry of a Chebyshev differentiation matrix
        steepest = max(2 * (2 * (axis.num_points - 1) ** 2 + 1) / 6 / axis.length for axis in grid.axes)
    total = 0.0
    for equation in problem.equations:
        for term in sympy.Add.make_args(sympy.expand(equation.lhs - equation.rhs)):
            derivatives = term.atoms(sympy.Derivative)
            orders = [
                sum(n for s, n in item.variable_count if s != problem.time_symbol) for item in derivatives
            ]
            number, _ = term.as_independent(*problem.space_symbols, problem.time_symbol)
            factor = abs(float(number.subs({problem.symbol(k): v for k, v in problem.numbers.items()})))
            total += factor * steepest ** max(orders, default=0) * size**3
    return 8 * EPSILON * total


@EVERY
def test_it_starts_from_its_inputs(case):
    exact, grid = case.exact, case.domain()
    start = exact.solution(grid, torch.zeros(1, dtype=torch.float64)).snapshot(0)
    inputs = exact.inputs(grid)
    for condition in case.problem.initial_conditions:
        assert condition.lhs.args == (*case.problem.space_symbols, 0)
        output = start.select(condition.lhs.func.__name__)
        name = condition.rhs.func.__name__
        values = inputs[name].values if name in inputs else torch.zeros_like(output.values)
        assert name in inputs or condition.rhs == 0
        scale = max(1.0, values.abs().max().item())
        torch.testing.assert_close(output.values, values, rtol=0, atol=1e-13 * scale)
    assert len(case.problem.initial_conditions) == len(case.problem.outputs)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if AxisKind.CHEBYSHEV in case.problem.axis_kinds],
    ids=lambda case: case.label,
)
def test_boundary_conditions_hold(case):
    if case.name in {"moving_wave", "moving_gaussian"}:
        assert case.is_periodic  # these live on the torus only
        return
    problem, grid = case.problem, case.chebyshev((12,) * case.problem.dimension)
    problem.check_domain(grid)
    for part, condition in problem.boundary_conditions.items():
        difference = substituted(case.exact, condition.lhs - condition.rhs)
        for name in grid.boundary_names if part == "default" else [part]:
            place = grid.boundary(name)
            values = dict(zip("xyz", place.points.unbind(1), strict=False))
            normals = zip(problem.normal_symbols, place.normals.unbind(1), strict=True)
            values |= {symbol.name: normal.double() for symbol, normal in normals}
            values |= problem.numbers | {"t": torch.tensor(0.3, dtype=torch.float64)}
            assert evaluate(difference, values).abs().max() < 1e-12


@EVERY_PROBLEM
def test_samples_are_functions_of_their_seed(problem):
    """The same function on two grids and in any batch; finite, and different from seed to seed."""
    coarse = problem.default_domain(({1: 256, 2: 48, 3: 36}[problem.dimension],) * problem.dimension)
    fine = coarse.with_shape([2 * n for n in coarse.shape])
    here, there = problem.sample_inputs(coarse, [3, 5]), problem.sample_inputs(fine, [5])
    every_other = (slice(None, None, 2),) * problem.dimension
    assert tuple(here) == tuple(variable.name for variable in problem.inputs)
    for name, field in here.items():
        assert torch.isfinite(field.values).all()
        shared = there[name].values[0, 0][every_other]
        # A grid too coarse for some waves leaves them out.
        assert (field.values[1, 0] - shared).norm() <= 0.05 * shared.norm()
    assert any(not torch.equal(field.values[0], field.values[1]) for field in here.values())


@EVERY_PROBLEM
def test_problems_are_values_with_latex(problem):
    assert problem == replace(problem)
    assert hash(problem) == hash(replace(problem))
    lines = problem.latex().splitlines()
    conditions = len(problem.boundary_conditions)
    assert len(lines) == len(problem.outputs) * 2 + len(problem.auxiliary) + conditions
    assert all(variable.symbol in problem.latex() for variable in problem.outputs)
    assert isinstance(problem, SemilinearProblem) or problem.name in {"shallow_water", "advection", "burgers"}


def square(count):
    """A mesh of the unit square."""
    grid = Grid.box((count, count))
    index = torch.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    triangles = torch.stack([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)]).reshape(-1, 3)
    return Mesh(grid.points, triangles), grid


@pytest.mark.parametrize(
    "problem",
    [problem for problem in INSTANCES if problem.allows_meshes and problem.dimension == 2],
    ids=lambda problem: problem.name,
)
def test_samples_on_a_mesh_are_those_of_its_box(problem):
    mesh, grid = square(33)
    (name,) = problem.sample_inputs(grid, [4])
    on_mesh = problem.sample_inputs(mesh, [4])[name].values
    on_grid = problem.sample_inputs(grid, [4])[name].values
    torch.testing.assert_close(on_mesh, on_grid.flatten(2), rtol=0, atol=1e-8)
