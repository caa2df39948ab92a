"""What is transformed and multiplied, counted by hand."""

import math
from dataclasses import dataclass

import pytest
import sympy
import torch
from periodic_systems import Schroedinger, Shallow, System, Wave, variables
from sympy import Derivative, Eq

from pdeops.domains import Grid
from pdeops.problems import Burgers1D, NavierStokes2D, Variable
from solvers import FourierSpace


@dataclass(frozen=True, kw_only=True)
class Flow(System):
    """Velocity and pressure on a torus in two dimensions, with the pressure as an auxiliary unknown."""

    inputs, outputs = variables("u", "v")
    auxiliary = (Variable("p"),)
    dimension: int = 2
    conservative: bool = False

    @property
    def equations(self):
        x, y = self.space_symbols
        u, v, p = (self.function(name) for name in ("u", "v", "p"))
        if self.conservative:
            across, along = (Derivative(u * w, x) + Derivative(v * w, y) for w in (u, v))
        else:
            across, along = (u * Derivative(w, x) + v * Derivative(w, y) for w in (u, v))
        t = self.time_symbol
        return (
            Eq(Derivative(u, t) + across, self.laplacian(u) / 10 - Derivative(p, x), evaluate=False),
            Eq(Derivative(v, t) + along, self.laplacian(v) / 10 - Derivative(p, y), evaluate=False),
            Eq(self.laplacian(p), -Derivative(across, x) - Derivative(along, y), evaluate=False),
        )


@dataclass(frozen=True, kw_only=True)
class Driven(System):
    """A source that moves, a coefficient in space, and a term that is no polynomial."""

    inputs, outputs = variables("u")

    def sides(self, u):
        (x,) = self.space_symbols
        wave = sympy.cos(2 * sympy.pi * (x - self.time_symbol))
        return (
            self.laplacian(u) / 10 + wave + sympy.cos(2 * sympy.pi * x) * Derivative(u, x) + sympy.sin(u),
        )


@pytest.mark.parametrize(
    ("problem", "to_grid", "to_spectrum", "degree"),
    [
        (Burgers1D(), 1, 1, 2),  # u du/dx as the derivative of a square
        (NavierStokes2D(), 4, 1, 2),
        (Wave(), 0, 0, 1),
        (Schroedinger(), 0, 0, 1),
        (Schroedinger(cubic=True), 2, 2, 3),
        (Shallow(), 2, 2, 2),
        (Flow(), 6, 2, 2),  # the pressure uses the products of the momentum
        (Flow(conservative=True), 2, 3, 2),  # uu, uv, vv
        (Driven(), 2, 1, None),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_transforms_are_the_fewest(problem, to_grid, to_spectrum, degree):
    plan = problem.nonlinear_plan
    assert (len(plan.nodes), len(plan.products)) == (to_grid, to_spectrum)
    assert plan.num_transforms == to_grid + to_spectrum
    assert plan.degree == degree


class Counting:
    """A space that counts the fields it transforms."""

    def __init__(self, space):
        self.space, self.count = space, 0
        self.wavenumbers, self.points = space.wavenumbers, space.points

    def to_grid(self, spectrum):
        self.count += spectrum.numel() // math.prod(self.space.spectral_shape)
        return self.space.to_grid(spectrum)

    def to_spectrum(self, values):
        self.count += values.numel() // self.space.grid.num_points
        return self.space.to_spectrum(values)


@pytest.mark.parametrize(
    "problem", [NavierStokes2D(), Flow(), Flow(conservative=True), Schroedinger(cubic=True)]
)
def test_a_call_makes_as_many_transforms_as_planned(problem):
    grid = Grid.periodic((12,) * problem.dimension)
    space = Counting(FourierSpace(grid))
    operator = problem.nonlinear_operator(space)
    space.count = 0  # known sources are transformed once, before
    spectrum = torch.randn(1, len(problem.outputs), *space.space.spectral_shape, dtype=torch.complex128)
    operator(spectrum)
    assert space.count == problem.nonlinear_plan.num_transforms


def solenoidal(space):
    """A velocity from a stream function."""
    generator = torch.Generator().manual_seed(1)
    psi = space.to_spectrum(torch.randn(2, *space.grid.shape, generator=generator, dtype=torch.float64))
    kx, ky = space.wavenumbers
    return torch.stack([1j * ky * psi, -1j * kx * psi], dim=1)


def test_the_pressure_keeps_the_velocity_free_of_divergence():
    space = FourierSpace(Grid.periodic((16, 18), lengths=(1.0, 2.0)))
    velocity = solenoidal(space)
    kx, ky = space.wavenumbers
    rates = [Flow(conservative=flag).nonlinear_operator(space)(velocity) for flag in (False, True)]
    size = (1j * kx * rates[0][:, 0]).abs().max()
    for rate in rates:
        assert (1j * kx * rate[:, 0] + 1j * ky * rate[:, 1]).abs().max() < 1e-12 * size
    # The two forms differ by u div u, which vanishes; products are free of aliasing.
    torch.testing.assert_close(*rates, rtol=0, atol=1e-12 * rates[0].abs().max().item())


def test_known_coefficients_sources_in_time_and_other_functions():
    problem, space = Driven(), FourierSpace(Grid.periodic((32,)))
    (x,) = space.points
    (k,) = space.wavenumbers
    u = torch.exp(torch.sin(2 * torch.pi * x))[None, None]
    spectrum = space.to_spectrum(u)
    slope = space.to_grid(1j * k * spectrum)
    operator = problem.nonlinear_operator(space)
    for time in (0.0, 0.3, torch.tensor([[0.3]], dtype=torch.float64)):
        moved = torch.cos(2 * torch.pi * (x - time))
        values = moved + torch.cos(2 * torch.pi * x) * slope + torch.sin(space.to_grid(spectrum))
        torch.testing.assert_close(operator(spectrum, time), space.to_spectrum(values), rtol=0, atol=1e-14)


def test_linear_terms_and_the_rest_are_public():
    problem = Shallow()
    x, t = problem.space_symbols[0], problem.time_symbol
    (height, velocity), (first, second) = problem.linear_terms, problem.nonlinear_expressions
    assert [(index, term.coefficient, term.orders) for index, term in height] == [(0, 0.01, (2,))]
    assert [(index, term.coefficient, term.orders) for index, term in velocity] == [
        (0, -9.0, (1,)),
        (1, 0.01, (2,)),
    ]
    h, u = (sympy.Function(name, real=True)(x, t) for name in ("h", "u"))
    assert sympy.simplify(first + Derivative(h * u, x)) == 0
    assert sympy.simplify(second + Derivative(u**2, x) / 2) == 0
