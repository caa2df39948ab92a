"""A pointwise two-layer network over the channels."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

# Rows of one block: with 64 hidden channels the block's hidden values are 1 MB and stay in a core's cache.
BLOCK_ROWS = 4096


class ChannelMLP(nn.Module):
    r"""Two linear maps over the last dimension: :math:`W_2\,\mathrm{GELU}(W_1 v + b_1) + b_2`.

    On a CPU the points are taken block by block and the hidden values are computed anew in the backward pass:
    the hidden field, the largest of a network, then never exists, and what is computed twice is cheaper than
    writing it to fresh memory. Elsewhere, under torch.compile and inside autocast it is computed as written.

    Args:
        in_channels: Channels of the input.
        hidden_channels: Channels between the two maps.
        out_channels: Channels of the output.

    Good values: ``hidden_channels`` of 2 to 4 times ``in_channels``.

    Failure mode: With ``hidden_channels`` far above ``in_channels`` the two products take most of a step.
    """

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_channels, hidden_channels)
        self.second = nn.Linear(hidden_channels, out_channels)

    def forward(self, values: Float[Tensor, "*points in_channels"]) -> Float[Tensor, "*points out_channels"]:
        """Apply the network at every point.

        Args:
            values: Field with the channels last.

        Returns:
            Field with the channels last.
        """
        plain = torch.compiler.is_compiling() or torch.is_autocast_enabled(values.device.type)
        if plain or values.device.type != "cpu":
            return self.second(functional.gelu(self.first(values)))
        rows = values.reshape(-1, values.shape[-1])
        weights = (self.first.weight, self.first.bias, self.second.weight, self.second.bias)
        return _BlockedMLP.apply(rows, *weights).reshape(*values.shape[:-1], self.second.out_features)


class _BlockedMLP(torch.autograd.Function):
    """The network block by block, keeping its input only; the backward pass can be differentiated again."""

    @staticmethod
    def forward(
        context: Any, rows: Tensor, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor
    ) -> Tensor:
        context.save_for_backward(rows, first, first_bias, second)
        result = rows.new_empty(len(rows), len(second))
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            hidden = functional.gelu(functional.linear(rows[block], first, first_bias))
            result[block] = functional.linear(hidden, second, second_bias)
        return result

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        rows, first, first_bias, second = context.saved_tensors
        by_rows = torch.empty_like(rows)
        by_first, by_first_bias = torch.zeros_like(first), torch.zeros_like(first_bias)
        by_second = torch.zeros_like(second)
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            inputs, outputs = rows[block], gradient[block]
            before = functional.linear(inputs, first, first_bias)
            by_second = by_second + outputs.T @ functional.gelu(before)
            by_hidden = torch.ops.aten.gelu_backward(outputs @ second, before)
            by_first = by_first + by_hidden.T @ inputs
            by_first_bias = by_first_bias + by_hidden.sum(dim=0)
            by_rows[block] = by_hidden @ first
        return by_rows, by_first, by_first_bias, by_second, gradient.sum(dim=0)
