"""Gaussian processes and random polynomials: covariance by the kernel, one function on all domains, seeds."""

import math

import numpy
import pytest
import torch

from pdeops.domains import AxisKind, Grid, Mesh, grid_mesh
from pdeops.problems import ChebyshevSeries, GaussianProcess, PowerSeries, Sampler
from pdeops.problems.gaussian_process import MARGINS

KERNELS = {
    "rbf": lambda r: math.exp(-r * r / 2),
    "matern12": lambda r: math.exp(-r),
    "matern32": lambda r: (1 + math.sqrt(3) * r) * math.exp(-math.sqrt(3) * r),
    "matern52": lambda r: (1 + math.sqrt(5) * r + 5 * r * r / 3) * math.exp(-math.sqrt(5) * r),
}
SAMPLERS = [
    GaussianProcess(),
    GaussianProcess(kernel="matern32", correlation_length=0.4, max_wavenumber=40),
    ChebyshevSeries(num_terms=6),
    PowerSeries(num_terms=5, largest_coefficient=3.0),
]
NAMES = ["rbf", "matern32", "chebyshev", "powers"]


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_rbf_covariance_is_the_kernel_within_the_box(dimension):
    """The series' own covariance, no sampling: off by the nearest image, exp(-6.5^2 / 2) = 7e-10."""
    process = GaussianProcess(deviation=2.0, correlation_length=0.2)
    grid = Grid.box((4,) * dimension, "nodes", lower=(-1.0,) * dimension, upper=(0.0,) * dimension)
    for step in (0.0, 0.05, 0.2, 0.6, 1.0):
        distance = [step, -step / 2, step / 3][:dimension]
        expected = 4 * KERNELS["rbf"](math.hypot(*distance) / 0.2)
        assert process.covariance(grid, distance) == pytest.approx(expected, abs=1e-8)
    assert process.missing_variance(grid) < 1e-9


