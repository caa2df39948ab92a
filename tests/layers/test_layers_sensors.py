"""Sensors: values and projections; principal modes."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.special import eval_legendre

from pdeops.domains import Domain, Grid, Mesh, disk_mesh, refine_mesh
from pdeops.layers import PrincipalModes, Sensors, tensor_basis


def graded_mesh(num_points: int) -> Mesh:
    """An interval with points that crowd at one end."""
    points = torch.linspace(0, 1, num_points).double().pow(1.5)[:, None]
    return Mesh(points, torch.stack((torch.arange(num_points - 1), torch.arange(1, num_points)), dim=1))


def test_the_basis_is_waves_and_legendre_polynomials() -> None:
    grid = Grid.box((8, 9), ("periodic", "nodes"), lower=(1.0, 0.0), upper=(3.0, 4.0))
    points = torch.rand(6, 2).double() * torch.tensor([2.0, 4.0]) + torch.tensor([1.0, 0.0])
    found = tensor_basis(grid, points, 4)
    angle = math.pi * (points[:, 0] - 1.0)
    waves = [torch.ones(6).double(), angle.cos(), angle.sin(), (2 * angle).cos()]
    waves = [waves[0], *(math.sqrt(2) * wave for wave in waves[1:])]
    for i in range(4):
        for j in range(4):
            legendre = torch.from_numpy(eval_legendre(j, (points[:, 1] / 2 - 1).numpy()))
            expected = waves[i] * legendre * math.sqrt(2 * j + 1)
            torch.testing.assert_close(found[:, 4 * i + j], expected, rtol=1e-12, atol=1e-12)


def test_functions_of_the_basis_are_read_alike_from_all_domains() -> None:
    sensors = Sensors(Grid.box((33,)), "projection", 6)
    coefficients = torch.randn(6).double()
    readings = [
        sensors((tensor_basis(domain, domain.points, 6) @ coefficients)[None, None], domain)[0, 0]
        for domain in (
            graded_mesh(40),
            Grid.box((57,), "chebyshev"),
            Grid.box((21,), "cells"),
        )
    ]
    for reading in readings[1:]:
        torch.testing.assert_close(reading, readings[0], rtol=1e-12, atol=1e-12)


def test_readings_keep_the_norm_of_what_the_basis_holds() -> None:
    disk = disk_mesh(4)
    sensors = Sensors(disk, "projection", 4)
    values = tensor_basis(disk, disk.points, 4) @ torch.randn(16).double()
    mean_square = (disk.quadrature_weights * values.square()).sum() / disk.volume
    reading = sensors(values[None, None].double())
    # The matrix of the training domain is stored in single precision.
    assert reading.square().sum().item() == pytest.approx(mean_square.item(), rel=1e-5)


def test_other_functions_are_read_at_the_rate_of_the_quadrature() -> None:
    sensors = Sensors(Grid.box((33,)), "projection", 4)

    def read(domain: Domain) -> torch.Tensor:
        return sensors(torch.exp(3 * domain.points[:, 0])[None, None], domain)

    # Chebyshev points integrate this function to rounding.
    exact = read(Grid.box((65,), "chebyshev"))
    mesh, errors = graded_mesh(40), []
    for _ in range(4):
        errors.append((read(mesh) - exact).norm().item())
        mesh = refine_mesh(mesh)
    rates = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert rates == sorted(rates)
    assert 1.95 < rates[-1] < 2.0


def test_values_are_those_of_training_only() -> None:
    grid = Grid.box((5, 4))
    sensors = Sensors(grid)
    values = torch.randn(2, 3, 5, 4)
    assert torch.equal(sensors(values, Grid.box((5, 4))), values.flatten(2))
    with pytest.raises(ValueError, match="try sensors=projection"):
        sensors(values, Grid.box((5, 4), "cells"))


def test_projections_that_cannot_be_say_why() -> None:
    with pytest.raises(ValueError, match="try fewer sensor modes"):
        Sensors(Grid.box((5,)), "projection", 6)
    with pytest.raises(ValueError, match="at least one mode"):
        Sensors(Grid.box((5,)), "projection", 0)
    sensors = Sensors(Grid.box((9,)), "projection", 3)
    with pytest.raises(ValueError, match="inside of the box"):
        sensors(torch.zeros(1, 1, 9), Grid.box((9,), upper=(2.0,)))


def test_modes_are_those_of_a_decomposition_of_all_samples_at_once() -> None:
    weights = torch.rand(50).double() + 0.1
    # Rank 10 and less than what is kept: batches make no difference.
    samples = 3 + torch.randn(200, 10).double() * torch.linspace(5, 1, 10) @ torch.randn(10, 50).double()
    collected = PrincipalModes(weights, 4, kept=12)
    for batch in samples.split(17):
        collected.add(batch)
    found = collected.result()
    centred = samples - samples.mean(dim=0)
    # The other way: eigenvalues of the covariance.
    covariance = (centred * weights.sqrt()).T @ (centred * weights.sqrt()) / 200
    energies, directions = torch.linalg.eigh(covariance)
    torch.testing.assert_close(found.mean, samples.mean(dim=0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.deviations.square(), energies.flip(0)[:4], rtol=1e-9, atol=0)
    alignment = (found.modes * weights.sqrt()) @ directions.flip(1)[:, :4]
    torch.testing.assert_close(alignment.abs(), torch.eye(4).double(), rtol=0, atol=1e-8)


def test_modes_are_orthonormal_and_hold_samples_of_their_rank() -> None:
    weights = torch.rand(300).double()
    weights[7] = 0.0
    samples = torch.randn(60, 5).double() @ torch.randn(5, 300).double() - 2
    collected = PrincipalModes(weights, 5, kept=8)
    for batch in samples.split(7):
        collected.add(batch)
    found = collected.result()
    products = (found.modes * weights) @ found.modes.T
    torch.testing.assert_close(products, torch.eye(5).double(), rtol=0, atol=1e-12)
    centred = samples - found.mean
    coefficients = (centred * weights) @ found.modes.T
    held = coefficients @ found.modes
    used = weights > 0
    torch.testing.assert_close(held[:, used], centred[:, used], rtol=0, atol=1e-10)
    torch.testing.assert_close(coefficients.square().mean(dim=0).sqrt(), found.deviations, rtol=1e-10, atol=0)


def test_too_few_samples_are_refused() -> None:
    collected = PrincipalModes(torch.ones(20), 5, kept=20)
    collected.add(torch.randn(4, 20))
    with pytest.raises(ValueError, match="at least 5 samples"):
        collected.result()
