"""Taylor polynomials through networks, features and activations."""

import math
from itertools import product
from typing import get_args

import pytest
import torch

from pdeops.layers import (
    Activation,
    DenseNetwork,
    PointFeatures,
    StackedNetworks,
    TaylorAlgebra,
    activation_derivatives,
    activation_function,
)


@pytest.mark.parametrize("name", get_args(Activation))
def test_derivatives_of_activations_are_those_of_automatic_differentiation(name: Activation) -> None:
    values = torch.linspace(-3, 3, 41).double().requires_grad_()
    expected = [activation_function(name)(values)]
    for _ in range(5):
        first = expected[-1]
        expected.append(
            torch.autograd.grad(
                first.sum(), values, create_graph=True, allow_unused=True, materialize_grads=True
            )[0]
            if first.requires_grad
            else torch.zeros_like(values)
        )
    for found, wanted in zip(activation_derivatives(name, values, 5), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


def test_tanh_at_zero_has_the_coefficients_of_its_series() -> None:
    # tanh x = x - x^3 / 3 + 2 x^5 / 15 - 17 x^7 / 315
    found = activation_derivatives("tanh", torch.zeros(1).double(), 7)
    series = [0, 1, 0, -1 / 3, 0, 2 / 15, 0, -17 / 315]
    expected = [coefficient * math.factorial(n) for n, coefficient in enumerate(series)]
    torch.testing.assert_close(torch.cat(found), torch.tensor(expected).double(), rtol=1e-13, atol=0)


def test_indices_are_those_below_the_orders_and_no_others() -> None:
    algebra = TaylorAlgebra([(2, 0, 0), (0, 1, 1)])
    assert set(algebra.indices) == {(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)}
    with pytest.raises(ValueError, match="one order a coordinate"):
        TaylorAlgebra([(1,), (1, 0)])
    with pytest.raises(ValueError, match="one or more derivatives"):
        TaylorAlgebra([])


def test_products_and_compositions_of_polynomials_are_exact() -> None:
    # (1 + x + 2 y)(3 - x y) and exp of x + 2 y around 0, up to x^2 y.
    algebra = TaylorAlgebra([(2, 1)])
    left, right, line = (torch.zeros(len(algebra.indices), 1).double() for _ in range(3))
    for index, value in {(0, 0): 1.0, (1, 0): 1.0, (0, 1): 2.0}.items():
        left[algebra.position[index]] = value
    right[algebra.position[0, 0]], right[algebra.position[1, 1]] = 3.0, -1.0
    line[algebra.position[1, 0]], line[algebra.position[0, 1]] = 1.0, 2.0
    product_of_both = algebra.multiply(left, right)
    expected = {(0, 0): 3.0, (1, 0): 3.0, (0, 1): 6.0, (1, 1): -1.0, (2, 0): 0.0, (2, 1): -1.0}
    assert {i: product_of_both[n].item() for i, n in algebra.position.items()} == expected
    exponential = algebra.compose([torch.ones(1).double()] * 4, line)
    for (first, second), number in algebra.position.items():
        coefficient = 2.0**second / math.factorial(first) / math.factorial(second)
        assert exponential[number].item() == pytest.approx(coefficient, rel=1e-15)
        assert algebra.derivative(exponential, (first, second)).item() == pytest.approx(2.0**second)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", ["tanh", "gelu", "silu", "sine"])
def test_derivatives_of_a_network_are_those_of_automatic_differentiation(
    name: Activation, gated: bool
) -> None:
    network = DenseNetwork(6, (7, 7, 5), activation=name, activate_last=True, gated=gated).double()
    box = torch.tensor([[0.5, -1.0], [2.5, 2.0]]).double()
    features = PointFeatures(box, (2.0, None), harmonics=2)
    assert features.num_channels == 5
    network = DenseNetwork(5, (7, 7, 5), activation=name, activate_last=True, gated=gated).double()
    points = torch.rand(4, 2).double().requires_grad_()
    orders = [(0, 0), (4, 0), (0, 3), (1, 2), (2, 1)]
    algebra = TaylorAlgebra(orders)
    polynomial = network.taylor(features.taylor(points.detach(), algebra), algebra)
    values = network(features(points))
    for order in orders:
        for channel in range(5):
            expected = values[:, channel]
            for axis, count in enumerate(order):
                for _ in range(count):
                    (slopes,) = torch.autograd.grad(expected.sum(), points, create_graph=True)
                    expected = slopes[:, axis]
            found = algebra.derivative(polynomial, order)[:, channel]
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_features_have_the_period_with_all_derivatives_and_the_others_run_from_minus_one_to_one() -> None:
    box = torch.tensor([[0.5, -1.0], [2.5, 3.0]]).double()
    features = PointFeatures(box, (2.0, None), harmonics=3)
    algebra = TaylorAlgebra([(4, 0)])
    points = torch.rand(10, 2).double()
    moved = points + torch.tensor([2.0, 0.0])
    torch.testing.assert_close(
        features.taylor(moved, algebra), features.taylor(points, algebra), rtol=0, atol=1e-9
    )
    ends = features(box)
    torch.testing.assert_close(ends[:, -1], torch.tensor([-1.0, 1.0]).double())
    # cos and sin of a quarter, a half and three quarters of a turn.
    quarter = features(torch.tensor([[1.0, 1.0]]).double())[0]
    expected = torch.tensor([0.0, -1.0, 0.0, 1.0, 0.0, -1.0, 0.0]).double()
    torch.testing.assert_close(quarter, expected, rtol=0, atol=1e-15)
    with pytest.raises(ValueError, match="at least 1"):
        PointFeatures(box, (2.0, None), harmonics=0)


def test_a_network_is_what_its_formula_says() -> None:
    network = DenseNetwork(3, (4, 2), activation="relu")
    inputs = torch.randn(5, 3)
    (first, second), (first_bias, second_bias) = (
        [layer.weight for layer in network.layers],
        [layer.bias for layer in network.layers],
    )
    with torch.no_grad():
        first_bias += 0.3
        second_bias -= 0.2
    expected = torch.zeros(5, 2)
    for row, channel in product(range(5), range(2)):
        hidden = [max(0.0, (first[j] @ inputs[row] + first_bias[j]).item()) for j in range(4)]
        expected[row, channel] = sum(second[channel, j] * hidden[j] for j in range(4)) + second_bias[channel]
    torch.testing.assert_close(network(inputs), expected)


def test_weights_begin_with_the_deviation_of_glorot_and_biases_as_zeros() -> None:
    network = DenseNetwork(300, (200, 100))
    for layer, fan in zip(network.layers, (500, 300), strict=True):
        # 20,000 and more numbers: the deviation is known to 1 %.
        assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.03)
        assert not layer.bias.any()
    stacked = StackedNetworks(300, (200,), 5)
    assert stacked.weights[0].std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.03)
    assert stacked.weights[1].std().item() == pytest.approx((2 / 201) ** 0.5, rel=0.1)


def test_stacked_networks_are_networks_side_by_side() -> None:
    stacked = StackedNetworks(3, (4, 5), 6, activation="sine")
    with torch.no_grad():
        for bias in stacked.biases:
            bias += torch.randn_like(bias)
    inputs = torch.randn(7, 3)
    for number in range(6):
        hidden = inputs
        for layer, (weight, bias) in enumerate(zip(stacked.weights, stacked.biases, strict=True)):
            hidden = (torch.sin(hidden) if layer else hidden) @ weight[number] + bias[number]
        torch.testing.assert_close(stacked(inputs)[:, number], hidden[:, 0])


def test_errors_say_what_is_expected() -> None:
    with pytest.raises(ValueError, match="positive widths"):
        DenseNetwork(3, ())
    with pytest.raises(ValueError, match="same width in all gated"):
        DenseNetwork(3, (4, 5, 6), gated=True)
    with pytest.raises(ValueError, match="positive numbers"):
        StackedNetworks(3, (0,), 2)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(ValueError, match="expected one of relu, tanh"):
        activation_function("swish")
