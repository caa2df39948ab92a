"""Elasticity and Stokes flow: exact solutions satisfy equations and conditions, component by component."""

import pytest
import sympy
import torch

from pdeops.domains import AxisKind, Grid, box_mesh, disk_mesh
from pdeops.problems import Dirichlet, LinearElasticity, Neumann, Robin, Stokes

PROBLEMS = [LinearElasticity(), LinearElasticity(dimension=3, poisson_ratio=0.45), Stokes(viscosity=0.3)]
CASES = [(name, exact) for problem in PROBLEMS for name, exact in problem.exact_solutions().items()]
IDS = [f"{exact.problem.name}-{exact.problem.dimension}-{name}" for name, exact in CASES]


def numbers_at(exact, expression, **places):
    """A number to 30 digits: the closed forms put in, the coordinates given."""
    problem = exact.problem
    functions = {problem.function(name): item for name, item in exact.expressions.items()}
    values = {problem.symbol(key): sympy.Rational(str(value)) for key, value in problem.numbers.items()}
    values |= {sympy.Symbol(name, real=True): sympy.Rational(place) for name, place in places.items()}
    return sympy.N(expression.subs(functions).doit().subs(values), 30)


@pytest.mark.parametrize("exact", [exact for _, exact in CASES], ids=IDS)
def test_equations_hold(exact):
    place = dict(zip("xyz"[: exact.problem.dimension], ("17/100", "53/100", "29/100"), strict=False))
    for equation in exact.problem.equations:
        assert abs(numbers_at(exact, equation.lhs - equation.rhs, **place)) < 1e-20


@pytest.mark.parametrize("exact", [exact for _, exact in CASES], ids=IDS)
def test_conditions_hold_on_every_side(exact):
    axes = "xyz"[: exact.problem.dimension]
    conditions = exact.problem.boundary_conditions
    for axis in axes:
        for side, place in (("lower", "0"), ("upper", "1")):
            equation = conditions.get(f"{axis}_{side}", conditions.get("default"))
            places = dict(zip(axes, ("17/100", "53/100", "29/100"), strict=False)) | {axis: place}
            normal = {
                f"normal_{other}": str((other == axis) * (1 if side == "upper" else -1)) for other in axes
            }
            for row in equation.lhs - equation.rhs:
                assert abs(numbers_at(exact, row, **places, **normal)) < 1e-20, (axis, side)


@pytest.mark.parametrize("problem", [LinearElasticity(), Stokes()], ids=["elasticity", "stokes"])
def test_the_residual_vanishes_on_a_chebyshev_grid(problem):
    for exact in problem.exact_solutions().values():
        grid = Grid.box((28, 28), AxisKind.CHEBYSHEV)
        residual = exact.problem.residual(exact.solution(grid), exact.inputs(grid))
        assert residual.channels == tuple(variable.name for variable in problem.outputs)
        # Second derivatives of data of size one lose about eight digits on 28 points.
        assert residual.values.abs().max() < 1e-6


def test_stress_is_hookes_law():
    # Stretching along x alone: sigma_xx = (lambda + 2 mu) e, sigma_yy = lambda e.
    problem = LinearElasticity(youngs_modulus=2.0, poisson_ratio=0.25)
    first, second = problem.lame_values
    assert (first, second) == (pytest.approx(0.8), pytest.approx(0.8))
    x, _ = problem.space_symbols
    moved = {problem.vector[0]: x / 10, problem.vector[1]: sympy.S(0)}
    stress = (
        problem.stress.subs(moved).doit().subs({problem.symbol(k): v for k, v in problem.numbers.items()})
    )
    assert [float(entry) for entry in stress] == pytest.approx([0.24, 0, 0, 0.08])


def test_each_component_has_its_own_conditions():
    problem = LinearElasticity(
        boundary_x={"x_lower": Dirichlet(value="y"), "default": Neumann()},
        boundary_y={"y_lower": Dirichlet(), "default": Neumann(flux="youngs_modulus/2")},
    )
    first, second = problem.component_conditions(box_mesh((2, 2)))
    assert [type(first[part]).__name__[0] for part in ("x_lower", "y_lower", "y_upper")] == ["D", "N", "N"]
    assert [type(second[part]).__name__[0] for part in ("x_lower", "y_lower", "y_upper")] == ["N", "D", "N"]
    assert set(problem.boundary_conditions) == {"x_lower", "y_lower", "default"}
    with pytest.raises(ValueError, match="expected parts among"):
        problem.check_domain(disk_mesh(1))
    assert "n_{x}" in problem.latex()


def test_forces_are_independent_and_do_not_depend_on_the_batch():
    problem, grid = LinearElasticity(dimension=3), Grid.box((9, 9, 9))
    inputs = problem.sample_inputs(grid, [3, 4])
    assert list(inputs) == ["force_x", "force_y", "force_z"]
    again = problem.sample_inputs(grid, [4])
    torch.testing.assert_close(inputs["force_y"].values[1], again["force_y"].values[0])
    stacked = torch.cat([field.values for field in inputs.values()]).flatten(1)
    assert torch.linalg.matrix_rank(stacked) == 6


def test_wrong_settings_say_what_is_expected():
    with pytest.raises(ValueError, match=r"below 0\.5"):
        LinearElasticity(poisson_ratio=0.5)
    with pytest.raises(ValueError, match="2 or 3"):
        LinearElasticity(dimension=1)
    with pytest.raises(TypeError, match="Dirichlet or Neumann"):
        Stokes(boundary_x={"default": Robin()})
    with pytest.raises(ValueError, match="boundary_y on 'default'"):
        Stokes(boundary_y={"default": Dirichlet(value="q")})
    with pytest.raises(ValueError, match="got none for"):
        Stokes(boundary_x={"y_lower": Dirichlet()}).check_domain(box_mesh((2, 2)))
