"""Shocks, fans, bores and walls of the conservation-law solvers against exact flows and other methods."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
import sympy
import torch
from hyperbolic_flows import (
    INVISCID,
    burgers_inputs,
    cells,
    fields,
    norms,
    running_water,
    sine_velocity,
    times,
    water_inputs,
)

from pdeops.domains import Grid, integrate
from pdeops.problems import (
    Advection,
    Burgers1D,
    BurgersJump,
    DamBreak,
    Dirichlet,
    Neumann,
    ShallowWater,
    n_wave,
)
from solvers import FiniteVolumeSolver, SolverError, SpectralSolver, WenoSolver, solve, suitable

SOLVERS = [FiniteVolumeSolver(), FiniteVolumeSolver(numerical_flux="rusanov", limiter="minmod"), WenoSolver()]
IDS = ["finite_volume", "most_diffusive", "weno"]
OPEN_WATER = ShallowWater(dimension=1, boundary={"default": Neumann()})


def burgers_jump_error(solver, jump, num_points):
    grid = cells(num_points, -1.0, 1.0)
    inputs = burgers_inputs(grid, lambda x, t: torch.where(x < 0, jump.left, jump.right).double())
    solution = solver.solve(INVISCID, inputs, grid, times(0.4))
    return norms(solution.values[0, 0, 0] - jump.velocity(grid.coordinates[0], 0.4))["l1"]


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
@pytest.mark.parametrize("jump", [BurgersJump(left=1.2, right=-0.4), BurgersJump(left=1.0, right=0.2)])
def test_a_shock_moves_at_its_speed_and_stays_sharp(solver, jump):
    """A shock is smeared over a fixed number of cells, so the L1 error is in proportion to h."""
    coarse, fine = (burgers_jump_error(solver, jump, n) for n in (50, 200))
    # Half the jump in each of three cells or less, as a mean over 50 or 200 cells.
    height = jump.left - jump.right
    assert coarse < 3 * height / 2 / 50
    assert fine < 3 * height / 2 / 200


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
def test_a_fan_opens_through_the_sonic_point(solver):
    """No expansion shock: the L1 error falls with h, at a kink by h up to a logarithm."""
    errors = [burgers_jump_error(solver, BurgersJump(left=-1.0, right=0.8), n) for n in (50, 100, 200)]
    assert errors[0] < 0.03
    assert max(fine / coarse for coarse, fine in pairwise(errors)) < 0.65


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
def test_the_letter_n_decays_like_the_root_of_time(solver):
    grid = Grid.box((300,), "periodic", lower=(-3.0,), upper=(3.0,))
    (x,) = grid.coordinates
    inputs = burgers_inputs(grid, lambda x, t: n_wave(x, t, length=0.805))
    moments = times(1.0, 3.0, 7.0)
    solution = solver.solve(INVISCID, inputs, grid, moments)
    for frame, t in enumerate(moments.tolist()):
        error = norms(solution.values[0, frame, 0] - n_wave(x, t, length=0.805))["l1"]
        # Two shocks of the height l / sqrt(1 + t) each, three cells of 300 each, and half the height.
        assert error < 3 * 0.805 / math.sqrt(1 + t) / 300
    areas = solution.values.clamp(min=0).sum(-1).flatten() * 6 / 300
    torch.testing.assert_close(areas, torch.full((3,), 0.805**2 / 2).double(), rtol=0.03, atol=0)


def dam_break_errors(solver, dam, num_points):
    grid = cells(num_points, -1.0, 1.0)
    (x,) = grid.coordinates
    depth = torch.where(x < 0, dam.left, dam.right).double()
    problem = replace(OPEN_WATER, gravity=dam.gravity)
    solution = solver.solve(
        problem, fields(problem, grid, depth, 0 * x), grid, times(0.5 / math.sqrt(dam.gravity))
    )
    exact = torch.stack([field(x, 0.5 / math.sqrt(dam.gravity)) for field in (dam.depth, dam.momentum)])
    return solution, norms(solution.values[0, 0] - exact)["l1"]


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
@pytest.mark.parametrize("dam", [DamBreak(right=0.4), DamBreak(right=0.1, gravity=9.81)], ids=str)
def test_dam_break_on_a_wet_bed(solver, dam):
    runs = [dam_break_errors(solver, dam, n) for n in (60, 240)]
    errors = [error for _, error in runs]
    slope = math.log2(errors[0] / errors[1]) / 2
    # Order 1 at the bore; at the two kinks of the fan the diffusive flux has h^(4/5) or so.
    assert slope > 0.8, errors
    solution = runs[-1][0]
    # Between fan and bore the state is constant: the middle of that stretch.
    t = 0.5 / math.sqrt(dam.gravity)
    tail = (dam.middle_velocity - math.sqrt(dam.gravity * dam.middle_depth)) * t
    place = int(((tail + dam.bore_speed * t) / 2 + 1) * 120)
    assert solution.values[0, 0, 0, place].item() == pytest.approx(dam.middle_depth, rel=2e-3)
    speed = solution.values[0, 0, 1, place] / solution.values[0, 0, 0, place]
    assert speed.item() == pytest.approx(dam.middle_velocity, rel=1e-2)


def test_dam_break_over_a_thin_film_is_near_that_on_a_dry_bed():
    """The film of depth e takes up a bore of the size sqrt(e): the water before it is what differs."""
    ritter = DamBreak(right=0.0)
    wet = DamBreak(right=1e-4)
    grid = cells(200, -1.0, 1.0)
    (x,) = grid.coordinates
    difference = norms(wet.depth(x, 0.4) - ritter.depth(x, 0.4))["l1"]
    _, error = dam_break_errors(FiniteVolumeSolver(limiter="minmod"), wet, 200)
    assert difference < 2e-3
    assert error < 1e-2


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
def test_jumps_travel_with_constant_velocity(solver):
    """One turn round the circle: the smeared widths grow like h^(2/3) or less for a limited scheme."""
    problem = Advection()
    errors = []
    for num_points in (48, 192):
        grid = Grid.periodic((num_points,))
        (x,) = grid.coordinates
        square = ((x - 0.5).abs() < 0.2).double()
        solution = solver.solve(problem, fields(problem, grid, square), grid, times(1.0))
        errors.append(norms(solution.values[0, 0, 0] - square)["l1"])
    assert math.log2(errors[0] / errors[1]) / 2 > 0.6, errors


@pytest.mark.parametrize("solver", [FiniteVolumeSolver(), WenoSolver()], ids=["finite_volume", "weno"])
def test_advection_in_two_dimensions_with_a_velocity_that_varies(solver):
    """Without divergence values travel unchanged: u_0(x - t sin(2 pi y) / 2, y)."""
    problem = Advection(dimension=2, velocity_x="sin(2*pi*y)/2", velocity_y="0")
    grid = Grid.periodic((48, 32))
    x, y = grid.coordinates

    def exact(t):
        return torch.sin(2 * math.pi * (x - t / 2 * torch.sin(2 * math.pi * y))) + 0 * y

    solution = solver.solve(problem, fields(problem, grid, exact(0.0)), grid, times(0.5))
    error = norms(solution.values[0, 0, 0] - exact(0.5))["l2"]
    wave = 2 * math.pi / 48
    # The leading errors of a wave of one period over a quarter turn: a few k^3 h^2, or k^6 h^5.
    assert error < (wave**2 if isinstance(solver, FiniteVolumeSolver) else wave**5)


def test_values_flow_in_and_out():
    """The inflow fills the interval, what was there leaves at the other end, and nothing comes back."""
    problem = Advection(boundary={"x_lower": Dirichlet(value="2"), "x_upper": Neumann()})
    grid = cells(60)
    (x,) = grid.coordinates
    start = torch.exp(-100 * (x - 0.5) ** 2)
    for solver in SOLVERS:
        solution = solver.solve(problem, fields(problem, grid, start), grid, times(0.5, 1.3))
        half = solution.values[0, 0, 0]
        assert half[:18].sub(2).abs().max() < 1e-3
        assert solution.values[0, 1, 0].sub(2).abs().max() < 1e-3


def test_inflow_varies_along_the_boundary():
    problem = Advection(
        dimension=2,
        velocity_y="0",
        boundary={"x_lower": Dirichlet(value="1 + y**2"), "default": Neumann()},
    )
    grid = Grid.box((16, 12), "cells")
    solution = FiniteVolumeSolver().solve(
        problem, fields(problem, grid, torch.zeros(16, 12).double()), grid, times(4.0)
    )
    _, y = grid.coordinates
    torch.testing.assert_close(solution.values[0, 0, 0], 1 + y**2, rtol=1e-6, atol=0)


@pytest.mark.parametrize("solver", [FiniteVolumeSolver(), WenoSolver()], ids=["finite_volume", "weno"])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_wall_is_a_mirror(solver, axis):
    """Water between two walls is half of the water on a torus with its mirror image."""
    problem = ShallowWater()
    shape = [10, 10]
    shape[axis] = 20
    ends = ["periodic", "periodic"]
    ends[axis] = "cells"
    box = Grid.box(shape, ends)
    doubled = list(shape)
    doubled[axis] *= 2
    upper = [1.0, 1.0]
    upper[axis] = 2.0
    torus = Grid.box(doubled, "periodic", upper=upper)
    depth = 1 + 0.2 * torch.rand(1, *shape, dtype=torch.float64)
    momenta = [0.2 * torch.rand(1, *shape, dtype=torch.float64) for _ in range(2)]
    dim = axis + 1
    mirrored = [torch.cat([depth, depth.flip(dim)], dim)] + [
        torch.cat([m, (-m if number == axis else m).flip(dim)], dim) for number, m in enumerate(momenta)
    ]
    between = solver.solve(problem, fields(problem, box, depth, *momenta), box, times(0.2))
    around = solver.solve(problem, fields(problem, torus, *mirrored), torus, times(0.2))
    half = around.values.narrow(axis + 3, 0, 20)
    torch.testing.assert_close(between.values, half, rtol=0, atol=1e-13)
    total = integrate(between.values[:, :, 0], box)
    torch.testing.assert_close(total[0], integrate(depth, box), rtol=1e-13, atol=0)


def test_viscous_layers_agree_with_fourier_waves():
    """Cross-check where both apply: smooth before and after the front has formed."""
    problem = Burgers1D(viscosity=0.01)
    grid = Grid.periodic((192,))
    inputs = {"initial_velocity": problem.sample_inputs(grid, [3])["initial_velocity"]}
    fourier = SpectralSolver(tolerance=1e-9).solve(problem, inputs, grid, times(0.1, 0.25))
    weno = WenoSolver().solve(problem, inputs, grid, times(0.1, 0.25))
    volumes = FiniteVolumeSolver().solve(problem, inputs, grid, times(0.1, 0.25))
    assert weno.relative_error(fourier).item() < 2e-4
    assert volumes.relative_error(fourier).item() < 5e-3


def test_a_running_wave_agrees_with_fourier_waves():
    problem, grid = ShallowWater(dimension=1), Grid.periodic((64,))
    inputs = water_inputs(grid)
    exact = torch.stack(running_water(grid.coordinates[0], 0.2))
    fourier = SpectralSolver().solve(problem, inputs, grid, times(0.2))
    assert norms(fourier.values[0, 0] - exact)["l2"] < 1e-6
    weno = WenoSolver().solve(problem, inputs, grid, times(0.2))
    assert norms(weno.values[0, 0] - exact)["l2"] < 1e-4


def test_long_low_waves_move_at_the_speed_of_gravity_waves():
    """A standing wave of amplitude e is e cos(kx) cos(kct), k c = 2 pi sqrt(g h), up to e^2."""
    problem = ShallowWater(dimension=1, gravity=9.81)
    grid = Grid.periodic((48,))
    (x,) = grid.coordinates
    size, depth = 1e-5, 0.4
    start = depth + size * torch.cos(2 * math.pi * x)
    moment = times(0.2)
    for solver, tolerance in ((WenoSolver(), 1e-3), (SpectralSolver(), 1e-4)):
        solution = solver.solve(problem, fields(problem, grid, start, 0 * x), grid, moment)
        phase = 2 * math.pi * math.sqrt(9.81 * depth) * moment.item()
        expected = torch.cos(2 * math.pi * x) * math.cos(phase)
        assert ((solution.values[0, 0, 0] - depth) / size - expected).abs().max() < tolerance


def test_water_at_rest_stays_at_rest():
    problem = ShallowWater()
    grid = Grid.box((12, 9), ("cells", "periodic"))
    still = torch.full((12, 9), 0.7).double()
    for solver in SOLVERS:
        solution = solver.solve(problem, fields(problem, grid, still, 0 * still, 0 * still), grid, times(0.5))
        assert (solution.values[0, 0] - torch.tensor([0.7, 0, 0]).double()[:, None, None]).abs().max() < 1e-14


def test_the_catalogue_takes_finite_volumes_where_shocks_form():
    circle = Grid.periodic((64,))
    assert isinstance(suitable(INVISCID, circle), FiniteVolumeSolver)
    assert isinstance(suitable(Burgers1D(), circle), SpectralSolver)
    assert isinstance(suitable(Advection(), circle), SpectralSolver)
    assert isinstance(suitable(Advection(), cells(64)), FiniteVolumeSolver)
    assert isinstance(suitable(ShallowWater(), Grid.periodic((16, 16))), FiniteVolumeSolver)
    solution = solve(INVISCID, circle, times(3.0), burgers_inputs(circle, sine_velocity))
    assert solution.report.solver == "FiniteVolumeSolver"


def test_every_sample_is_solved_as_if_it_were_alone():
    grid = Grid.periodic((40,))
    (x,) = grid.coordinates
    batch = torch.stack([torch.sin(2 * math.pi * x) * size for size in (0.1, 1.0, 3.0)])
    moments = times(0.0, 0.07, 0.3)
    for solver in SOLVERS:
        together = solver.solve(INVISCID, fields(INVISCID, grid, batch), grid, moments)
        steps = together.report.num_steps.tolist()
        assert steps == sorted(steps)
        assert steps[0] < steps[2]
        assert torch.equal(together.values[:, 0, 0], batch)
        for sample in range(3):
            alone = solver.solve(INVISCID, fields(INVISCID, grid, batch[sample]), grid, moments)
            assert torch.equal(alone.values[0], together.values[sample])
            assert alone.report.num_steps.item() == steps[sample]


def test_sources_act_on_what_is_carried():
    """u_t + u_x = -3 u: values fall by exp(-3 t) while they travel."""

    class Decaying(Advection):
        @property
        def sources(self):
            return (-3 * self.function("density"),)

    problem, grid = Decaying(), Grid.periodic((64,))
    (x,) = grid.coordinates
    solution = WenoSolver().solve(
        problem, fields(problem, grid, torch.sin(2 * math.pi * x)), grid, times(0.25)
    )
    expected = math.exp(-0.75) * torch.sin(2 * math.pi * (x - 0.25))
    assert (solution.values[0, 0, 0] - expected).abs().max() < 1e-5


def test_a_run_that_loses_its_meaning_stops_with_place_and_time():
    """u' = u^2 from 1 has its pole at t = 1; a layer that drains at rate 1 from 1/2 is dry at t = 1/2."""

    class Exploding(Advection):
        @property
        def sources(self):
            return (self.function("density") ** 2,)

    class Draining(ShallowWater):
        @property
        def sources(self):
            return (sympy.Integer(-1), sympy.Integer(0))

    grid = Grid.periodic((20,))
    flat = torch.full((2, 20), 0.5).double()
    flat[1, 7] = 1.0
    for solver in SOLVERS:
        with pytest.raises(
            SolverError, match=r"'density' became (inf|nan|-inf) at x = \S+ at t = (\S+)"
        ) as caught:
            solver.solve(Exploding(), fields(Exploding(), grid, 2 * flat[:1]), grid, times(3.0))
        report = caught.value.report
        assert report.status == "blow_up"
        # Ten steps after the pole at the latest: each squares the value at least.
        assert 1 - 0.1 < float(re.search(r"at t = (\S+)", report.message)[1]) < 1.5
        water = Draining(dimension=1)
        with pytest.raises(
            SolverError, match=r"'depth' became \S+ at x = .*sample 0; 'depth' has to stay positive"
        ) as caught:
            solver.solve(water, fields(water, grid, flat, 0 * flat), grid, times(2.0))
        moment = float(re.search(r"at t = (\S+)", str(caught.value))[1])
        step = float(re.search(r"step length (\S+)\)", str(caught.value))[1])
        assert 0.5 - 1e-6 < moment < 0.5 + 1.01 * step
        assert "deeper layer" in str(caught.value)


