"""Activations with all their derivatives, as Taylor polynomials need them."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import comb
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Activation = Literal["relu", "tanh", "gelu", "silu", "sine"]

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "sine": torch.sin,
}


def activation_function(name: Activation) -> Callable[[Tensor], Tensor]:
    """Return an activation by its name.

    Args:
        name: ``"relu"``, ``"tanh"``, ``"gelu"``, ``"silu"`` or ``"sine"``.

    Returns:
        The function.

    Raises:
        ValueError: The name is unknown.

    Failure mode: ReLU has no second derivative: equations of second order cannot be trained with it.
    """
    if name not in _FUNCTIONS:
        raise ValueError(f"activation: expected one of {', '.join(get_args(Activation))}, got {name!r}")
    return _FUNCTIONS[name]


def activation_derivatives(
    name: Activation, values: Float[Tensor, "*shape"], order: int
) -> list[Float[Tensor, "*shape"]]:
    """Return an activation and its derivatives at some values.

    Args:
        name: See `activation_function`.
        values: Arguments of the function.
        order: Highest derivative.

    Returns:
        Derivatives 0 to `order`; that of ReLU at zero is 0.
    """
    result = [activation_function(name)(values)]
    if order == 0:
        return result
    if name == "relu":
        return [result[0], (values > 0).to(values)] + [torch.zeros_like(values)] * (order - 1)
    if name == "tanh":
        return _tanh(result[0], order)
    if name == "sine":
        cycle = [result[0], torch.cos(values)]
        return [cycle[n % 2] * (1 if n % 4 < 2 else -1) for n in range(order + 1)]
    # Both are x g(x), so that (x g)^(n) = x g^(n) + n g^(n-1).
    gate = (_normal if name == "gelu" else _logistic)(values, order)
    return result + [values * gate[n] + n * gate[n - 1] for n in range(1, order + 1)]


def _tanh(value: Tensor, order: int) -> list[Tensor]:
    """Leibniz' rule for f' = 1 - f f."""
    result = [value, 1 - value * value]
    for n in range(1, order):
        # Terms i and n - i are the same.
        terms = [comb(n, i) * (2 if 2 * i < n else 1) * result[i] * result[n - i] for i in range(n // 2 + 1)]
        result.append(-sum(terms[1:], terms[0]))
    return result


def _logistic(values: Tensor, order: int) -> list[Tensor]:
    """From tanh: the logistic function is (1 + tanh(x / 2)) / 2."""
    half = _tanh(torch.tanh(values / 2), order)
    return [(1 + half[0]) / 2] + [half[n] * 0.5 ** (n + 1) for n in range(1, order + 1)]


def _normal(values: Tensor, order: int) -> list[Tensor]:
    """Distribution function of the normal law; its density has g'' = -x g'."""
    density = torch.exp(-values * values / 2) / math.sqrt(2 * math.pi)
    result = [(1 + torch.erf(values / math.sqrt(2))) / 2, density]
    for n in range(1, order):
        result.append(-(values * result[n] + (n - 1) * result[n - 1]))
    return result
