"""Derivatives of polynomials are exact, those of other functions converge with the radius."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from pdeops.layers import DifferentialConvolution, find_edges, gradient_weights


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_exact_for_polynomials_of_degree_two_at_any_points(dimension: int) -> None:
    points, volumes = torch.rand(400, dimension).double(), torch.rand(400).double()
    edges = find_edges(points, points, volumes, 0.5)
    gradient = gradient_weights(edges) / 0.5
    square, slope = torch.randn(dimension, dimension).double(), torch.randn(dimension).double()
    values = ((points @ square) * points).sum(dim=1) + points @ slope + 3
    exact = points @ (square + square.T) + slope
    pattern = edges.neighbours
    found = torch.zeros_like(exact).index_add(0, pattern.targets, gradient * values[pattern.sources, None])
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-8)


def test_tends_to_the_derivative_with_the_radius_where_a_convolution_does_not() -> None:
    # One channel in and out, so the layer is one derivative by y, times the radius.
    layer = DifferentialConvolution(2, 2).double()
    with torch.no_grad():
        layer.split.weight.copy_(torch.eye(2))
        layer.join.weight.copy_(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    errors, plain = [], []
    for cells in (16, 32, 64):
        spacing = 1 / cells
        axis = torch.linspace(0, 1, cells + 1).double()
        points = torch.cartesian_prod(axis, axis)
        # As many neighbours on each grid: the radius shrinks with the spacing.
        edges = find_edges(points, points, torch.full((len(points),), spacing**2).double(), 3.2 * spacing)
        values = torch.sin(2 * points[:, 0] + 3 * points[:, 1])
        exact = 3 * torch.cos(2 * points[:, 0] + 3 * points[:, 1])
        field = values[None, :, None].expand(1, -1, 2)
        found = layer(field, edges, gradient_weights(edges))[0, :, 1] / (3.2 * spacing)
        errors.append(((found - exact).norm() / exact.norm()).item())
        kernel = torch.tensor([-0.5, 0.0, 0.5]).double().reshape(1, 1, 1, 3) * 16
        convolved = functional.conv2d(values.reshape(1, 1, cells + 1, cells + 1), kernel)
        plain.append((convolved.norm() / exact.reshape(cells + 1, -1)[:, 1:-1].norm()).item())
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert min(orders) > 1.8, errors
    assert errors[-1] < 5e-3
    # The same stencil on finer grids: the derivative on the first, then a half and a quarter of it.
    assert plain == pytest.approx([1, 0.5, 0.25], rel=0.03)


def test_starts_silent_and_gives_constants_nothing() -> None:
    points = torch.rand(60, 2).double()
    edges = find_edges(points, points, torch.ones(60).double(), 0.6)
    layer = DifferentialConvolution(5, 2).double()
    field = torch.randn(2, 60, 5).double()
    assert layer(field, edges, gradient_weights(edges)).abs().max() == 0
    nn.init.ones_(layer.join.weight)
    assert layer(field, edges, gradient_weights(edges)).abs().max() > 0.1
    assert layer(torch.ones_like(field), edges, gradient_weights(edges)).abs().max() < 1e-9
