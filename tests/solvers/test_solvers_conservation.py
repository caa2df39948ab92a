"""What evolution equations conserve or dissipate, kept by the spectral solver."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdeops.domains import derivative
from pdeops.problems import (
    AdvectionDiffusionReaction,
    AllenCahn,
    CahnHilliard,
    FisherKPP,
    GaussianPatches,
    GrayScott,
    HeatEquation,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes3D,
    NonlinearSchrodinger,
    SmoothRandomField,
    Wave,
)
from solvers import SpectralSolver

SEEDS = st.integers(min_value=0, max_value=10**6)


def trajectory(problem, shape, final, *, seed, frames=2, **options):
    """Solution and its values (time, channels, *shape), from sampled initial data."""
    grid = problem.default_domain(shape)
    # Data with few waves, so that the grid holds the products of them too.
    coarse = grid.with_shape([max(8, n // 4) for n in shape])
    inputs = {name: field.resample(grid) for name, field in problem.sample_inputs(coarse, [seed]).items()}
    times = torch.linspace(0.0, final, frames, dtype=torch.float64)
    solution = SpectralSolver(**options).solve(problem, inputs, grid, times)
    return solution, solution.values[0]


def simpson(values, duration):
    """Integral in time of values at an odd number of frames."""
    weights = torch.ones(len(values), dtype=torch.float64)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return (weights * values).sum() * duration / (len(values) - 1) / 3


def gradient_square(values, grid):
    """Sum of the squares of all first derivatives of a scalar field (..., *shape)."""
    return sum(derivative(values, grid, axis) ** 2 for axis in range(grid.dimension))


MEANS = [
    (HeatEquation(), (16, 16), 1.0),
    (CahnHilliard(dimension=1), (64,), 1e-3),
    (KortewegDeVries(), (64,), 0.1),
    (KuramotoSivashinsky(), (64,), 1.0),
    (NavierStokes3D(), (16, 16, 16), 0.2),
]


@pytest.mark.parametrize(("problem", "shape", "final"), MEANS, ids=[item[0].name for item in MEANS])
@settings(max_examples=2, deadline=None)
@given(seed=SEEDS)
def test_means_are_constant_to_rounding(problem, shape, final, seed):
    _, values = trajectory(problem, shape, final, seed=seed, time_step=final / 20)
    means = values.flatten(2).mean(-1)
    torch.testing.assert_close(means[1], means[0], rtol=0, atol=1e-14 * values.abs().max().item())


def test_a_decaying_substance_loses_mass_at_its_rate():
    problem = AdvectionDiffusionReaction(reaction_rate=0.7)
    _, values = trajectory(problem, (32, 32), 2.0, seed=1, time_step=2.0)
    means = values.flatten(1).mean(-1)
    assert (means[1] / means[0]).item() == pytest.approx(math.exp(-1.4), rel=1e-12)


class TestHamiltonians:
    """Drift of a functional is at most its gradient times the error in time, which the solver estimates."""

    @settings(max_examples=2, deadline=None)
    @given(seed=SEEDS)
    def test_korteweg_de_vries(self, seed):
        problem = KortewegDeVries(dispersion=0.05)
        solution, values = trajectory(problem, (64,), 0.1, seed=seed, tolerance=1e-5)
        u, grid = values[:, 0], solution.domain
        estimate = solution.report.error_estimate.item()
        error = estimate * u[1].square().mean().sqrt()
        momentum = u.square().mean(-1)
        assert abs(momentum[1] - momentum[0]) < 2 * (2 * u[1]).square().mean().sqrt() * error + 1e-12
        hamiltonian = (0.025 * derivative(u, grid, 0) ** 2 - u**3).mean(-1)
        slope = -0.05 * derivative(u[1], grid, 0, 2) - 3 * u[1] ** 2
        assert abs(hamiltonian[1] - hamiltonian[0]) < 2 * slope.square().mean().sqrt() * error + 1e-12

    @settings(max_examples=2, deadline=None)
    @given(seed=SEEDS)
    def test_nonlinear_schrodinger(self, seed):
        problem = NonlinearSchrodinger()
        solution, values = trajectory(problem, (96,), 0.25, seed=seed, tolerance=1e-6)
        (a, b), grid = values.unbind(1), solution.domain
        error = solution.report.error_estimate.item() * values[1].square().sum(0).mean().sqrt()
        mass = (a**2 + b**2).mean(-1)
        ax, bx = derivative(a, grid, 0), derivative(b, grid, 0)
        momentum = (a * bx - b * ax).mean(-1)
        energy = ((ax**2 + bx**2) / 2 - (a**2 + b**2) ** 2 / 2).mean(-1)
        second = [derivative(part[1], grid, 0, 2) for part in (a, b)]
        strength = 2 * (a[1] ** 2 + b[1] ** 2)
        gradients = (
            (mass, 2 * a[1], 2 * b[1]),
            (momentum, 2 * bx[1], -2 * ax[1]),
            (energy, -second[0] - strength * a[1], -second[1] - strength * b[1]),
        )
        for functional, *gradient in gradients:
            steepness = sum(part.square().mean() for part in gradient).sqrt()
            assert abs(functional[1] - functional[0]) < 2 * steepness * error + 1e-12

    @settings(max_examples=2, deadline=None)
    @given(seed=SEEDS)
    def test_waves(self, seed):
        """The linear part is exact, so the energy is kept to rounding."""
        solution, values = trajectory(Wave(speed=0.7), (24, 24), 3.0, seed=seed, time_step=3.0)
        u, v = values.unbind(1)
        energy = (v**2 + 0.49 * gradient_square(u, solution.domain)).flatten(1).mean(-1) / 2
        assert (energy[1] / energy[0]).item() == pytest.approx(1, abs=1e-12)


class TestDissipation:
    def test_cahn_hilliard_falls_down_its_energy(self):
        problem = CahnHilliard(interface_width=0.05)
        solution, values = trajectory(problem, (48, 48), 0.05, seed=3, frames=21, time_step=5e-4)
        u = values[:, 0]
        density = 0.05**2 / 2 * gradient_square(u, solution.domain) + (1 - u**2) ** 2 / 4
        energy = density.flatten(1).mean(-1)
        assert (energy.diff() < 0).all()
        assert energy[-1] < 0.9 * energy[0]

    def test_cahn_hilliard_dissipates_by_the_gradient_of_its_potential(self):
        # Waves up to k = 25, the shortest of which decay in 1 / (0.01 k^4) = 3e-4.
        sampler = SmoothRandomField(deviation=0.3, correlation_length=0.5, max_wavenumber=4)
        problem = CahnHilliard(dimension=1, interface_width=0.1, sampler=sampler)
        solution, values = trajectory(problem, (64,), 2e-3, seed=3, frames=81, time_step=2.5e-5)
        u, grid = values[:, 0], solution.domain
        energy = (0.005 * derivative(u, grid, 0) ** 2 + (1 - u**2) ** 2 / 4).mean(-1)
        potential = u**3 - u - 0.01 * derivative(u, grid, 0, 2)
        lost = simpson((derivative(potential, grid, 0) ** 2).mean(-1), 2e-3)
        assert (energy[0] - energy[-1]).item() == pytest.approx(lost.item(), rel=1e-4)

    def test_allen_cahn_falls_down_its_energy(self):
        problem = AllenCahn()
        solution, values = trajectory(problem, (64, 64), 2.0, seed=3, frames=21, time_step=0.02)
        u = values[:, 0]
        density = 0.005 * gradient_square(u, solution.domain) + 1.25 * (1 - u**2) ** 2
        energy = density.flatten(1).mean(-1)
        assert (energy.diff() < 0).all()
        assert energy[-1] < 0.5 * energy[0]

    def test_the_height_of_a_flame_front_falls_by_its_slope(self):
        problem = KuramotoSivashinsky(dimension=2)
        solution, values = trajectory(problem, (64, 64), 4.0, seed=3, frames=41, time_step=0.1)
        u = values[:, 0]
        slope = gradient_square(u, solution.domain).flatten(1).mean(-1)
        means = u.flatten(1).mean(-1)
        assert (means[0] - means[-1]).item() == pytest.approx(simpson(slope, 4.0).item() / 2, rel=1e-5)

    def test_gray_scott_balances_feed_and_removal(self):
        problem = GrayScott(dimension=1)
        _, values = trajectory(problem, (256,), 40.0, seed=3, frames=41, time_step=0.5)
        u, v = values.mean(-1).unbind(1)
        gained = simpson(0.04 * (1 - u) - 0.1 * v, 40.0)
        assert ((u + v)[-1] - (u + v)[0]).item() == pytest.approx(gained.item(), rel=1e-5)

    def test_a_population_stays_between_nothing_and_saturation(self):
        problem = FisherKPP(sampler=GaussianPatches(width=0.08, height=0.5))
        grid = problem.default_domain((96, 96))
        times = torch.linspace(0.0, 10.0, 11, dtype=torch.float64)
        inputs = problem.sample_inputs(grid, [3])
        values = SpectralSolver(time_step=0.2).solve(problem, inputs, grid, times).values
        # The maximum principle, but for what the grid does not resolve of patches half as wide as 0.08.
        assert values.min() > -1e-6
        assert values.max() < 1 + 1e-6
        assert (values.diff(dim=1).flatten(2).mean(-1) > 0).all()