@pytest.mark.parametrize("kernel", ["matern12", "matern32", "matern52"])
@pytest.mark.parametrize("dimension", [1, 2])
def test_matern_covariance_lacks_what_it_says(kernel, dimension):
    """The waves left out have positive variances, so no covariance is off by more than their sum."""
    process = GaussianProcess(kernel=kernel, correlation_length=0.3, max_wavenumber=512)
    grid = Grid.box((4,) * dimension, "nodes")
    missing = process.missing_variance(grid)
    assert 0 <= missing < {"matern12": 1e-2, "matern32": 1e-6, "matern52": 1e-9}[kernel]
    for step in (0.0, 0.1, 0.3, 1.0):
        distance = [step, step / 2][:dimension]
        expected = KERNELS[kernel](math.hypot(*distance) / 0.3)
        assert process.covariance(grid, distance) == pytest.approx(expected, abs=missing + 3e-9)
    # In one dimension the density falls as w^-(2 nu + 1): twice the waves miss 2^-(2 nu) of it.
    if dimension == 1 and kernel != "matern52":
        twice = GaussianProcess(kernel=kernel, correlation_length=0.3, max_wavenumber=1024)
        order = {"matern12": 1, "matern32": 3}[kernel]
        # 1e-9 of images counts against what is missing.
        assert twice.missing_variance(grid) == pytest.approx(missing / 2**order, rel=0.02, abs=2e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_margins_keep_images_away(kernel):
    assert KERNELS[kernel](MARGINS[kernel]) < 1e-9


def test_samples_have_the_covariance():
    """Monte Carlo against the kernel: the estimate over n samples has the error sqrt((1 + k^2) / n)."""
    process, grid = GaussianProcess(deviation=3.0), Grid.box((6,), "nodes")
    values = process.sample(grid, range(20000)) / 3
    estimate = values.T @ values / len(values)
    points = grid.axes[0].points
    expected = torch.exp(-((points[:, None] - points) ** 2) / (2 * 0.2**2))
    assert ((estimate - expected).abs() < 5 * ((1 + expected**2) / len(values)).sqrt()).all()


def test_a_periodic_axis_is_a_circle():
    process, grid = GaussianProcess(), Grid.periodic((32,))
    values = process.sample(grid, range(4))
    spectrum = torch.fft.rfft(values, norm="forward").abs()
    assert spectrum[:, 12:].max() < 1e-5 * spectrum.max()  # periodic and analytic
    images = sum(KERNELS["rbf"]((0.3 + number) / 0.2) for number in range(-3, 4))
    assert process.covariance(grid, [0.3]) == pytest.approx(images, abs=1e-12)
    assert process.covariance(grid, [1.3]) == pytest.approx(images, abs=1e-12)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_seed_is_one_function_on_every_grid_and_mesh(sampler, dimension):
    """Every third node; and Chebyshev points and a mesh, whose values a fine grid interpolates."""
    if dimension == 3 and getattr(sampler, "kernel", "") == "matern32":
        sampler = GaussianProcess(kernel="matern32", correlation_length=0.4, max_wavenumber=10)
    coarse, fine = (
        Grid.box((n,) * dimension, "nodes", lower=(1.0,) * dimension, upper=(3.0,) * dimension)
        for n in ((5, 13) if dimension > 1 else (9, 25))
    )
    here, there = sampler.sample(coarse, [3, 8]), sampler.sample(fine, [8])
    every_third = (0, *(slice(None, None, 3),) * dimension)
    torch.testing.assert_close(here[1], there[every_third], rtol=0, atol=1e-11)
    assert not torch.equal(here[0], here[1])
    assert here.dtype == torch.float64
    assert isinstance(sampler, Sampler)
    mesh = grid_mesh(coarse)
    torch.testing.assert_close(sampler.sample(mesh, [3, 8]), here.flatten(1), rtol=0, atol=1e-11)
    shuffled = torch.randperm(mesh.num_points, generator=torch.Generator().manual_seed(0))
    back = torch.argsort(shuffled)
    other = Mesh(mesh.points[shuffled], back[mesh.simplices])
    torch.testing.assert_close(sampler.sample(other, [3]), here.flatten(1)[:1, shuffled], rtol=0, atol=1e-11)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_chebyshev_points_carry_the_same_function(sampler):
    nodes = Grid.box((2**6 + 1,), "nodes")
    points = Grid.box((48,), AxisKind.CHEBYSHEV)
    if getattr(sampler, "kernel", "") == "matern32":
        pytest.skip("not smooth enough for polynomials")
    from pdeops.domains.interpolation import interpolation_matrix

    matrix = interpolation_matrix(points.axes[0], nodes.axes[0].points)
    values = sampler.sample(points, [5]) @ matrix.T
    torch.testing.assert_close(values, sampler.sample(nodes, [5]), rtol=0, atol=1e-9)


def test_series_are_the_polynomials_of_their_coefficients():
    grid = Grid.box((21,), "nodes", lower=(-3.0,), upper=(5.0,))
    x = grid.axes[0].points.numpy()
    chebyshev, powers = ChebyshevSeries(num_terms=9), PowerSeries(num_terms=7)
    expected = numpy.polynomial.chebyshev.chebval((x - 1) / 4, chebyshev.coefficients(1, [4])[0].numpy())
    numpy.testing.assert_allclose(chebyshev.sample(grid, [4])[0], expected, atol=1e-13)
    expected = numpy.polynomial.polynomial.polyval((x + 3) / 8, powers.coefficients(1, [4])[0].numpy())
    numpy.testing.assert_allclose(powers.sample(grid, [4])[0], expected, atol=1e-13)
    plane = Grid.box((7, 5), "nodes", lower=(-1.0, -1.0))
    x, y = (item.numpy() for item in plane.coordinates)
    expected = numpy.polynomial.chebyshev.chebval2d(x, y, chebyshev.coefficients(2, [4])[0].numpy())
    numpy.testing.assert_allclose(chebyshev.sample(plane, [4])[0], expected, atol=1e-12)


def test_coefficients_are_uniform():
    """Mean 0 and mean square M^2 / 3, within five standard errors; all within the bound."""
    drawn = ChebyshevSeries(num_terms=10, largest_coefficient=2.0).coefficients(1, range(4000))
    assert drawn.abs().max() <= 2
    assert drawn.abs().max() > 1.99
    assert abs(drawn.mean().item()) < 5 * math.sqrt(4 / 3 / 40000)
    assert drawn.square().mean().item() == pytest.approx(4 / 3, abs=5 * math.sqrt(64 / 45 / 40000))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_samples_depend_on_their_own_seed(sampler):
    grid = Grid.box((30,), "nodes")
    torch.testing.assert_close(
        sampler.sample(grid, [7, 8, 9])[2], sampler.sample(grid, [9])[0], rtol=0, atol=1e-13
    )
    with pytest.raises(ValueError, match="seeds: expected non-negative integers, got -1"):
        sampler.sample(grid, [-1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianProcess(kernel="cubic"), "kernel: expected one of rbf, matern12"),
        (lambda: GaussianProcess(deviation=0), "deviation: expected a positive number, got 0.0"),
        (lambda: GaussianProcess(correlation_length=math.inf), "correlation_length: expected a positive"),
        (lambda: GaussianProcess(max_wavenumber=0), "max_wavenumber: expected 1 or more, got 0; try 1024"),
        (lambda: ChebyshevSeries(num_terms=0), "ChebyshevSeries: num_terms: expected 1 or more, got 0"),
        (
            lambda: PowerSeries(largest_coefficient=-1),
            "largest_coefficient: expected a positive number, got -1",
        ),
        (
            lambda: GaussianProcess(kernel="matern12").sample(Grid.box((4, 4, 4), "nodes"), [0]),
            r"expected at most 67108864 waves, got 8602523649 in 3 dimensions; try max_wavenumber=203",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_numbers_out_of_range_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
