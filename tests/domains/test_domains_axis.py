"""Quadrature and interpolation along one axis, against polynomials and waves."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pdeops.domains import Axis, AxisKind, differentiation_matrix, interpolation_matrix

EXACT_DEGREE = {AxisKind.NODES: 1, AxisKind.CELLS: 1, AxisKind.CHEBYSHEV: None}


@pytest.mark.parametrize("kind", EXACT_DEGREE)
@pytest.mark.parametrize("num_points", [2, 3, 8, 17])
def test_weights_are_exact_for_the_claimed_polynomials(kind, num_points):
    axis = Axis("x", -0.5, 2.0, num_points, kind)
    degree = EXACT_DEGREE[kind] or num_points - 1
    for power in range(degree + 1):
        exact = (2.0 ** (power + 1) - (-0.5) ** (power + 1)) / (power + 1)
        assert (axis.weights * axis.points**power).sum().item() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("num_points", [4, 5, 16, 17])
def test_periodic_weights_are_exact_below_n_waves_and_not_at_n(num_points):
    axis = Axis("x", 1.0, 3.0, num_points)
    angle = math.pi * (axis.points - 1.0)
    for wave in range(1, num_points):
        assert abs((axis.weights * torch.cos(wave * angle)).sum().item()) < 1e-12
    assert (axis.weights * torch.cos(num_points * angle)).sum().item() == pytest.approx(2.0)


def test_interpolation_reproduces_what_each_kind_claims():
    targets = torch.linspace(0.5, 2.5, 11, dtype=torch.float64)
    for kind, degree in ((AxisKind.NODES, 3), (AxisKind.CELLS, 3), (AxisKind.CHEBYSHEV, 8)):
        axis = Axis("x", 0.5, 2.5, 9, kind)
        values = interpolation_matrix(axis, targets) @ axis.points**degree
        torch.testing.assert_close(values, targets**degree, rtol=1e-11, atol=1e-11)
    axis = Axis("x", 0.5, 2.5, 9)
    wave = torch.cos(math.pi * 4 * axis.points) + torch.sin(math.pi * 3 * axis.points)
    expected = torch.cos(math.pi * 4 * targets) + torch.sin(math.pi * 3 * targets)
    torch.testing.assert_close(interpolation_matrix(axis, targets) @ wave, expected, rtol=0, atol=1e-13)


@given(st.integers(5, 40), st.sampled_from(list(AxisKind)), st.floats(-3, 3))
def test_interpolation_keeps_constants_and_its_own_points(num_points, kind, lower):
    axis = Axis("x", lower, lower + 2.0, num_points, kind)
    middle = torch.linspace(lower + 0.01, lower + 1.9, 7, dtype=torch.float64)
    ones = interpolation_matrix(axis, middle).sum(dim=1)
    torch.testing.assert_close(ones, torch.ones_like(ones), rtol=0, atol=1e-11)
    identity = interpolation_matrix(axis, axis.points)
    torch.testing.assert_close(identity, torch.eye(num_points, dtype=torch.float64), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", [AxisKind.NODES, AxisKind.CELLS])
@pytest.mark.parametrize("order", [1, 2])
def test_differences_have_order_four(kind, order):
    errors = []
    for num_points in (32, 64, 128):
        axis = Axis("x", 0.0, 1.0, num_points, kind)
        exact = 3.0**order * torch.exp(3 * axis.points)
        error = differentiation_matrix(axis, order) @ torch.exp(3 * axis.points) - exact
        errors.append((error.abs().max().item(), axis.spacing))
    (coarse, h_coarse), _, (fine, h_fine) = errors
    slope = math.log(coarse / fine) / math.log(h_coarse / h_fine)
    assert 3.7 < slope < 4.4


@pytest.mark.usefixtures("unchecked")
def test_bad_axes_say_what_was_expected():
    with pytest.raises(ValueError, match="at least 2"):
        Axis("x", 0, 1, 1, "nodes")
    with pytest.raises(ValueError, match="lower < upper"):
        Axis("x", 1, 1, 4)
    with pytest.raises(ValueError, match="expected one of periodic"):
        Axis("x", 0, 1, 4, "periodical")
    with pytest.raises(TypeError, match="integer"):
        Axis("x", 0, 1, 4.0)
    with pytest.raises(ValueError, match="expected points in"):
        interpolation_matrix(Axis("x", 0, 1, 5, "nodes"), torch.tensor([1.5], dtype=torch.float64))
