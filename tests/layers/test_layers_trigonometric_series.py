"""The trigonometric series, against the sum as written."""

import math

import torch

from pdeops.layers import add_trigonometric_series


def test_series_is_the_sum_as_written() -> None:
    values, coefficients = 4 * torch.randn(9, 3).double(), torch.randn(3, 2 * 12).double()
    expected = values.clone()
    for n in range(12):
        angle = math.pi * n * values / 12
        expected += coefficients[:, n] * torch.sin(angle) + coefficients[:, 12 + n] * torch.cos(angle)
    torch.testing.assert_close(add_trigonometric_series(values, coefficients), expected, rtol=0, atol=1e-12)


def test_single_precision_keeps_its_digits() -> None:
    values, coefficients = 2 * torch.rand(500, 3) - 1, 2 * torch.rand(3, 2 * 12) - 1
    exact = add_trigonometric_series(values.double(), coefficients.double())
    # n rotations of two roundings of 6e-8 each, for a sine and a cosine, n = 1 .. 11: at most 4 * 66 * 6e-8.
    assert (add_trigonometric_series(values, coefficients) - exact).abs().max() < 1.6e-5


def test_first_and_second_derivatives_are_those_of_differences() -> None:
    values = torch.randn(4, 3).double().requires_grad_()
    coefficients = torch.randn(3, 10).double().requires_grad_()
    assert torch.autograd.gradcheck(add_trigonometric_series, (values, coefficients))
    assert torch.autograd.gradgradcheck(add_trigonometric_series, (values, coefficients))
