"""Conservation laws: one statement for all solvers; exact flows with and without jumps."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch
from sympy import Derivative, Eq

from pdeops.domains import Grid, integrate
from pdeops.problems import (
    Advection,
    Burgers1D,
    Burgers2D,
    BurgersJump,
    DamBreak,
    Dirichlet,
    Neumann,
    Robin,
    ShallowWater,
    n_wave,
    simple_wave,
)

LAWS = [
    Advection(),
    Advection(dimension=3, velocity_x="sin(2*pi*y)", velocity_y="x", velocity_z="2"),
    Burgers1D(),
    ShallowWater(dimension=1),
    ShallowWater(gravity=9.81),
]
EXACT = [
    (problem, name)
    for problem in (Advection(), Advection(dimension=2), Advection(dimension=3), Burgers2D(), ShallowWater())
    for name in problem.exact_solutions()
]
IDS = [f"{problem.name}-{problem.dimension}-{name}" for problem, name in EXACT]


def labelled(problem):
    return f"{problem.name}-{problem.dimension}"


@pytest.mark.parametrize("law", LAWS, ids=labelled)
def test_speeds_are_the_ends_of_the_spectrum_of_the_flux(law):
    """Eigenvalues of the Jacobian at one state."""
    unknowns = [law.function(variable.name) for variable in law.outputs]
    numbers = {law.symbol(name): value for name, value in law.numbers.items()}
    place = dict(zip(law.space_symbols, (0.17, 0.53, 0.29), strict=False))
    state = dict(zip(unknowns, (1.4, -0.3, 0.8), strict=False))

    def at_the_state(expression):
        return float(expression.subs(state).subs(numbers).subs(place))

    for axis in range(law.dimension):
        flux = sympy.Matrix([fluxes[axis] for fluxes in law.fluxes])
        jacobian = np.array(flux.jacobian(unknowns).applyfunc(at_the_state), dtype=float)
        eigenvalues = np.linalg.eigvals(jacobian)
        lowest, highest = map(at_the_state, law.characteristic_speeds[axis])
        assert lowest == pytest.approx(eigenvalues.min(), abs=1e-13)
        assert highest == pytest.approx(eigenvalues.max(), abs=1e-13)


def test_burgers_keeps_the_form_with_derivatives_of_the_velocity():
    problem = Burgers1D()
    (x,), t = problem.space_symbols, problem.time_symbol
    u = problem.function("velocity")
    transport = Derivative(u, t) + u * Derivative(u, x)
    assert problem.equations == (
        Eq(transport, problem.symbol("viscosity") * Derivative(u, (x, 2)), evaluate=False),
    )
    assert problem.diffusivity_value == 0.1
    assert not problem.forms_shocks
    assert Burgers1D(viscosity=0).forms_shocks
    with pytest.raises(ValueError, match="viscosity: expected a non-negative number, got -1"):
        Burgers1D(viscosity=-1)


def test_linear_fluxes_are_written_out_and_others_kept_whole():
    law = Advection(dimension=2, velocity_x="2", velocity_y="sin(2*pi*x)")
    (x, y), u = law.space_symbols, law.function("density")
    (equation,) = law.equations
    expected = -2 * Derivative(u, x) - Derivative(u * sympy.sin(2 * sympy.pi * x), y)
    assert (equation.rhs - expected).simplify() == 0
    assert not law.forms_shocks
    depth = ShallowWater(dimension=1).equations[0]
    momentum = ShallowWater(dimension=1).function("momentum_x")
    assert depth.rhs == -Derivative(momentum, x)


@pytest.mark.parametrize(("problem", "name"), EXACT, ids=IDS)
def test_exact_solutions_hold_symbolically(problem, name):
    exact = problem.exact_solutions()[name]
    numbers = {problem.symbol(key): sympy.Rational(str(value)) for key, value in problem.numbers.items()}
    place = dict(
        zip(problem.space_symbols, map(sympy.Rational, ("57/100", "53/100", "29/100")), strict=False)
    )
    place[problem.time_symbol] = sympy.Rational("31/100")
    functions = {problem.function(key): item for key, item in exact.expressions.items()}
    sizes = []
    for equation in exact.problem.equations:
        terms = [
            sympy.N(term.subs(functions).doit().subs(numbers).subs(place), 40)
            for side in (equation.lhs, -equation.rhs)
            for term in sympy.Add.make_args(sympy.expand(side))
        ]
        assert abs(sum(terms)) < 1e-25
        sizes += [abs(term) for term in terms]
    assert max(sizes) > 1e-2  # the point tests something


@pytest.mark.parametrize(("problem", "name"), EXACT, ids=IDS)
def test_exact_solutions_have_no_residual_on_a_grid(problem, name):
    exact = problem.exact_solutions()[name]
    # The vortex is a Gaussian of width 1/20; products of it need the waves that 128 points hold.
    counts = {"vortex": 128, "wave": 32}
    domain = problem.default_domain((counts.get(name, 64),) * problem.dimension)
    times = torch.tensor([0.0, 0.2, 0.35], dtype=torch.float64)
    residual = exact.problem.residual(
        exact.solution(domain, times),
        exact.inputs(domain),
        time_derivative=exact.time_derivative(domain, times),
    )
    rate = exact.time_derivative(domain, times).values.abs().max()
    assert residual.values.abs().max() < 1e-9 * rate
    for start, output in zip(problem.inputs, problem.outputs, strict=False):
        first = exact.solution(domain, times).select(output.name).values[:, 0]
        torch.testing.assert_close(first, exact.inputs(domain)[start.name].values, rtol=1e-13, atol=1e-14)


def test_the_velocity_of_cole_hopf_has_no_rotation():
    exact = Burgers2D().exact_solutions()["cole_hopf"].expressions
    x, y = Burgers2D().space_symbols
    assert sympy.simplify(sympy.diff(exact["velocity_x"], y) - sympy.diff(exact["velocity_y"], x)) == 0


def test_inputs_are_drawn_as_documented():
    grid = Grid.periodic((64, 64))
    water = ShallowWater().sample_inputs(grid, range(200))
    assert list(water) == ["initial_depth", "initial_momentum_x", "initial_momentum_y"]
    depth = water["initial_depth"].values
    # 200 samples of about 30 independent values each: 1.3 per cent of the deviation, times four.
    assert depth.std().item() == pytest.approx(0.1, rel=0.06)
    torch.testing.assert_close(depth.mean((1, 2, 3)), torch.ones(200).double(), rtol=0, atol=1e-12)
    assert water["initial_momentum_y"].values.abs().max() == 0
    velocity = Burgers2D().sample_inputs(grid, range(200))
    u, w = (velocity[f"initial_velocity_{axis}"].values.flatten() for axis in "xy")
    assert u.std().item() == pytest.approx(1.0, rel=0.06)
    assert abs(torch.corrcoef(torch.stack([u, w]))[0, 1].item()) < 0.06
    long = Grid.periodic((64,), lengths=(3.0,))
    assert Advection().sample_inputs(long, [0])["initial_density"].domain == long
    assert Burgers1D().sample_inputs(long, [1])["initial_velocity"].domain == long


def test_boundaries_of_shallow_water_are_walls_or_open_ends():
    mixed = ShallowWater(boundary={"x_lower": Dirichlet(), "default": Neumann()})
    conditions = mixed.boundary_conditions
    normal, momentum = mixed.normal_symbols[0], mixed.function("momentum_x")
    assert conditions["x_lower"].lhs.coeff(normal) == momentum
    assert mixed.mirror_signs(1) == (1, 1, -1)
    for wrong in (Robin(), Dirichlet(value="1"), Neumann(flux="1")):
        with pytest.raises(ValueError, match=r"'default': expected Dirichlet.*a wall, or Neumann"):
            ShallowWater(boundary={"default": wrong})
    with pytest.raises(ValueError, match="dimension: expected 1 or 2, got 3"):
        ShallowWater(dimension=3)


@pytest.mark.parametrize(("right", "gravity"), [(0.5, 1.0), (0.1, 9.81), (1e-3, 2.0)])
def test_stokers_middle_state_joins_the_fan_and_the_bore(right, gravity):
    dam = DamBreak(left=1.0, right=right, gravity=gravity)
    h, u, s = dam.middle_depth, dam.middle_velocity, dam.bore_speed
    # Jumps of both conserved quantities across the bore, by Rankine and Hugoniot.
    assert s * (h - right) == pytest.approx(h * u, rel=1e-12)
    thrust = h * u**2 + gravity / 2 * (h**2 - right**2)
    assert s * h * u == pytest.approx(thrust, rel=1e-10)
    # The invariant of the fan, and the speed condition of a shock: u - c < s < u + c.
    assert u + 2 * math.sqrt(gravity * h) == pytest.approx(2 * math.sqrt(gravity), rel=1e-13)
    assert math.sqrt(gravity * right) < s < u + math.sqrt(gravity * h)


@pytest.mark.parametrize("right", [0.3, 0.0])
def test_dam_break_keeps_water_and_gains_momentum_by_pressure(right):
    dam = DamBreak(left=1.0, right=right, gravity=2.0)
    grid = Grid.box((200_000,), "cells", lower=(-3.0,), upper=(4.0,))
    (x,) = grid.coordinates
    depth, momentum = dam.depth(x, 0.8), dam.momentum(x, 0.8)
    # The midpoint rule errs by one cell at the jump.
    assert integrate(depth, grid).item() == pytest.approx(3 + 4 * right, abs=4e-5)
    assert integrate(momentum, grid).item() == pytest.approx(0.8 * (1 - right**2), abs=1e-4)


def test_burgers_jumps_and_the_letter_n():
    x = torch.tensor([-2.0, -0.5, 0.2, 0.45, 0.55, 3.0], dtype=torch.float64)
    shock = BurgersJump(left=2.0, right=-1.0)
    assert shock.velocity(x, 1.0).tolist() == [2, 2, 2, 2, -1, -1]
    fan = BurgersJump(left=-1.0, right=2.0).velocity(x, 0.5)
    assert fan.tolist() == pytest.approx([-1, -1, 0.4, 0.9, 1.1, 2])
    grid = Grid.box((100_000,), "cells", lower=(0.0,), upper=(4.0,))
    (points,) = grid.coordinates
    for t in (0.0, 2.0, 8.0):
        velocity = n_wave(points, t, slope=1.5, length=0.8)
        assert integrate(velocity, grid).item() == pytest.approx(1.5 * 0.8**2 / 2, abs=1e-4)
        assert velocity.max().item() == pytest.approx(1.5 * 0.8 / math.sqrt(1 + 1.5 * t), rel=1e-3)


def test_simple_waves_satisfy_their_implicit_equation():
    x = torch.linspace(-1, 2, 31, dtype=torch.float64)
    u = simple_wave(torch.sin, lambda u: u, x, 0.7, reach=1.0)
    torch.testing.assert_close(u, torch.sin(x - 0.7 * u), rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="reach: expected no less than the largest speed"):
        simple_wave(torch.sin, lambda u: u, x, 0.7, reach=0.3)
    with pytest.raises(ValueError, match="dam break: expected left > right"):
        DamBreak(left=0.1, right=0.5)


def test_viscosity_may_change_without_a_change_of_the_fluxes():
    problem = Burgers1D(viscosity=0.3)
    assert replace(problem, viscosity=0).fluxes == problem.fluxes
