"""The split that spectral solvers use, against the equations, formulas by hand and other equations."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import sympy
import torch
from sympy import Derivative, Eq

from pdeops.domains import Field, Grid
from pdeops.problems import (
    Burgers1D,
    NavierStokes2D,
    PeriodicRandomField,
    SemilinearProblem,
    Variable,
    evaluate,
    grid_rule,
    parameter,
)


class TwoThirdsSpace:
    """A spectral space written apart from the library's: full layout with a mask."""

    def __init__(self, grid):
        self.points = grid.coordinates
        self.shape = grid.shape
        frequencies = [torch.fft.fftfreq(n, 1 / n).double() for n in grid.shape[:-1]]
        frequencies.append(torch.arange(grid.shape[-1] // 2 + 1).double())
        meshed = torch.meshgrid(*frequencies, indexing="ij")
        self.wavenumbers = tuple(2 * math.pi / a.length * k for a, k in zip(grid.axes, meshed, strict=True))
        kept = [3 * k.abs() < n for k, n in zip(meshed, grid.shape, strict=True)]
        self.mask = torch.stack(kept).all(dim=0)

    def to_grid(self, spectrum):
        return torch.fft.irfftn(spectrum, s=self.shape, dim=tuple(range(-len(self.shape), 0)))

    def to_spectrum(self, values):
        return torch.fft.rfftn(values, dim=tuple(range(-len(self.shape), 0))) * self.mask


def smooth(grid, channels, highest, batch=3):
    field = PeriodicRandomField(scale=1.0, smoothness=1.0, inverse_length=1.0, max_wavenumber=highest)
    seeds = range(batch * channels)
    return field.sample(grid, seeds).unflatten(0, (batch, channels))


def applied(symbol, spectrum):
    """A linear part: one number an output and wave, or one matrix a wave."""
    if symbol.ndim < spectrum.ndim:
        return symbol * spectrum
    return torch.einsum("ij...,bj...->bi...", symbol.to(spectrum), spectrum)


def right_hand_side_by_the_equation(problem, values, grid):
    """Everything in the SymPy equation but the time derivative, with derivatives taken on the grid."""
    field = Field(values, grid, tuple(variable.name for variable in problem.outputs))
    table = dict(zip((axis.name for axis in grid.axes), grid.coordinates, strict=True)) | problem.numbers
    table |= dict(zip(field.channels, values.unbind(1), strict=True)) | problem.auxiliary_values(field)
    sides = []
    for variable, equation in zip(problem.outputs, problem.equations, strict=False):
        rate = Derivative(problem.function(variable.name), problem.time_symbol)
        still = {rate: torch.zeros(())}
        factor = sympy.expand(equation.lhs).coeff(rate)
        sides.append(
            -evaluate(equation.lhs - equation.rhs, table, grid_rule(grid, None), still) / float(factor)
        )
    return torch.stack([side.expand(values[:, 0].shape) for side in sides], dim=1)


@dataclass(frozen=True, kw_only=True)
class KuramotoDeVries(SemilinearProblem):
    """A third-order, a fourth-order and a flux term with a product inside the derivative."""

    name: ClassVar[str] = "kuramoto_de_vries"
    dimension: ClassVar[int] = 1
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_height"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("height"),)
    dispersion: float = parameter(0.3, symbol="d")

    @property
    def equations(self):
        (x,) = self.space_symbols
        u = self.function("height")
        linear = self.symbol("dispersion") * Derivative(u, (x, 3)) - Derivative(u, (x, 4)) / 100
        return (
            Eq(
                2 * Derivative(u, self.time_symbol),
                linear - Derivative(u**2 * sympy.cos(2 * sympy.pi * x), x),
            ),
        )

    @classmethod
    def default_domain(cls, shape):
        return Grid.periodic(shape)

    def sample_inputs(self, domain, seeds):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ReactingPair(SemilinearProblem):
    """Two coupled unknowns, one of them driven by an auxiliary one with a quadratic source."""

    name: ClassVar[str] = "reacting_pair"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = ()
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("prey"), Variable("hunter"))
    auxiliary: ClassVar[tuple[Variable, ...]] = (Variable("scent"),)
    rate: float = parameter(0.7, symbol="r")

    @property
    def equations(self):
        x, y = self.space_symbols
        a, b, s = (self.function(name) for name in ("prey", "hunter", "scent"))

        def laplacian(u):
            return Derivative(u, (x, 2)) + Derivative(u, (y, 2))

        return (
            Eq(Derivative(a, self.time_symbol), laplacian(a) + self.symbol("rate") * a - a * b),
            Eq(Derivative(b, self.time_symbol), Derivative(b, x) + laplacian(b) + Derivative(s, x) + a),
            Eq(s - laplacian(s) / 50, a * b + a),
        )

    @classmethod
    def default_domain(cls, shape):
        return Grid.periodic(shape)

    def sample_inputs(self, domain, seeds):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Heat(KuramotoDeVries):
    """Nothing but a linear part."""

    @property
    def equations(self):
        u = self.function("height")
        return (Eq(Derivative(u, self.time_symbol), Derivative(u, (self.space_symbols[0], 2)) / 7),)


CASES = [
    (NavierStokes2D(viscosity=0.01), (32, 24)),
    (NavierStokes2D(viscosity=0.03, forcing="sin(2*pi*x)*cos(4*pi*y) + viscosity"), (27, 32)),
    (Burgers1D(), (48,)),
    (KuramotoDeVries(), (60,)),
    (ReactingPair(), (24, 30)),
    (Heat(), (25,)),
]


@pytest.mark.parametrize(("problem", "shape"), CASES, ids=lambda item: getattr(item, "name", str(item)))
def test_linear_plus_nonlinear_is_the_right_hand_side(problem, shape):
    """Waves below an eighth of the grid keep all products in the de-aliased band: both sides are exact."""
    grid = Grid.periodic(shape)
    values = smooth(grid, len(problem.outputs), highest=min(shape) // 8)
    space = TwoThirdsSpace(grid)
    spectrum = space.to_spectrum(values)
    linear = applied(problem.linear_symbol(space.wavenumbers), spectrum)
    rate = linear + problem.nonlinear_operator(space)(spectrum)
    expected = right_hand_side_by_the_equation(problem, values, grid)
    scale = expected.abs().max().item()
    torch.testing.assert_close(space.to_grid(rate), expected, rtol=0, atol=1e-10 * scale)


def test_navier_stokes_by_hand():
    problem, grid = NavierStokes2D(viscosity=0.01), Grid.periodic((32, 32))
    space = TwoThirdsSpace(grid)
    spectrum = space.to_spectrum(smooth(grid, 1, highest=10))
    kx, ky = space.wavenumbers
    squared = kx**2 + ky**2
    torch.testing.assert_close(problem.linear_symbol(space.wavenumbers), -0.01 * squared[None])
    psi = torch.where(squared > 0, spectrum / squared.clamp(min=1), 0)
    u, v = space.to_grid(1j * ky * psi), space.to_grid(-1j * kx * psi)
    x, y = space.points
    forcing = 0.1 * (torch.sin(2 * math.pi * (x + y)) + torch.cos(2 * math.pi * (x + y)))
    transport = u * space.to_grid(1j * kx * spectrum) + v * space.to_grid(1j * ky * spectrum)
    expected = space.to_spectrum(forcing - transport)
    torch.testing.assert_close(problem.nonlinear_operator(space)(spectrum), expected, rtol=0, atol=1e-11)


def test_transport_conserves_energy_and_enstrophy():
    """Orthogonality of the de-aliased transport to vorticity and stream function, full band."""
    problem, grid = NavierStokes2D(forcing_amplitude=0.0), Grid.periodic((32, 32))
    space = TwoThirdsSpace(grid)
    spectrum = space.to_spectrum(smooth(grid, 1, highest=15))
    transport = space.to_grid(problem.nonlinear_operator(space)(spectrum))
    omega = space.to_grid(spectrum)
    psi = problem.auxiliary_values(Field(omega, grid, ("vorticity",)))["stream_function"][:, None]
    size = (transport * omega).abs().mean()
    assert size > 1e-3
    assert (transport * omega).mean(dim=(1, 2, 3)).abs().max() < 1e-12 * size
    assert (transport * psi).mean(dim=(1, 2, 3)).abs().max() < 1e-12 * size


def test_symbols_of_odd_and_even_terms():
    waves = (2 * math.pi * torch.arange(5).double(),)
    k = waves[0]
    burgers = Burgers1D(viscosity=0.2).linear_symbol(waves)
    assert not burgers.is_complex()
    torch.testing.assert_close(burgers, -0.2 * k[None] ** 2)
    other = KuramotoDeVries(dispersion=0.5).linear_symbol(waves)
    torch.testing.assert_close(other, (-0.25j * k**3 - k**4 / 200)[None])
    grid_waves = (torch.arange(3).double()[:, None], torch.arange(4).double())
    pair = ReactingPair().linear_symbol(grid_waves)
    squared = grid_waves[0] ** 2 + grid_waves[1] ** 2
    rows = [[0.7 - squared + 0j, 0j * squared], [1 + 0j * squared, 1j * grid_waves[0] - squared]]
    torch.testing.assert_close(pair, torch.stack([torch.stack(row) for row in rows]))


def test_split_is_rebuilt_for_other_parameters():
    waves = (torch.arange(4).double(),)
    problem = Burgers1D(viscosity=0.1)
    first = problem.linear_symbol(waves)
    torch.testing.assert_close(replace(problem, viscosity=0.3).linear_symbol(waves), 3 * first)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_residual_on_a_gpu_is_that_on_the_cpu():
    problem, grid = NavierStokes2D(viscosity=0.01), Grid.periodic((32, 24))
    times = torch.linspace(0, 1, 8, dtype=torch.float64)
    values = smooth(grid, 8, highest=3)[:, :, None]
    inputs = problem.sample_inputs(grid, range(3))
    cpu = problem.residual(Field(values, grid, ("vorticity",), times=times), inputs)
    on_gpu = {name: field.to("cuda") for name, field in inputs.items()}
    gpu = problem.residual(Field(values.cuda(), grid, ("vorticity",), times=times), on_gpu)
    assert gpu.values.is_cuda
    torch.testing.assert_close(gpu.values.cpu(), cpu.values, rtol=1e-9, atol=1e-9)


def test_equations_that_do_not_evolve_are_refused():
    @dataclass(frozen=True, kw_only=True)
    class Wave(KuramotoDeVries):
        @property
        def equations(self):
            u = self.function("height")
            return (Eq(Derivative(u, (self.time_symbol, 2)), Derivative(u, (self.space_symbols[0], 2))),)

    with pytest.raises(ValueError, match="expected an equation of first order in time for 'height'"):
        Wave().linear_symbol((torch.arange(4).double(),))
