"""A transformer whose attention is a quotient of integrals."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain
from pdeops.layers import ChannelMLP, DenseNetwork, QuadratureAttention, quadrature_points, spread_points
from pdeops.operators.hidden_field import HiddenFieldOperator
from pdeops.operators.operator import Capabilities
from pdeops.operators.query_operator import Code, OutputPoints


class TransformerOperator(HiddenFieldOperator):
    r"""Transformer on the points of a grid or mesh, weighted by their volumes, to any point.

    .. math:: \hat v_l = v_l + A_l(\operatorname{LN} v_l), \quad
              v_{l+1} = \hat v_l + F_l(\operatorname{LN} \hat v_l), \quad
              u(y) = Q\big(q(y) + A(q(y), v_L), y\big)

    with `QuadratureAttention` A among the points and, at the end, from a query y to the points, and two-layer
    networks F, q, and P of the input over the channels. With tokens, the field :math:`v_0 = P(a, x)` is first
    read at a few points z that cover the domain, :math:`v_0(z) = q'(z) + A(q'(z), P(a, \cdot))`, and all
    layers work there, each token with the volume around it: time grows with the number of points once, not
    twice.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: Grid or mesh of the training data, 1 to 3 dimensions.
        output: Where the outputs of the training lie; see `QueryOperator`.
        width: Channels of the hidden fields; a multiple of twice the heads.
        num_layers: Number of layers.
        num_heads: Heads of each attention.
        num_tokens: Number of tokens; None for attention among all points.
        mlp_ratio: Hidden channels of F over ``width``.
        projection_width: Channels of the hidden layer of Q.

    Raises:
        ValueError: The domain does not fit, or the width does not fit the heads.

    Good values: width 32, 4 layers, 2 heads and 256 tokens on 500 to 4000 points.

    Failure mode: Attention is smooth in the positions, down to an eighth of the box with 2 heads of 16
    channels in two dimensions; finer detail is learnt late. Without tokens a step on 4000 points takes
    seconds.

    Source: Vaswani et al. (2017), arXiv:1706.03762; Li, Meidani and Farimani (2023), arXiv:2205.13671, for
    the queries; Jaegle et al. (2021), arXiv:2107.14795, for the tokens.

    Example:
        >>> operator = TransformerOperator(1, 1, Grid.periodic((32, 32)), width=16)
        >>> operator(torch.zeros(2, 1, 32, 32), query=torch.rand(5, 2)).shape
        torch.Size([2, 1, 5])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}), needs_grid=False, any_query=True
    )

    token_points: Tensor
    token_volumes: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None = None,
        *,
        width: int = 32,
        num_layers: int = 4,
        num_heads: int = 2,
        num_tokens: int | None = 256,
        mlp_ratio: int = 2,
        projection_width: int = 64,
    ) -> None:
        super().__init__(
            in_channels, out_channels, domain, output, width=width, projection_width=projection_width
        )
        if num_layers < 1 or mlp_ratio < 1 or (num_tokens is not None and num_tokens < 1):
            raise ValueError(
                f"TransformerOperator: expected num_layers, mlp_ratio and num_tokens of at least 1, got "
                f"{num_layers}, {mlp_ratio} and {num_tokens}; try 4, 2 and 256"
            )
        repeats = [period is not None for period in self.periods]
        channels = self.places.num_channels
        self.lift = ChannelMLP(in_channels + channels, 2 * width, width)
        self.enter = None
        if num_tokens is not None:
            points, volumes = quadrature_points(domain)
            chosen, shares = spread_points(self.places(points), volumes, num_tokens)
            # Not in the checkpoint: the domain gives them.
            self.register_buffer("token_points", points[chosen].float(), persistent=False)
            self.register_buffer("token_volumes", shares.float(), persistent=False)
            self.ask_tokens = DenseNetwork(channels, (2 * width, width), activation="gelu")
            self.enter = QuadratureAttention(width, num_heads, repeats)
        self.layers = nn.ModuleList(
            TransformerLayer(width, num_heads, repeats, mlp_ratio) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.ask = DenseNetwork(channels, (2 * width, width), activation="gelu")
        self.leave = QuadratureAttention(width, num_heads, repeats)

    def encode(self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None) -> Code:
        """Make the hidden field at the tokens, or at the points of the input.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            The field, its points and their volumes.

        Raises:
            ValueError: The values do not lie on the domain, or it does not fit.
        """
        inputs, points, volumes = self.samples(values, domain)
        points, volumes = points.to(values), volumes.to(values)
        batch = len(values)
        hidden = self.lift(inputs)
        if self.enter is not None:
            tokens, token_volumes = self.token_points.to(values), self.token_volumes.to(values)
            asked = self.ask_tokens(self.places(tokens)).expand(batch, -1, -1)
            hidden = asked + self.enter(asked, self.unit(tokens), hidden, self.unit(points), volumes)
            points, volumes = tokens, token_volumes
        for layer in self.layers:
            hidden = layer(hidden, self.unit(points), volumes)
        return self.norm(hidden), points.expand(batch, *points.shape), volumes.expand(batch, -1)

    def hidden(
        self, code: Code, points: Float[Tensor, "*batch points dimension"]
    ) -> Float[Tensor, "batch points width"]:
        """Attend from any points to the hidden field."""
        hidden, sources, volumes = code
        asked = self.ask(self.places(points)).expand(len(hidden), -1, -1)
        return asked + self.leave(asked, self.unit(points), hidden, self.unit(sources[0]), volumes[0])


class TransformerLayer(nn.Module):
    """Attention and a two-layer network, each added to what it reads.

    Args:
        width: Channels; a multiple of twice the heads.
        num_heads: Heads of the attention.
        repeats: See `QuadratureAttention`.
        mlp_ratio: Hidden channels of the network over ``width``.
    """

    def __init__(self, width: int, num_heads: int, repeats: list[bool], mlp_ratio: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = QuadratureAttention(width, num_heads, repeats)
        self.network_norm = nn.LayerNorm(width)
        self.network = ChannelMLP(width, mlp_ratio * width, width)

    def forward(
        self,
        values: Float[Tensor, "batch points width"],
        points: Float[Tensor, "points dimension"],
        volumes: Float[Tensor, " points"],
    ) -> Float[Tensor, "batch points width"]:
        """Apply the layer; see `QuadratureAttention`."""
        normed = self.attention_norm(values)
        values = values + self.attention(normed, points, normed, points, volumes)
        return values + self.network(self.network_norm(values))
