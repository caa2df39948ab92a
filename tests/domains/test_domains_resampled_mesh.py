"""Domains meshed anew: the same shape, other points."""

import math

import pytest
import torch
from scipy.spatial import cKDTree

from pdeops.domains import (
    Grid,
    Mesh,
    box_mesh,
    check_mesh,
    l_shape_mesh,
    notched_disk_mesh,
    resampled_mesh,
    square_with_holes_mesh,
)

KINDS = ("half", "double", "random", "graded")
FACTORS = {"half": 0.5, "double": 2.0, "random": 1.0, "graded": 1.0}
DOMAINS = {
    "l_shape": lambda: l_shape_mesh(4),
    "notch": lambda: notched_disk_mesh(18),
    "holes": lambda: square_with_holes_mesh(24, holes=((0.3, 0.3, 0.15), (0.7, 0.65, 0.2))),
    "cells": lambda: Grid.box((24, 32), "cells", upper=(1.0, 2.0)),
    "interval": lambda: box_mesh((63,)),
    "circle": lambda: Grid.periodic((64,)),
}


def moments(domain):
    """Volume and first moments: what the weights of linear cells integrate exactly."""
    mesh = domain if isinstance(domain, Mesh) else box_mesh((1,) * domain.dimension, upper=ends(domain))
    ones = torch.ones(mesh.num_points, 1).double()
    return mesh.quadrature_weights @ torch.cat([ones, mesh.points], dim=1)


def ends(grid):
    return tuple(axis.upper for axis in grid.axes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DOMAINS)
def test_shape_names_and_numbers(name, kind):
    domain = DOMAINS[name]()
    mesh = resampled_mesh(domain, kind, seed=3)
    check_mesh(mesh)
    assert mesh.num_points == math.ceil(FACTORS[kind] * domain.num_points)
    torch.testing.assert_close(moments(mesh), moments(domain), rtol=1e-12, atol=1e-12)
    if isinstance(domain, Mesh):
        assert mesh.boundary_names == domain.boundary_names
        for part in domain.boundary_names:
            length = domain.boundary(part).quadrature_weights.sum().item()
            assert mesh.boundary(part).quadrature_weights.sum().item() == pytest.approx(length)
        # No point inside is one of the old ones.
        inside = mesh.points[
            len(torch.unique(torch.cat([f.flatten() for f in domain.boundaries.values()]))) :
        ]
        assert torch.cdist(inside, domain.points).min() > 0


def test_seeds_give_other_points_and_the_same_ones_again():
    mesh = l_shape_mesh(3)
    for kind in KINDS:
        first, again, other = (resampled_mesh(mesh, kind, seed=seed) for seed in (0, 0, 1))
        assert torch.equal(first.points, again.points)
        assert torch.equal(first.simplices, again.simplices)
        assert not torch.equal(first.points, other.points)


@pytest.mark.parametrize("dimension", [1, 2])
def test_graded_points_are_four_times_further_apart_at_one_end(dimension):
    grid = Grid.box((4000,) if dimension == 1 else (100, 100), "nodes")
    mesh = resampled_mesh(grid, "graded", seed=0)
    points = mesh.points[(mesh.points > 0.02).all(dim=1) & (mesh.points < 0.98).all(dim=1)]
    # With spacing 1 + 3 x a tenth at each end holds integrals of (1 + 3 x)^-d.
    share = lambda a, b: sum((1 + 3 * (a + (b - a) * i / 1000)) ** -dimension for i in range(1000)) * (b - a)  # noqa: E731
    expected = share(0.1, 0.2) / share(0.8, 0.9)
    x = points[:, 0]
    found = ((x > 0.1) & (x < 0.2)).sum() / ((x > 0.8) & (x < 0.9)).sum()
    assert found.item() == pytest.approx(expected, rel=0.05)
    # Mean distance to the nearest other point, where the spacing is 1.18 and 3.82 on average.
    distance = cKDTree(points).query(points, k=2)[0][:, 1]
    ratio = distance[x > 0.88].mean() / distance[x < 0.12].mean()
    assert ratio == pytest.approx(3.82 / 1.18, rel=0.1)


def test_evenly_spread_points_are_more_even_than_random_ones():
    grid = Grid.box((40, 40), "nodes")

    def largest_gap(kind):
        mesh = resampled_mesh(grid, kind, seed=0)
        probes = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)).double()
        return torch.cdist(probes, mesh.points).amin(dim=1).max().item()

    assert largest_gap("half") * math.sqrt(2) > largest_gap("double") * math.sqrt(2) * 1.5
    assert largest_gap("half") < largest_gap("random") * math.sqrt(2)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="one or two dimensions, got 3"):
        resampled_mesh(box_mesh((2, 2, 2)), "half", 0)
    with pytest.raises(ValueError, match="more points than the 8 of the boundary"):
        resampled_mesh(box_mesh((2, 2)), "half", 0)
    # A thin strip of which each side's points lie in the circles around the other's edges.
    lower = torch.stack([torch.arange(11.0), torch.zeros(11)], dim=1)
    upper = torch.stack([torch.arange(10.0) + 0.5, torch.full((10,), 0.1)], dim=1)
    cells = [(k, k + 1, 11 + k) for k in range(10)] + [(k + 1, 11 + k, 12 + k) for k in range(9)]
    strip = Mesh(torch.cat([lower, upper]).double(), torch.tensor(cells))
    with pytest.raises(ValueError, match="finer boundary"):
        resampled_mesh(strip, "double", 0)
