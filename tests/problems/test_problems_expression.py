"""The walker over SymPy trees, its two derivative rules, and formulas from text."""

import math

import pytest
import sympy
import torch

from pdeops.domains import Grid
from pdeops.problems import autograd_rule, evaluate, grid_rule, parse_formula, time_derivative_matrix

X, Y, T = sympy.symbols("x y t", real=True)


def test_constants_are_evaluated_in_double_precision():
    value = evaluate(sympy.sqrt(2) * sympy.sin(1) ** 2 + sympy.pi / 3 + sympy.E, {})
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(math.sqrt(2) * math.sin(1) ** 2 + math.pi / 3 + math.e, rel=1e-15)


def test_every_function_agrees_with_sympy():
    point = 0.37
    names = (
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "asin",
        "acos",
        "atan",
        "exp",
        "log",
        "sqrt",
        "sign",
    )
    for name in (*names, "Abs"):
        expression = getattr(sympy, name)(X) / (1 + X**3) - X ** sympy.Rational(-3, 2)
        value = evaluate(expression, {"x": torch.tensor([point], dtype=torch.float64)})
        assert value.item() == pytest.approx(float(expression.subs(X, point)), rel=1e-14), name


def test_derivative_of_a_product_on_a_grid():
    grid = Grid.box((24, 20), "chebyshev")
    x, y = grid.coordinates
    a, u = sympy.Function("a")(X, Y), sympy.Function("u")(X, Y)
    flux = sympy.Derivative(a * sympy.Derivative(u, X), X) + sympy.Derivative(u, X, Y)
    values = {"a": torch.exp(x * y), "u": torch.sin(2 * x + y)}
    exact = flux.subs({a: sympy.exp(X * Y), u: sympy.sin(2 * X + Y)}).doit()
    expected = evaluate(exact, {"x": x, "y": y})
    torch.testing.assert_close(evaluate(flux, values, grid_rule(grid, None)), expected, rtol=0, atol=1e-8)


def test_autograd_rule_differentiates_a_network_like_function():
    """The rule that physics-informed networks use, against SymPy's derivatives, mixed and third."""
    points = {name: torch.rand(7, dtype=torch.float64, requires_grad=True) for name in ("x", "t")}
    u = sympy.Function("u")(X, T)
    formula = sympy.tanh(2 * X - T) * sympy.exp(X * T)
    equation = sympy.Derivative(u, T) + u * sympy.Derivative(u, X) + sympy.Derivative(u, (X, 3))
    equation += sympy.Derivative(u, X, T)
    values = {**points, "u": evaluate(formula, points)}
    computed = evaluate(equation, values, autograd_rule(points))
    expected = evaluate(equation.subs(u, formula).doit(), points)
    torch.testing.assert_close(computed, expected, rtol=1e-11, atol=1e-11)


def test_autograd_rule_gives_gradients_for_training():
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    u = sympy.Function("u")(X)
    curvature = evaluate(sympy.Derivative(u, (X, 2)), {"u": weight * x**3}, autograd_rule({"x": x}))
    (gradient,) = torch.autograd.grad(curvature.sum(), weight)
    assert gradient.item() == pytest.approx(6 * x.sum().item())


def test_autograd_rule_of_values_without_a_graph_is_zero():
    x = torch.rand(5, requires_grad=True)
    u = sympy.Function("u")(X)
    assert (
        evaluate(sympy.Derivative(u, X), {"u": torch.ones(5)}, autograd_rule({"x": x})).tolist() == [0.0] * 5
    )
    depends_on_other = {"u": 2 * torch.rand(5, requires_grad=True)}
    assert evaluate(sympy.Derivative(u, X), depends_on_other, autograd_rule({"x": x})).tolist() == [0.0] * 5


def test_known_derivatives_are_taken_and_not_computed():
    u = sympy.Function("u")(X)
    slope = sympy.Derivative(u, X)
    assert evaluate(slope + 1, {}, known={slope: torch.tensor([2.0])}).tolist() == [3.0]


def test_evaluate_says_what_is_missing():
    u = sympy.Function("u")(X)
    with pytest.raises(KeyError, match="expected a value for 'u'"):
        evaluate(u, {"x": 1.0})
    with pytest.raises(TypeError, match="expected a derivative rule"):
        evaluate(sympy.Derivative(u, X), {"u": torch.ones(3)})
    with pytest.raises(TypeError, match="elementary functions, got gamma"):
        evaluate(sympy.gamma(X), {"x": torch.ones(3)})
    with pytest.raises(TypeError, match="elementary functions, got I"):
        evaluate(sympy.I * X, {"x": torch.ones(3)})


@pytest.mark.parametrize(
    "text",
    [
        "2*x**2 - y/3 + pi",
        "exp(-x)*sin(2*pi*(x + y))",
        "-x**-2",
        "sqrt(Abs(x))*tanh(y)",
        "1.5e-3*x",
        "+cos(E*x)",
    ],
)
def test_formulas_are_read_as_sympy_reads_them(text):
    symbols = {"x": X, "y": Y}
    ours = parse_formula(text, symbols)
    assert sympy.simplify(ours - sympy.sympify(text, locals=symbols)) == 0
    assert parse_formula(str(ours), symbols) == ours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sin(2*pi*z)", "got 'z'"),
        ("sine(x)", "got 'sine'; try 'sin'"),
        ("x^2", r"try \*\* for a power"),
        ("x +", "expected text such as"),
        ("x if y else 1", "expected numbers, names"),
        ("__import__('os')", "got '__import__'"),
        ("x.diff()", "expected numbers, names"),
        ("True*x", "expected numbers, names"),
    ],
)
def test_other_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_formula(text, {"x": X, "y": Y})


def test_time_matrix_is_exact_for_polynomials_on_uneven_times():
    times = torch.tensor([0.0, 0.1, 0.25, 0.3, 0.5, 0.9, 1.0, 1.3, 1.4], dtype=torch.float64)
    for order in (1, 2):
        power = torch.arange(7, dtype=torch.float64)
        falling = power if order == 1 else power * (power - 1)
        exact = falling * times[:, None] ** (power - order).clamp(min=0)
        result = time_derivative_matrix(times, order) @ times[:, None] ** power
        torch.testing.assert_close(result, exact, rtol=1e-9, atol=1e-9)


def test_time_matrix_has_order_six():
    errors = []
    for count in (41, 81):
        times = torch.linspace(0, 2, count, dtype=torch.float64)
        errors.append(
            (time_derivative_matrix(times) @ torch.sin(3 * times) - 3 * torch.cos(3 * times)).abs().max()
        )
    assert math.log2(errors[0] / errors[1]) > 5.7


def test_time_matrix_refuses_unusable_times():
    with pytest.raises(ValueError, match="expected 2 frames or more, got 1"):
        time_derivative_matrix(torch.zeros(1))
    with pytest.raises(ValueError, match="expected increasing times"):
        time_derivative_matrix(torch.tensor([0.0, 1.0, 1.0]))
