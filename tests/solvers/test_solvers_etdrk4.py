"""ETDRK4 coefficients against 100 digits, and one step against the exact flow."""

import math
from itertools import pairwise

import mpmath
import pytest
import torch

from solvers import ETDRK4Coefficients, etdrk4_step

REAL = torch.cat([torch.zeros(1), -torch.logspace(-16, 6, 89), -torch.linspace(1.4, 1.6, 21)]).double()
IMAGINARY = 1j * torch.cat([torch.logspace(-16, 2, 37), torch.linspace(1.4, 1.6, 11)]).double()


def exact_coefficients(z: complex) -> dict[str, mpmath.mpc]:
    """With h = 1, from the closed forms of Kassam and Trefethen; at zero their limits."""
    with mpmath.workdps(100):
        z = mpmath.mpmathify(z)
        e, half = mpmath.exp(z), mpmath.exp(z / 2)
        if z == 0:
            sixth = mpmath.mpf(1) / 6
            return {"full": e, "half": e, "stage": e / 2, "first": sixth, "middle": 2 * sixth, "last": sixth}
        return {
            "full": e,
            "half": half,
            "stage": (half - 1) / z,
            "first": (-4 - z + e * (4 - 3 * z + z**2)) / z**3,
            "middle": 2 * (2 + z + e * (z - 2)) / z**3,
            "last": (-4 - 3 * z - z**2 + e * (4 - z)) / z**3,
        }


@pytest.mark.parametrize("symbols", [REAL, IMAGINARY], ids=["real", "imaginary"])
def test_coefficients_agree_with_a_hundred_digits_for_every_size_of_z(symbols):
    coefficients = ETDRK4Coefficients.build(symbols, 1.0)
    for index, z in enumerate(symbols.tolist()):
        exact = exact_coefficients(z)
        scale = min(1.0, 1 / abs(z)) if z else 1.0  # the size of phi_1
        for name in ("stage", "first", "middle", "last"):
            error = abs(mpmath.mpmathify(getattr(coefficients, name)[index].item()) - exact[name])
            assert float(error) < 1e-14 * scale, (name, z)
        for name in ("full", "half"):
            assert getattr(coefficients, name)[index].item() == pytest.approx(complex(exact[name]), abs=1e-15)


def test_coefficients_scale_with_the_step():
    symbol = torch.tensor([-3.0, -0.2, 0.0]).double()
    scaled = ETDRK4Coefficients.build(symbol, 0.25)
    unit = ETDRK4Coefficients.build(0.25 * symbol, 1.0)
    for name in ("stage", "first", "middle", "last"):
        torch.testing.assert_close(getattr(scaled, name), 0.25 * getattr(unit, name), rtol=1e-15, atol=0)


def test_a_linear_equation_is_solved_exactly():
    symbol = torch.tensor([-1e4, -2.0, -1e-9, 0.0, 0.5]).double()
    state = torch.ones(1, 5).double()
    coefficients = ETDRK4Coefficients.build(symbol, 0.3)
    stepped = etdrk4_step(state, coefficients, torch.zeros_like)
    torch.testing.assert_close(stepped[0], torch.exp(0.3 * symbol), rtol=1e-15, atol=0)


def test_a_constant_source_is_integrated_exactly():
    symbol = torch.tensor([-500.0, -2.0, -1e-6, 0.0]).double()
    coefficients = ETDRK4Coefficients.build(symbol, 0.3)
    stepped = etdrk4_step(torch.zeros(1, 4).double(), coefficients, torch.ones_like)
    expected = [(1 - math.exp(0.3 * s)) / -s if s < -1e-3 else 0.3 * (1 + 0.15 * s) for s in symbol.tolist()]
    torch.testing.assert_close(stepped[0], torch.tensor(expected, dtype=torch.float64), rtol=1e-13, atol=0)


def test_order_four_on_a_bernoulli_equation():
    # du/dt = -2 u + u^2 with u(0) = 3/2: u(t) = 2 / (1 + e^(2 t) / 3).
    symbol = torch.tensor([-2.0]).double()
    errors = []
    for num_steps in (16, 32, 64):
        coefficients = ETDRK4Coefficients.build(symbol, 1 / num_steps)
        u = torch.tensor([[1.5]]).double()
        for _ in range(num_steps):
            u = etdrk4_step(u, coefficients, lambda v: v * v)
        errors.append(abs(u.item() - 2 / (1 + math.exp(2) / 3)))
    slopes = [math.log2(a / b) for a, b in pairwise(errors)]
    assert slopes == pytest.approx([4, 4], abs=0.15)


def test_single_precision_and_bad_steps_are_refused():
    with pytest.raises(TypeError, match=r"float64.*double"):
        ETDRK4Coefficients.build(torch.ones(3), 0.1)
    for step in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive, finite time step"):
            ETDRK4Coefficients.build(torch.ones(3).double(), step)
