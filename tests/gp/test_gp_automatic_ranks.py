"""Ranks from the evidence bound: known ranks, the algebra of turning, and what data may look like."""

import math

import pytest
import torch

from pdeops.gp import FunctionalTucker
from pdeops.gp.automatic_ranks import FIRST_RANK, principal_functions, trim, worth


def known_field(ranks, entries, noise, seed, points=15):
    """Values of a Tucker field on a grid whose functions are orthonormal there and whose core has norm 1."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.linspace(0, 1, points, dtype=torch.float64)
    where = torch.randint(points, (2 * entries, len(ranks)), generator=generator)
    field = torch.randn(*ranks, generator=generator, dtype=torch.float64)
    field = (field / field.norm()).expand(2 * entries, *ranks)
    waves = math.pi * (torch.arange(4, dtype=torch.float64) + 0.5)
    for mode, rank in enumerate(ranks):
        sizes = torch.randn(rank, 4, generator=generator, dtype=torch.float64)
        phases = 2 * math.pi * torch.rand(rank, 4, generator=generator, dtype=torch.float64)
        functions = (sizes * torch.cos(axis[:, None, None] * waves + phases)).sum(dim=2)
        orthonormal = math.sqrt(points) * torch.linalg.qr(functions)[0]
        field = torch.einsum("nr,nr...->n...", orthonormal[where[:, mode]], field)
    data = field[:entries] + noise * torch.randn(entries, generator=generator, dtype=torch.float64)
    return axis[where[:entries]], data, axis[where[entries:]], field[entries:]


@pytest.mark.parametrize(
    ("ranks", "entries", "noise", "seed"),
    [
        ((2, 4, 3), 800, 0.05, 0),
        ((2, 4, 3), 800, 0.05, 1),
        ((2, 4, 3), 800, 0.05, 2),
        ((1, 2, 2), 600, 0.1, 0),
    ],
)
def test_known_ranks_are_found(ranks, entries, noise, seed):
    """Of fields whose singular values are all far above the noise; their errors are what is claimed."""
    points, data, query, truth = known_field(ranks, entries, noise, seed)
    model = FunctionalTucker(smoothness=2.5, starts=1, sweeps=47).fit(points, data)
    assert model.ranks_found == ranks
    assert model.noise_variance**0.5 == pytest.approx(noise, rel=0.1)
    mean, variance = model.predict(query)
    error = mean - truth
    assert error.square().mean().sqrt() < noise / 2
    assert 0.9 < (error.abs() <= 1.96 * variance.sqrt()).double().mean() <= 1


def test_ranks_do_not_grow_where_functions_cost_more_than_they_bring(monkeypatch):
    points, data, _, _ = known_field((3, 3, 3), 800, 0.05, 0)
    found = FunctionalTucker(starts=1, sweeps=47).fit(points, data).ranks_found
    monkeypatch.setattr("pdeops.gp.automatic_ranks.worth", lambda posterior: -sum(posterior.core.ranks))
    dear = FunctionalTucker(starts=1, sweeps=47).fit(points, data).ranks_found
    assert max(dear) <= FIRST_RANK < min(found)


def test_a_matrix_of_functions_wants_both_ranks_at_once():
    """In two modes no rank helps alone."""
    points, data, _, _ = known_field((3, 3), 400, 0.05, 1)
    assert FunctionalTucker(smoothness=2.5, starts=1, sweeps=47).fit(points, data).ranks_found == (
        3,
        3,
    )


def test_noise_alone_has_the_least_rank_and_no_field():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(40, 2, generator=generator, dtype=torch.float64)
    data = torch.randn(40, generator=generator, dtype=torch.float64)
    model = FunctionalTucker(starts=1, sweeps=26).fit(points, data)
    assert model.ranks_found == (1, 1)
    assert model.predict(points)[0].square().mean() < 0.1 * data.square().mean()


@pytest.fixture
def posterior():
    points, data, _, _ = known_field((2, 3, 2), 400, 0.05, 0, points=20)
    return FunctionalTucker((3, 4, 3), smoothness=2.5, starts=1, sweeps=6).fit(points, data).posterior


def test_principal_functions_change_the_basis_not_the_field(posterior):
    """Turned without dropping any, functions and core have the same moments at the data."""
    entries = posterior.entries()
    grid = torch.stack([f.points[w] for f, w in zip(posterior.functions, entries.where, strict=True)], dim=1)
    mean, variance = posterior.moments(grid)
    for mode, (matrix, inverse, explained) in enumerate(principal_functions(posterior)):
        identity = torch.eye(len(matrix), dtype=torch.float64)
        torch.testing.assert_close(matrix @ inverse, identity, rtol=0, atol=1e-6)
        assert (explained.diff() <= 0).all()
        functions = posterior.functions[mode]
        functions.turn(matrix, inverse)
        posterior.core.turn(mode, inverse)
        weights = torch.bincount(functions.where, minlength=len(functions.points)) / len(functions.where)
        gram = functions.means.T @ (weights[:, None] * functions.means)
        torch.testing.assert_close(gram, identity, rtol=0, atol=1e-3)
    means = [mean[row] for mean, row in zip(posterior.entries().means, entries.where, strict=True)]
    torch.testing.assert_close(posterior.core.mean_form(means), mean, rtol=0, atol=1e-9)
    assert variance.min() > 0


def test_scaling_of_core_and_functions_leaves_field_and_functions_divergence(posterior):
    before = posterior.moments(torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64))
    divergence = posterior.core.divergence
    for functions, factors in zip(posterior.functions, posterior.core.balance(), strict=True):
        functions.rescale(2 * factors)
    for _ in range(3):
        posterior.core.mean, posterior.core.covariance = (
            posterior.core.mean / 2,
            posterior.core.covariance / 4,
        )
    posterior.core._interleave()
    after = posterior.moments(torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64))
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old, rtol=1e-9, atol=1e-12)
    for functions, factors in zip(posterior.functions, posterior.core.balance(), strict=True):
        functions.rescale(factors)
    assert posterior.core.divergence <= divergence + 1e-9


def test_kernels_that_are_not_to_be_learned_stay():
    points, data, _, _ = known_field((2, 2), 200, 0.05, 0)
    model = FunctionalTucker(learn_kernel=False, length_scale=0.3, starts=1, sweeps=40).fit(points, data)
    reach = points[:, 0].max() - points[:, 0].min()
    for lengths in model.length_scales:
        torch.testing.assert_close(lengths, torch.full_like(lengths, 0.3 * reach.item()))


@pytest.mark.parametrize("sweeps", [2, 13, 15])
def test_no_more_sweeps_than_asked_for(sweeps):
    points, data, _, _ = known_field((2, 2), 100, 0.05, 0)
    assert len(FunctionalTucker(starts=1, sweeps=sweeps).fit(points, data).bounds) <= sweeps


def test_what_is_trimmed_was_worth_less_than_it_cost(posterior):
    old = worth(posterior)
    trim(posterior)
    assert posterior.core.ranks == (2, 3, 2)
    for _ in range(3):
        posterior.sweep(learn_kernel=True)
    assert worth(posterior) > old


def field_of(points):
    return torch.sin(3 * points[:, 0]) * points[:, 1]


def test_years_single_indices_and_half_precision_are_data_like_others():
    generator = torch.Generator().manual_seed(0)
    points = torch.randint(11, (40, 2), generator=generator).double() / 10
    data = field_of(points) + 0.05 * torch.randn(40, generator=generator, dtype=torch.float64)
    options = {"smoothness": 2.5, "starts": 1, "sweeps": 15}
    plain = FunctionalTucker(**options).fit(points, data).predict(points)
    years = points * torch.tensor([100.0, 1.0], dtype=torch.float64) + torch.tensor([1900.0, 0.0])
    for given, values in ((years, data), (points.float(), data.float())):
        other = FunctionalTucker(**options).fit(given, values).predict(given)
        torch.testing.assert_close(other[0], plain[0], rtol=0, atol=1e-3)
    again = FunctionalTucker(**options).fit(points, data).predict(points)
    assert torch.equal(again[0], plain[0])
    # A coordinate that never changes is a factor of one number.
    points[:, 1] = 7.0
    data = torch.sin(3 * points[:, 0]) + 0.05 * torch.randn(40, generator=generator, dtype=torch.float64)
    flat = FunctionalTucker(**options).fit(points, data)
    assert flat.ranks_found == (1, 1)
    assert (flat.predict(points)[0] - torch.sin(3 * points[:, 0])).square().mean().sqrt() < 0.05


@pytest.mark.parametrize("size", [1e-100, 1.0, 1e100])
def test_a_constant_is_found_in_any_unit(size):
    """But for the noise that its prior, of rate 1e-3, lets 30 data have."""
    points = torch.rand(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = FunctionalTucker(starts=1, sweeps=15).fit(
        points, torch.full((30,), 3 * size, dtype=torch.float64)
    )
    assert model.ranks_found == (1, 1)
    torch.testing.assert_close(
        model.predict(points)[0] / size, torch.full((30,), 3.0).double(), rtol=math.sqrt(2e-3 / 30), atol=0
    )


def test_few_entries_and_one_mode_do_not_break_down():
    points = torch.rand(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for count in (2, 5):
        mean, variance = (
            FunctionalTucker(starts=1, sweeps=26)
            .fit(points[:count], field_of(points)[:count])
            .predict(points)
        )
        assert bool((mean.isfinite() & (variance >= 0)).all())
    x = torch.linspace(0, 1, 60, dtype=torch.float64)[:, None]
    one = FunctionalTucker(starts=1, sweeps=26, smoothness=2.5).fit(x, torch.sin(5 * x[:, 0]))
    assert one.ranks_found == (1,)
    # The prior of the noise keeps it from zero.
    assert (one.predict(x)[0] - torch.sin(5 * x[:, 0])).square().mean() < one.noise_variance
    assert one.predict(x[:0])[0].shape == (0,)


def test_one_start_that_breaks_down_does_not_end_the_fit():
    """A singular matrix is a start that failed, and the last one's words are said if all fail."""
    points = torch.rand(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.raises(FloatingPointError, match="try lower ranks or a known noise that is not so small"):
        FunctionalTucker(2, noise_std=1e-12, smoothness=2.5).fit(
            points, field_of(points) + points[:, 0].round()
        )


def test_wrong_data_and_options_are_named():
    points, values = torch.rand(5, 2), torch.ones(5)
    with pytest.raises(ValueError, match="expected two or more entries"):
        FunctionalTucker().fit(points[:1], values[:1])
    with pytest.raises(ValueError, match="expected a number for core='cp', got None; try 3"):
        FunctionalTucker(core="cp")
    model = FunctionalTucker(1, starts=1, sweeps=1).fit(points, values)
    with pytest.raises(ValueError, match="expected finite indices"):
        model.predict(points / 0)
