"""Functional Tucker models, against exact regression and known fields."""

import math

import pytest
import torch

from pdeops.gp.functional_tucker import FunctionalTucker


def kernel_matrix(smoothness, first, second, length, deviation):
    scaled = math.sqrt(2 * smoothness) * (first[:, None] - second).abs() / length
    polynomial = {0.5: 1 + 0 * scaled, 1.5: 1 + scaled, 2.5: 1 + scaled + scaled**2 / 3}
    return deviation**2 * polynomial[smoothness] * torch.exp(-scaled)


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
def test_one_function_of_one_coordinate_is_exact_regression(smoothness):
    """Mean, variance and evidence; indices seen, seen twice, between and outside."""
    x = 3 * torch.rand(80, dtype=torch.float64)
    x[:10] = x[10:20]
    y = 5 * torch.sin(4 * x) + 0.5 * torch.randn(80, dtype=torch.float64)
    model = FunctionalTucker(1, core="cp", smoothness=smoothness, noise_std=0.5, starts=1, sweeps=12)
    model.fit(x[:, None], y)
    functions = model.posterior.functions[0]
    parameters = functions.length_scales, functions.standard_deviations * model.scale
    covariance = kernel_matrix(smoothness, x, x, *parameters) + 0.25 * torch.eye(80, dtype=torch.float64)
    query = torch.cat((x, torch.linspace(-2, 5, 60, dtype=torch.float64)))
    cross = kernel_matrix(smoothness, query, x, *parameters)
    gain = torch.linalg.solve(covariance, cross.T).T
    expected = parameters[1] ** 2 - (gain * cross).sum(dim=1)
    mean, variance = model.predict(query[:, None])
    torch.testing.assert_close(mean, gain @ y, rtol=0, atol=1e-9)
    torch.testing.assert_close(variance, expected, rtol=0, atol=1e-9)
    evidence = torch.distributions.MultivariateNormal(torch.zeros_like(y), covariance).log_prob(y)
    assert model.bounds[-1] - 80 * math.log(model.scale) == pytest.approx(evidence.item(), abs=1e-8)


def first_trajectory(t):
    return torch.sin(2 * torch.pi * t) ** 2 * torch.cos(2 * torch.pi * t)


def second_trajectory(t):
    return torch.exp(-2 * t) * torch.sin(1.5 * torch.pi * t)


def test_published_trajectories():
    """Noise-free product of two known functions, 675 of 90 x 90 entries; published error: 0.004."""
    axis = torch.linspace(0, 1, 90, dtype=torch.float64)
    chosen = torch.randperm(8100)[:1350]
    indices = torch.cartesian_prod(axis, axis)[chosen]
    values = first_trajectory(indices[:, 0]) * second_trajectory(indices[:, 1])
    model = FunctionalTucker(1, core="cp", starts=1, sweeps=25).fit(indices[:675], values[:675])
    mean, variance = model.predict(indices[675:])
    assert (mean - values[675:]).square().mean().sqrt() < 4e-4
    assert variance.min() > 0
    # A product fixes its factors but for a number each.
    functions = model.posterior.functions
    for mode, trajectory in enumerate((first_trajectory, second_trajectory)):
        fitted, true = functions[mode].at(axis)[0][:, 0], trajectory(axis)
        assert (fitted @ true).abs() / (fitted.norm() * true.norm()) > 1 - 1e-5


def tucker_field(points):
    """Three coordinates, ranks 2, 2 and 2."""
    x, y, z = points.unbind(1)
    first, second = torch.sin(4 * x), torch.exp(-x)
    third, fourth = torch.cos(5 * y), y
    fifth, sixth = torch.sin(3 * z + 1), z**2
    return (
        first * third * fifth
        + 0.5 * second * fourth * sixth
        - first * fourth * sixth
        + second * third * fifth
    )


@pytest.fixture(scope="module")
def noisy():
    """A model of 500 noisy values, 0.1 the deviation of the noise."""
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(500, 3, generator=generator, dtype=torch.float64)
    noise = 0.1 * torch.randn(500, generator=generator, dtype=torch.float64)
    model = FunctionalTucker(2, smoothness=2.5, length_scale=0.4, starts=1, sweeps=20, seed=1)
    return model.fit(points, tucker_field(points) + noise)


