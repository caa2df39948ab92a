"""Fields from scattered measurements of them."""

import math

import pytest
import torch

from pdeops.domains import Field, Grid, disk_mesh
from pdeops.gp.functional_tucker import FunctionalTucker
from pdeops.instances import posterior_field, scatter


def formula(t, x, y):
    return 1000 * t + 10 * x + y


def linear_field():
    grid = Grid.box((3, 4))
    times = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    values = torch.stack([formula(t, *grid.coordinates) for t in times])
    return Field(values[None, :, None], grid, ("u",), ("K",), times)


def test_every_value_is_at_its_point_and_time():
    indices, values = scatter(linear_field(), 1.0)
    assert len(values) == 36
    torch.testing.assert_close(values, formula(*indices.unbind(1)))
    some, few = scatter(linear_field(), 0.25, seed=2)
    assert len(few) == 9 == len(torch.unique(few))
    torch.testing.assert_close(few, formula(*some.unbind(1)))


def test_noise_has_the_deviation_asked_for():
    field = Field(torch.zeros(1, 1, 100, 100, dtype=torch.float64), Grid.periodic((100, 100)), ("u",))
    _, values = scatter(field, 0.5, noise_std=3.0)
    # Four standard errors of the deviation of 5000 normal numbers.
    assert values.std().item() == pytest.approx(3.0, abs=4 * 3 / math.sqrt(10_000))


def test_posterior_is_laid_out_as_the_field():
    """A model that knows the formula gives the field back, and its variance as a deviation."""

    class Known:
        def predict(self, indices):
            return formula(*indices.unbind(1)), indices[:, 0] ** 2

    field = linear_field()
    posterior = posterior_field(Known(), field.domain, field.times, channel="u", unit="K")
    assert posterior.channels == ("u", "u_standard_deviation")
    assert posterior.units == ("K", "K")
    torch.testing.assert_close(posterior.select("u").values, field.values)
    expected = field.times[:, None, None].expand(3, 3, 4)
    torch.testing.assert_close(posterior.values[0, :, 1], expected)


def test_on_a_mesh_and_without_times():
    """A product of two functions, measured on a grid, asked for on a disk inside."""
    grid = Grid.box((40, 40), lower=(-1, -1), upper=(1, 1))
    values = torch.cos(2 * grid.coordinates[0]) * torch.exp(grid.coordinates[1])
    indices, data = scatter(Field(values[None, None], grid, ("u",)), 0.2)
    model = FunctionalTucker(1, core="cp", smoothness=2.5, starts=1, sweeps=15).fit(indices, data)
    mesh = disk_mesh(3, radius=0.9)
    posterior = posterior_field(model, mesh)
    x, y = mesh.points.unbind(1)
    assert posterior.values.shape == (1, 2, len(x))
    torch.testing.assert_close(posterior.values[0, 0], torch.cos(2 * x) * torch.exp(y), rtol=0, atol=1e-3)


def test_what_cannot_be_scattered_is_named():
    field = linear_field()
    with pytest.raises(ValueError, match="expected one sample and one channel, got 1 and "):
        scatter(Field(field.values.repeat(1, 1, 2, 1, 1), field.domain, ("u", "v"), (), field.times), 0.5)
    with pytest.raises(ValueError, match=r"fraction: expected a number in \(0, 1\], got 2"):
        scatter(field, 2.0)
