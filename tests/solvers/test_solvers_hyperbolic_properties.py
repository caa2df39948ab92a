"""What holds for all data: conservation, no new extrema, no growing variation, and symmetries."""

import math
from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hyperbolic_flows import INVISCID, DiagonalBurgers, cells, fields, times
from hypothesis import given, settings

from pdeops.domains import Grid
from pdeops.problems import Advection, ShallowWater
from solvers import FiniteVolumeSolver, Limiter, NumericalFlux, WenoSolver

ROUNDING = 1e-12

values = st.lists(st.floats(-2.0, 2.0, width=32), min_size=8, max_size=24)
limited = st.builds(
    FiniteVolumeSolver,
    limiter=st.sampled_from([str(item) for item in Limiter]),
    numerical_flux=st.sampled_from([str(item) for item in NumericalFlux]),
    courant=st.sampled_from([0.2, 0.4, 0.5]),
)
any_solver = limited | st.just(WenoSolver())
quick = settings(deadline=None, max_examples=12)


def advanced(solver, problem, grid, *start, t=0.1):
    """Outputs (channels, *shape) after a while."""
    return solver.solve(problem, fields(problem, grid, *start), grid, times(t)).values[0, 0]


def variation(row):
    return (row - row.roll(1)).abs().sum().item()


@quick
@given(values=values, solver=limited)
@pytest.mark.parametrize("problem", [INVISCID, Advection()], ids=["burgers", "advection"])
def test_variation_and_extrema_of_scalar_laws_do_not_grow(problem, values, solver):
    """The properties that give the scheme its name; the data is as rough as it can be."""
    row = torch.tensor(values, dtype=torch.float64)
    grid = Grid.periodic((len(row),))
    later = advanced(solver, problem, grid, row)[0]
    assert variation(later) <= variation(row) + ROUNDING * len(row)
    assert later.max() <= row.max() + ROUNDING
    assert later.min() >= row.min() - ROUNDING


@quick
@given(values=values, solver=any_solver)
def test_the_total_of_a_scalar_law_is_conserved_to_rounding(values, solver):
    row = torch.tensor(values, dtype=torch.float64)
    grid = Grid.periodic((len(row),))
    later = advanced(solver, INVISCID, grid, row)
    assert later.sum().item() == pytest.approx(row.sum().item(), abs=ROUNDING * len(row))
    viscous = replace(INVISCID, viscosity=0.01)
    assert advanced(solver, viscous, grid, row).sum().item() == pytest.approx(
        row.sum().item(), abs=ROUNDING * len(row)
    )


@quick
@given(seed=st.integers(0, 2**31), solver=any_solver)
def test_water_and_momentum_on_a_torus_are_conserved_to_rounding(seed, solver):
    generator = torch.Generator().manual_seed(seed)
    depth, x_momentum, y_momentum = torch.rand(3, 7, 9, generator=generator, dtype=torch.float64)
    start = (0.8 + 0.2 * depth, 0.2 * x_momentum - 0.1, 0.2 * y_momentum)
    grid = Grid.periodic((7, 9), lengths=(1.0, 2.0))
    later = advanced(solver, ShallowWater(), grid, *start)
    torch.testing.assert_close(
        later.sum((-1, -2)), torch.stack(start).sum((-1, -2)), rtol=0, atol=ROUNDING * 63
    )


@quick
@given(values=values, solver=any_solver, shift=st.integers(1, 7))
def test_shifted_data_gives_the_shifted_solution(values, solver, shift):
    row = torch.tensor(values, dtype=torch.float64)
    grid = Grid.periodic((len(row),))
    later = advanced(solver, INVISCID, grid, row)
    assert torch.equal(advanced(solver, INVISCID, grid, row.roll(shift)), later.roll(shift, -1))


@quick
@given(values=values, solver=any_solver)
def test_burgers_is_the_same_in_the_mirror(values, solver):
    """u(x) -> -u(-x), on an interval with open ends."""
    row = torch.tensor(values, dtype=torch.float64)
    grid = cells(len(row))
    later = advanced(solver, INVISCID, grid, row)
    mirrored = advanced(solver, INVISCID, grid, -row.flip(0))
    torch.testing.assert_close(mirrored, -later.flip(-1), rtol=0, atol=1e-11)


@quick
@given(values=values, solver=any_solver, power=st.integers(-3, 3))
def test_burgers_scales(values, solver, power):
    """u -> s u, t -> t / s; and x -> s x, u -> s u at the same time. Powers of two leave no rounding."""
    row, scale = torch.tensor(values, dtype=torch.float64), 2.0**power
    grid = Grid.periodic((len(row),))
    longer = Grid.periodic((len(row),), lengths=(scale,))
    later = advanced(solver, INVISCID, grid, row)
    faster = advanced(solver, INVISCID, grid, scale * row, t=0.1 / scale)
    larger = advanced(solver, INVISCID, longer, scale * row)
    for other in (faster, larger):
        torch.testing.assert_close(other, scale * later, rtol=1e-9, atol=1e-9 * scale)


@quick
@given(seed=st.integers(0, 2**31), solver=any_solver)
def test_water_does_not_know_x_from_y(seed, solver):
    """Turned by a right angle: (x, y) -> (y, -x)."""
    generator = torch.Generator().manual_seed(seed)
    depth, u, v = torch.rand(3, 6, 8, generator=generator, dtype=torch.float64)
    depth, u, v = 0.8 + 0.2 * depth, 0.2 * u - 0.1, 0.2 * v
    grid = Grid.box((6, 8), "cells")
    turned = Grid.box((8, 6), "cells")
    later = advanced(solver, ShallowWater(), grid, depth, u, v)
    other = advanced(solver, ShallowWater(), turned, depth.T.flip(1), v.T.flip(1), -u.T.flip(1))
    back = torch.stack([other[0], -other[2], other[1]]).flip(-1).mT
    torch.testing.assert_close(back, later, rtol=0, atol=1e-12)


def test_two_dimensions_of_a_flow_along_one_are_that_one():
    """Data that depends on x only is carried as in one dimension, but for steps cut for two."""
    row = torch.sin(2 * math.pi * torch.arange(24).double() / 24)
    plane = Grid.periodic((24, 5))
    for solver in (FiniteVolumeSolver(time_step=0.002), WenoSolver(time_step=0.002)):
        later = advanced(solver, Advection(dimension=2, velocity_y="0"), plane, row[:, None].expand(24, 5))
        line = advanced(solver, Advection(), Grid.periodic((24,)), row)
        torch.testing.assert_close(later[0], line[0][:, None].expand(24, 5), rtol=0, atol=1e-13)
    crossed = advanced(FiniteVolumeSolver(), DiagonalBurgers(), plane, row[:, None].expand(24, 5))
    assert crossed.max() <= 1 + ROUNDING
