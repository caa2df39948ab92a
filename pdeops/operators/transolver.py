"""Transolver: attention among learnt regions of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain, Grid
from pdeops.layers import ChannelMLP, PhysicsAttention, PointPositions, PositionKind
from pdeops.operators.operator import Capabilities, Operator, as_grid


class Transolver(Operator):
    r"""Transformer over a few learnt slices of the domain, on grids and on meshes.

    .. math:: v_0 = P(a, x) + p, \quad
              \hat v_l = v_l + A_l(\operatorname{LN} v_l), \quad
              v_{l+1} = \hat v_l + F_l(\operatorname{LN} \hat v_l), \quad u = Q(\operatorname{LN} v_L)

    with `PhysicsAttention` A, two-layer networks P and F over the channels, a learnt vector p and a linear
    map Q. On meshes all but the integrals of A works at each point.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid or mesh of the training data, 1 to 3 dimensions.
        width: Channels of the hidden fields; a multiple of the heads.
        num_layers: Number L of layers.
        num_slices: Slices of each head.
        num_heads: Heads of each attention.
        mlp_ratio: Hidden channels of F over ``width``.
        local: On a grid, whether the two projections of A are convolutions of three points an axis, as
            published. Without, the operator carries over to other resolutions, to meshes and back.
        positions: How P sees where it is, see `PointPositions`; ``"distances"`` as published for Darcy flow
            and Navier-Stokes, ``"none"`` where the input channels are coordinates.

    Raises:
        ValueError: The domain does not fit, or the width is no multiple of the heads.

    Good values: width 128, 8 layers, 64 slices and 8 heads in the source; width 32, 4 layers, 32 slices and 4
    heads for a step of a fifth of a second on 43 x 43 points.

    Failure mode: With convolutions another resolution is another function. Slow to train: the published
    numbers took 500 epochs with batches of 1 to 8. On long rollouts those for Navier-Stokes were not
    reached by others.

    Source: Wu, Luo, Wang, Wang and Long (2024), arXiv:2402.02366. There the tokens are sums over points, the
    temperature is clamped on grids only, and linear maps start with a deviation of 0.02, which at widths
    below 128 leaves the network nearly linear for hundreds of steps; here it is one over the root of the
    inputs.

    Example:
        >>> operator = Transolver(1, 1, Grid.periodic((16, 16)), width=16, num_layers=2)
        >>> operator(torch.zeros(2, 1, 16, 16)).shape
        torch.Size([2, 1, 16, 16])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        needs_grid=False,
        # With the convolutions on grids, which are the default.
        changes_resolution=False,
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        width: int = 128,
        num_layers: int = 8,
        num_slices: int = 64,
        num_heads: int = 8,
        mlp_ratio: int = 1,
        local: bool = True,
        positions: PositionKind = "coordinates",
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        if num_layers < 1 or mlp_ratio < 1:
            raise ValueError(
                f"Transolver: expected num_layers and mlp_ratio of at least 1, got {num_layers} and "
                f"{mlp_ratio}; try 8 and 1"
            )
        self.local = local and isinstance(domain, Grid)
        self.capabilities = replace(self.capabilities, changes_resolution=not self.local)
        self.points = PointPositions(domain, positions)
        channels = in_channels + self.points.positions.shape[-1]
        self.lift = ChannelMLP(channels, 2 * width, width)
        grid = as_grid(domain) if self.local else None
        layers = [
            TransolverLayer(width, num_heads, num_slices, mlp_ratio=mlp_ratio, grid=grid)
            for _ in range(num_layers)
        ]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, out_channels)
        self.apply(_initialise)
        for layer in layers:
            nn.init.orthogonal_(layer.attention.slice.weight)
        self.placeholder = nn.Parameter(torch.rand(width) / width)

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "points dimension"] | None = None,
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Map input fields to output fields on the same domain.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Grid or mesh of the input; None is the training domain.
            query: None; this operator answers on its domain only.

        Returns:
            Output, shape (batch, out_channels, *domain.shape).

        Raises:
            ValueError: The values do not lie on the domain, its dimension or periodic axes are not those of
                training, or it is a mesh and there are convolutions.
        """
        domain = self.resolve_domain(values, domain, query)
        if self.local and not isinstance(domain, Grid):
            raise ValueError("Transolver: expected a grid for its convolutions, got a mesh; try local=False")
        positions, shares = self.points(values, domain)
        hidden = torch.cat((values.flatten(2).mT, positions.expand(len(values), *positions.shape)), dim=-1)
        hidden = self.lift(hidden) + self.placeholder
        for layer in self.layers:
            hidden = layer(hidden, shares, domain.shape)
        return self.head(self.norm(hidden)).mT.unflatten(-1, domain.shape)


class TransolverLayer(nn.Module):
    """Attention and a two-layer network, each added to what it reads.

    Args:
        width: Channels; a multiple of the heads.
        num_heads: Heads of the attention.
        num_slices: Slices of each head.
        mlp_ratio: Hidden channels of the network over ``width``.
        grid: See `PhysicsAttention`.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        num_slices: int,
        *,
        mlp_ratio: int = 1,
        grid: Grid | None = None,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = PhysicsAttention(width, num_heads, num_slices, grid=grid)
        self.network_norm = nn.LayerNorm(width)
        self.network = ChannelMLP(width, mlp_ratio * width, width)

    def forward(
        self,
        values: Float[Tensor, "batch points width"],
        shares: Float[Tensor, " points"],
        shape: Sequence[int],
    ) -> Float[Tensor, "batch points width"]:
        """Apply the layer; see `PhysicsAttention`."""
        values = values + self.attention(self.attention_norm(values), shares, shape)
        return values + self.network(self.network_norm(values))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        # Unit variance stays: the layers bend from the first step on, at any width.
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
