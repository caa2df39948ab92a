"""The solver of initial value problems: against another method, closed forms, batches, lost solutions."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy
import pytest
import sympy
import torch
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from pdeops.domains import AxisKind, Field, Grid
from pdeops.problems import (
    Antiderivative,
    DrivenPendulum,
    GaussianProcess,
    NonlinearODE,
    OrdinaryProblem,
    Pendulum,
    Poisson,
    Variable,
)
from solvers import InitialValueSolver, SolverError, SolveStatus, solve, suitable

NODES = Grid.box((41,), "nodes", lower=(0.0,), upper=(2.0,))
SOLVER = InitialValueSolver()


def rate(problem, splines):
    """The equations, written by hand a second time."""
    if isinstance(problem, NonlinearODE):
        return lambda x, s: [-s[0] * s[0] + splines[0](x)]
    if isinstance(problem, Pendulum):
        return lambda x, s: [s[1], -9 * math.sin(s[0]) + splines[0](x)]
    return lambda x, s: [s[1] + splines[0](x), -9 * math.sin(s[0]) + splines[1](x)]


@pytest.mark.parametrize(
    "problem",
    [
        NonlinearODE(sampler=GaussianProcess(deviation=0.3)),
        Pendulum(restoring_rate=9.0, sampler=GaussianProcess(deviation=20.0)),
        DrivenPendulum(restoring_rate=9.0, sampler=GaussianProcess(deviation=5.0)),
    ],
    ids=lambda problem: problem.name,
)
def test_it_agrees_with_another_method_of_another_order(problem):
    """scipy's DOP853 with its own steps, interval by interval through the same spline (not-a-knot)."""
    inputs = problem.sample_inputs(NODES, [4])
    points = NODES.axes[0].points.numpy()
    splines = [CubicSpline(points, field.values[0, 0].numpy()) for field in inputs.values()]
    solution = SOLVER.solve(problem, inputs, NODES)
    state, frames = numpy.zeros(len(problem.outputs)), []
    for start, end in pairwise(points):
        march = solve_ivp(
            rate(problem, splines), (start, end), state, method="DOP853", rtol=1e-12, atol=1e-13
        )
        state = march.y[:, -1]
        frames.append(state)
    expected = torch.from_numpy(numpy.stack(frames, axis=1))
    torch.testing.assert_close(solution.values[0, :, 1:], expected, rtol=0, atol=2e-10 * expected.abs().max())
    assert solution.values[0, 0].abs().max() > 0.1


def test_the_antiderivative_is_that_of_the_spline():
    """Cubics are integrated exactly, so this is rounding."""
    problem = Antiderivative()
    inputs = problem.sample_inputs(NODES, [1])
    values = inputs["source"].values[0, 0].numpy()
    expected = CubicSpline(NODES.axes[0].points.numpy(), values).antiderivative()(
        NODES.axes[0].points.numpy()
    )
    numpy.testing.assert_allclose(SOLVER.solve(problem, inputs, NODES).values[0, 0], expected, atol=1e-13)


def test_samples_do_not_depend_on_the_batch():
    """One needs more steps than the other."""
    problem = Pendulum(restoring_rate=9.0)
    field = problem.sample_inputs(NODES, [0, 1])["torque"]
    scaled = field.values * torch.tensor([1e-3, 3e2])[:, None, None]
    both = SOLVER.solve(problem, {"torque": Field(scaled, NODES, ("torque",))}, NODES)
    assert both.report.num_steps[1] >= 2 * both.report.num_steps[0]
    assert (both.report.error_estimate <= SOLVER.tolerance).all()
    for sample in (0, 1):
        alone = {"torque": Field(scaled[sample : sample + 1], NODES, ("torque",))}
        values = SOLVER.solve(problem, alone, NODES).values[0]
        torch.testing.assert_close(values, both.values[sample], rtol=1e-11, atol=1e-13)


@dataclass(frozen=True, kw_only=True)
class Growing(OrdinaryProblem):
    """2 s' = 6 x^2 s + u, which knows where it is."""

    name: ClassVar[str] = "growing"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("state"),)

    @property
    def equations(self):
        (x,) = self.space_symbols
        s = self.function("state")
        return (sympy.Eq(2 * sympy.Derivative(s, x), 6 * x**2 * s + self.function("source"), evaluate=False),)


def test_equations_may_hold_the_coordinate_and_a_factor():
    """With u = 6 x^2 the solution is e^(x^3) - 1; cubic splines hold u exactly."""
    grid = Grid.box((21,), "nodes")
    x = grid.axes[0].points
    inputs = {"source": Field((6 * x**2)[None, None], grid, ("source",))}
    solution = SOLVER.solve(Growing(), inputs, grid).values[0, 0]
    torch.testing.assert_close(solution, torch.expm1(x**3), rtol=0, atol=2e-10)


def constant(problem, *levels):
    (variable,) = problem.inputs
    values = torch.tensor(levels, dtype=torch.float64)[:, None, None].expand(-1, 1, NODES.num_points)
    return {variable.name: Field(values.contiguous(), NODES, (variable.name,))}


def test_lost_solutions_are_named():
    """Under the source -4 the solution is -2 tan 2x, which ends at pi / 4 = 0.785."""
    problem = NonlinearODE()
    with pytest.raises(
        SolverError, match=r"blow_up: nonlinear_ode: .* from x = (0\.8|0\.85) on in samples \[1\]"
    ):
        InitialValueSolver(max_steps=16).solve(problem, constant(problem, 1.0, -4.0), NODES)
    with pytest.raises(SolverError) as caught:
        InitialValueSolver(max_steps=2, tolerance=1e-12).solve(
            Pendulum(restoring_rate=500.0), constant(Pendulum(), 0.0, 3000.0), NODES
        )
    assert caught.value.report.status is SolveStatus.STEP_LIMIT
    assert "2 steps between points miss the tolerance 1e-12 in samples [1]" in str(caught.value)


def test_zero_stays_zero():
    problem = Pendulum()
    solution = SOLVER.solve(problem, constant(problem, 0.0), NODES)
    assert torch.equal(solution.values, torch.zeros(1, 2, 41, dtype=torch.float64))


def test_it_is_chosen_and_knows_what_it_cannot_do():
    problem = Antiderivative()
    for kind in ("nodes", AxisKind.CHEBYSHEV):
        grid = Grid.box((12,), kind)
        assert isinstance(suitable(problem, grid), InitialValueSolver)
        assert solve(problem, grid).channels == ("antiderivative",)
    assert "expected an initial value problem" in SOLVER.unsuited(Poisson(dimension=1), NODES)
    with pytest.raises(ValueError, match="expected times=None for a steady problem"):
        SOLVER.solve(problem, problem.sample_inputs(NODES, [0]), NODES, torch.ones(1))
    with pytest.raises(ValueError, match="tolerance: expected"):
        InitialValueSolver(tolerance=0.0)
