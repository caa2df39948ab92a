"""Time steppers on systems: linear problems exactly, conservation, dense oracles, the batch."""

import math

import pytest
import torch
from periodic_systems import Advected, Schroedinger, Shallow, Wave

from pdeops.domains import Grid
from pdeops.problems import Burgers1D
from solvers import (
    CrankNicolsonEulerSolver,
    ExplicitRungeKuttaSolver,
    FourierSpace,
    ImexRungeKuttaSolver,
    SpectralSolver,
)

STEPPERS = [
    SpectralSolver(tolerance=1e-7),
    ImexRungeKuttaSolver(tolerance=1e-7),
    ExplicitRungeKuttaSolver(tolerance=1e-7),
]
ROUNDING = 2.3e-16


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def random_values(grid, channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(channels, 2, *grid.shape, generator=generator, dtype=torch.float64)


class TestLinearProblemsInOneStep:
    """Every wave that the grid holds, against the flow by hand; rounding grows with the angle turned."""

    @pytest.mark.parametrize("end", [1e-3, 0.7, 20.0])
    @pytest.mark.parametrize("num_points", [32, 33])
    def test_waves(self, end, num_points):
        grid = Grid.periodic((num_points,), lengths=(2.0,))
        (x,) = grid.coordinates
        k = math.pi * 15
        u = 0.3 * torch.cos(k * x) + torch.sin(math.pi * x)
        v = 0.7 + torch.cos(math.pi * x)
        problem = Wave()
        solution = SpectralSolver(time_step=100.0).solve(
            problem, problem.fields(grid, u[None], v[None]), grid, times(end)
        )
        low, high = 2 * math.pi * end, 2 * k * end
        expected = (
            0.3 * torch.cos(k * x) * math.cos(high)
            + torch.sin(math.pi * x) * math.cos(low)
            + 0.7 * end  # the mean grows with time: the Jordan block
            + torch.cos(math.pi * x) * math.sin(low) / (2 * math.pi)
        )
        assert solution.report.num_steps.tolist() == [1]
        error = (solution.values[0, 0, 0] - expected).abs().max().item()
        assert error < 20 * ROUNDING * (1 + high)

    @pytest.mark.parametrize("end", [1e-3, 0.3, 5.0])
    def test_schroedinger_waves_in_two_dimensions(self, end):
        problem, grid = Schroedinger(dimension=2), Grid.periodic((12, 9))
        x, y = grid.coordinates
        phases = [(2 * math.pi * a, 2 * math.pi * b) for a, b in ((1, 0), (5, -4), (-2, 3))]
        start = sum(torch.exp(1j * (k * x + m * y)) for k, m in phases)
        later = sum(torch.exp(1j * (k * x + m * y - (k**2 + m**2) / 2 * end)) for k, m in phases)
        inputs = problem.fields(grid, start.real[None], start.imag[None])
        solution = SpectralSolver(time_step=100.0).solve(problem, inputs, grid, times(end))
        largest = max(k**2 + m**2 for k, m in phases) / 2 * end
        error = (torch.complex(*solution.values[0, 0]) - later).abs().max().item()
        assert error < 20 * ROUNDING * (1 + largest)

    def test_a_complex_symbol_against_a_dense_exponential(self):
        problem, grid = Advected(), Grid.periodic((15,))
        values = random_values(grid, 2)
        solution = SpectralSolver(time_step=100.0).solve(
            problem, problem.fields(grid, *values), grid, times(0.02, 0.4)
        )
        # Dense oracle: derivative matrices of the odd grid, and one exponential of all unknowns at once.
        k = 2 * math.pi * torch.fft.fftfreq(15, 1 / 15, dtype=torch.float64)
        fourier = torch.fft.fft(torch.eye(15, dtype=torch.complex128), dim=0)

        def matrix(symbol):
            return torch.linalg.solve(fourier, symbol[:, None] * fourier).real

        first, second, third = matrix(1j * k), matrix(-(k**2) + 0j), matrix(-1j * k**3)
        zero = torch.zeros_like(first)
        rows = [torch.cat([first + second / 10, zero], 1), torch.cat([third / 100, second / 20 - first], 1)]
        whole = torch.cat(rows, 0)
        for frame, time in enumerate((0.02, 0.4)):
            expected = torch.linalg.matrix_exp(time * whole) @ torch.cat([*values], -1).T
            found = solution.values[:, frame].flatten(1).T
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * values.abs().max().item())

    def test_frames_one_by_one_are_those_of_one_step(self):
        problem, grid = Wave(), Grid.periodic((16,))
        inputs = problem.fields(grid, *random_values(grid, 2))
        frames = times(*(0.1 * i for i in range(11)))
        many = SpectralSolver(time_step=100.0).solve(problem, inputs, grid, frames)
        one = SpectralSolver(time_step=100.0).solve(problem, inputs, grid, times(1.0))
        # The heights: in the rates the same error is as many times larger as the frequency is.
        first, second = many.snapshot(10).select("u"), one.snapshot(0).select("u")
        angle = 2 * 2 * math.pi * 7
        assert first.relative_error(second).max().item() < 20 * ROUNDING * (1 + angle)


