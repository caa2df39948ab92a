"""Exact solutions leave nothing of equations and conditions; others leave what SymPy says."""

import numpy
import pytest
import sympy
import torch
from formula_operator import FormulaOperator

from pdeops.domains import AxisKind, Grid, disk_mesh
from pdeops.problems import (
    Antiderivative,
    Burgers1D,
    Darcy2D,
    DiffusionReaction,
    DrivenPendulum,
    ElasticCell,
    ExactSolution,
    FisherKPP,
    HeatEquation,
    KortewegDeVries,
    NavierStokes2D,
    Neumann,
    Poisson,
    Robin,
    Wave,
)
from pdeops.training.collocation import draw_boundary, draw_inside, seeded
from pdeops.training.equation_residual import EquationResidual
from pdeops.training.physics_informed import PhysicsInformedLoss

TIMES = (0.0, 0.5)
WALLS = Grid.box((33,), AxisKind.CHEBYSHEV)
TORUS = Grid.periodic((32,))


def solution(problem, name):
    return problem.exact_solutions()[name]


CASES = {
    "heat, periodic": (solution(HeatEquation(dimension=1), "sine_mode"), TORUS),
    "heat, Neumann": (solution(HeatEquation(dimension=1), "cosine_mode"), WALLS),
    "heat, Dirichlet": (solution(HeatEquation(dimension=2), "warm_wall"), Grid.box((17, 17), "chebyshev")),
    "Burgers": (next(iter(Burgers1D().exact_solutions().values())), None),
    "wave, a system": (solution(Wave(dimension=1), "standing_wave"), TORUS),
    "Korteweg-de Vries": (solution(KortewegDeVries(), "soliton"), KortewegDeVries.default_domain((512,))),
    "Fisher": (solution(FisherKPP(dimension=1, growth_rate=2.0), "logistic"), WALLS),
    "diffusion-reaction, relaxation": (solution(DiffusionReaction(), "relaxation"), WALLS),
    "diffusion-reaction, runaway": (solution(DiffusionReaction(), "runaway"), WALLS),
    "antiderivative": (solution(Antiderivative(), "wave"), WALLS),
    "pendulum, a system": (solution(DrivenPendulum(), "swing"), WALLS),
    "Poisson, mixed": (solution(Poisson(dimension=2), "mixed"), Grid.box((21, 21), "chebyshev")),
    "Poisson, a mesh": (solution(Poisson(dimension=2), "disk"), disk_mesh(2)),
}


def posed(case):
    exact, domain = CASES[case]
    return exact, exact.problem.default_domain((64,)) if domain is None else domain


def answer_of(operator, inputs):
    """The answer as the training asks for it, without normalisers."""
    code = operator.encode(torch.stack([field.values[:, 0] for field in inputs.values()], dim=1))
    return lambda points, orders: operator.derivatives(code, points, orders)


def parts_of(exact, domain, operator=None, **options):
    times = None if exact.problem.steady else TIMES
    operator = operator or FormulaOperator(exact, domain, times, in_channels=len(exact.problem.inputs))
    inputs = exact.inputs(domain)
    loss = PhysicsInformedLoss(exact.problem, num_points=50, num_boundary_points=10, **options)
    return loss.parts(answer_of(operator, inputs), inputs, None if times is None else 0.5, seeded(0, 0))


@pytest.mark.parametrize("case", CASES)
def test_an_exact_solution_leaves_nothing(case):
    exact, domain = posed(case)
    parts = parts_of(exact, domain)
    expected = {"residual"}
    expected |= set() if exact.problem.steady else {"initial"}
    expected |= {"boundary"} if domain.boundary_names else set()
    assert set(parts) == expected
    # Squares: the residual itself is the root.
    for name, value in parts.items():
        assert value.item() < 1e-10**2 * scale_of(case), (name, value.item())


def scale_of(case):
    """Interpolated inputs of a mesh are exact at its points; a soliton's third derivative is large."""
    return 1e4 if case == "Korteweg-de Vries" else 1.0


@pytest.mark.parametrize("case", [case for case in CASES if case != "Korteweg-de Vries"])
def test_a_perturbed_solution_leaves_what_sympy_says(case):
    exact, domain = posed(case)
    problem = exact.problem
    x = problem.space_symbols[0]
    bump = sympy.sin(3 * x + 1) * (1 if problem.steady else sympy.exp(problem.time_symbol))
    outputs = {variable.name for variable in problem.outputs}
    changed = {
        name: item + (sympy.Rational(1, 10) * bump if name in outputs else 0)
        for name, item in exact.expressions.items()
    }
    perturbed = ExactSolution(problem, changed, "perturbed")
    times = None if problem.steady else TIMES
    operator = FormulaOperator(perturbed, domain, times, in_channels=len(problem.inputs))
    got = parts_of(exact, domain, operator)

    # The same points, the residual by SymPy's own differentiation and NumPy's evaluation.
    generator = seeded(0, 0)
    points = draw_inside(domain, None if times is None else 0.5, 50, generator).points.numpy()
    expected = numpy.mean([values(equation, changed, problem, points) ** 2 for equation in problem.equations])
    assert got["residual"].item() == pytest.approx(expected, rel=1e-9)
    assert expected > 1e-6
    if not problem.steady:
        points = draw_inside(domain, 0.0, 10, generator).points.numpy()
        expected = numpy.mean(
            [values(equation, changed, problem, points) ** 2 for equation in problem.initial_conditions]
        )
        assert got["initial"].item() == pytest.approx(expected, rel=1e-6)