def test_bad_input_is_explained():
    grid = cells(32)
    (x,) = grid.coordinates
    with pytest.raises(
        ValueError, match=r"expected positive initial values of 'depth', got 0 in samples \[0\]"
    ):
        FiniteVolumeSolver().solve(OPEN_WATER, fields(OPEN_WATER, grid, 0 * x, 0 * x), grid, times(1.0))
    thick = Burgers1D(viscosity=1e3, boundary={"default": Neumann()})
    with pytest.raises(SolverError, match="diffusion limits it to the squared spacing") as caught:
        FiniteVolumeSolver(max_steps=100).solve(thick, burgers_inputs(grid, sine_velocity), grid, times(1.0))
    assert caught.value.report.status == "step_limit"
    nodes = Grid.box((32,), "nodes")
    assert "expected periodic axes or cells, got nodes" in FiniteVolumeSolver().unsuited(INVISCID, nodes)
    assert "expected 3 or more cells an axis, got 2" in WenoSolver().unsuited(INVISCID, Grid.periodic((2,)))
    flux = replace(INVISCID, boundary={"default": Neumann(flux="1")})
    assert "expected Dirichlet or Neumann(flux=0)" in FiniteVolumeSolver().unsuited(flux, grid)
    for settings, message in (
        ({"courant": 0.0}, "courant: expected a number above 0 and up to 1, got 0.0; try 0.4"),
        ({"time_step": -1.0}, "time_step: expected a positive number or None, got -1.0; try None"),
        ({"max_steps": 0}, "max_steps: expected 1 or more, got 0; try 1000000"),
        (
            {"limiter": "superbee"},
            "limiter: expected one of minmod, van_leer, monotonized_central, got 'superbee'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            FiniteVolumeSolver(**settings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
def test_a_gpu_gives_the_same_solution(solver):
    problem = ShallowWater(boundary={"y_lower": Dirichlet(), "y_upper": Neumann()})
    grid = Grid.box((12, 10), ("periodic", "cells"))
    torch.manual_seed(0)
    start = [1 + 0.2 * torch.rand(3, 12, 10).double(), *(0.2 * torch.rand(2, 3, 12, 10).double() - 0.1)]
    inputs = fields(problem, grid, *start)
    on_cpu = solver.solve(problem, inputs, grid, times(0.1, 0.3))
    on_gpu = solver.solve(
        problem, {k: field.to("cuda") for k, field in inputs.items()}, grid, times(0.1, 0.3)
    )
    assert on_gpu.values.is_cuda
    assert on_gpu.report.num_steps.tolist() == on_cpu.report.num_steps.tolist()
    torch.testing.assert_close(on_gpu.values.cpu(), on_cpu.values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("solver", [FiniteVolumeSolver(), WenoSolver()], ids=["finite_volume", "weno"])
def test_values_given_at_walls_hold_a_viscous_shock(solver):
    # u = -tanh(x / (2 nu)) stands still between its own values at the walls. A wall that gives other values
    # leaves an error that no grid removes. Where a limiter acts, the largest error is of first order, else of
    # more, so half the width of the cells leaves less than half of it.
    ends = {"x_lower": Dirichlet(value="tanh(5/2)"), "x_upper": Dirichlet(value="-tanh(5/2)")}
    problem = Burgers1D(viscosity=0.1, boundary=ends)
    errors = []
    for count in (20, 40):
        grid = Grid.box((count,), "cells", lower=(-0.5,), upper=(0.5,))
        shock = -torch.tanh(grid.coordinates[0] / 0.2)
        given = fields(problem, grid, shock)
        errors.append((solver.solve(problem, given, grid, times(1.0)).values[0, 0, 0] - shock).abs().max())
    assert errors[1] < 2e-3
    assert errors[0] / errors[1] > 2
