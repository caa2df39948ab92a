"""The evidence that scripts/benchmarks measures kernels by."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).parents[2] / "scripts" / "benchmarks" / "linear_gaussian_evidence.py"


@pytest.fixture(scope="module")
def evidence_class():
    spec = importlib.util.spec_from_file_location("linear_gaussian_evidence", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module.LinearGaussianEvidence
    del sys.modules[spec.name]


def normal_density(matrix, data, exact_map, exact_data, amplitude, noise):
    """Of all data at once, from its covariance."""
    rows = torch.cat([matrix, exact_map])
    covariance = amplitude**2 * rows @ rows.T
    covariance[: len(data), : len(data)] += noise**2 * torch.eye(len(data), dtype=torch.float64)
    mean = torch.zeros(len(rows), dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(mean, covariance)
    return normal.log_prob(torch.cat([data, exact_data])).item()


@pytest.mark.parametrize("num_data", [5, 12, 30])
@pytest.mark.parametrize("num_exact", [1, 2])
def test_it_is_the_density_of_the_normal_distribution(evidence_class, num_data, num_exact):
    """With fewer, as many and more data than the 14 weights."""
    generator = torch.Generator().manual_seed(num_data)

    def numbers(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    case = numbers(num_data, 14), numbers(num_data), numbers(num_exact, 14), numbers(num_exact)
    evidence = evidence_class(*case)
    for amplitude, noise in ((1.0, 0.5), (3.0, 0.2), (0.2, 2.0)):
        expected = normal_density(*case, amplitude, noise)
        assert evidence.log_evidence(amplitude, noise) == pytest.approx(expected, rel=1e-11)


def test_the_best_amplitude_is_where_the_slope_vanishes(evidence_class):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(9, 14, generator=generator, dtype=torch.float64)
    data = torch.randn(9, generator=generator, dtype=torch.float64)
    evidence = evidence_class(matrix, data, matrix[:2].flip(1), data[:2])
    found = evidence.largest(torch.tensor([0.1], dtype=torch.float64))
    assert found.noise == pytest.approx(0.1 * found.amplitude)
    assert found.log_evidence == pytest.approx(evidence.log_evidence(found.amplitude, found.noise))
    for factor in (0.99, 1.01):
        amplitude = factor * found.amplitude
        assert evidence.log_evidence(amplitude, 0.1 * amplitude) < found.log_evidence


def test_singular_values_below_rounding_of_the_covariance_count(evidence_class):
    """A diagonal map with values from 1 to 1e-12: in the covariance, with 1e-24, they are lost."""
    values = torch.logspace(0, -12, 13, dtype=torch.float64)
    matrix = torch.cat([torch.diag(values), torch.zeros(13, 1, dtype=torch.float64)], dim=1)
    exact_map = torch.zeros(1, 14, dtype=torch.float64)
    exact_map[0, 13] = 2.0
    evidence = evidence_class(matrix, 3 * values, exact_map, torch.tensor([1.0], dtype=torch.float64))
    logarithms = values.log().sum().item() + math.log(2.0) + 7 * math.log(2 * math.pi)
    expected = -0.5 * (13 * 9 + 0.25) - logarithms
    assert evidence.log_evidence(1.0, 1e-16) == pytest.approx(expected, rel=1e-6)