def values(equation, expressions, problem, points):
    """Left minus right side at points, by lambdify."""
    functions = {problem.function(name): item for name, item in expressions.items()}
    start = {
        function.subs(problem.time_symbol, 0): item.subs(problem.time_symbol, 0)
        for function, item in functions.items()
    }
    difference = (equation.lhs - equation.rhs).subs({**functions, **start}).doit()
    numbers = {problem.symbol(name): number for name, number in problem.numbers.items()}
    symbols = (*problem.space_symbols, *(() if problem.steady else (problem.time_symbol,)))
    found = sympy.lambdify(symbols, difference.subs(numbers), "numpy")(*points.T)
    return numpy.broadcast_to(found, (len(points),))


def test_a_robin_condition_is_missed_by_its_own_terms():
    """u = x^2 + 7 by hand; the outward normal changes the sign of the slope at the lower end only."""
    parts = {"x_lower": Robin(coefficient="2", value="3"), "x_upper": Neumann(flux="5")}
    problem = Poisson(dimension=1, boundary=parts)
    x = problem.space_symbols[0]
    exact = ExactSolution(problem, {"source": sympy.Integer(0), "potential": x**2 + 7}, "")
    parts = parts_of(exact, WALLS, residual_weight=0.0)
    # At 0: -u' + 2 u - 3 = 11; at 1: u' - 5 = -3.
    assert parts["boundary"].item() == pytest.approx((11**2 + 3**2) / 2, rel=1e-12)


def test_a_coefficient_under_a_derivative_is_differentiated():
    """-(a u')' = f with a = 2 + sin pi x, u = x^2: f = -(a' 2x + 2a)."""
    problem = Darcy2D()
    x, y = problem.space_symbols
    names = [variable.name for variable in problem.inputs]
    a = 2 + sympy.sin(sympy.pi * x) * sympy.cos(y)
    u = x**2 * sympy.exp(y)
    domain = Grid.box((25, 25), "chebyshev")
    exact = ExactSolution(problem, {names[0]: a, problem.outputs[0].name: u}, "")
    residual = EquationResidual(problem, problem.equations)
    where = draw_inside(domain, None, 40, seeded(0, 1))
    inputs = exact.inputs(domain)
    operator = FormulaOperator(exact, domain)
    answer = answer_of(operator, inputs)
    got = residual(
        lambda orders: answer(where.points, orders),
        lambda name, orders: where.values(inputs, name, orders),
        where.points,
    )
    expected = values(problem.equations[0], exact.expressions, problem, where.points.numpy())
    assert numpy.abs(expected).max() > 1
    assert torch.allclose(got[0, 0], torch.from_numpy(numpy.array(expected)), rtol=0, atol=1e-9)


def test_boundary_points_lie_on_their_part_and_fill_it():
    box = Grid.box((5, 9), "cells", lower=(-1.0, 2.0), upper=(1.0, 5.0))
    drawn = draw_boundary(box, "y_upper", 4.0, 4000, seeded(0, 0))
    x, y, t = drawn.points.unbind(1)
    assert bool((y == 5).all())
    assert bool((drawn.normals == torch.tensor([0.0, 1.0])).all())
    # Not on the points of the grid, and uniform: means and deviations of [-1, 1] and [0, 4].
    assert len(x.unique()) == 4000
    assert x.mean().item() == pytest.approx(0, abs=0.04)
    assert x.std().item() == pytest.approx(3**-0.5, rel=0.05)
    assert t.mean().item() == pytest.approx(2, abs=0.08)
    mesh = disk_mesh(2)
    on_circle = draw_boundary(mesh, mesh.boundary_names[0], None, 50, seeded(0, 0))
    assert torch.allclose(on_circle.points.norm(dim=1), torch.ones(50).double())
    assert bool(((on_circle.points * on_circle.normals).sum(dim=1) > 0.99).all())


def test_points_depend_on_seed_and_step_only():
    first = draw_inside(TORUS, 1.0, 5, seeded(3, 7)).points
    assert torch.equal(first, draw_inside(TORUS, 1.0, 5, seeded(3, 7)).points)
    assert not torch.equal(first, draw_inside(TORUS, 1.0, 5, seeded(3, 8)).points)
    assert not torch.equal(first, draw_inside(TORUS, 1.0, 5, seeded(4, 7)).points)


@pytest.mark.parametrize("problem", [NavierStokes2D(), ElasticCell()])
def test_problems_that_are_not_pointwise_are_refused(problem):
    with pytest.raises(ValueError, match="expected equations"):
        PhysicsInformedLoss(problem)
