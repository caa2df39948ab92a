"""T1 with a convolutional U-Net on the spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import AxisKind, Domain, Grid
from pdeops.layers import Basis, EncoderDecoder, TruncatedTransform, basis_kinds
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, SpectralOperator, as_grid, modes_per_axis
from pdeops.operators.t1_published import T1PublishedLayer, position_coefficients


class T1UNet(SpectralOperator):
    r"""Transform once, then read the block of low coefficients as an image and apply a U-Net to it.

    .. math:: Z_0 = P\,(T a, T x), \quad Z_1 = \text{layer}(Z_0), \quad u = T^*\, \text{UNet}(Z_1)

    with one layer of `T1PublishedLayer`. Neighbouring coefficients are related (energy falls off smoothly
    with the frequency), which is the locality that the convolutions use.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions.
        modes: Number of coefficients m kept on all axes, or one number an axis; at least ``2**depth``.
        width: Channels of the U-Net's first level.
        depth: Number of halvings of the U-Net.
        basis: Basis of the transform, see `basis_kinds`; the DCT as published.

    Raises:
        ValueError: The domain does not fit, or the modes do not fit the points or the depth.

    Good values: modes 24, width 32, depth 3 on 64 x 64 points.

    Failure mode: Coefficients span decades; the small, high ones are learned last.

    Source: Poli, Massaroli, Berto, Park, Dao, Re and Ermon (2022), arXiv:2211.14453; the U-Net here works for
    any size.

    Example:
        >>> operator = T1UNet(1, 1, Grid.periodic((64, 64)), modes=24, width=8)
        >>> operator(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 1, 64, 64])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=EVENLY_SPACED,
        # Cosines on periodic points shift by half a cell, another one at another resolution.
        changes_resolution=False,
    )

    position: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        modes: int | Sequence[int] = 24,
        width: int = 32,
        depth: int = 3,
        basis: Basis = "cosine",
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        grid = as_grid(domain)
        kept = modes_per_axis(modes, grid.dimension)
        if min(kept) < 2**depth:
            raise ValueError(f"T1UNet: modes: expected at least {2**depth} for depth {depth}, got {modes}")
        self.transform = TruncatedTransform(basis_kinds(grid, basis), kept)
        self.transform.check_shape(grid.shape)
        self.register_buffer("position", position_coefficients(grid, self.transform), persistent=False)
        channels = in_channels + grid.dimension + 1
        self.lift = nn.Linear(channels, channels, bias=False)
        self.layer = T1PublishedLayer(kept, channels)
        # Neither end of the block of coefficients is the neighbour of the other.
        block = Grid.box(kept, AxisKind.CELLS)
        self.unet = EncoderDecoder(channels, out_channels, block, width=width, depth=depth)

    def coefficients(
        self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None
    ) -> Float[Tensor, "batch out_channels *modes"]:
        """Predict the coefficients of the output.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Grid of the input; None is the training grid.

        Returns:
            Coefficients, shape (batch, out_channels, *transform.modes).

        Raises:
            ValueError: The values do not lie on the grid, or it has too few points for the modes.
        """
        self.resolve_domain(values, domain)
        coefficients = self.transform(values)
        position = self.position.expand(len(values), *self.position.shape).to(coefficients.dtype)
        block = self.lift(torch.cat((coefficients, position), dim=1).movedim((0, 1), (-2, -1)))
        return self.unet(self.layer(block).movedim((-2, -1), (0, 1)).contiguous())
