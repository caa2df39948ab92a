"""Latent functions under messages, against dense Gaussian-process algebra."""

import math

import pytest
import torch

from pdeops.gp.latent_functions import LatentFunctions
from pdeops.gp.state_space import MaternStateSpace

NUMBER, POINTS = 3, 14


def kernel_matrix(smoothness, first, second, length, deviation):
    scaled = math.sqrt(2 * smoothness) * (first[:, None] - second).abs() / length
    polynomial = {0.5: 1 + 0 * scaled, 1.5: 1 + scaled, 2.5: 1 + scaled + scaled**2 / 3}
    return deviation**2 * polynomial[smoothness] * torch.exp(-scaled)


def functions_and_messages(smoothness, points=POINTS):
    """Three functions with different kernels, and messages of which some are flat and all couple them."""
    coordinate = torch.rand(points, dtype=torch.float64) * 4 - 1
    functions = LatentFunctions(coordinate, NUMBER, MaternStateSpace(smoothness), 0.2, torch.Generator())
    functions.kernel = torch.tensor([[0.5, 1.0, 2.0], [1.0, 0.7, 1.5]], dtype=torch.float64).log()
    seen = torch.randn(points, NUMBER, 2, dtype=torch.float64)
    seen[::4] = 0
    shifts = (seen @ torch.randn(points, 2, 1, dtype=torch.float64)).squeeze(-1)
    return functions, seen @ seen.mT, shifts


def joint_prior(smoothness, functions, points):
    """Covariance of all functions at all points, points outside and functions inside."""
    parameters = zip(functions.length_scales, functions.standard_deviations, strict=True)
    blocks = [kernel_matrix(smoothness, points, points, *both) for both in parameters]
    size = len(points)
    return torch.block_diag(*blocks).reshape(NUMBER, size, NUMBER, size).permute(1, 0, 3, 2)


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
def test_posterior_and_normaliser_are_those_of_the_joint_gaussian(smoothness):
    functions, precisions, shifts = functions_and_messages(smoothness)
    functions.update(precisions, shifts, learn_kernel=False)
    extra = torch.tensor([-1.5, 0.123, 1.0, 3.7], dtype=torch.float64)
    everywhere = torch.cat((functions.points, extra))
    size = len(everywhere) * NUMBER
    prior = joint_prior(smoothness, functions, everywhere).reshape(size, size)
    flat = torch.zeros(len(extra), NUMBER, NUMBER, dtype=torch.float64)
    precision = torch.block_diag(*torch.cat((precisions, flat)))
    shift = torch.cat((shifts.flatten(), torch.zeros(len(extra) * NUMBER, dtype=torch.float64)))
    system = torch.eye(size, dtype=torch.float64) + prior @ precision
    posterior = torch.linalg.solve(system, prior)
    expected = (posterior @ shift).reshape(-1, NUMBER)
    blocks = posterior.reshape(-1, NUMBER, len(everywhere), NUMBER)
    blocks = blocks[range(len(everywhere)), :, range(len(everywhere))]

    torch.testing.assert_close(functions.means, expected[:POINTS], rtol=1e-10, atol=1e-10)
    means, covariances = functions.at(everywhere)
    torch.testing.assert_close(means, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(covariances, blocks, rtol=1e-10, atol=1e-10)

    normaliser = shift @ posterior @ shift / 2 - torch.linalg.slogdet(system).logabsdet / 2
    assert functions.log_normaliser(functions.kernel).item() == pytest.approx(normaliser.item(), abs=1e-10)
    # KL of two Gaussians: (trace + quadratic - size + log of the ratio of determinants) / 2.
    inverse_trace = size - (precision @ posterior).trace()
    quadratic = expected.flatten() @ torch.linalg.solve(prior, expected.flatten())
    divergence = (inverse_trace + quadratic - size + torch.linalg.slogdet(system).logabsdet) / 2
    assert functions.divergence == pytest.approx(divergence.item(), abs=1e-7)


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
def test_slopes_of_the_normaliser(smoothness):
    functions, precisions, shifts = functions_and_messages(smoothness)
    functions.update(precisions, shifts, learn_kernel=False)
    kernel = functions.kernel.clone().requires_grad_()
    (slope,) = torch.autograd.grad(functions.log_normaliser(kernel), kernel)
    for index in [(0, 0), (0, 2), (1, 1)]:
        step = torch.zeros_like(functions.kernel)
        step[index] = 1e-5
        rise = functions.log_normaliser(functions.kernel + step) - functions.log_normaliser(
            functions.kernel - step
        )
        assert slope[index].item() == pytest.approx(rise.item() / 2e-5, rel=1e-6, abs=1e-8)


def test_an_unseen_point_changes_nothing():
    functions, precisions, shifts = functions_and_messages(1.5)
    functions.update(precisions, shifts, learn_kernel=False)
    alone, _ = functions.at(functions.points)
    between = torch.linspace(-3, 5, 101, dtype=torch.float64)
    means, covariances = functions.at(torch.cat((between, functions.points)))
    torch.testing.assert_close(means[101:], alone, rtol=1e-12, atol=1e-12)
    assert covariances.diagonal(dim1=1, dim2=2).min() > 0
    # Far outside, the prior is back, not an extrapolation: 4.6 length scales of the shortest kernel off.
    far_mean, far = functions.at(torch.tensor([1e4], dtype=torch.float64))
    torch.testing.assert_close(far[0], torch.diag(functions.standard_deviations**2), rtol=1e-12, atol=1e-12)
    assert far_mean.abs().max() < 1e-12


def test_first_functions_have_the_prior_covariance():
    coordinate = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    functions = LatentFunctions(
        coordinate, 2_000, MaternStateSpace(1.5), 0.5, torch.Generator().manual_seed(0)
    )
    covariance = functions.means @ functions.means.T / 2_000
    expected = kernel_matrix(1.5, coordinate, coordinate, 0.5, 1.0)
    # Five standard errors of a product of two standard normal numbers.
    torch.testing.assert_close(covariance, expected, rtol=0, atol=5 * math.sqrt(2 / 2_000))


def test_kernel_climbs_to_the_best_marginal_likelihood():
    x = torch.linspace(0, 3, 60, dtype=torch.float64)
    y = torch.sin(4 * x) + 0.1 * torch.randn(60, dtype=torch.float64)
    functions = LatentFunctions(x, 1, MaternStateSpace(2.5), 0.05, torch.Generator())
    precisions, shifts = torch.full((60, 1, 1), 100.0).double(), 100 * y[:, None]
    for _ in range(60):
        functions.update(precisions, shifts, learn_kernel=True)

    def likelihood(kernel):
        covariance = kernel_matrix(2.5, x, x, *kernel.exp()) + 0.01 * torch.eye(60, dtype=torch.float64)
        return -(y @ torch.linalg.solve(covariance, y) + torch.logdet(covariance)) / 2

    found = functions.kernel.flatten()
    slopes = torch.func.grad(likelihood)(found)
    curvature = torch.func.hessian(likelihood)(found)
    # The distance to the maximum, by Newton's step.
    assert torch.linalg.solve(curvature, slopes).abs().max() < 1e-3
    assert torch.linalg.eigvalsh(curvature).max() < 0
