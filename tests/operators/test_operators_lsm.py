"""The latent spectral model."""

import itertools
import math

import pytest
import torch

from pdeops.domains import Grid, Mesh, box_mesh, disk_mesh, refine_mesh
from pdeops.layers.latent_grid import PERIOD, LatentGrid
from pdeops.operators import LSM, Operator

PUBLISHED = {
    "norm": "batch",
    "boundary": "zeros",
    "initialisation": "published",
    "scaled_attention": False,
}
SMALL = {"width": 8, "depth": 2, "heads": 2, "projection_width": 8, "modes": 3, "latent_size": 8}


def shaken(operator: Operator) -> Operator:
    """In double precision and away from the start, where the deformation of a mesh is zero on purpose."""
    operator = operator.double()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return operator


@pytest.mark.parametrize(
    ("in_channels", "width", "expected"), [(1, 32, 4_812_801), (1, 64, 19_187_457), (10, 64, 19_188_033)]
)
def test_parameters_are_counted_as_published(in_channels: int, width: int, expected: int) -> None:
    with torch.device("meta"):
        operator = LSM(in_channels, 1, Grid.box((8, 8)), width=width, **PUBLISHED)
    assert sum(parameter.numel() for parameter in operator.parameters()) == expected


@pytest.mark.parametrize("boundary", ["domain", "zeros"])
@pytest.mark.parametrize(
    "shape",
    [(32, 19), (19, 32), (32, 32), (1, 5), (17,), (8,), (3, 4, 5)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_axes_are_padded_each_for_itself_and_a_single_sample_is_enough(
    shape: tuple[int, ...], boundary: str
) -> None:
    operator = shaken(LSM(1, 2, Grid.box(shape, "cells"), **SMALL | {"depth": 4}, boundary=boundary)).eval()
    values = torch.randn(1, 1, *shape).double().requires_grad_()
    output = operator(values)
    assert output.shape == (1, 2, *shape)
    # Each point is heard, those in the corners and beside the strip too.
    (gradient,) = torch.autograd.grad(output.square().sum(), values)
    assert gradient.abs().min() > 0


def test_the_strip_behind_a_wall_holds_the_last_value() -> None:
    """The operator on 10 points is that on 12 points of which the last three are the same."""
    short = shaken(LSM(1, 1, Grid.box((10,), "cells"), **SMALL))
    long = LSM(1, 1, Grid.box((12,), "cells", upper=(1.2,)), **SMALL).double()
    long.load_state_dict(short.state_dict())
    values = torch.randn(2, 1, 10).double()
    # In the longer box the coordinate is another one; it is taken out.
    with torch.no_grad():
        for operator in (short, long):
            operator.lift.linear.weight[:, -1] = 0
    extended = torch.cat((values, values[..., -1:].expand(2, 1, 2)), dim=-1)
    torch.testing.assert_close(short(values), long(extended)[..., :10], rtol=0, atol=1e-12)


def test_without_coordinates_half_a_torus_is_a_symmetry() -> None:
    operator = shaken(LSM(1, 1, Grid.periodic((16, 8)), **SMALL))
    with torch.no_grad():
        # The channels of GridLift: the input, a constant, a cosine and a sine an axis.
        operator.lift.linear.weight[:, 2:] = 0
    values = torch.randn(2, 1, 16, 8).double()
    shifted = operator(values.roll((8, 4), (2, 3)))
    torch.testing.assert_close(shifted, operator(values).roll((8, 4), (2, 3)), rtol=0, atol=1e-12)


def test_another_resolution_runs_with_patches_of_the_same_length() -> None:
    operator = LSM(1, 1, Grid.box((16, 16), "cells"), **SMALL)
    fine = Grid.box((37, 29), "cells")
    assert operator(torch.randn(2, 1, 37, 29), fine).shape == (2, 1, 37, 29)


def test_the_points_of_a_mesh_have_no_order() -> None:
    mesh = disk_mesh(3)
    order = torch.randperm(mesh.num_points)
    place = torch.argsort(order)
    shuffled = Mesh(mesh.points[order], place[mesh.simplices], {})
    operator = shaken(LSM(2, 3, mesh, **SMALL))
    values = torch.randn(2, 2, mesh.num_points).double()
    other = LSM(2, 3, shuffled, **SMALL).double()
    other.load_state_dict(operator.state_dict())
    output = other(values[..., order])
    torch.testing.assert_close(output, operator(values)[..., order], rtol=0, atol=1e-12)


def test_what_the_latent_grid_sees_converges_when_the_mesh_is_refined() -> None:
    """The deformation depends on place and input only, so all that differs is the quadrature: order 2."""
    mesh = disk_mesh(3)
    latent = LatentGrid(1, 4, mesh, modes=(3, 3), shape=(8, 8)).double()
    with torch.no_grad():
        latent.deformation.network[-1].weight.normal_(std=0.02)
        # Without the octaves up to 2^7, which no mesh here resolves.
        latent.deformation.network[0].weight[:, 32:-32] = 0
    fields = []
    for _ in range(4):
        values = torch.cos(3 * mesh.points[:, 0]) * mesh.points[:, 1].exp()
        fields.append(latent.enter(values[None, None], mesh)[0])
        mesh = refine_mesh(mesh)
    steps = [(fine - coarse).norm().item() for coarse, fine in itertools.pairwise(fields)]
    assert steps[1] < 0.3 * steps[0]
    assert steps[2] < 0.3 * steps[1]


def test_undeformed_even_points_and_identity_weights_carry_low_waves_exactly() -> None:
    """Nine points an axis of the unit box are nine points of a period of 9/8: a regular grid of the torus."""
    mesh = box_mesh((8, 8))
    latent = LatentGrid(1, 1, mesh, modes=(4, 4), shape=(12, 10)).double()
    with torch.no_grad():
        latent.positions.shares.fill_(1).div_(81)
        for parameter in latent.parameters():
            parameter.zero_()
        latent.lift.weight[0, 0] = 1
        for convolution in (latent.enter_convolution, latent.leave_convolution):
            convolution.weight[:, :, 0] = 1

        def field(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            # So far above zero a GELU changes nothing.
            first = torch.cos(2 * math.pi * (3 * x - 2 * y) / PERIOD)
            return 20 + first + torch.sin(2 * math.pi * (x + 3 * y) / PERIOD)

        values = field(*mesh.points.T)[None, None]
        grid, waves, pointwise = latent.enter(values, mesh)
        expected = field(*Grid.periodic((12, 10), lengths=(PERIOD, PERIOD)).coordinates)
        torch.testing.assert_close(grid[0, ..., 0], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(
            latent.leave(grid, waves, pointwise)[..., 0], values[0], rtol=0, atol=1e-12
        )


def test_what_does_not_fit_is_named() -> None:
    grid, mesh = Grid.box((8, 8)), box_mesh((2, 2))
    operator = LSM(1, 1, grid, **SMALL)
    with pytest.raises(ValueError, match="LSM: expected a domain of the sort of Grid"):
        operator(torch.zeros(1, 1, 9), mesh)
    with pytest.raises(ValueError, match="LSM: expected a domain of the sort of Mesh"):
        LSM(1, 1, mesh, **SMALL)(torch.zeros(1, 1, 8, 8), grid)
    with pytest.raises(ValueError, match="LSM: expected a domain of the sort of Grid"):
        operator(torch.zeros(1, 1, 8), Grid.box((8,)))
    with pytest.raises(ValueError, match="expected a grid of at least"):
        LSM(1, 1, mesh, **SMALL | {"modes": 12})
