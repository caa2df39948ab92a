"""Symmetries of evolution equations: moved data gives the moved solution."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdeops.domains import Field, Grid
from pdeops.problems import (
    AdvectionDiffusionReaction,
    AllenCahn,
    CahnHilliard,
    FisherKPP,
    GrayScott,
    HeatEquation,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes3D,
    NonlinearSchrodinger,
    Wave,
)
from solvers import SpectralSolver

SEEDS = st.integers(min_value=0, max_value=10**6)
EXAMPLES = settings(max_examples=2, deadline=None)

# Problem, points an axis, time; six steps, over which nothing grows by more than a hundred.
PROBLEMS = [
    (HeatEquation(), (16, 16), 0.5),
    (AdvectionDiffusionReaction(), (16, 16), 0.3),
    (AllenCahn(), (16, 16), 0.3),
    (FisherKPP(), (16, 16), 1.0),
    (CahnHilliard(), (16, 16), 1e-3),
    (KortewegDeVries(), (48,), 0.1),
    (KuramotoSivashinsky(), (64,), 2.0),
    (KuramotoSivashinsky(dimension=2), (24, 24), 1.0),
    (GrayScott(), (16, 16), 10.0),
    (Wave(), (16, 16), 0.3),
    (NonlinearSchrodinger(), (48,), 0.3),
    (NavierStokes3D(), (12, 12, 12), 0.3),
]
EVERY = pytest.mark.parametrize(
    ("problem", "shape", "final"), PROBLEMS, ids=[f"{p.name}-{p.dimension}d" for p, *_ in PROBLEMS]
)


def sampled(problem, grid, seed):
    """Initial values (channels, *shape), without the Nyquist waves, whose derivative is unknown."""
    coarse = grid.with_shape([n - 1 for n in grid.shape])
    inputs = problem.sample_inputs(coarse, [seed])
    return torch.cat([field.resample(grid).values[0] for field in inputs.values()])


def evolve(problem, grid, values, final, *, steps=6):
    """Values of the outputs at a time, (channels, *shape)."""
    names = [variable.name for variable in problem.inputs]
    inputs = {name: Field(item[None, None], grid, (name,)) for name, item in zip(names, values, strict=True)}
    solver = SpectralSolver(time_step=final / steps)
    return solver.solve(problem, inputs, grid, torch.tensor([final], dtype=torch.float64)).values[0, 0]


def assert_same(left, right):
    """To a thousand roundings of the largest value."""
    scale = right.abs().max().item()
    torch.testing.assert_close(left, right, rtol=0, atol=1e-11 * scale)


@EVERY
@EXAMPLES
@given(seed=SEEDS, shift=st.integers(min_value=1, max_value=11))
def test_translation(problem, shape, final, seed, shift):
    grid = problem.default_domain(shape)
    values, dims = sampled(problem, grid, seed), tuple(range(1, len(shape) + 1))
    shifts = tuple(shift + axis for axis in range(len(shape)))
    moved = evolve(problem, grid, values.roll(shifts, dims), final)
    assert_same(moved, evolve(problem, grid, values, final).roll(shifts, dims))


def reflected(values):
    """Values at -x on the first axis of a periodic grid."""
    return values.flip(1).roll(1, 1)


SCALARS = {"heat", "allen_cahn", "fisher_kpp", "cahn_hilliard", "gray_scott", "wave", "nonlinear_schrodinger"}


@pytest.mark.parametrize(
    ("problem", "shape", "final"),
    [item for item in PROBLEMS if item[0].name in SCALARS or item[0] == KuramotoSivashinsky(dimension=2)],
    ids=lambda item: getattr(item, "name", ""),
)
@EXAMPLES
@given(seed=SEEDS)
def test_reflection(problem, shape, final, seed):
    grid = problem.default_domain(shape)
    values = sampled(problem, grid, seed)
    assert_same(
        evolve(problem, grid, reflected(values), final), reflected(evolve(problem, grid, values, final))
    )


@EXAMPLES
@given(seed=SEEDS)
def test_a_slope_changes_sign_when_reflected(seed):
    problem = KuramotoSivashinsky()
    grid = problem.default_domain((64,))
    values = sampled(problem, grid, seed)
    assert_same(
        evolve(problem, grid, -reflected(values), 2.0), -reflected(evolve(problem, grid, values, 2.0))
    )


@pytest.mark.parametrize(
    ("problem", "shape", "final"),
    [item for item in PROBLEMS if item[0].name in {"heat", "allen_cahn", "cahn_hilliard", "wave"}],
    ids=lambda item: getattr(item, "name", ""),
)
@EXAMPLES
@given(seed=SEEDS)
def test_exchange_of_the_phases(problem, shape, final, seed):
    grid = problem.default_domain(shape)
    values = sampled(problem, grid, seed)
    assert_same(evolve(problem, grid, -values, final), -evolve(problem, grid, values, final))


@pytest.mark.parametrize(
    ("problem", "shape", "final"),
    [item for item in PROBLEMS if len(item[1]) == 2 and item[0].name != "advection_diffusion_reaction"],
    ids=lambda item: getattr(item, "name", ""),
)
@EXAMPLES
@given(seed=SEEDS)
def test_rotation(problem, shape, final, seed):
    grid = problem.default_domain(shape)
    values = sampled(problem, grid, seed)
    turned = evolve(problem, grid, torch.rot90(values, 1, (1, 2)), final)
    assert_same(turned, torch.rot90(evolve(problem, grid, values, final), 1, (1, 2)))


@EXAMPLES
@given(seed=SEEDS)
def test_rotation_of_a_flow_in_three_dimensions(seed):
    """About the diagonal: coordinates and components change places in turn."""
    problem = NavierStokes3D()
    grid = problem.default_domain((12, 12, 12))
    values = sampled(problem, grid, seed)

    def turned(flow):
        return flow.roll(1, 0).permute(0, 3, 1, 2)

    assert_same(evolve(problem, grid, turned(values), 0.3), turned(evolve(problem, grid, values, 0.3)))


class TestGalilei:
    """A uniform velocity carries everything along: by whole points, so that nothing is interpolated.

    The two runs differ by the error in time, as the solver integrates transport by steps.
    """

    @EXAMPLES
    @given(seed=SEEDS, points=st.integers(min_value=1, max_value=5))
    def test_korteweg_de_vries(self, seed, points):
        problem, final, steps = KortewegDeVries(dispersion=0.05), 0.1, 100
        grid = problem.default_domain((64,))
        speed = points * 2 * math.pi / 64 / (6 * final)
        values = sampled(problem, grid, seed)
        carried = evolve(problem, grid, values + speed, final, steps=steps) - speed
        plain = evolve(problem, grid, values, final, steps=steps).roll(points, 1)
        # Waves up to k = 21 move with 6 c: each step turns them by 6 c k h, too far by its fifth power / 120.
        turn = 6 * speed * 21 * final / steps
        assert (carried - plain).norm() / plain.norm() < steps * turn**5 / 120 + 1e-9

    @EXAMPLES
    @given(seed=SEEDS, points=st.integers(min_value=1, max_value=5))
    def test_kuramoto_sivashinsky(self, seed, points):
        problem, final, steps = KuramotoSivashinsky(), 2.0, 60
        grid = problem.default_domain((64,))
        speed = points * 32 * math.pi / 64 / final
        values = sampled(problem, grid, seed)
        carried = evolve(problem, grid, values + speed, final, steps=steps) - speed
        plain = evolve(problem, grid, values, final, steps=steps).roll(points, 1)
        turn = speed * 21 / 16 * final / steps
        # Twice the bound of one wave, for growth by exp(1/4 t) at most.
        assert (carried - plain).norm() / plain.norm() < 2 * steps * turn**5 / 120 + 1e-9

    @EXAMPLES
    @given(seed=SEEDS, number=st.integers(min_value=1, max_value=3))
    def test_nonlinear_schrodinger(self, seed, number):
        """Times exp(i v x - i v^2 t / 2), moved by v t: v = 2 pi n / 10 fits the period."""
        problem, steps = NonlinearSchrodinger(), 200
        grid = problem.default_domain((256,))
        velocity = 2 * math.pi * number / 10
        final = 4 * 10 / 256 / velocity  # four points
        (x,) = grid.coordinates
        a, b = sampled(problem, grid, seed)
        lifted = torch.complex(a, b) * torch.exp(1j * velocity * x)
        moved = torch.complex(
            *evolve(problem, grid, torch.stack([lifted.real, lifted.imag]), final, steps=steps)
        )
        plain = torch.complex(*evolve(problem, grid, torch.stack([a, b]), final, steps=steps)).roll(4)
        expected = plain * torch.exp(1j * (velocity * x - velocity**2 * final / 2))
        assert (moved - expected).norm() / expected.norm() < 1e-7

    @EXAMPLES
    @given(seed=SEEDS)
    def test_navier_stokes_3d(self, seed):
        problem, final, steps = NavierStokes3D(), 0.2, 40
        grid = problem.default_domain((12, 12, 12))
        # Waves beyond the de-aliased three are not carried along.
        coarse = problem.sample_inputs(grid.with_shape((7, 7, 7)), [seed])
        values = torch.cat([field.resample(grid).values[0] for field in coarse.values()])
        speed = 2 * math.pi / 12 / final
        wind = torch.tensor([speed, 0.0, 0.0], dtype=torch.float64)[:, None, None, None]
        carried = evolve(problem, grid, values + wind, final, steps=steps) - wind
        plain = evolve(problem, grid, values, final, steps=steps).roll(1, 1)
        turn = speed * 3 * final / steps
        assert (carried - plain).norm() / plain.norm() < 10 * steps * turn**5 / 120 + 1e-9


class TestScaling:
    """By powers of two, which change no digit: the scaled run is the same to rounding."""

    @EXAMPLES
    @given(seed=SEEDS)
    def test_korteweg_de_vries(self, seed):
        """4 u(2 x, 8 t) solves it on half the box."""
        problem = KortewegDeVries()
        grid = problem.default_domain((48,))
        half = Grid.box((48,), "periodic", lower=(-math.pi / 2,), upper=(math.pi / 2,))
        values = sampled(problem, grid, seed)
        small = evolve(problem, half, 4 * values, 0.1 / 8)
        assert_same(small, 4 * evolve(problem, grid, values, 0.1))

    @EXAMPLES
    @given(seed=SEEDS)
    def test_nonlinear_schrodinger(self, seed):
        """2 psi(2 x, 4 t) solves it on half the box."""
        problem = NonlinearSchrodinger()
        grid = problem.default_domain((48,))
        half = Grid.box((48,), "periodic", lower=(-2.5,), upper=(2.5,))
        values = sampled(problem, grid, seed)
        assert_same(evolve(problem, half, 2 * values, 0.3 / 4), 2 * evolve(problem, grid, values, 0.3))

    @pytest.mark.parametrize("problem", [AllenCahn(), FisherKPP(), HeatEquation()], ids=lambda p: p.name)
    @EXAMPLES
    @given(seed=SEEDS)
    def test_reaction_and_diffusion(self, problem, seed):
        """Twice the box with four times the diffusivity."""
        grid = problem.default_domain((16, 16))
        lower, upper = [2 * a.lower for a in grid.axes], [2 * a.upper for a in grid.axes]
        double = Grid.box((16, 16), "periodic", lower=lower, upper=upper)
        values = sampled(problem, grid, seed)
        wide = replace(problem, diffusivity=4 * problem.diffusivity)
        assert_same(evolve(wide, double, values, 0.3), evolve(problem, grid, values, 0.3))


class TestReversal:
    """Waves without damping run backwards: reflected, or conjugated, back to where they came from."""

    @EXAMPLES
    @given(seed=SEEDS)
    def test_korteweg_de_vries(self, seed):
        problem = KortewegDeVries(dispersion=0.05)
        grid = problem.default_domain((64,))
        values = sampled(problem, grid, seed)
        there = evolve(problem, grid, values, 0.1, steps=200)
        back = reflected(evolve(problem, grid, reflected(there), 0.1, steps=200))
        assert (back - values).norm() / values.norm() < 2e-6

    @EXAMPLES
    @given(seed=SEEDS)
    def test_nonlinear_schrodinger(self, seed):
        problem = NonlinearSchrodinger()
        grid = problem.default_domain((64,))
        conjugate = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        values = sampled(problem, grid, seed)
        there = evolve(problem, grid, values, 0.3, steps=100)
        back = conjugate * evolve(problem, grid, conjugate * there, 0.3, steps=100)
        assert (back - values).norm() / values.norm() < 2e-6


@EXAMPLES
@given(seed=SEEDS, angle=st.floats(min_value=0.1, max_value=6.0))
def test_the_phase_of_an_envelope_is_free(seed, angle):
    problem = NonlinearSchrodinger()
    grid = problem.default_domain((48,))
    turn = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
    )
    values = sampled(problem, grid, seed)
    assert_same(evolve(problem, grid, turn @ values, 0.3), turn @ evolve(problem, grid, values, 0.3))
