"""The Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import Domain
from pdeops.layers import (
    ChannelMLP,
    FourierLayer,
    GridLift,
    crop,
    padded_shape,
)
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, Operator, as_grid, modes_per_axis


class FNO(Operator):
    r"""Fourier neural operator: pointwise linear maps plus convolutions by truncated Fourier multipliers.

    .. math:: v_0 = P(a, x), \quad
              v_{l+1} = \sigma\big(W_l v_l + b_l + \mathcal F^{-1}(R_l\,\mathcal F v_l)\big), \quad u = Q(v_L)

    with P linear, the activation :math:`\sigma` a GELU (none after the last layer) and Q a two-layer network.
    On axes that are not periodic the field is continued by a strip of zeros behind the upper wall.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions.
        modes: Waves kept: |k| < modes, on all axes or one number an axis.
        width: Channels of the hidden fields.
        num_layers: Number L of layers.
        projection_width: Channels between the two maps of Q.
        padding: Length of the strip, as a fraction of the axis; only on axes that are not periodic.
        coordinates: Whether P sees where it is. Without, the operator on a torus commutes with shifts.
        variance_preserving: Start the convolutions so that white noise keeps its variance.
        complex_parameters: Store the multipliers as complex numbers in place of real pairs.

    Raises:
        ValueError: The domain does not fit, or is too coarse for the modes.

    Good values: modes 12, width 32 and 4 layers on 64 x 64 points; modes 16, width 64 in one dimension.

    Failure mode: Waves above ``modes`` come only from the activations; a finer grid than the one of training
    brings no more accuracy. Sharp fronts ring.

    Source: Li, Kovachki, Azizzadenesheli, Liu, Bhattacharya, Stuart and Anandkumar (2021), arXiv:2010.08895.

    Example:
        >>> operator = FNO(1, 1, Grid.periodic((64, 64)), modes=12, width=32)
        >>> operator(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 1, 64, 64])
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
        modes: int | Sequence[int] = 12,
        width: int = 32,
        num_layers: int = 4,
        projection_width: int = 64,
        padding: float = 0.125,
        coordinates: bool = True,
        variance_preserving: bool = False,
        complex_parameters: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        if num_layers < 1:
            raise ValueError(f"FNO: num_layers: expected at least 1, got {num_layers}; try 4")
        grid = as_grid(domain)
        kept = modes_per_axis(modes, grid.dimension)
        shape = padded_shape(grid, padding)
        self.lift = GridLift(in_channels, width, grid, coordinates=coordinates, padding=padding)
        layers = [
            FourierLayer(
                width,
                kept,
                variance_preserving=variance_preserving,
                reference_shape=shape,
                complex_parameters=complex_parameters,
            )
            for _ in range(num_layers)
        ]
        layers[0].convolution.check_shape(shape)
        self.layers = nn.ModuleList(layers)
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
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden if number == 0 else functional.gelu(hidden))
        return self.project(crop(hidden, grid.shape)).movedim(-1, 1)