@pytest.mark.parametrize("solver", STEPPERS, ids=lambda s: type(s).__name__)
class TestEveryStepper:
    def test_invariants_of_the_cubic_schroedinger_equation(self, solver):
        problem, grid = Schroedinger(cubic=True), Grid.periodic((32,))
        (x,) = grid.coordinates
        start = 1 + 0.3 * torch.cos(2 * math.pi * x) + 0.2j * torch.sin(4 * math.pi * x)
        inputs = problem.fields(grid, start.real[None], start.imag[None])
        solution = solver.solve(problem, inputs, grid, times(0.0, 0.25))
        psi = torch.complex(*solution.values[0].unbind(1))
        k = 2 * math.pi * torch.fft.fftfreq(32, 1 / 32, dtype=torch.float64)
        slope = torch.fft.ifft(1j * k * torch.fft.fft(psi))
        mass = (psi.abs() ** 2).mean(-1)
        energy = (slope.abs() ** 2 - psi.abs() ** 4).mean(-1) / 2
        assert abs(mass[1] - mass[0]) < 4e-7 * mass[0]
        assert abs(energy[1] - energy[0]) < 1e-5 * (slope.abs() ** 2).mean(-1)[0]

    def test_height_and_velocity_have_constant_means(self, solver):
        problem, grid = Shallow(), Grid.periodic((24,))
        (x,) = grid.coordinates
        height = 1 + 0.3 * torch.cos(2 * math.pi * x)
        inputs = problem.fields(grid, height[None], 0.2 * torch.sin(2 * math.pi * x)[None] + 0.1)
        solution = solver.solve(problem, inputs, grid, times(0.1))
        means = solution.values[0, 0].mean(-1)
        torch.testing.assert_close(means, times(1.0, 0.1), rtol=0, atol=1e-13)

    def test_energy_of_burgers_falls_by_what_viscosity_takes(self, solver):
        # The product conserves momentum and energy on the band: d/dt |u|^2 / 2 = -nu |u_x|^2.
        problem, grid = Burgers1D(viscosity=0.02), Grid.periodic((32,))
        (x,) = grid.coordinates
        start = (torch.sin(2 * math.pi * x) + 0.3)[None]
        frames = torch.linspace(0, 0.2, 21, dtype=torch.float64)
        solution = solver.solve(problem, _initial(problem, grid, start), grid, frames)
        assert (solution.values.mean(-1) - 0.3).abs().max().item() < 1e-14
        energy = torch.stack([solution.snapshot(i).norm() ** 2 / 2 for i in range(21)])
        slopes = [solution.snapshot(i).norm("h1") ** 2 - 2 * energy[i] for i in range(21)]
        simpson = torch.ones(21).double()
        simpson[1:-1:2], simpson[2:-1:2] = 4, 2
        lost = 0.02 * (simpson[:, None] * torch.stack(slopes)).sum(0) * (0.01 / 3)
        torch.testing.assert_close(energy[0] - energy[-1], lost, rtol=1e-5, atol=0)

    def test_a_sample_does_not_depend_on_its_batch(self, solver):
        problem, grid = Shallow(), Grid.periodic((24,))
        (x,) = grid.coordinates
        amplitudes = times(0.01, 0.1, 0.3)[:, None]
        height = 1 + amplitudes * torch.cos(2 * math.pi * x)
        velocity = amplitudes * torch.sin(6 * math.pi * x)
        together = solver.solve(problem, problem.fields(grid, height, velocity), grid, times(0.05, 0.1))
        assert together.report.num_steps.unique().numel() > 1
        for i in range(3):
            one = problem.fields(grid, height[i : i + 1], velocity[i : i + 1])
            alone = solver.solve(problem, one, grid, times(0.05, 0.1))
            assert alone.relative_error(together.sample(i)).item() < 1e-13
            assert alone.report.num_steps[0] == together.report.num_steps[i]

    def test_the_tolerance_is_met(self, solver):
        problem, grid = Schroedinger(cubic=True), Grid.periodic((16,))
        (x,) = grid.coordinates
        inputs = problem.fields(grid, (1 + 0.4 * torch.cos(2 * math.pi * x))[None], 0 * x[None])
        fine = ExplicitRungeKuttaSolver(time_step=1 / 2000).solve(problem, inputs, grid, times(0.25))
        previous = 0
        for tolerance in (1e-5, 1e-7):
            finer = type(solver)(tolerance=tolerance).solve(problem, inputs, grid, times(0.25))
            # Estimates are asymptotic: a factor of two is what the first of them may be off.
            assert finer.relative_error(fine).item() < 2 * tolerance
            assert finer.report.error_estimate.item() <= tolerance
            assert finer.report.num_steps.item() > previous
            previous = finer.report.num_steps.item()

    def test_the_others_agree(self, solver):
        problem, grid = Shallow(), Grid.periodic((24,))
        (x,) = grid.coordinates
        height = 1 + 0.3 * torch.cos(2 * math.pi * x)
        inputs = problem.fields(grid, height[None], 0 * x[None])
        other = CrankNicolsonEulerSolver(time_step=1e-3)
        coarse = other.solve(problem, inputs, grid, times(0.05))
        fine = CrankNicolsonEulerSolver(time_step=5e-4).solve(problem, inputs, grid, times(0.05))
        # Extrapolation leaves an error of the square of what it takes away.
        extrapolated = 2 * fine.values - coarse.values
        taken = (fine.values - coarse.values).abs().max()
        ours = solver.solve(problem, inputs, grid, times(0.05)).values
        assert (ours - extrapolated).abs().max() < max(20 * taken**2, 1e-6)


