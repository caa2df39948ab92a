"""Time-dependent solvers: exact solutions, conservation, independence of the batch, step control, errors."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from pdeops.domains import Field, Grid
from pdeops.problems import Burgers1D, Darcy2D, NavierStokes2D
from solvers import CrankNicolsonEulerSolver, Solution, SolverError, SolveStatus, SpectralSolver


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(scope="module")
def flow():
    """Navier-Stokes on a small grid with three samples."""
    problem, grid = NavierStokes2D(viscosity=1e-3), Grid.periodic((24, 24))
    return problem, problem.sample_inputs(grid, [0, 1, 2]), grid


def vorticity(grid, values):
    return {"initial_vorticity": Field(values[:, None], grid, ("initial_vorticity",))}


@pytest.mark.parametrize(
    ("problem", "name", "shape"),
    [
        (NavierStokes2D(viscosity=0.01), "taylor_green", (16, 16)),
        (NavierStokes2D(viscosity=0.01), "forced_relaxation", (15, 18)),
        (NavierStokes2D(viscosity=0.05), "manufactured_steady", (16, 17)),
        (Burgers1D(), "cole_hopf", (64,)),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.parametrize("pad", [False, True], ids=["truncate", "pad"])
def test_exact_solutions_are_met(problem, name, shape, pad):
    exact = problem.exact_solutions()[name]
    grid = Grid.periodic(shape)
    solver = SpectralSolver(tolerance=1e-9, pad_products=pad)
    solution = solver.solve(exact.problem, exact.inputs(grid), grid, times(0.1, 0.2))
    for frame in range(2):
        error = solution.snapshot(frame).relative_error(exact.solution(grid, times(0.1, 0.2)).snapshot(frame))
        assert error.item() < 1e-8
    assert isinstance(solution, Solution)
    assert solution.values.dtype == torch.float64
    assert solution.channels == tuple(variable.name for variable in problem.outputs)


def test_the_residual_of_a_solution_vanishes_up_to_the_time_difference():
    problem, grid = NavierStokes2D(viscosity=0.01), Grid.periodic((32, 32))
    inputs = problem.sample_inputs(grid, [4])
    frames = 0.5 + 0.02 * torch.arange(9, dtype=torch.float64)
    solution = SpectralSolver(time_step=0.02).solve(problem, inputs, grid, frames)
    residual = problem.residual(solution, inputs).select("vorticity").snapshot(4)
    rate = Field((solution.values[:, 5] - solution.values[:, 3]) / 0.04, grid, ("vorticity",))
    assert (residual.norm() / rate.norm()).item() < 1e-5


def test_mean_vorticity_is_conserved(flow):
    problem, inputs, grid = flow
    values = inputs["initial_vorticity"].values[:, 0]
    shifted = vorticity(grid, values - values.mean((-1, -2), keepdim=True) + 0.3)
    for solver in (SpectralSolver(time_step=0.1), CrankNicolsonEulerSolver(time_step=0.02)):
        solution = solver.solve(problem, shifted, grid, times(1.0))
        means = solution.values.mean((-1, -2)).flatten()
        torch.testing.assert_close(means, torch.full((3,), 0.3, dtype=torch.float64), rtol=0, atol=1e-14)


def test_enstrophy_falls_by_what_viscosity_takes(flow):
    # Without forcing, d/dt of half the squared vorticity is -nu times the squared gradient: transport adds
    # nothing.
    problem, inputs, grid = flow
    decaying = replace(problem, viscosity=0.01, forcing_amplitude=0.0)
    frames = torch.linspace(0.5, 1.5, 41, dtype=torch.float64)
    solution = SpectralSolver(time_step=0.025).solve(decaying, inputs, grid, frames)
    enstrophy, dissipation = [], []
    for frame in range(len(frames)):
        snapshot = solution.snapshot(frame)
        squared = snapshot.norm() ** 2
        enstrophy.append(squared / 2)
        dissipation.append(0.01 * (snapshot.norm("h1") ** 2 - squared))
    enstrophy, dissipation = torch.stack(enstrophy), torch.stack(dissipation)
    assert (enstrophy.diff(dim=0) < 0).all()
    simpson = torch.ones(41).double()
    simpson[1:-1:2], simpson[2:-1:2] = 4, 2
    lost = (simpson[:, None] * dissipation).sum(0) * (0.025 / 3)
    torch.testing.assert_close(enstrophy[0] - enstrophy[-1], lost, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "solver",
    [SpectralSolver(tolerance=1e-5), SpectralSolver(time_step=0.1), CrankNicolsonEulerSolver(time_step=0.02)],
)
def test_a_sample_does_not_depend_on_its_batch(flow, solver):
    problem, inputs, grid = flow
    # Amplitudes far apart make step control choose different steps.
    scaled = vorticity(
        grid, inputs["initial_vorticity"].values[:, 0] * torch.tensor([0.05, 1.0, 4.0]).view(3, 1, 1)
    )
    together = solver.solve(problem, scaled, grid, times(0.5, 1.0))
    for sample in range(3):
        one = {"initial_vorticity": scaled["initial_vorticity"].sample(sample)}
        alone = solver.solve(problem, one, grid, times(0.5, 1.0))
        assert alone.relative_error(together.sample(sample)).item() < 1e-13
        assert alone.report.num_steps[0] == together.report.num_steps[sample]
    if isinstance(solver, SpectralSolver) and solver.time_step is None:
        assert together.report.num_steps.unique().numel() > 1


def test_step_control_meets_its_tolerance(flow):
    problem, inputs, grid = flow
    reference = SpectralSolver(time_step=1 / 256).solve(problem, inputs, grid, times(0.5))
    previous = 0
    for tolerance in (1e-4, 1e-6, 1e-8):
        solution = SpectralSolver(tolerance=tolerance).solve(problem, inputs, grid, times(0.5))
        error = solution.relative_error(reference)
        estimate = solution.report.error_estimate
        assert (estimate <= tolerance).all()
        assert (estimate / error).tolist() == pytest.approx([1.0] * 3, rel=0.5)
        assert solution.report.num_steps.min() > previous
        previous = solution.report.num_steps.max()


def test_a_smooth_start_is_not_paid_for_twice(flow):
    problem, inputs, grid = flow
    frames = torch.arange(1, 9, dtype=torch.float64) / 8
    solution = SpectralSolver(tolerance=1e-6).solve(problem, inputs, grid, frames)
    fixed = SpectralSolver(time_step=1 / 64).solve(problem, inputs, grid, frames)
    assert solution.relative_error(fixed).max() < 8e-6
    assert solution.report.num_steps.max() <= 64


def test_output_times_are_met_exactly_whatever_the_step():
    exact = NavierStokes2D(viscosity=0.02).exact_solutions()["forced_relaxation"]
    grid = Grid.periodic((12, 12))
    frames = times(0.0, 0.1, 0.3, 0.35, 1.0)
    solution = SpectralSolver(time_step=0.07).solve(exact.problem, exact.inputs(grid), grid, frames)
    reference = exact.solution(grid, frames)
    assert torch.equal(solution.times, frames)
    # The forcing is constant and transport vanishes, so only a wrong time could make an error.
    torch.testing.assert_close(solution.values, reference.values, rtol=0, atol=1e-12)
    # 0.1 / 0.07 -> 2 steps, 0.2 -> 3, 0.05 -> 1, 0.65 -> 10.
    assert solution.report.num_steps.tolist() == [16]


def test_time_zero_gives_the_initial_values_bit_for_bit(flow):
    problem, inputs, grid = flow
    solution = SpectralSolver(time_step=0.1).solve(problem, inputs, grid, times(0.0, 0.1))
    assert torch.equal(solution.values[:, 0], inputs["initial_vorticity"].values)


def test_restarting_from_a_frame_goes_on_along_the_same_trajectory(flow):
    problem, inputs, grid = flow
    solver = SpectralSolver(time_step=0.05)
    whole = solver.solve(problem, inputs, grid, times(0.5, 1.0))
    restarted = solver.solve(problem, vorticity(grid, whole.values[:, 0, 0]), grid, times(0.5))
    assert restarted.snapshot(0).relative_error(whole.snapshot(1)).max() < 1e-12


def test_the_two_time_steppers_agree(flow):
    problem, inputs, grid = flow
    ours = SpectralSolver().solve(problem, inputs, grid, times(0.2))
    theirs = [
        CrankNicolsonEulerSolver(time_step=step).solve(problem, inputs, grid, times(0.2))
        for step in (0.004, 0.002)
    ]
    # Extrapolation removes the first-order error of the other method, so what is left is of second order.
    extrapolated = replace(theirs[1], values=2 * theirs[1].values - theirs[0].values)
    assert ours.relative_error(extrapolated).max() < 1e-5
    assert ours.relative_error(theirs[1]).max() > 1e-5


def test_padding_and_truncation_agree_on_resolved_flow():
    problem = NavierStokes2D(viscosity=0.02)
    coarse, fine = Grid.periodic((32, 33)), Grid.periodic((48, 50))
    inputs = problem.sample_inputs(Grid.periodic((12, 12)), [7])["initial_vorticity"]
    padded = SpectralSolver(pad_products=True).solve(
        problem, {"initial_vorticity": inputs.resample(coarse)}, coarse, times(1.0)
    )
    truncated = SpectralSolver().solve(
        problem, {"initial_vorticity": inputs.resample(fine)}, fine, times(1.0)
    )
    assert padded.resample(fine).relative_error(truncated).item() < 1e-8


def test_rotated_and_shifted_data_gives_the_rotated_and_shifted_flow(flow):
    problem, inputs, grid = flow
    problem = replace(problem, forcing_amplitude=0.0)
    values = inputs["initial_vorticity"].values[:, 0]
    moved = torch.rot90(values.roll((3, 5), (1, 2)), 1, (1, 2))
    solver = SpectralSolver(time_step=0.1)
    plain = solver.solve(problem, inputs, grid, times(1.0)).values[:, 0, 0]
    turned = solver.solve(problem, vorticity(grid, moved), grid, times(1.0)).values[:, 0, 0]
    expected = torch.rot90(plain.roll((3, 5), (1, 2)), 1, (1, 2))
    # The Nyquist waves of the random field have no derivative and are dropped on both sides.
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-11)


def test_waves_beyond_the_de_aliased_band_decay_by_viscosity_alone():
    problem, grid = NavierStokes2D(viscosity=0.01, forcing_amplitude=0.0), Grid.periodic((16, 16))
    x, _ = grid.coordinates
    wave = 2 * math.pi * 7  # K = 5 of 16 points
    solution = SpectralSolver().solve(problem, vorticity(grid, torch.cos(wave * x)[None]), grid, times(0.05))
    expected = math.exp(-0.01 * wave**2 * 0.05) * torch.cos(wave * x)
    torch.testing.assert_close(solution.values[0, 0, 0], expected, rtol=0, atol=1e-12)


def test_single_precision_data_is_solved_in_double(flow):
    problem, inputs, grid = flow
    single = {"initial_vorticity": inputs["initial_vorticity"].to(dtype=torch.float32)}
    solution = SpectralSolver(time_step=0.1).solve(problem, single, grid, times(0.2))
    double = SpectralSolver(time_step=0.1).solve(problem, inputs, grid, times(0.2))
    assert solution.values.dtype == torch.float64
    assert 0 < solution.relative_error(double).max() < 1e-6


class TestFailures:
    def test_blow_up_names_step_time_and_samples(self):
        # One sample is 1e5 times too fast for the step, the other is calm.
        problem, grid = NavierStokes2D(viscosity=1e-2), Grid.periodic((16, 16))
        values = problem.sample_inputs(grid, [0, 1])["initial_vorticity"].values[:, 0]
        inputs = vorticity(grid, values * torch.tensor([1.0, 1e5]).view(2, 1, 1))
        solver = CrankNicolsonEulerSolver(time_step=0.02)
        with pytest.raises(SolverError, match=r"blow_up: step \d+ after t = 0 .* in samples \[1\]") as caught:
            solver.solve(problem, inputs, grid, times(2.0))
        assert caught.value.report.status is SolveStatus.BLOW_UP
        with pytest.raises(
            SolverError, match=r"blow_up: step \d+ after t = 0 .* in samples \[1\].*time_step=None"
        ):
            SpectralSolver(time_step=0.1).solve(problem, inputs, grid, times(2.0))

    def test_step_control_says_when_it_gives_up(self, flow):
        problem, inputs, grid = flow
        with pytest.raises(SolverError, match=r"step_limit: 8 steps .* in samples \[0, 1, 2\]") as caught:
            SpectralSolver(max_steps=8, tolerance=1e-10).solve(problem, inputs, grid, times(1.0))
        assert caught.value.report.status is SolveStatus.STEP_LIMIT

    def test_bad_initial_values_are_named(self, flow):
        problem, inputs, grid = flow
        values = inputs["initial_vorticity"].values[:, 0].clone()
        values[1, 0, 0] = math.nan
        with pytest.raises(ValueError, match=r"NaN or infinity in samples \[1\]"):
            SpectralSolver().solve(problem, vorticity(grid, values), grid, times(1.0))

    @pytest.mark.parametrize("bad", [None, (), (-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (math.inf,)])
    def test_bad_times(self, flow, bad):
        with pytest.raises(ValueError, match="times"):
            SpectralSolver().solve(*flow, None if bad is None else times(*bad))

    def test_wrong_problem_domain_and_input(self, flow):
        problem, inputs, grid = flow
        darcy, box = Darcy2D(), Grid.box((8, 8), "cells")
        with pytest.raises(ValueError, match="SemilinearProblem"):
            SpectralSolver().solve(darcy, darcy.sample_inputs(box, [0]), box, times(1.0))
        with pytest.raises(ValueError, match=r"initial_vorticity.*resample"):
            SpectralSolver().solve(problem, inputs, Grid.periodic((16, 16)), times(1.0))
        with pytest.raises(ValueError, match="initial_vorticity"):
            SpectralSolver().solve(problem, {}, grid, times(1.0))
        with pytest.raises(ValueError, match="periodic"):
            SpectralSolver().solve(problem, inputs, box, times(1.0))

    @pytest.mark.parametrize(
        "settings",
        [
            {"time_step": 0.0},
            {"time_step": math.nan},
            {"tolerance": 1e-15},
            {"tolerance": 2.0},
            {"max_steps": 1},
        ],
    )
    def test_bad_settings(self, settings):
        with pytest.raises(ValueError, match=next(iter(settings))):
            SpectralSolver(**settings)
        if settings.get("time_step") == 0.0:
            with pytest.raises(ValueError, match="time_step"):
                CrankNicolsonEulerSolver(**settings)


def test_settings_are_plain_and_complete():
    assert SpectralSolver(time_step=0.1).settings == {
        "solver": "SpectralSolver",
        "time_step": 0.1,
        "tolerance": 1e-8,
        "max_steps": 65536,
        "pad_products": False,
    }
    assert CrankNicolsonEulerSolver().settings == {"solver": "CrankNicolsonEulerSolver", "time_step": 1e-4}


@pytest.mark.gpu
def test_the_gpu_gives_the_same_solution(flow):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    problem, inputs, grid = flow
    on_gpu = {name: field.to("cuda") for name, field in inputs.items()}
    for solver in (SpectralSolver(), CrankNicolsonEulerSolver(time_step=0.01)):
        there = solver.solve(problem, on_gpu, grid, times(0.5))
        here = solver.solve(problem, inputs, grid, times(0.5))
        assert there.values.is_cuda
        assert there.to("cpu").relative_error(here).max() < 1e-12


@pytest.mark.parametrize(
    ("solver", "sizes"),
    [
        (SpectralSolver(time_step=0.01), [8, 14, 20, 26]),
        (SpectralSolver(time_step=0.01, pad_products=True), [6, 10, 14, 18]),
    ],
    ids=["truncate", "pad"],
)
def test_errors_in_space_of_the_spectral_solver_fall_geometrically(solver, sizes):
    # The exact solution has its poles at cos 2 pi x = -2 at time 0 and further away later, so the k-th
    # coefficient is at most of order r^k, r = 2 - sqrt(3). The sizes keep 2, 4, 6 and 8 waves: two more gain
    # a factor of r^2.
    exact = Burgers1D().exact_solutions()["cole_hopf"]
    times = torch.tensor([0.1], dtype=torch.float64)
    errors = []
    for num_points in sizes:
        grid = Grid.periodic((num_points,))
        solution = solver.solve(exact.problem, exact.inputs(grid), grid, times)
        errors.append(solution.relative_error(exact.solution(grid, times)).item())
    assert solver.space_order == math.inf
    assert errors[-1] > 1e-12, "rounding or the time step would make the ratio"
    assert max(fine / coarse for coarse, fine in pairwise(errors)) < (2 - 3**0.5) ** 2, errors
