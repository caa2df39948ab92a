"""Matern processes in state-space form, against their kernels."""

import math

import pytest
import scipy.linalg
import torch

from pdeops.gp.state_space import FAR, MaternStateSpace

SMOOTHNESS = (0.5, 1.5, 2.5)
GAPS = torch.tensor([1e-7, 1e-3, 0.2, 1.0, 4.0, 30.0], dtype=torch.float64)


def matern(smoothness: float, scaled: torch.Tensor) -> torch.Tensor:
    polynomial = {0.5: 1 + 0 * scaled, 1.5: 1 + scaled, 2.5: 1 + scaled + scaled**2 / 3}
    return polynomial[smoothness] * torch.exp(-scaled)


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
def test_covariance_of_the_state_is_the_kernel(smoothness):
    space = MaternStateSpace(smoothness)
    stationary = space.transition(torch.tensor(FAR, dtype=torch.float64))[1]
    moves, _ = space.transition(GAPS)
    torch.testing.assert_close((moves @ stationary)[:, 0, 0], matern(smoothness, GAPS), rtol=1e-13, atol=0)


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
def test_transition_is_the_exponential_of_the_published_matrix(smoothness):
    """In the unscaled states (f, f', f'') at a rate of 3 in a unit of the coordinate."""
    rate = 3.0
    matrices = {
        0.5: [[-rate]],
        1.5: [[0, 1], [-(rate**2), -2 * rate]],
        2.5: [[0, 1, 0], [0, 0, 1], [-(rate**3), -3 * rate**2, -3 * rate]],
    }
    space = MaternStateSpace(smoothness)
    scale = torch.diag(rate ** torch.arange(space.order, dtype=torch.float64))
    for gap in GAPS:
        published = torch.tensor(
            scipy.linalg.expm([[gap.item() * a for a in row] for row in matrices[smoothness]])
        )
        ours = scale @ space.transition(rate * gap)[0] @ torch.linalg.inv(scale)
        torch.testing.assert_close(ours, published.double(), rtol=1e-10, atol=1e-12)
    length = torch.tensor(0.25, dtype=torch.float64)
    assert space.rate(length).item() == pytest.approx(math.sqrt(2 * smoothness) / 0.25)


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
def test_two_gaps_are_one(smoothness):
    space = MaternStateSpace(smoothness)
    first, second = (torch.tensor(gap, dtype=torch.float64) for gap in (0.3, 1.1))
    (move, noise), (next_move, next_noise) = space.transition(first), space.transition(second)
    whole_move, whole_noise = space.transition(first + second)
    torch.testing.assert_close(next_move @ move, whole_move, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(
        next_move @ noise @ next_move.T + next_noise, whole_noise, rtol=1e-13, atol=1e-15
    )


def test_noise_of_a_small_gap_keeps_its_digits():
    """Its leading term is q t^5 / 20 with q = 16 / 3: 1e-21 here, where 1 - A P A' has no digit left."""
    gap = torch.tensor(1e-4, dtype=torch.float64)
    noise = MaternStateSpace(2.5).transition(gap)[1]
    assert noise[0, 0].item() == pytest.approx(16 / 3 * 1e-20 / 20, rel=1e-3)
    scaled = noise / torch.outer(noise.diagonal().sqrt(), noise.diagonal().sqrt())
    assert torch.linalg.eigvalsh(scaled).min() > 1e-3


def test_other_smoothness_is_refused():
    with pytest.raises(ValueError, match=r"expected 0\.5, 1\.5 or 2\.5, got 1\.0; try 1\.5"):
        MaternStateSpace(1.0)
