"""The Cole-Hopf quadrature against published values, high precision and the equation itself."""

import math

import mpmath
import pytest
import torch

from pdeops.problems import cole_hopf_burgers

BENCHMARK = 0.01 / math.pi


def slopes(positions, times, viscosity):
    """Derivative in space by a sixth-order difference of spacing 1e-4, error below 1e-7 for this layer."""
    spacing = 1e-4
    weights = torch.tensor([-1, 9, -45, 0, 45, -9, 1], dtype=torch.float64) / (60 * spacing)
    offsets = torch.arange(-3, 4, dtype=torch.float64) * spacing
    values = cole_hopf_burgers(positions[:, None, None] + offsets, times[:, None], viscosity)
    return values @ weights


def test_published_steepest_slope():
    # Basdevant et al. (1986): max |du/dx| = 152.00516 at t = 1.6037 / pi, at x = 0.
    times = torch.linspace(1.59, 1.62, 301, dtype=torch.float64) / math.pi
    at_centre = slopes(torch.zeros(1, dtype=torch.float64), times, BENCHMARK)[0].abs()
    assert at_centre.max().item() == pytest.approx(152.00516, abs=5e-6)
    assert times[at_centre.argmax()].item() * math.pi == pytest.approx(1.6037, abs=1e-4)
    elsewhere = slopes(torch.linspace(0.001, 0.05, 50, dtype=torch.float64), times[::50], BENCHMARK)
    assert elsewhere.abs().max() < 152.00516


@pytest.mark.parametrize(
    ("x", "t", "viscosity"),
    [
        (0.3, 0.5, BENCHMARK),
        (0.01, 0.51, BENCHMARK),
        (0.7, 1e-3, BENCHMARK),
        (0.02, 3.0, 1e-3),
        (0.3, 2.0, 1.0),
    ],
)
def test_against_thirty_digits(x, t, viscosity):
    with mpmath.workdps(30):
        steepness = 1 / (2 * mpmath.pi * mpmath.mpf(viscosity))
        reach = mpmath.sqrt(4 * mpmath.mpf(viscosity) * t * (2 * steepness + 60))
        pieces = [x - reach + reach * k / 20 for k in range(41)]

        def weight(y):
            return mpmath.exp(
                -steepness * mpmath.cos(mpmath.pi * y) - (x - y) ** 2 / (4 * viscosity * mpmath.mpf(t))
            )

        above = mpmath.quad(lambda y: mpmath.sin(mpmath.pi * y) * weight(y), pieces)
        expected = float(-above / mpmath.quad(weight, pieces))
    got = cole_hopf_burgers(torch.tensor([x], dtype=torch.float64), t, viscosity).item()
    assert got == pytest.approx(expected, rel=0, abs=1e-14)


def test_satisfies_the_equation():
    # Differences of order 4 with spacing 1e-3 in space and 1e-4 in time, where derivatives are of order one.
    x, t, nu, h, k = torch.linspace(-0.9, 0.9, 19, dtype=torch.float64), 0.2, 0.05, 1e-3, 1e-4
    first = torch.tensor([1, -8, 0, 8, -1], dtype=torch.float64) / 12
    second = torch.tensor([-1, 16, -30, 16, -1], dtype=torch.float64) / 12
    steps = torch.arange(-2, 3, dtype=torch.float64)
    in_space = cole_hopf_burgers(x[:, None] + h * steps, t, nu)
    in_time = cole_hopf_burgers(x[:, None], t + k * steps, nu)
    u = in_space[:, 2]
    residual = in_time @ first / k + u * (in_space @ first / h) - nu * (in_space @ second / h**2)
    assert residual.abs().max() < 1e-7


def test_starts_from_the_sine_wave_and_keeps_its_symmetries():
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)
    start = cole_hopf_burgers(x, 0.0, BENCHMARK)
    torch.testing.assert_close(start, -torch.sin(math.pi * x), rtol=0, atol=1e-15)
    times = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    values = cole_hopf_burgers(x, times[:, None], BENCHMARK)
    assert values.shape == (3, 41)
    torch.testing.assert_close(values, -values.flip(1), rtol=0, atol=1e-13)
    torch.testing.assert_close(
        cole_hopf_burgers(x + 2, times[:, None], BENCHMARK), values, rtol=0, atol=1e-11
    )
    assert values[:, [0, 20, 40]].abs().max() < 1e-13


def test_refuses_what_has_no_solution():
    x = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(ValueError, match="expected a positive number, got 0"):
        cole_hopf_burgers(x, 1.0, 0.0)
    with pytest.raises(ValueError, match="expected times from 0 on, got -1"):
        cole_hopf_burgers(x, -1.0, 0.1)
