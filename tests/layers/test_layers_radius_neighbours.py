"""Neighbours within a radius against all distances, products with their pattern against dense matrices."""

import pytest
import torch

from pdeops.layers import forward_mode, radius_neighbours, reach, sparse_product
from pdeops.layers.radius_neighbours import Neighbours


def dense(neighbours: Neighbours, values: torch.Tensor) -> torch.Tensor:
    matrix = torch.zeros(neighbours.num_targets, neighbours.num_sources, dtype=values.dtype)
    return matrix.index_put((neighbours.targets, neighbours.sources), values)


@pytest.mark.parametrize("periods", [(None, None), (1.0, None), (1.0, 2.0)])
def test_the_same_pairs_as_from_all_distances(periods: tuple[float | None, ...]) -> None:
    # Points outside of the first period count as those within.
    targets = 6 * torch.rand(40, 2).double() - 2
    sources = torch.rand(300, 2).double() * torch.tensor([1.0, 2.0])
    found = radius_neighbours(targets, sources, 0.3, periods=periods, may_be_alone=True)
    differences = targets[:, None] - sources
    for axis, period in enumerate(periods):
        if period is not None:
            steps = torch.arange(-6, 7) * period
            differences[..., axis] = (differences[..., axis, None] + steps).abs().amin(dim=-1)
    expected = differences.norm(dim=-1) < 0.3
    assert expected.any()
    assert torch.equal(dense(found, torch.ones(len(found.sources))) > 0, expected)


def test_a_target_that_is_alone_is_named_with_the_radius_it_needs() -> None:
    sources = torch.tensor([[0.0], [1.0]])
    with pytest.raises(ValueError, match=r"nearest is 0.5 away; try a radius of at least 0.526"):
        radius_neighbours(torch.tensor([[0.5]]), sources, 0.4)
    assert len(radius_neighbours(torch.tensor([[0.5]]), sources, 0.4, may_be_alone=True).sources) == 0
    # A source that does not count cannot keep it company.
    with pytest.raises(ValueError, match="nearest is 1 away"):
        radius_neighbours(torch.tensor([[0.0]]), sources, 0.4, counts=torch.tensor([False, True]))
    with pytest.raises(ValueError, match="half a period"):
        radius_neighbours(torch.tensor([[0.0]]), sources, 0.6, periods=(1.0,))


def test_the_radius_that_suits_even_points() -> None:
    # On a torus the 24 nearest of a point of a square lattice are within the square root of 8 spacings.
    axis = torch.arange(16).double() / 16
    assert reach(torch.cartesian_prod(axis, axis), (1.0, 1.0)) == pytest.approx(1.1 * 8**0.5 / 16)


def test_products_are_those_of_dense_matrices_with_all_derivatives() -> None:
    targets, sources = torch.rand(5, 2).double(), torch.rand(9, 2).double()
    neighbours = radius_neighbours(targets, sources, 0.5, may_be_alone=True)
    values = torch.randn(len(neighbours.sources), 3, dtype=torch.float64, requires_grad=True)
    field = torch.randn(2, 9, 3, 4, dtype=torch.float64, requires_grad=True)
    matrices = torch.stack([dense(neighbours, part) for part in values.T])
    expected = torch.einsum("hts,bshc->bthc", matrices, field)
    torch.testing.assert_close(sparse_product(values, field, neighbours), expected)
    with forward_mode():
        torch.testing.assert_close(sparse_product(values, field, neighbours), expected)

    def product(values: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
        return sparse_product(values, field, neighbours)

    assert torch.autograd.gradcheck(product, (values, field))
    assert torch.autograd.gradgradcheck(product, (values, field))


def test_a_search_in_inference_mode_serves_a_training_afterwards() -> None:
    points = torch.rand(30, 2)
    with torch.inference_mode():
        neighbours = radius_neighbours(points, points, 0.4)
        sparse_product(torch.ones(len(neighbours.sources), 1), torch.ones(1, 30, 1, 1), neighbours)
    values = torch.ones(len(neighbours.sources), 1, requires_grad=True)
    again = radius_neighbours(points, points, 0.4)
    sparse_product(values, torch.ones(1, 30, 1, 1), again).sum().backward()
    assert torch.equal(values.grad, torch.ones_like(values))
