"""Gaussian random fields: variance and spectrum by theory, one function on all grids, seeds."""

import math

import pytest
import torch

from pdeops.domains import Grid, Mesh
from pdeops.problems import (
    Burgers1D,
    Darcy2D,
    LognormalPermeability,
    NavierStokes2D,
    NeumannRandomField,
    PeriodicRandomField,
    SmoothRandomField,
    TwoPhasePermeability,
)

SMALL = {"scale": 2.0, "smoothness": 2.5, "inverse_length": 3.0, "max_wavenumber": 6}


def theoretical_variance(field, dimension, base):
    """Mean variance over the box, a sum over modes; base is 2 pi on a torus, pi with Neumann conditions."""
    low = 0 if base == math.pi else -field.max_wavenumber
    waves = torch.arange(low, field.max_wavenumber + 1).double()
    squared = sum(k**2 for k in torch.meshgrid(*(waves,) * dimension, indexing="ij")) * base**2
    variances = field.scale**2 * (squared + field.inverse_length**2) ** -field.smoothness
    return (variances.sum() - field.scale**2 * field.inverse_length ** (-2 * field.smoothness)).item()


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("kind", ["periodic", "cells"])
def test_variance_is_that_of_the_covariance(dimension, kind):
    field = PeriodicRandomField(**SMALL) if kind == "periodic" else NeumannRandomField(**SMALL)
    grid = Grid.box((14,) * dimension, kind)
    values = field.sample(grid, range(3000))
    expected = theoretical_variance(field, dimension, 2 * math.pi if kind == "periodic" else math.pi)
    # The mean square over the box is a sum of independent squares; its first modes carry nearly all.
    means = values.square().flatten(1).mean(dim=1)
    error = means.std() / math.sqrt(len(means))
    assert abs(means.mean() - expected) < 4 * error
    assert error < 0.03 * expected
    torch.testing.assert_close(values.flatten(1).mean(dim=1), torch.zeros(3000).double(), rtol=0, atol=1e-13)


def test_spectrum_falls_as_stated():
    field = PeriodicRandomField(**SMALL)
    spectrum = (
        torch.fft.fft2(field.sample(Grid.periodic((16, 16)), range(4000)), norm="forward").abs().square()
    )
    for wave in ((1, 0), (0, 1), (2, 1), (-1, 3), (0, 5)):
        variance = 4.0 * (4 * math.pi**2 * sum(k * k for k in wave) + 9) ** -2.5
        # |u_k|^2 is exponential: its mean over n samples has the relative error 1 / sqrt(n).
        assert spectrum[:, wave[0], wave[1]].mean().item() == pytest.approx(variance, rel=4 / math.sqrt(4000))
    assert spectrum[:, 7, :].max() < 1e-30


def test_periodic_covariance_on_a_box_of_other_lengths():
    """On a torus of length L the variance is the sum over k of C(2 pi k / L) / L."""
    field = PeriodicRandomField(**SMALL)
    values = field.sample(Grid.periodic((15,), lengths=(3.0,)), range(20000))
    waves = 2 * math.pi / 3 * torch.arange(1, 7).double()
    expected = (2 * 4.0 * (waves**2 + 9) ** -2.5).sum().item() / 3
    assert values.square().mean().item() == pytest.approx(expected, rel=0.02)


def test_navier_stokes_start_has_the_benchmarks_size():
    """Standard deviation 0.26 and maximum about 1.05, measured on the benchmark's own recipe."""
    problem = NavierStokes2D()
    expected = theoretical_variance(problem.sampler, 2, 2 * math.pi)
    assert math.sqrt(expected) == pytest.approx(0.26, abs=0.005)
    values = problem.sample_inputs(problem.default_domain((64, 64)), range(60))["initial_vorticity"].values
    assert values.square().mean().item() == pytest.approx(expected, rel=0.15)
    assert values.abs().max().item() == pytest.approx(1.05, rel=0.25)


