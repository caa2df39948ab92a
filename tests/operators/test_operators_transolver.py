"""What Transolver promises beyond the contract."""

import itertools
import math
from importlib.resources import files

import pytest
import torch
from omegaconf import OmegaConf

from pdeops.domains import Grid, Mesh, disk_mesh, grid_mesh
from pdeops.operators import Operator, Transolver

SMALL = {"width": 8, "num_layers": 2, "num_slices": 5, "num_heads": 2}


def count(operator: Operator) -> int:
    return sum(parameter.numel() for parameter in operator.parameters())


def formula(channels: int, points_of_projection: int) -> int:
    """Parameters with width 128, 8 layers, 64 slices, 8 heads of 16, ratio 1 and one output channel."""
    width, head, slices = 128, 16, 64
    lift = channels * 2 * width + 2 * width + 2 * width * width + width
    projection = points_of_projection * width * width + width
    slicing = head * slices + slices + 8
    attention = 2 * projection + slicing + 3 * head * head + width * width + width
    network = 2 * (width * width + width)
    norms = 2 * 2 * width
    return lift + width + 8 * (attention + network + norms) + 2 * width + width + 1


@pytest.mark.parametrize(
    ("name", "exact", "millions"), [("elasticity", 713_665, 0.71), ("darcy", 2_826_945, 2.83)]
)
def test_numbers_of_parameters_are_the_published_ones(name: str, exact: int, millions: float) -> None:
    if name == "elasticity":
        operator, expected = Transolver(2, 1, disk_mesh(2), positions="none"), formula(2, 1)
    else:
        grid = Grid.box((85, 85), "nodes")
        operator, expected = Transolver(1, 1, grid, positions="distances"), formula(1 + 64, 9)
    assert count(operator) == expected == exact
    assert round(exact / 1e6, 2) == millions


def test_published_settings_give_the_published_size() -> None:
    settings = OmegaConf.load(files("pdeops.conf") / "experiment" / "transolver_darcy.yaml")
    grid = Grid.box(tuple(settings.data.resolution), "nodes")
    assert count(Transolver(1, 1, grid, **settings.model)) == 2_826_945


def test_points_of_a_mesh_have_no_order() -> None:
    mesh = disk_mesh(2)
    order = torch.randperm(mesh.num_points)
    number = torch.argsort(order)
    shuffled = Mesh(mesh.points[order], number[mesh.simplices])
    operator = Transolver(2, 3, mesh, **SMALL).double()
    values = torch.randn(2, 2, mesh.num_points, dtype=torch.float64)
    expected = operator(values)[..., order]
    # The positions of the training mesh are kept in float32.
    torch.testing.assert_close(operator(values[..., order], shuffled), expected, atol=1e-6, rtol=0)
    assert (operator(values[..., order]) - expected).abs().max() > 1e-3


def distort(points: torch.Tensor) -> torch.Tensor:
    """Crowd the points of the unit square towards the origin."""
    return points**2 / 2 + points / 2


@pytest.mark.parametrize("crowded", [False, True])
def test_output_on_a_mesh_converges_to_that_of_the_integrals(crowded: bool) -> None:
    # The reference is a fine grid with Gauss-like accuracy: Clenshaw-Curtis on Chebyshev points.
    torch.manual_seed(1)
    grid = Grid.box((33, 33), "chebyshev")
    operator = Transolver(1, 1, grid, local=False, **SMALL).double()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter += 0.2 * torch.randn_like(parameter)

    def field(points: torch.Tensor) -> torch.Tensor:
        return (torch.cos(math.pi * points[:, 0]) * points[:, 1])[None, None]

    with torch.no_grad():
        # Values at the corner (0, 0) and in the opposite one, which all domains have.
        exact = operator(field(grid.points).reshape(1, 1, 33, 33))[0, 0, [0, -1], [0, -1]]
        errors = []
        for cells in (8, 16, 32):
            mesh = grid_mesh(Grid.box((cells + 1, cells + 1), "nodes"))
            if crowded:
                mesh = Mesh(distort(mesh.points), mesh.simplices)
            found = operator(field(mesh.points), mesh)[0, 0, [0, -1]]
            errors.append(((found - exact).norm() / exact.norm()).item())
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert all(abs(order - 2) < 0.2 for order in orders), errors


def test_without_convolutions_it_goes_from_a_grid_to_a_mesh_and_with_them_it_does_not() -> None:
    grid = Grid.box((9, 7), "nodes")
    mesh = grid_mesh(grid)
    values = torch.randn(1, 1, 9, 7)
    with pytest.raises(ValueError, match="expected a grid for its convolutions"):
        Transolver(1, 1, grid, **SMALL)(values.flatten(2), mesh)
    on_grid = Transolver(1, 1, grid, local=False, **SMALL)
    on_mesh = Transolver(1, 1, mesh, **SMALL)
    on_mesh.load_state_dict(on_grid.state_dict())
    torch.testing.assert_close(on_mesh(values.flatten(2)), on_grid(values.flatten(2), mesh))


@pytest.mark.parametrize("local", [False, True])
def test_commutes_with_shifts_on_a_torus_without_positions(local: bool) -> None:
    grid = Grid.periodic((9, 10))
    operator = Transolver(1, 1, grid, local=local, positions="none", **SMALL).double()
    values = torch.randn(2, 1, 9, 10, dtype=torch.float64)
    shifted = operator(values.roll((2, 3), dims=(2, 3)))
    torch.testing.assert_close(shifted, operator(values).roll((2, 3), dims=(2, 3)), atol=1e-12, rtol=0)


def test_learns_a_mean_over_the_domain() -> None:
    # a -> a minus its mean is one slice: pointwise layers and one token must reach it quickly.
    mesh = disk_mesh(2)
    weights = (mesh.quadrature_weights / mesh.volume).float()
    operator = Transolver(1, 1, mesh, width=8, num_layers=1, num_slices=2, num_heads=1)
    optimizer = torch.optim.Adam(operator.parameters(), lr=1e-2)

    def error() -> torch.Tensor:
        values = torch.randn(32, 1, mesh.num_points) + torch.randn(32, 1, 1)
        target = values - (values @ weights)[..., None]
        return (operator(values) - target).norm() / target.norm()

    for _ in range(300):
        optimizer.zero_grad()
        loss = error()
        loss.backward()
        optimizer.step()
    # Without the mean, the best is to give the values back: error 0.7.
    assert error() < 0.2


def test_refused_options() -> None:
    with pytest.raises(ValueError, match="num_layers and mlp_ratio of at least 1, got 0 and 1"):
        Transolver(1, 1, Grid.periodic((8,)), num_layers=0)
