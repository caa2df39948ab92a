import math

import numpy
import pytest
import torch
from scipy.integrate import quad

from pdeops.domains import Axis
from pdeops.gp import GaussianMixtureKernel, KernelFactor, StudentMixtureKernel, kronecker_log_determinant
from pdeops.gp.axis_basis import AxisBasis

KERNELS = [GaussianMixtureKernel, StudentMixtureKernel]
FREQUENCIES = torch.tensor([0.0, 1.3, 2.1], dtype=torch.float64)
LENGTHS = torch.tensor([0.4, 0.7, 1.1], dtype=torch.float64)
WEIGHTS = torch.tensor([0.5, 0.3, 0.9], dtype=torch.float64)


def stated(kind, z):
    """The covariance by its formula, one number, in numpy."""
    total = 0.0
    for mu, length, weight in zip(FREQUENCIES.tolist(), LENGTHS.tolist(), WEIGHTS.tolist(), strict=True):
        if kind is GaussianMixtureKernel:
            g = numpy.exp(-(z**2) / length**2)
        else:
            r = math.sqrt(5) * abs(z) / length
            g = (1 + r + r * r / 3) * numpy.exp(-r)
        total += weight * g * numpy.cos(2 * math.pi * mu * z)
    return total


def kernel_of(kind):
    return kind(FREQUENCIES, LENGTHS, WEIGHTS)


@pytest.mark.parametrize("kind", KERNELS)
def test_the_value_is_the_formula(kind):
    lags = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    expected = torch.tensor([stated(kind, z) for z in lags.tolist()])
    torch.testing.assert_close(kernel_of(kind).derivative(lags), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", KERNELS)
def test_derivatives_are_those_of_automatic_differentiation_away_from_zero(kind, order):
    lags = torch.tensor([-1.2, -0.31, 0.05, 0.4, 1.7], dtype=torch.float64, requires_grad=True)
    kernel = kernel_of(kind)
    (below,) = (kernel.derivative(lags, order - 1),)
    (slope,) = torch.autograd.grad(below.sum(), lags)
    torch.testing.assert_close(kernel.derivative(lags, order), slope, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("kind", KERNELS)
def test_derivatives_at_zero_distance(kind):
    """There automatic differentiation through |z| gives zero for the second derivative."""
    zero = torch.zeros(1, dtype=torch.float64)
    kernel = kernel_of(kind)
    curvature = 2 / LENGTHS**2 if kind is GaussianMixtureKernel else 5 / (3 * LENGTHS**2)
    expected = -(WEIGHTS * (curvature + (2 * math.pi * FREQUENCIES) ** 2)).sum()
    assert abs(kernel.derivative(zero, 2).item() / expected.item() - 1) < 1e-13
    assert kernel.derivative(zero, 1).item() == 0
    assert kernel.derivative(zero, 3).item() == 0
    # Central differences of the closed first derivative across zero, extrapolated once.
    step = 1e-4 if kind is GaussianMixtureKernel else 1e-6
    slopes = [
        (kernel.derivative(zero + h, 1) - kernel.derivative(zero - h, 1)).item() / (2 * h)
        for h in (step, 2 * step)
    ]
    difference = (
        (4 * slopes[0] - slopes[1]) / 3 if kind is GaussianMixtureKernel else 2 * slopes[0] - slopes[1]
    )
    assert abs(difference / expected.item() - 1) < 1e-8


@pytest.mark.parametrize("kind", KERNELS)
def test_the_density_transforms_back_to_the_covariance(kind):
    kernel = kernel_of(kind)

    def integrand(frequency, lag):
        value = kernel.spectral_density(torch.tensor([frequency], dtype=torch.float64)).item()
        return value * math.cos(2 * math.pi * frequency * lag)

    for lag in (0.0, 0.3):
        integral = 2 * quad(integrand, 0, 60, args=(lag,), limit=400)[0]
        assert abs(integral - stated(kind, lag)) < 1e-6


@pytest.mark.parametrize("kind", KERNELS)
def test_uniform_axes_need_only_lags(kind):
    axis = Axis("x", -0.5, 1.5, 17, "nodes")
    kernel, points = kernel_of(kind), axis.points
    factor = KernelFactor(kernel, axis, jitter=1e-6)
    for order in range(4):
        dense = kernel.derivative(points[:, None] - points, order)
        torch.testing.assert_close(factor.matrix(order), dense, rtol=1e-9, atol=1e-9)


def test_a_grid_of_any_points_is_dense():
    axis = Axis("x", 0.0, 1.0, 9, "chebyshev")
    kernel = kernel_of(GaussianMixtureKernel)
    dense = kernel.derivative(axis.points[:, None] - axis.points, 1)
    assert torch.equal(KernelFactor(kernel, axis).matrix(1), dense)


def test_the_kronecker_determinant_is_the_dense_one():
    """GPyTorch clamps the eigenvalues of products and is wrong by thousands here."""
    factors = [
        KernelFactor(kernel_of(StudentMixtureKernel), Axis("x", 0.0, 1.0, 8, "nodes"), 1e-5),
        KernelFactor(kernel_of(GaussianMixtureKernel), Axis("y", 0.0, 2.0, 9, "nodes"), 1e-4),
    ]
    full = [
        f.matrix(0) + jitter * torch.eye(len(f.matrix(0)), dtype=torch.float64)
        for f, jitter in zip(factors, (1e-5, 1e-4), strict=True)
    ]
    sign, expected = torch.linalg.slogdet(torch.kron(*full))
    assert sign == 1
    assert abs(kronecker_log_determinant(factors).item() / expected.item() - 1) < 1e-10


def test_gpytorch_takes_the_kernel():
    points = torch.rand(5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kernel = kernel_of(GaussianMixtureKernel)
    dense = kernel(points).to_dense()
    expected = torch.tensor([[stated(GaussianMixtureKernel, (a - b).item()) for b in points] for a in points])
    torch.testing.assert_close(dense, expected)


def test_the_basis_is_the_square_root_of_the_covariance():
    axis = Axis("x", 0.0, 2.0, 60, "nodes")
    kernel = GaussianMixtureKernel(torch.tensor([0.0, 4.0]), 0.5)
    basis = AxisBasis(kernel, axis)
    half = basis.values * basis.variances.sqrt()
    dense = kernel.derivative(axis.points[:, None] - axis.points)
    torch.testing.assert_close(half @ half.T, dense.detach(), rtol=0, atol=1e-13)
    # Cov(u'', u) is the second derivative of the covariance.
    second = basis.at(axis.points, 2) * basis.variances @ basis.values.T
    expected = kernel.derivative(axis.points[:, None] - axis.points, 2)
    torch.testing.assert_close(second, expected.detach(), rtol=0, atol=1e-10)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="positive lengths"):
        GaussianMixtureKernel(FREQUENCIES, -1.0)
    with pytest.raises(ValueError, match="order of 0 to 3"):
        kernel_of(GaussianMixtureKernel).derivative(FREQUENCIES, 4)