def test_burgers_start_has_the_papers_variance():
    problem = Burgers1D()
    values = problem.sample_inputs(problem.default_domain((256,)), range(2000))["initial_velocity"].values
    waves = 2 * math.pi * torch.arange(1, 4097).double()
    expected = (2 * 625 * (waves**2 + 25) ** -2.0).sum().item()
    assert values.square().mean().item() == pytest.approx(expected, rel=0.1)


def test_neumann_field_has_no_normal_derivative():
    values = NeumannRandomField(**SMALL).sample(Grid.box((401,), "nodes"), [0, 1, 2])
    slope = (values[:, 1] - values[:, 0]) * 400
    assert (slope.abs() < 0.02 * (values.diff(dim=1) * 400).abs().amax(dim=1)).all()


@pytest.mark.parametrize(
    ("kind", "fine_shape", "offset"),
    [("periodic", (66, 57), 0), ("nodes", (64, 55), 0), ("cells", (66, 57), 1), ("chebyshev", (64, 55), 0)],
)
def test_a_seed_is_one_function_on_every_grid_that_holds_it(kind, fine_shape, offset):
    """Every third point of the fine grid is a point of the coarse one."""
    field = PeriodicRandomField(**SMALL) if kind == "periodic" else NeumannRandomField(**SMALL)
    on_coarse = field.sample(Grid.box((22, 19), kind), [5])
    on_fine = field.sample(Grid.box(fine_shape, kind), [5])
    torch.testing.assert_close(on_coarse, on_fine[:, offset::3, offset::3])


def test_a_coarse_grid_truncates_and_never_aliases():
    field = PeriodicRandomField(**SMALL)
    fine = torch.fft.rfft2(field.sample(Grid.periodic((16, 16)), [3]), norm="forward")
    coarse = torch.fft.rfft2(field.sample(Grid.periodic((8, 8)), [3]), norm="forward")
    for row in (0, 1, 2, 3, -1, -2, -3):
        torch.testing.assert_close(coarse[:, row, :4], fine[:, row, :4])
    assert coarse[:, 4].abs().max() < 1e-16
    assert coarse[:, :, 4].abs().max() < 1e-16

    # 24 x 24 cells hold everything; on 5 x 5 the cosines of 0 to 4 half waves are left as they were.
    neumann = NeumannRandomField(**SMALL)
    waves = math.pi * torch.arange(7).double()
    fine_cells, coarse_cells = Grid.box((24, 24), "cells"), Grid.box((5, 5), "cells")
    basis = torch.cos(waves[:, None] * fine_cells.axes[0].points) / 24
    basis[1:] *= 2
    coefficients = torch.einsum("ki,lj,bij->bkl", basis, basis, neumann.sample(fine_cells, [3]))[:, :5, :5]
    coarse_basis = torch.cos(waves[:5, None] * coarse_cells.axes[0].points)
    expected = torch.einsum("ki,lj,bkl->bij", coarse_basis, coarse_basis, coefficients)
    torch.testing.assert_close(neumann.sample(coarse_cells, [3]), expected)


@pytest.mark.parametrize("problem", [NavierStokes2D(), Burgers1D(), Darcy2D()], ids=lambda p: p.name)
def test_a_sample_depends_on_its_own_seed_only(problem):
    domain = problem.default_domain((32,) * problem.dimension)
    (name,) = [variable.name for variable in problem.inputs]
    together = problem.sample_inputs(domain, [7, 8, 9])[name]
    alone = problem.sample_inputs(domain, [9])[name]
    torch.manual_seed(123)
    assert torch.equal(together.values[2], problem.sample_inputs(domain, [9])[name].values[0])
    assert torch.equal(together.values[2], alone.values[0])
    assert not torch.equal(together.values[0], together.values[1])
    assert together.values.dtype == torch.float64
    assert together.channels == (name,)


def test_two_phases_have_the_stated_values_in_equal_parts():
    problem = Darcy2D()
    values = problem.sample_inputs(problem.default_domain((32, 32)), range(400))["permeability"].values
    assert set(values.unique().tolist()) == {3.0, 12.0}
    # Signs of a symmetric field; a sample counts once or twice, as it is strongly correlated inside.
    assert (values == 12).double().mean().item() == pytest.approx(0.5, abs=0.03)


