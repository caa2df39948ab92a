"""The spectral solver on evolution equations, against closed forms, theory and another integrator."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.integrate
import torch

from pdeops.domains import Field, Grid
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
    Wave,
)
from solvers import SpectralSolver


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def start(problem, grid, *values):
    """Initial inputs from one tensor (shape) an output, one sample."""
    names = [variable.name for variable in problem.inputs]
    return {
        name: Field(item[None, None].expand(1, 1, *grid.shape).double(), grid, (name,))
        for name, item in zip(names, values, strict=True)
    }


def solved(problem, grid, values, when, step):
    """Values of all outputs at times, (time, channels, *shape)."""
    solver = SpectralSolver(time_step=step)
    return solver.solve(problem, start(problem, grid, *values), grid, times(*when)).values[0]


# Solution, points an axis that resolve it to the tolerance, time, tolerance.
EXACT = [
    (HeatEquation(), "sine_mode", (16, 16), 1.0, 1e-12),
    (HeatEquation(), "cosine_mode", (16, 16), 1.0, 1e-12),
    (AdvectionDiffusionReaction(), "moving_wave", (16, 16), 1.0, 1e-12),
    (AdvectionDiffusionReaction(), "moving_gaussian", (64, 64), 1.0, 1e-12),
    (Wave(), "standing_wave", (16, 16), 1.0, 1e-12),
    (Wave(), "travelling_pulse", (64, 4), 1.0, 1e-12),
    (GrayScott(), "feeding", (16, 16), 10.0, 1e-12),
    (AllenCahn(dimension=1), "moving_fronts", (640,), 1.0, 1e-9),
    (AllenCahn(dimension=1), "relaxation", (8,), 1.0, 1e-9),
    (FisherKPP(dimension=1), "travelling_fronts", (640,), 5.0, 1e-9),
    (FisherKPP(dimension=1), "logistic", (8,), 5.0, 1e-9),
    (KortewegDeVries(), "soliton", (384,), 0.1, 1e-6),
    (KortewegDeVries(), "two_solitons", (384,), 0.25, 1e-3),
    (NonlinearSchrodinger(dimension=2), "plane_wave", (8, 8), 1.0, 1e-9),
    (NonlinearSchrodinger(), "bright_soliton", (640,), 0.1, 1e-6),
    (NonlinearSchrodinger(), "breather", (1536,), math.pi / 128, 1e-4),
    (NavierStokes3D(), "taylor_green", (8, 8, 8), 1.0, 1e-12),
    (NavierStokes3D(), "beltrami", (8, 8, 8), 1.0, 1e-12),
]


@pytest.mark.parametrize(
    ("problem", "name", "shape", "final", "tolerance"),
    EXACT,
    ids=[f"{problem.name}-{name}" for problem, name, *_ in EXACT],
)
def test_exact_solutions_are_met_as_the_solver_says(problem, name, shape, final, tolerance):
    """The estimate is of what is left of the error in time; nothing else but rounding may be there."""
    exact, grid = problem.exact_solutions()[name], problem.default_domain(shape)
    solution = SpectralSolver(tolerance=tolerance).solve(
        exact.problem, exact.inputs(grid), grid, times(final)
    )
    estimate = solution.report.error_estimate.item()
    error = solution.relative_error(exact.solution(grid, times(final))).item()
    assert estimate <= tolerance
    # Rounding: 1e-16 of each of up to 1000 steps, on values and wavenumbers up to 1000.
    assert error < 2 * estimate + 1e-11


class TestKortewegDeVries:
    def test_solitons_are_shifted_by_their_encounter(self):
        r"""From half a box apart to half a box apart, against one soliton each and the shift by theory.

        The faster is moved ahead by (1/k1) log((k1 + k2)/(k1 - k2)), the slower back by the same with 1/k2.
        """
        problem = KortewegDeVries(dispersion=0.01)
        grid = problem.default_domain((384,))
        (x,) = grid.coordinates
        fast, slow = 6.0, 4.0
        speeds = [4 * 0.01 * kappa**2 for kappa in (fast, slow)]
        shift = math.log((fast + slow) / (fast - slow))

        def soliton(kappa, place):
            away = torch.remainder(x - place + math.pi, 2 * math.pi) - math.pi
            return 0.02 * kappa**2 / torch.cosh(kappa * away) ** 2

        # Their distance, counted along the box, falls from pi to -pi, but for the shifts.
        final = (2 * math.pi - shift / fast - shift / slow) / (speeds[0] - speeds[1])
        first = soliton(fast, -math.pi / 2) + soliton(slow, math.pi / 2)
        step = 3e-3
        last = solved(problem, grid, (first,), (final,), step)[0, 0]
        ahead = soliton(fast, -math.pi / 2 + speeds[0] * final + shift / fast)
        behind = soliton(slow, math.pi / 2 + speeds[1] * final - shift / slow)
        error = (last - ahead - behind).norm() / last.norm()
        unshifted = soliton(fast, -math.pi / 2 + speeds[0] * final) + soliton(
            slow, math.pi / 2 + speeds[1] * final
        )
        # A fourth-order method turns a wave of frequency 8 delta k^3 too far by about this much, two of them.
        frequency = 0.08 * fast**3
        assert error < 4 * (frequency * step) ** 4 * frequency * final
        assert (last - unshifted).norm() / last.norm() > 0.5


class TestGrowthRates:
    """Waves of amplitude 1e-7: what the nonlinear part does to them is 1e-7 smaller still."""

    @pytest.mark.parametrize("mode", [4, 11, 15, 17])
    def test_kuramoto_sivashinsky(self, mode):
        problem = KuramotoSivashinsky()
        grid = problem.default_domain((64,))
        k = mode / 16
        wave = torch.cos(k * grid.coordinates[0])
        final = solved(problem, grid, (1e-8 * wave,), (2.0,), 0.1)[0, 0]
        amplitude = 2 * (final * wave).mean() / 1e-8
        assert math.log(amplitude) / 2 == pytest.approx(k**2 - k**4, abs=1e-6)

    def test_kuramoto_sivashinsky_in_two_dimensions(self):
        problem = KuramotoSivashinsky(dimension=2)
        grid = problem.default_domain((48, 48))
        x, y = grid.coordinates
        wave, squared = torch.cos((9 * x + 5 * y) / 16), (81 + 25) / 256
        final = solved(problem, grid, (1e-8 * wave,), (2.0,), 0.1)[0, 0]
        amplitude = 2 * (final * wave).mean() / 1e-8
        assert math.log(amplitude) / 2 == pytest.approx(squared - squared**2, abs=1e-6)

    @pytest.mark.parametrize(("mean", "mode"), [(0.0, 3), (0.3, 5), (0.6, 2)])
    def test_cahn_hilliard(self, mean, mode):
        problem = CahnHilliard(dimension=1)
        grid = problem.default_domain((64,))
        squared = (2 * math.pi * mode) ** 2
        rate = squared * (1 - 3 * mean**2 - 0.02**2 * squared)
        wave = torch.cos(2 * math.pi * mode * grid.coordinates[0])
        duration = 1 / abs(rate)
        final = solved(problem, grid, (mean + 1e-8 * wave,), (duration,), duration / 160)[0, 0]
        amplitude = 2 * (final * wave).mean() / 1e-8
        assert math.log(amplitude) / duration == pytest.approx(rate, rel=1e-6)

    @pytest.mark.parametrize("mode", [1, 2, 3])
    def test_modulational_instability(self, mode):
        """A wave on a uniform envelope A grows by k sqrt(A^2 - k^2/4), or swings where that is imaginary.

        In the frame that turns with the envelope, a' = k^2/2 b, b' = (2 A^2 - k^2/2) a: a matrix exponential.
        """
        problem, amplitude = NonlinearSchrodinger(), 0.9
        grid = problem.default_domain((32,))
        k = 2 * math.pi * mode / 10
        wave = torch.cos(k * grid.coordinates[0])
        final = solved(problem, grid, (amplitude + 1e-8 * wave, 0 * wave), (1.5,), 0.02)[0]
        angle = torch.tensor(amplitude**2 * 1.5, dtype=torch.float64)
        turned = torch.complex(final[0], final[1]) * torch.polar(torch.ones_like(angle), -angle)
        parts = torch.stack([(turned.real * wave).mean(), (turned.imag * wave).mean()]) * 2 / 1e-8
        matrix = times(0.0, k**2 / 2, 2 * amplitude**2 - k**2 / 2, 0.0).reshape(2, 2)
        torch.testing.assert_close(parts, torch.linalg.matrix_exp(1.5 * matrix)[:, 0], rtol=0, atol=1e-6)
        squared_rate = k**2 * (amplitude**2 - k**2 / 4)
        eigenvalues = torch.linalg.eigvals(matrix)
        assert (eigenvalues**2).real.tolist() == pytest.approx([squared_rate] * 2, rel=1e-12)

    @pytest.mark.parametrize("mode", [0, 3, 8])
    def test_gray_scott_near_its_uniform_state(self, mode):
        """Linear growth on the non-trivial state: the exponential of the Jacobian with diffusion."""
        problem = GrayScott(dimension=1, feed_rate=0.03, kill_rate=0.055)
        feed, kill = 0.03, 0.055
        # v = F (1 - u) / (F + k) and u v = F + k.
        substrate = (1 - math.sqrt(1 - 4 * (feed + kill) ** 2 / feed)) / 2
        activator = feed * (1 - substrate) / (feed + kill)
        grid = problem.default_domain((64,))
        k = 2 * math.pi * mode / 2.5
        wave = torch.cos(k * grid.coordinates[0])
        jacobian = times(
            -(activator**2) - feed - 2e-5 * k**2,
            -2 * substrate * activator,
            activator**2,
            2 * substrate * activator - (feed + kill) - 1e-5 * k**2,
        ).reshape(2, 2)
        first = (substrate + 1e-7 * wave, activator + 0 * wave)
        final = solved(problem, grid, first, (20.0,), 0.25)[0]
        weight = 1.0 if mode == 0 else 2.0
        uniform = times(substrate, activator)
        parts = weight * ((final - uniform[:, None]) * wave).mean(-1) / 1e-7
        expected = torch.linalg.matrix_exp(20.0 * jacobian)[:, 0]
        torch.testing.assert_close(parts, expected, rtol=0, atol=2e-6 * expected.norm().item())


class TestOtherMethods:
    def test_gray_scott_by_an_integrator_of_scipy(self):
        """The same 24 waves as a system of ordinary equations, integrated to 1e-11 by DOP853."""
        problem = GrayScott(dimension=1, sampler=GaussianPatches(count=2, width=0.04))
        grid = Grid.periodic((48,), lengths=(0.5,))
        inputs = problem.sample_inputs(Grid.periodic((12,), lengths=(0.5,)), [2])
        inputs = {name: field.resample(grid) for name, field in inputs.items()}
        waves = 2 * np.pi / 0.5 * np.fft.rfftfreq(48, 1 / 48)
        kept = np.arange(25) < 12  # the waves whose cubic products do not alias on 48 points

        def rate(_, state):
            u, v = state.reshape(2, 48)
            uptake = u * v**2
            spread = [np.fft.irfft(-(waves**2) * np.fft.rfft(w), 48) for w in (u, v)]
            uptake = np.fft.irfft(kept * np.fft.rfft(uptake), 48)
            return np.concatenate(
                [2e-5 * spread[0] - uptake + 0.04 * (1 - u), 1e-5 * spread[1] + uptake - 0.1 * v]
            )

        first = np.concatenate([field.values.numpy().ravel() for field in inputs.values()])
        result = scipy.integrate.solve_ivp(rate, (0, 20), first, method="DOP853", rtol=1e-11, atol=1e-13)
        solution = SpectralSolver(tolerance=1e-10).solve(problem, inputs, grid, times(20.0))
        expected = torch.from_numpy(result.y[:, -1].reshape(2, 48))
        error = (solution.values[0, 0] - expected).norm() / expected.norm()
        assert error < 1e-8
        assert (expected[1].max() - expected[1].min()) > 0.01  # a pattern, not the uniform state

    def test_d_alembert(self):
        """In one dimension initial values split into halves that move apart: shifts by whole points."""
        problem = Wave(dimension=1)
        grid = problem.default_domain((64,))
        shape = problem.sample_inputs(grid, [0])["initial_displacement"].values[0, 0]
        final = solved(problem, grid, (shape, 0 * shape), (10 / 64,), 1.0)[0, 0]
        expected = (shape.roll(10) + shape.roll(-10)) / 2
        torch.testing.assert_close(final, expected, rtol=0, atol=1e-13)

    def test_the_pressure_keeps_the_velocity_without_divergence(self):
        problem = NavierStokes3D()
        grid = problem.default_domain((16, 16, 16))
        solution = SpectralSolver(time_step=0.05).solve(
            problem, problem.sample_inputs(grid, [0]), grid, times(0.5)
        )
        spectrum = torch.fft.fftn(solution.values[0, 0], dim=(1, 2, 3))
        k = torch.fft.fftfreq(16, 1 / 16).double()
        k[8] = 0  # the derivative of the Nyquist wave is taken as zero
        waves = torch.stack(torch.meshgrid(k, k, k, indexing="ij"))
        divergence = (waves * spectrum).sum(0).abs().max() / spectrum.abs().max()
        assert divergence < 1e-12


def test_the_rate_of_the_taylor_green_vortex_is_its_dissipation():
    """dE/dt = -2 nu (enstrophy), by energy differences and by the enstrophy of the same frames."""
    problem = replace(NavierStokes3D(), viscosity=0.05)
    grid = problem.default_domain((32, 32, 32))
    inputs = problem.taylor_green_inputs(grid)
    first = torch.cat([field.values for field in inputs.values()], dim=1)
    assert first.square().sum(1).mean().item() / 2 == pytest.approx(1 / 8, rel=1e-13)
    frames = torch.linspace(0.0, 1.0, 9, dtype=torch.float64)
    solution = SpectralSolver(time_step=0.0625).solve(problem, inputs, grid, frames)
    energy, enstrophy = [], []
    k = torch.fft.fftfreq(32, 1 / 32).double()
    squared = sum(w**2 for w in torch.meshgrid(k, k, k, indexing="ij"))
    for frame in solution.values[0]:
        spectrum = torch.fft.fftn(frame, dim=(1, 2, 3), norm="forward").abs().square().sum(0)
        energy.append(spectrum.sum() / 2)
        enstrophy.append((squared * spectrum).sum() / 2)
    energy, enstrophy = torch.stack(energy), torch.stack(enstrophy)
    assert enstrophy[0].item() == pytest.approx(3 / 8, rel=1e-13)
    simpson = times(1, 4, 2, 4, 2, 4, 2, 4, 1) / 24
    lost = 2 * 0.05 * (simpson * enstrophy).sum()
    # Simpson's rule on nine frames; the enstrophy varies over times of one.
    assert (energy[0] - energy[-1]).item() == pytest.approx(lost.item(), rel=1e-5)
