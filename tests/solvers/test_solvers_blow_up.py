"""Lost solutions are found at once: when, in which sample, where, and what would help."""

import math
import re
from dataclasses import dataclass

import pytest
import torch
from periodic_systems import Bistable, System, variables

from pdeops.domains import Field, Grid
from pdeops.problems import Burgers1D
from solvers import (
    CrankNicolsonEulerSolver,
    ExplicitRungeKuttaSolver,
    ImexRungeKuttaSolver,
    SolverError,
    SolveStatus,
    SpectralSolver,
    solve,
)


@dataclass(frozen=True, kw_only=True)
class Explosive(System):
    """u_t = u^2 + u_xx / 1000: constants end at time 1 / u."""

    inputs, outputs = variables("u")

    def sides(self, u):
        return (u**2 + self.laplacian(u) / 1000,)


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def failure(solver, problem, inputs, grid, *frames):
    with pytest.raises(SolverError) as caught:
        solver.solve(problem, inputs, grid, times(*frames))
    return caught.value


@pytest.mark.parametrize(
    "solver",
    [
        SpectralSolver(time_step=0.005),
        ImexRungeKuttaSolver(time_step=0.005),
        ExplicitRungeKuttaSolver(time_step=0.005),
        CrankNicolsonEulerSolver(time_step=0.005),
    ],
    ids=lambda s: type(s).__name__,
)
def test_fixed_steps_stop_at_the_end_of_the_solution(solver):
    problem, grid = Explosive(), Grid.periodic((16,), lengths=(4.0,))
    (x,) = grid.coordinates
    bump = 2 * torch.exp(-((x - 1.25) ** 2) * 4)
    inputs = problem.fields(grid, torch.stack([0 * x, bump]))
    error = failure(solver, problem, inputs, grid, 0.1, 50.0)
    assert error.report.status is SolveStatus.BLOW_UP
    found = re.search(
        r"step (\d+) after t = 0\.1 \(to t = ([\d.]+), .* in samples \[1\]; the largest value before was "
        r"\|u\| = ([\d.e+]+) in sample 1 at x = ([\d.]+)",
        str(error),
    )
    assert found, str(error)
    # The bump of height 2 ends at 0.5 or a little later; the explicit methods run past it by a few steps.
    assert 0.45 < float(found[2]) < 1.0
    assert float(found[2]) == pytest.approx(0.1 + int(found[1]) * 0.005, abs=1e-4)
    assert float(found[3]) > 100
    assert abs(float(found[4]) - 1.25) <= 0.25
    assert error.report.seconds < 20  # 10000 steps of the interval are not made


def test_the_step_control_of_explicit_methods_finds_the_time():
    problem, grid = Explosive(), Grid.periodic((8,))
    inputs = problem.fields(grid, torch.full((1, 8), 2.0, dtype=torch.float64))
    solver = ExplicitRungeKuttaSolver(tolerance=1e-4, max_steps=2000)
    error = failure(solver, problem, inputs, grid, 2.0)
    assert error.report.status is SolveStatus.BLOW_UP
    time = float(re.search(r"fell to nothing at t = ([\d.]+)", str(error))[1])
    assert time == pytest.approx(0.5, rel=1e-4)  # the tolerance


def test_an_unresolved_start_is_said_to_be_unresolved():
    problem, grid = Burgers1D(viscosity=1e-5), Grid.periodic((32,))
    generator = torch.Generator().manual_seed(0)
    rough = 100 * torch.randn(1, 1, 32, generator=generator, dtype=torch.float64)
    smooth = 100 * torch.sin(2 * math.pi * grid.coordinates[0])[None, None]
    from pdeops.domains import Field

    messages = []
    for values in (rough, smooth):
        inputs = {"initial_velocity": Field(values, grid, ("initial_velocity",))}
        messages.append(str(failure(SpectralSolver(time_step=0.05), problem, inputs, grid, 50.0)))
    assert "outer third of the waves" in messages[0]
    assert "so try more points first" in messages[0]
    assert re.search(r"the initial data is resolved, so try steps of 0\.01[23] or less", messages[1])


def test_stiffness_is_named():
    problem, grid = Burgers1D(viscosity=1.0), Grid.periodic((128,))
    inputs = problem.exact_solutions()["cole_hopf"].inputs(grid)
    error = failure(ExplicitRungeKuttaSolver(max_steps=200), problem, inputs, grid, 0.5)
    assert error.report.status is SolveStatus.STEP_LIMIT
    bound = float(re.search(r"limits explicit steps to ([\d.e-]+)\)", str(error))[1])
    assert bound == pytest.approx(3.3 / (2 * math.pi * 42) ** 2, rel=0.05)
    assert "try SpectralSolver" in str(error)


def test_waves_that_only_the_nonlinear_part_could_bound_are_dropped():
    # K = 3 of 16 points; the wave 5 grows linearly at a rate of 1 - (10 pi)^2 / 200 / 16 > 0 on this box.
    problem, grid = Bistable(), Grid.periodic((16,), lengths=(4.0,))
    (x,) = grid.coordinates
    k = 2 * math.pi / 4
    start = 0.1 * torch.cos(k * x) + 0.01 * torch.cos(5 * k * x)
    solver = SpectralSolver(time_step=0.1)
    solution = solver.solve(problem, problem.fields(grid, start[None]), grid, times(0.0, 10.0))
    smooth = solver.solve(problem, problem.fields(grid, (0.1 * torch.cos(k * x))[None]), grid, times(10.0))
    assert torch.equal(solution.values[0, 0, 0], start)
    torch.testing.assert_close(solution.values[:, 1], smooth.values[:, 0], rtol=0, atol=1e-12)
    assert solution.values.abs().max() < 1.5


@pytest.mark.parametrize(("num_points", "viscosity"), [(64, 1e-4), (64, 1e-3)])
def test_a_shock_that_the_grid_does_not_hold_is_said_to_be_under_resolved(num_points, viscosity, caplog):
    """|u| <= 1 by the maximum principle, and far less at t = 1; the steps alone would call it converged."""
    grid = Grid.periodic((num_points,))
    wave = torch.sin(2 * math.pi * grid.coordinates[0])
    inputs = {"initial_velocity": Field(wave[None, None], grid, ("initial_velocity",))}
    times = torch.tensor([1.0], dtype=torch.float64)
    solution = SpectralSolver().solve(Burgers1D(viscosity=viscosity), inputs, grid, times)
    assert solution.report.status is SolveStatus.UNDER_RESOLVED
    assert "under-resolved at t = 1: the outer third of the waves" in caplog.text
    assert "finite volume solver" in caplog.text
    fine = SpectralSolver().solve(Burgers1D(viscosity=0.01), inputs, grid, times)
    assert fine.report.status is SolveStatus.CONVERGED


@pytest.mark.usefixtures("unchecked")
def test_arguments_of_another_type_are_named():
    problem, grid = Burgers1D(), Grid.periodic((16,))
    with pytest.raises(TypeError, match=r"expected times as a tensor, got a list; try torch.tensor"):
        solve(problem, grid, [1.0])
    with pytest.raises(TypeError, match=r"expected a solver, got .*; try SpectralSolver\(\)"):
        solve(problem, grid, torch.tensor([1.0]), solver=SpectralSolver)
    with pytest.raises(TypeError, match="'initial_velocity' as a Field, got a Tensor; try Field"):
        solve(problem, grid, torch.tensor([1.0]), {"initial_velocity": torch.zeros(1, 1, 16)})
