"""Fully connected networks, with derivatives in forward mode."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.layers.activations import Activation, activation_derivatives, activation_function
from pdeops.layers.taylor import TaylorAlgebra


class DenseNetwork(nn.Module):
    r"""Linear maps with an activation between them.

    .. math:: h_0 = x, \qquad h_{l+1} = \sigma(W_l h_l + b_l)

    Gated (the "modified" network), two further layers read the input and every layer but the last chooses
    between them: :math:`h \leftarrow h \odot U + (1 - h) \odot V` with
    :math:`U = \sigma(W_U x + b_U),\ V = \sigma(W_V x + b_V)`.

    Weights begin as Glorot's normal numbers, biases as zeros.

    Args:
        in_channels: Channels of the input.
        widths: Channels after each linear map; the last one is the output's.
        activation: See `activation_function`.
        activate_last: Whether the activation follows the last map, too.
        gated: Whether layers are gated; all widths but the last are then the same.

    Raises:
        ValueError: A width is not positive, or gated layers differ.

    Good values: 2 to 5 layers of 40 to 128 channels, tanh where derivatives are wanted.

    Failure mode: Fine scales of the input are learnt late (spectral bias); give waves as features.

    Source: Wang, Teng and Perdikaris (2021), arXiv:2001.04536, for the gates.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        *,
        activation: Activation = "tanh",
        activate_last: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise ValueError(
                f"network: expected one or more positive widths, got {list(widths)}; try [64, 64]"
            )
        if gated and (len(widths) < 2 or len(set(widths[:-1])) != 1):
            raise ValueError(
                f"network: expected the same width in all gated layers, got {list(widths)}; try [64, 64, 64]"
            )
        sources = [in_channels, *widths[:-1]]
        self.layers = nn.ModuleList(map(_linear, sources, widths))
        self.gates = _linear(in_channels, 2 * widths[0], in_channels + widths[0]) if gated else None
        self.activation: Activation = activation
        self.function = activation_function(activation)
        self.num_activated = len(widths) - (not activate_last)

    def forward(self, inputs: Float[Tensor, "*batch in_channels"]) -> Float[Tensor, "*batch out_channels"]:
        """Apply the network.

        Args:
            inputs: Channels last.

        Returns:
            Channels last.
        """
        hidden = inputs
        if self.gates is not None:
            first, second = self.function(self.gates(inputs)).chunk(2, dim=-1)
            change = first - second
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden)
            if number < self.num_activated:
                hidden = self.function(hidden)
            if self.gates is not None and number < len(self.layers) - 1:
                hidden = torch.addcmul(second, hidden, change)
        return hidden

    def taylor(
        self, inputs: Float[Tensor, "indices *batch in_channels"], algebra: TaylorAlgebra
    ) -> Float[Tensor, "indices *batch out_channels"]:
        """Apply the network to Taylor polynomials.

        Args:
            inputs: Coefficients of the input.
            algebra: What they are coefficients of.

        Returns:
            Coefficients of the output.
        """
        hidden = inputs
        if self.gates is not None:
            first, second = self._activate(_shifted(self.gates, inputs), algebra).chunk(2, dim=-1)
            change = first - second
        for number, layer in enumerate(self.layers):
            hidden = _shifted(layer, hidden)
            if number < self.num_activated:
                hidden = self._activate(hidden, algebra)
            if self.gates is not None and number < len(self.layers) - 1:
                hidden = second + algebra.multiply(hidden, change)
        return hidden

    def _activate(self, values: Tensor, algebra: TaylorAlgebra) -> Tensor:
        return algebra.compose(activation_derivatives(self.activation, values[0], algebra.degree), values)


class StackedNetworks(nn.Module):
    """Many networks with one output each, which all read the same input.

    Args:
        in_channels: Channels of the input.
        hidden_widths: Channels of the hidden layers of each network.
        num_networks: Number of networks.
        activation: See `activation_function`; none after the last map.

    Raises:
        ValueError: A number is not positive.

    Good values: Small networks: parameters and time grow with their number.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_widths: Sequence[int],
        num_networks: int,
        *,
        activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        if num_networks < 1 or min(hidden_widths, default=1) < 1:
            raise ValueError(
                f"stacked networks: expected positive numbers, got {num_networks} with the hidden widths "
                f"{list(hidden_widths)}"
            )
        sources, targets = [in_channels, *hidden_widths], [*hidden_widths, 1]
        self.weights = nn.ParameterList(
            _glorot(torch.empty(num_networks, source, target), source + target)
            for source, target in zip(sources, targets, strict=True)
        )
        self.biases = nn.ParameterList(torch.zeros(num_networks, 1, target) for target in targets)
        self.function = activation_function(activation)

    def forward(self, inputs: Float[Tensor, "batch in_channels"]) -> Float[Tensor, "batch num_networks"]:
        """Apply all networks, as one batched product a layer.

        Args:
            inputs: Channels last.

        Returns:
            One output a network.
        """
        hidden = inputs.expand(len(self.weights[0]), *inputs.shape)
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, self.function(hidden) if number else hidden, weight)
        return hidden.squeeze(-1).T


def _linear(source: int, target: int, fan: int | None = None) -> nn.Linear:
    layer = nn.Linear(source, target)
    _glorot(layer.weight.data, source + target if fan is None else fan)
    nn.init.zeros_(layer.bias)
    return layer


def _glorot(weight: Tensor, fan: int) -> Tensor:
    return nn.init.normal_(weight, std=(2 / fan) ** 0.5)


def _shifted(layer: nn.Module, values: Tensor) -> Tensor:
    """A linear layer on polynomials: the bias belongs to the constant only."""
    assert isinstance(layer, nn.Linear)
    constant = functional.linear(values[:1], layer.weight, layer.bias)
    if len(values) == 1:
        return constant
    return torch.cat((constant, functional.linear(values[1:], layer.weight)))
