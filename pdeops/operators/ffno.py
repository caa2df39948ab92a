"""The factorised Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain
from pdeops.layers import (
    ChannelMLP,
    FactorisedConvolution,
    GridLift,
    crop,
    padded_shape,
)
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, Operator, as_grid, modes_per_axis


class FFNO(Operator):
    r"""Factorised Fourier neural operator: convolutions along one axis at a time, inside residual layers.

    .. math:: v_0 = P(a, x), \quad
              v_{l+1} = v_l + F_l\Big(\sum_a \mathcal F_a^{-1}(R_{l,a}\,\mathcal F_a v_l)\Big), \quad
              u = Q(v_L)

    with P linear and F and Q two-layer networks over the channels. Far fewer parameters than the full Fourier
    operator, so that it can be deep.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions.
        modes: Waves kept: |k| < modes, on all axes or one number an axis.
        width: Channels of the hidden fields.
        num_layers: Number L of layers.
        feed_forward_factor: Hidden channels of F over ``width``.
        projection_width: Channels between the two maps of Q.
        share_weights: Whether all layers use the same multipliers R.
        padding: Length of the strip of zeros behind the upper wall, as a fraction of the axis; only on axes
            that are not periodic.
        coordinates: Whether P sees where it is.

    Raises:
        ValueError: The domain does not fit, or is too coarse for the modes.

    Good values: modes 16, width 64, 4 layers for a first run; 24 layers with shared weights in the paper.

    Failure mode: Few layers; the axes are coupled by a sum in each, so shallow networks underfit.

    Source: Tran, Mathews, Xie and Ong (2023), arXiv:2111.13802. The paper's head reads the last feed-forward
    output; here it reads the residual stream, so that every layer reaches the output.

    Example:
        >>> operator = FFNO(1, 1, Grid.periodic((32, 32)), modes=8, width=16)
        >>> operator(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=EVENLY_SPACED,
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        modes: int | Sequence[int] = 16,
        width: int = 64,
        num_layers: int = 4,
        feed_forward_factor: int = 2,
        projection_width: int = 128,
        share_weights: bool = False,
        padding: float = 0.125,
        coordinates: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        if num_layers < 1:
            raise ValueError(f"FFNO: num_layers: expected at least 1, got {num_layers}; try 4")
        grid = as_grid(domain)
        kept = modes_per_axis(modes, grid.dimension)
        self.lift = GridLift(in_channels, width, grid, coordinates=coordinates, padding=padding)
        convolutions = [FactorisedConvolution(width, kept) for _ in range(1 if share_weights else num_layers)]
        convolutions[0].check_shape(padded_shape(grid, padding))
        self.convolutions = nn.ModuleList(convolutions)
        self.feed_forward = nn.ModuleList(
            ChannelMLP(width, feed_forward_factor * width, width) for _ in range(num_layers)
        )
        self.project = ChannelMLP(width, projection_width, out_channels)

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "points dimension"] | None = None,
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Map input fields to output fields on the same grid.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Grid of the input; None is the training grid.
            query: None; this operator answers on its grid only.

        Returns:
            Output, shape (batch, out_channels, *domain.shape).

        Raises:
            ValueError: The values do not lie on the grid, or it is too coarse for the modes.
        """
        grid = as_grid(self.resolve_domain(values, domain, query))
        hidden = self.lift(values, grid)
        for number, feed_forward in enumerate(self.feed_forward):
            convolution = self.convolutions[min(number, len(self.convolutions) - 1)]
            hidden = hidden + feed_forward(convolution(hidden))
        return self.project(crop(hidden, grid.shape)).movedim(-1, 1)
