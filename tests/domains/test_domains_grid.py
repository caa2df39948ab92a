"""Grids: volumes, faces, derivatives and the way to plain containers and back."""

import json
import math

import pytest
import torch

from pdeops.domains import Axis, AxisKind, Grid, derivative, integrate, squared_norm


def mixed_grid(scale: int = 1) -> Grid:
    return Grid(
        (
            Axis("x", 0.0, 2.0, 12 * scale),
            Axis("y", -1.0, 1.0, 10 * scale, AxisKind.CHEBYSHEV),
            Axis("z", 0.0, 3.0, 9 * scale, AxisKind.CELLS),
        )
    )


def test_points_and_weights_follow_the_shape():
    grid = mixed_grid()
    assert grid.quadrature_weights.shape == grid.shape == (12, 10, 9)
    assert grid.quadrature_weights.sum().item() == pytest.approx(2 * 2 * 3)
    assert grid.volume == pytest.approx(2 * 2 * 3)
    torch.testing.assert_close(grid.points.T.reshape(3, *grid.shape), torch.stack(grid.coordinates))
    x, y, z = grid.coordinates
    integral = integrate((1 + torch.cos(math.pi * x)) * y**4 * z, grid)
    assert integral.item() == pytest.approx(2 * (2 / 5) * 4.5)


def test_faces_have_their_area_outward_normals_and_own_points():
    grid = mixed_grid()
    assert grid.boundary_names == ("y_lower", "y_upper", "z_lower", "z_upper")
    upper = grid.boundary("y_upper")
    assert upper.quadrature_weights.sum().item() == pytest.approx(2 * 3)
    assert upper.normals.unique(dim=0).tolist() == [[0.0, 1.0, 0.0]]
    torch.testing.assert_close(grid.points[upper.indices], upper.points)
    cells = grid.boundary("z_lower")
    assert cells.indices is None
    assert cells.points[:, 2].unique().tolist() == [0.0]
    assert cells.quadrature_weights.sum().item() == pytest.approx(2 * 2)


def test_divergence_theorem_holds_on_a_chebyshev_grid():
    grid = Grid.box((12, 14), "chebyshev", lower=(0, -1), upper=(2, 1))
    x, y = grid.coordinates
    flux = (x**2 * y, torch.sin(x) + y**3)
    volume = integrate(derivative(flux[0], grid, 0) + derivative(flux[1], grid, 1), grid)
    surface = 0.0
    for name in grid.boundary_names:
        part = grid.boundary(name)
        normal_flux = sum(flux[i].flatten()[part.indices] * part.normals[:, i] for i in range(2))
        surface += (normal_flux * part.quadrature_weights).sum().item()
    assert volume.item() == pytest.approx(surface, abs=1e-10)


@pytest.mark.parametrize("num_points", [8, 9])
def test_periodic_derivative_is_exact_for_waves(num_points):
    grid = Grid.periodic((num_points, 6), lengths=(2.0, 1.0))
    x, _ = grid.coordinates
    wave, slope = torch.sin(3 * math.pi * x), 3 * math.pi * torch.cos(3 * math.pi * x)
    torch.testing.assert_close(derivative(wave, grid, 0), slope, rtol=0, atol=1e-12)
    torch.testing.assert_close(derivative(wave, grid, 0, 2), -((3 * math.pi) ** 2) * wave, rtol=0, atol=1e-11)


def test_h1_norm_of_a_wave_is_the_integral():
    grid = Grid.periodic((16, 15), lengths=(2.0, 1.0))
    x, y = grid.coordinates
    wave = torch.cos(math.pi * (x + 4 * y))
    assert squared_norm(wave, grid, "h1").item() == pytest.approx(1 + 17 * math.pi**2)


def test_grid_survives_plain_containers_and_hashes_equal():
    grid = mixed_grid()
    again = Grid.from_dict(json.loads(json.dumps(grid.to_dict())))
    assert again == grid
    assert hash(again) == hash(grid)
    assert grid.with_shape((4, 5, 6)).shape == (4, 5, 6)


@pytest.mark.usefixtures("unchecked")
def test_bad_grids_say_what_was_expected():
    with pytest.raises(ValueError, match="'l2' or 'h1'"):
        squared_norm(torch.zeros(4, 4), Grid.periodic((4, 4)), "linf")
    with pytest.raises(ValueError, match="different names"):
        Grid((Axis("x", 0, 1, 4), Axis("x", 0, 1, 4)))
    with pytest.raises(ValueError, match="expected one of"):
        mixed_grid().boundary("x_lower")
    with pytest.raises(ValueError, match="expected values of shape"):
        derivative(torch.zeros(3, 3), Grid.periodic((4, 4)), 0)
    with pytest.raises(ValueError, match="at least 5 points"):
        derivative(torch.zeros(4), Grid.box((4,)), 0)


def test_what_validation_cached_can_be_trained_with():
    """The constants of a norm are kept between calls, also from a first call in inference mode."""
    grid = Grid.box((9, 8), "nodes", upper=(1.5, 2.5))
    with torch.inference_mode():
        squared_norm(torch.ones(9, 8, dtype=torch.float64), grid, "h1")
    values = torch.ones(9, 8, dtype=torch.float64, requires_grad=True)
    squared_norm(values, grid, "h1").backward()
    # d/du of the integral of u^2 at u = 1, the gradient terms vanish there.
    torch.testing.assert_close(values.grad, 2 * grid.quadrature_weights, rtol=0, atol=1e-10)