def test_lognormal_permeability_has_its_median_and_spread():
    values = LognormalPermeability(median=2.0).sample(Grid.box((24, 24), "nodes"), range(500))
    assert (values > 0).all()
    assert values.median().item() == pytest.approx(2.0, rel=0.1)
    assert values.log().std().item() == pytest.approx(0.94, rel=0.05)


def test_arguments_are_checked():
    for name, value in (("scale", 0.0), ("smoothness", -1.0), ("inverse_length", float("nan"))):
        with pytest.raises(ValueError, match=f"{name}: expected a positive number"):
            PeriodicRandomField(**{**SMALL, name: value})
    with pytest.raises(ValueError, match="max_wavenumber: expected a positive integer, got 0"):
        NeumannRandomField(**{**SMALL, "max_wavenumber": 0})
    with pytest.raises(ValueError, match="expected periodic axes, got nodes"):
        PeriodicRandomField(**SMALL).sample(Grid.box((8, 8)), [0])
    with pytest.raises(ValueError, match="expected non-negative integers, got -1"):
        PeriodicRandomField(**SMALL).sample(Grid.periodic((8, 8)), [-1])
    with pytest.raises(ValueError, match="low: expected a positive number, got 0"):
        TwoPhasePermeability(low=0.0)
    with pytest.raises(ValueError, match="median: expected a positive number"):
        LognormalPermeability(median=-1.0)


def test_boxes_of_mixed_axes_keep_covariance_and_functions():
    """Variance at a point: the sum over the eigenfunctions, waves of whole periods in x, cosines in y."""
    field = NeumannRandomField(**SMALL)
    grid = Grid.box((16, 15), ["periodic", "nodes"], upper=(2.0, 1.0))
    values = field.sample(grid, range(4000))
    k = math.pi * torch.arange(SMALL["max_wavenumber"] + 1).double()
    eigenvalues = k[:, None] ** 2 + k**2  # period 2: angular wavenumbers pi k
    powers = SMALL["scale"] ** 2 / 2 * (eigenvalues + SMALL["inverse_length"] ** 2) ** -SMALL["smoothness"]
    powers[0, 0] = 0
    powers[1:] *= 2  # a sine and a cosine
    powers[:, 1:] *= 2 * torch.cos(k[1:] * 0.5) ** 2
    assert values[:, :, 7].var(0).mean().item() == pytest.approx(powers.sum().item(), rel=0.05)
    coarse = field.sample(grid.with_shape((32, 29)), [5])
    torch.testing.assert_close(field.sample(grid, [5])[:, :, ::7], coarse[:, ::2, ::14])


def test_a_mesh_gets_the_field_of_its_bounding_box():
    corners = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0], [0.3, 0.6]], dtype=torch.float64)
    mesh = Mesh(corners, torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]))
    field = NeumannRandomField(scale=3.0, smoothness=2.0, inverse_length=2.0, max_wavenumber=1)
    grid = Grid.box((21, 11), upper=(2.0, 1.0))
    expected = field.sample(grid, [7])[0]
    places = [(0, 0), (20, 0), (20, 10), (0, 10), (3, 6)]
    torch.testing.assert_close(field.sample(mesh, [7])[0], torch.stack([expected[place] for place in places]))


def test_the_correlation_length_is_that_of_the_field():
    # By Poisson's summation the variances of all waves add up to S = 1 / (l sqrt(2 pi)) times that of the
    # constant, and with k^2 to S / l^2; the constant is left out. Variances from samples: 400 of 8 waves.
    length = 0.05
    field = SmoothRandomField(correlation_length=length, max_wavenumber=32)
    total = 1 / (length * math.sqrt(2 * math.pi))
    expected = total / (total - 1) / length**2
    grid = Grid.periodic((128,))
    assert field.mean_square_gradient(grid) == pytest.approx(expected, rel=1e-12)
    values = field.sample(grid, range(400))
    slopes = (values.roll(-1, 1) - values.roll(1, 1)) * 64
    assert slopes.square().mean().item() == pytest.approx(expected, rel=0.1)
