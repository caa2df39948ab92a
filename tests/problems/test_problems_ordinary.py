"""Initial value problems: exact solutions, equations, start, inputs; and diffusion from zero."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import sympy
import torch
from sympy import Derivative, Eq

from pdeops.domains import AxisKind, Grid
from pdeops.problems import (
    Antiderivative,
    DiffusionReaction,
    DrivenPendulum,
    NonlinearODE,
    OrdinaryProblem,
    Pendulum,
    Variable,
)

PROBLEMS = [
    Antiderivative(),
    NonlinearODE(),
    Pendulum(restoring_rate=1.7),
    DrivenPendulum(restoring_rate=2.3),
]
CASES = [(problem, name) for problem in PROBLEMS for name in problem.exact_solutions()]
EVERY = pytest.mark.parametrize(("problem", "name"), CASES, ids=[f"{p.name}-{n}" for p, n in CASES])
EVERY_PROBLEM = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)


def substituted(exact, expression):
    problem = exact.problem
    return expression.subs({problem.function(name): item for name, item in exact.expressions.items()}).doit()


@EVERY
def test_equations_hold_symbolically(problem, name):
    """To 30 digits at two points of no symmetry."""
    exact = problem.exact_solutions()[name]
    numbers = {problem.symbol(key): sympy.Rational(value) for key, value in problem.numbers.items()}
    (x,) = problem.space_symbols
    for place in ("31/100", "83/100"):
        for equation in problem.equations:
            terms = sympy.Add.make_args(equation.lhs - equation.rhs)
            values = [
                sympy.N(substituted(exact, term).subs(numbers).subs(x, sympy.Rational(place)), 30)
                for term in terms
            ]
            assert abs(sum(values)) < 1e-20
            assert max(map(abs, values)) > 1e-2


@EVERY
def test_outputs_begin_with_zero_as_stated(problem, name):
    exact = problem.exact_solutions()[name]
    assert list(problem.boundary_conditions) == ["x_lower"]
    assert exact.boundary_mismatch(Grid.box((5,), "nodes"))["x_lower"] < 1e-15
    (condition,) = problem.boundary_conditions.values()
    unknowns = sympy.Matrix([problem.function(variable.name) for variable in problem.outputs])
    assert sympy.Matrix([condition.lhs - condition.rhs]).reshape(*unknowns.shape) == unknowns
    assert problem.boundary is None
    assert problem.initial_inputs == ()


@EVERY
def test_residual_on_chebyshev_points_is_rounding(problem, name):
    exact, grid = problem.exact_solutions()[name], Grid.box((40,), AxisKind.CHEBYSHEV)
    residual = problem.residual(exact.solution(grid), exact.inputs(grid))
    # Entries of the differentiation matrix are up to 2 * 39^2 / 3; a difference of values costs that.
    assert residual.values.abs().max() < 8 * 2e-16 * 1014 * exact.solution(grid).values.abs().max().clamp_min(
        1
    )
    wrong = exact.solution(grid)
    wrong.values.mul_(1.01)
    assert problem.residual(wrong, exact.inputs(grid)).values.abs().max() > 1e-3


@EVERY_PROBLEM
def test_inputs_are_independent_functions_of_their_seed(problem):
    coarse, fine = Grid.box((26,), "nodes"), Grid.box((101,), "nodes")
    here, there = problem.sample_inputs(coarse, [3, 5]), problem.sample_inputs(fine, [5])
    assert tuple(here) == tuple(variable.name for variable in problem.inputs)
    for name, field in here.items():
        assert field.channels == (name,)
        torch.testing.assert_close(field.values[1], there[name].values[0, :, ::4], rtol=0, atol=1e-12)
    if len(here) == 2:
        many = problem.sample_inputs(Grid.box((2,), "nodes"), range(4000))
        first, second = (field.values[:, 0, 0] for field in many.values())
        assert abs((first * second).mean()) < 5 / 4000**0.5  # product of independent numbers of variance 1


@EVERY_PROBLEM
def test_latex_has_equations_and_start(problem):
    lines = problem.latex().splitlines()
    assert len(lines) == len(problem.outputs) + 1
    assert lines[-1].endswith(r"0 \quad\text{on x lower}") or r"\text{on x lower}" in lines[-1]
    assert all(variable.symbol in problem.latex() for variable in (*problem.inputs, *problem.outputs))


def test_periodic_axes_are_refused():
    with pytest.raises(ValueError, match="antiderivative: expected"):
        Antiderivative().check_domain(Grid.periodic((8,)))


@dataclass(frozen=True, kw_only=True)
class Bent(OrdinaryProblem):
    """An equation of second order, which is none of this kind."""

    name: ClassVar[str] = "bent"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("state"),)

    @property
    def equations(self):
        (x,) = self.space_symbols
        return (Eq(Derivative(self.function("state"), (x, 2)), self.function("source")),)


def test_right_hand_sides_follow_from_the_equations():
    problem = Pendulum()
    angle, velocity = problem.function("angle"), problem.function("velocity")
    rate, torque = problem.symbol("restoring_rate"), problem.function("torque")
    assert problem.right_hand_sides == (velocity, -rate * sympy.sin(angle) + torque)
    with pytest.raises(ValueError, match="bent: expected an equation of first order for 'state'"):
        Bent().right_hand_sides  # noqa: B018


def test_diffusion_reaction_starts_from_zero_and_takes_its_source():
    problem = DiffusionReaction()
    s, t = problem.function("concentration"), problem.time_symbol
    assert problem.initial_conditions == (Eq(s.subs(t, 0), 0),)
    assert problem.initial_inputs == ()
    assert problem.function("source").args == problem.space_symbols
    assert tuple(problem.sample_inputs(problem.default_domain((9,)), [0])) == ("source",)
    # The sign of the reaction: s = t, u = 1 leaves -k t^2.
    residual = problem.equations[0].lhs - problem.equations[0].rhs
    left = residual.subs({s: t, problem.function("source"): 1}).doit()
    assert sympy.simplify(left + problem.symbol("reaction_rate") * t**2) == 0


def test_there_is_no_runaway_without_growth():
    assert set(DiffusionReaction(reaction_rate=-1.0).exact_solutions()) == {"relaxation"}
