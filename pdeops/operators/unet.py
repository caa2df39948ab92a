"""The U-Net, the convolutional baseline."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Domain, Grid
from pdeops.layers import EncoderDecoder, GridLift
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, Operator, as_grid


class UNet(Operator):
    r"""Convolutions of three points an axis on a pyramid of grids, with joins between equal sizes.

    .. math:: v = P(a, x), \quad e_0 = C_0 v, \quad e_{l} = C_l\!\downarrow e_{l-1}, \quad
              d_L = e_L, \quad d_{l} = D_l(e_l, \uparrow d_{l+1}), \quad u = Q\,d_0

    with P and Q linear at each point, :math:`\downarrow` a convolution of stride 2, :math:`\uparrow` the
    nearest value, and C, D convolutions with batch normalisation and GELU; see `EncoderDecoder`. On periodic
    axes the convolutions close, beyond walls there are zeros. It is the baseline that every method on a grid
    should beat.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions, at least ``2**depth`` points an axis.
        width: Channels of the finest level; each halving doubles them.
        depth: Number L of halvings.
        convolutions_per_level: Convolutions of each C and D.
        coordinates: Whether P sees where it is. Without, the operator on a torus commutes with shifts by
            multiples of ``2**depth`` points, if its sizes are such multiples.

    Raises:
        ValueError: The domain does not fit, or is too small for the depth.

    Good values: width 16 and depth 3 for a step of a tenth of a second on 43 x 43 points; width 64, depth 4
    and two convolutions a level in the source.

    Failure mode: It learns in points, not in lengths: what it gives on another resolution is no approximation
    of what it gave. What travels farther than ``2**(depth + 1)`` points is seen on the coarsest level only.

    Source: Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with batch normalisation and with
    strides in place of pooling.

    Example:
        >>> operator = UNet(1, 1, Grid.periodic((43, 43)), width=16)
        >>> operator(torch.zeros(2, 1, 43, 43)).shape
        torch.Size([2, 1, 43, 43])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=EVENLY_SPACED,
        changes_resolution=False,
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        width: int = 16,
        depth: int = 3,
        convolutions_per_level: int = 2,
        coordinates: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        grid = as_grid(domain)
        self.depth = depth
        self._check_size(grid)
        self.lift = GridLift(in_channels, width, grid, coordinates=coordinates, padding=0.0)
        self.body = EncoderDecoder(
            width,
            out_channels,
            grid,
            width=width,
            depth=depth,
            convolutions_per_level=convolutions_per_level,
        )

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
            ValueError: The values do not lie on the grid, or it is too small for the depth.
        """
        grid = as_grid(self.resolve_domain(values, domain, query))
        self._check_size(grid)
        # A view with the channels first: the memory stays channels last, which convolutions like.
        return self.body(self.lift(values, grid).movedim(-1, 1))

    def _check_size(self, grid: Grid) -> None:
        if min(grid.shape) < 2**self.depth:
            raise ValueError(
                f"UNet: expected at least {2**self.depth} points an axis for depth {self.depth}, "
                f"got {grid.shape}; try a smaller depth"
            )
