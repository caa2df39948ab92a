"""Cores, against dense algebra with the moments of full Kronecker products."""

import math

import pytest
import torch

from pdeops.gp import tensor_core
from pdeops.gp.tensor_core import CanonicalCore, Entries, TuckerCore

RANKS, POINTS, COUNT = (2, 3, 2), 5, 40


def random_entries(ranks, spread=1.0):
    """Entries on a few points of each mode; the functions' covariances are full."""
    means = [torch.randn(POINTS, rank, dtype=torch.float64) for rank in ranks]
    roots = [spread * torch.randn(POINTS, rank, rank, dtype=torch.float64) for rank in ranks]
    seconds = [
        root @ root.mT + mean[:, :, None] * mean[:, None, :] for root, mean in zip(roots, means, strict=True)
    ]
    where = [torch.randint(POINTS, (COUNT,)) for _ in ranks]
    return Entries(torch.randn(COUNT, dtype=torch.float64), where, means, seconds)


def kronecker(factors):
    product = torch.ones([1] * factors[0].ndim, dtype=torch.float64)
    for factor in factors:
        product = torch.kron(product, factor)
    return product


def fitted_core(entries):
    core = TuckerCore(RANKS, entries.values, torch.Generator().manual_seed(1))
    core.update(entries, 3.0)
    return core


def test_core_is_the_dense_posterior_of_its_linear_model():
    entries = random_entries(RANKS)
    core = TuckerCore(RANKS, entries.values, torch.Generator().manual_seed(1))
    misfit = core.update(entries, 3.0)
    size = math.prod(RANKS)
    precision, shift = torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    rows = list(zip(*entries.where, strict=True))
    for value, row in zip(entries.values, rows, strict=True):
        precision += 3 * kronecker([second[i] for second, i in zip(entries.seconds, row, strict=True)])
        shift += 3 * value * kronecker([mean[i] for mean, i in zip(entries.means, row, strict=True)])
    covariance = torch.linalg.inv(precision)
    torch.testing.assert_close(core.covariance, covariance, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(core.mean, covariance @ shift, rtol=1e-9, atol=1e-12)
    moment = covariance + torch.outer(core.mean, core.mean)
    expected = entries.values.square().sum() - 2 / 3 * core.mean @ shift
    expected += (moment * (precision - torch.eye(size, dtype=torch.float64)) / 3).sum()
    assert misfit == pytest.approx(expected.item(), rel=1e-9)
    normal = torch.distributions.MultivariateNormal(core.mean, covariance)
    standard = torch.distributions.MultivariateNormal(torch.zeros(size).double(), torch.eye(size).double())
    assert core.divergence == pytest.approx(
        torch.distributions.kl_divergence(normal, standard).item(), rel=1e-9
    )


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_messages_hold_the_covariance_of_the_core(mode):
    """E[(W u)(W u)'] over the core and the other modes, entry by entry."""
    entries = random_entries(RANKS)
    core = fitted_core(entries)
    precisions, shifts = core.messages(entries, mode)
    moment = (core.covariance + torch.outer(core.mean, core.mean)).reshape(*RANKS, *RANKS)
    expected, pull = torch.zeros_like(precisions), torch.zeros_like(shifts)
    others = [other for other in range(3) if other != mode]
    letters, primed = "abc", "xyz"
    inner = ",".join(letters[o] + primed[o] for o in others)
    for number, value in enumerate(entries.values):
        row = entries.where[mode][number]
        seconds = [entries.seconds[o][entries.where[o][number]] for o in others]
        means = [entries.means[o][entries.where[o][number]] for o in others]
        expected[row] += torch.einsum(f"abcxyz,{inner}->{letters[mode]}{primed[mode]}", moment, *seconds)
        outer = ",".join(letters[o] for o in others)
        pull[row] += value * torch.einsum(f"abc,{outer}->{letters[mode]}", core.mean.reshape(RANKS), *means)
    torch.testing.assert_close(precisions, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(shifts, pull, rtol=1e-10, atol=1e-10)


def test_canonical_core_is_a_fixed_diagonal_one():
    """CP is Tucker whose core is known: ones where all indices agree, no covariance."""
    entries = random_entries((3, 3, 3))
    core = TuckerCore((3, 3, 3), entries.values, torch.Generator())
    diagonal = torch.zeros(3, 3, 3, dtype=torch.float64)
    diagonal[range(3), range(3), range(3)] = 1
    core.mean, core.covariance = diagonal.flatten(), torch.zeros(27, 27, dtype=torch.float64)
    core._interleave()
    canonical = CanonicalCore((3, 3, 3))
    for mode in range(3):
        for ours, expected in zip(
            canonical.messages(entries, mode), core.messages(entries, mode), strict=True
        ):
            torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
    _, means, seconds = next(entries.chunks(1))
    expected = (
        entries.values.square() - 2 * entries.values * core.mean_form(means) + core.second_form(seconds)
    )
    assert canonical.update(entries, 1.0) == pytest.approx(expected.sum().item(), rel=1e-12)


def test_pieces_of_the_entries_do_not_matter(monkeypatch):
    entries = random_entries(RANKS)
    whole = fitted_core(entries)
    messages = whole.messages(entries, 1)
    monkeypatch.setattr(tensor_core, "CHUNK", 7 * whole.width)
    assert len(list(entries.chunks(whole.width))) == 6
    pieces = fitted_core(entries)
    torch.testing.assert_close(pieces.mean, whole.mean, rtol=1e-12, atol=1e-14)
    for ours, expected in zip(pieces.messages(entries, 1), messages, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


def test_canonical_core_wants_one_rank():
    with pytest.raises(ValueError, match=r"expected one rank for all modes, got \(2, 3\); try core='tucker'"):
        CanonicalCore((2, 3))