def test_noise_floor(noisy):
    """The field is known better than its data, as well as the posterior says, and the noise is found."""
    query = torch.rand(2000, 3, dtype=torch.float64)
    mean, variance = noisy.predict(query)
    error = mean - tucker_field(query)
    assert error.square().mean().sqrt() < 0.1 / 3
    assert 0.5 < (error.square().mean() / variance.mean()).sqrt() < 1.5
    assert 0.9 < (error.abs() < 1.96 * variance.sqrt()).double().mean() <= 1
    # The deviation of 500 normal numbers is known to 1 / sqrt(1000); some of them went into the functions.
    assert noisy.noise_variance**0.5 == pytest.approx(0.1, rel=0.1)


def test_bound_never_falls(noisy):
    rises = torch.tensor(noisy.bounds).diff()
    assert rises.min() > -1e-6
    assert len(noisy.bounds) == 20 or noisy.converged


def test_far_from_the_data_the_prior_is_back(noisy):
    """There E f^2 = tr(E[W W'] D) with the functions' prior variances D, and the mean is zero."""
    mean, variance = noisy.predict(torch.full((1, 3), 1e5, dtype=torch.float64))
    core, scales = noisy.posterior.core, [f.standard_deviations**2 for f in noisy.posterior.functions]
    moment = (core.covariance + torch.outer(core.mean, core.mean)).diagonal().reshape(core.ranks)
    expected = noisy.scale**2 * torch.einsum("abc,a,b,c->", moment, *scales)
    assert mean.item() == pytest.approx(0, abs=1e-12)
    assert variance.item() == pytest.approx(expected.item(), rel=1e-10)


def test_units_do_not_matter():
    """Coordinates in other units and values in others give the same field in these."""
    points = torch.rand(120, 2, dtype=torch.float64)
    values = torch.sin(3 * points[:, 0]) * points[:, 1] + 0.05 * torch.randn(120, dtype=torch.float64)
    units = torch.tensor([1000.0, 1e-3], dtype=torch.float64)
    one = FunctionalTucker(1, starts=1, sweeps=6).fit(points, values)
    other = FunctionalTucker(1, starts=1, sweeps=6).fit(5 + points * units, 1e6 * values)
    mean, variance = one.predict(points)
    scaled_mean, scaled_variance = other.predict(5 + points * units)
    torch.testing.assert_close(scaled_mean, 1e6 * mean, rtol=1e-6, atol=1.0)
    torch.testing.assert_close(scaled_variance, 1e12 * variance, rtol=1e-5, atol=0)


def test_same_seed_same_numbers():
    points = torch.rand(60, 2, dtype=torch.float64)
    values = points.prod(dim=1)
    fits = [
        FunctionalTucker(2, seed=seed, starts=2, sweeps=4).fit(points, values).bounds for seed in (0, 0, 5)
    ]
    assert fits[0] == fits[1] != fits[2]


def test_the_best_start_goes_on():
    points = torch.rand(60, 2, dtype=torch.float64)
    values = points.prod(dim=1)
    alone = [FunctionalTucker(2, seed=seed, starts=1, sweeps=4).fit(points, values).bounds for seed in (3, 4)]
    both = FunctionalTucker(2, seed=3, starts=2, sweeps=4).fit(points, values).bounds
    assert both == max(alone, key=lambda bounds: bounds[-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 0}, "ranks: expected positive numbers, got 0; try 3"),
        ({"ranks": 2, "length_scale": 0.0}, "length_scale: expected a positive number, got 0.0"),
        ({"ranks": 2, "noise_std": -1.0}, "noise_std: expected a positive number, got -1.0"),
        ({"ranks": 2, "smoothness": 1.0}, "expected 0.5, 1.5 or 2.5, got 1.0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FunctionalTucker(**options)


def test_wrong_data_are_named():
    points, values = torch.rand(5, 2, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    with pytest.raises(ValueError, match="a column of indices for each of"):
        FunctionalTucker((1, 1, 1)).fit(points, values)
    with pytest.raises(ValueError, match="expected finite numbers"):
        FunctionalTucker(1).fit(points, values / 0)
    with pytest.raises(ValueError, match="other than zero"):
        FunctionalTucker(1).fit(points, 0 * values)
    with pytest.raises(RuntimeError, match="expected a fitted model, got a new one; try fit first"):
        FunctionalTucker(1).predict(points)
    with pytest.raises(ValueError, match=r"expected indices of 2 columns, got \(5, 1\)"):
        FunctionalTucker(1, starts=1, sweeps=1).fit(points, values).predict(points[:, :1])