def _initial(problem, grid, values):
    from pdeops.domains import Field

    return {"initial_velocity": Field(values[:, None], grid, ("initial_velocity",))}


class TestWavesBeyondTheBand:
    def test_coupled_waves_beyond_it_move_by_the_linear_part(self):
        problem, grid = Shallow(), Grid.periodic((16,))
        (x,) = grid.coordinates
        k = 2 * math.pi * 7  # K = 5 of 16 points
        inputs = problem.fields(grid, (1 + 1e-3 * torch.cos(k * x))[None], 0 * x[None])
        end = 0.01
        solution = SpectralSolver(time_step=0.005).solve(problem, inputs, grid, times(end))
        # h_t = nu h_xx, u_t = -9 h_x + nu u_xx: the linear part has no other terms, as the mean of h is in N.
        decay = math.exp(-(k**2) / 100 * end)
        torch.testing.assert_close(
            solution.values[0, 0, 0], 1 + 1e-3 * decay * torch.cos(k * x), rtol=0, atol=1e-14
        )
        expected = 9 * k * end * 1e-3 * decay * torch.sin(k * x)
        torch.testing.assert_close(solution.values[0, 0, 1], expected, rtol=0, atol=1e-14)


class TestProductsWithoutAliasing:
    """Kept waves of a product against the convolution of coefficients, written as sums."""

    @pytest.mark.parametrize("degree", [2, 3, 4])
    @pytest.mark.parametrize("pad", [False, True], ids=["truncate", "pad"])
    @pytest.mark.parametrize("num_points", [16, 21, 32])
    def test_powers(self, degree, pad, num_points):
        space = FourierSpace(Grid.periodic((num_points,)), pad_products=pad, degree=degree)
        band = space.band[0]
        generator = torch.Generator().manual_seed(degree)
        half = torch.randn(band + 1, generator=generator, dtype=torch.complex128)
        half[0] = half[0].real.clone()
        symmetric = torch.cat([half[1:].conj().flip(0), half])
        dense = symmetric
        for _ in range(degree - 1):
            sums = [
                sum(dense[i] * symmetric[n - i] for i in range(len(dense)) if 0 <= n - i < len(symmetric))
                for n in range(len(dense) + len(symmetric) - 1)
            ]
            dense = torch.stack(sums)
        middle = len(dense) // 2
        found = space.to_spectrum(space.to_grid(half) ** degree)
        scale = dense.abs().max().item()
        torch.testing.assert_close(found, dense[middle : middle + band + 1], rtol=0, atol=1e-13 * scale)

    def test_the_band_follows_from_the_equation(self):
        assert Schroedinger(cubic=True).nonlinear_degree == 3
        assert Shallow().nonlinear_degree == 2
        assert Wave().nonlinear_degree == 1
        grid = Grid.periodic((64,))
        bands = [FourierSpace(grid, degree=degree).band[0] for degree in (1, 2, 3)]
        assert bands == [31, 21, 15]
        with pytest.raises(ValueError, match="degree: expected 1 or more"):
            FourierSpace(grid, degree=0)
