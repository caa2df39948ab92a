"""Scan, filter and smoother, against loops and dense Gaussian conditioning."""

import pytest
import torch

from pdeops.gp.associative_scan import associative_scan
from pdeops.gp.kalman import LinearGaussianChain

STEPS, SIZE = 23, 3


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 17])
def test_scan_is_the_running_product(length):
    matrices = torch.randn(length, 3, 3, dtype=torch.float64)
    (prefixes,) = associative_scan(lambda left, right: (left[0] @ right[0],), (matrices,))
    product = torch.eye(3, dtype=torch.float64)
    for matrix, prefix in zip(matrices, prefixes, strict=True):
        product = product @ matrix
        torch.testing.assert_close(prefix, product, rtol=1e-12, atol=1e-12)


def random_chain() -> tuple[torch.Tensor, ...]:
    """Every third message is flat, and the others see one or two directions only."""
    moves = 0.6 * torch.randn(STEPS, SIZE, SIZE, dtype=torch.float64)
    moves[0] = 0
    roots = torch.randn(STEPS, SIZE, SIZE, dtype=torch.float64)
    seen = torch.randn(STEPS, SIZE, 2, dtype=torch.float64)
    seen[::2, :, 1] = 0
    seen[::3] = 0
    shifts = (seen @ torch.randn(STEPS, 2, 1, dtype=torch.float64)).squeeze(-1)
    return moves, roots @ roots.mT, seen @ seen.mT, shifts


def dense(moves, noises, precisions, shifts, last):
    """Moments of all states given the messages up to one, from their joint covariance."""
    rows = [torch.zeros(SIZE, STEPS * SIZE, dtype=torch.float64)]
    for step in range(STEPS):
        row = moves[step] @ rows[-1]
        row[:, step * SIZE : (step + 1) * SIZE] += torch.eye(SIZE, dtype=torch.float64)
        rows.append(row)
    driven = torch.cat(rows[1:])
    prior = driven @ torch.block_diag(*noises) @ driven.T
    seen = torch.arange(STEPS) <= last
    precision = torch.block_diag(*(precisions * seen[:, None, None]))
    posterior = torch.linalg.inv(torch.linalg.inv(prior) + precision)
    return posterior @ (shifts * seen[:, None]).flatten(), posterior


def test_filter_is_dense_conditioning_on_the_past():
    parts = random_chain()
    chain = LinearGaussianChain(*parts)
    means, covariances = chain.filtered
    predicted, predicted_covariances = chain.predictions()
    for step in range(STEPS):
        block = slice(step * SIZE, (step + 1) * SIZE)
        for (mean, covariance), last in (
            ((means[step], covariances[step]), step),
            ((predicted[step], predicted_covariances[step]), step - 1),
        ):
            expected, joint = dense(*parts, last)
            torch.testing.assert_close(mean, expected[block], rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(covariance, joint[block, block], rtol=1e-10, atol=1e-10)


def test_smoother_is_dense_conditioning_on_everything():
    parts = random_chain()
    means, covariances = LinearGaussianChain(*parts).smooth()
    expected, joint = dense(*parts, STEPS)
    torch.testing.assert_close(means.flatten(), expected, rtol=1e-10, atol=1e-10)
    blocks = joint.reshape(STEPS, SIZE, STEPS, SIZE)[range(STEPS), :, range(STEPS)]
    torch.testing.assert_close(covariances, blocks, rtol=1e-10, atol=1e-10)


def test_variances_are_positive_where_states_are_copies_and_data_exact():
    """A state that hardly moves, seen exactly at some steps: rounding must not turn a variance negative."""
    moves = torch.eye(2, dtype=torch.float64).repeat(200, 1, 1)
    moves[0] = 0
    noises = 1e-14 * torch.eye(2, dtype=torch.float64).repeat(200, 1, 1)
    noises[0] = torch.eye(2, dtype=torch.float64)
    precisions = torch.zeros(200, 2, 2, dtype=torch.float64)
    precisions[::5] = 1e8 * torch.tensor([[1.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    _, covariances = LinearGaussianChain(moves, noises, precisions, torch.zeros(200, 2).double()).smooth()
    # The sum is known, the difference of variance 2 is not: a quarter of it is left in each.
    # Forty messages of 1e8 are added up with 16 digits: what they leave of the other direction has six.
    half = torch.full((200, 2), 0.5, dtype=torch.float64)
    torch.testing.assert_close(covariances.diagonal(dim1=1, dim2=2), half, rtol=0, atol=1e-5)
    assert torch.linalg.eigvalsh(covariances).min() >= -1e-15
