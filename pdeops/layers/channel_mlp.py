"""A pointwise two-layer network over the channels."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class ChannelMLP(nn.Module):
    r"""Two linear maps over the last dimension: :math:`W_2\,\mathrm{GELU}(W_1 v + b_1) + b_2`.

    Args:
        in_channels: Channels of the input.
        hidden_channels: Channels between the two maps.
        out_channels: Channels of the output.

    Good values: ``hidden_channels`` of 2 to 4 times ``in_channels``.

    Failure mode: At full resolution the hidden field is the largest of a network: its memory grows with
    ``hidden_channels``.
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
        return self.second(functional.gelu(self.first(values)))
