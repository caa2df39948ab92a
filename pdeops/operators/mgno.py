"""The multigrid neural operator."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain, Grid
from pdeops.layers import (
    Boundary,
    BoundaryPadding,
    MultigridCycle,
    Restrict,
    coarser_shape,
    coordinate_channels,
    level_shapes,
)
from pdeops.layers.local_convolution import CONVOLUTIONS
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, Operator, as_grid

FEWEST_POINTS = 5
"""Points of the coarsest level on its shortest axis, at least, where the levels are counted by the grid."""

# Channels adjacent in memory: convolutions on a CPU are nearly twice as fast.
_LAYOUTS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}


class MgNO(Operator):
    r"""Multigrid neural operator: the connections between channels are multigrid V-cycles.

    .. math:: v_0 = a, \quad v_{l+1} = \sigma\big(V_l v_l + W_l v_l + b_l\big), \quad u = Q v_L

    with :math:`V_l` a `MultigridCycle` from all channels to all, :math:`W_l` and Q pointwise linear, and
    :math:`\sigma` a GELU. There is no lift and no network at the end. The grid's boundary conditions enter by
    the padding of the stencils on every level: periodic axes close, also on the way up.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions.
        width: Channels of the hidden fields.
        num_layers: Number L of layers.
        num_levels: Number of grids of a cycle; None: as many as leave 5 points or more on the shortest axis.
        boundary: What lies beyond the walls, see `BoundaryPadding`: zeros, as published, or values mirrored
            so that the field (dirichlet) or its slope (neumann) is zero at the wall, on every level.
        restrict: Right side of the coarser levels: the residual, as in textbooks, or the input, as published.
        pre: Smoothing steps before the coarser levels.
        post: Smoothing steps after them.
        coarsest: Smoothing steps on the coarsest level.
        shared: Whether all levels of a cycle have the same stencils.
        coordinates: Whether the first layer sees where it is. Without, on a torus the operator commutes with
            shifts by the coarsest spacing.

    Raises:
        ValueError: The domain does not fit, is too small for the levels, or an option is out of range.

    Good values: width 32, 4 layers, coordinates, boundary "dirichlet" where the solution is 0 at walls; rate
    2e-3. In the published form, boundary "zeros", restrict "input" and 6 levels of width 24, 4 layers on
    256 x 256 points have 572,661 parameters and 5 layers on 211 x 211 points 678,093.

    Failure mode: The stencils are tied to the spacing: on another resolution it is another function. A layer
    is a product of a dozen convolutions with no activation between them: at twice the rate it diverges.

    Source: He, Liu and Xu (2024), arXiv:2310.19809.

    Example:
        >>> operator = MgNO(1, 1, Grid.periodic((64, 64)), width=8, num_layers=2)
        >>> operator(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 1, 64, 64])
    """

    positions: Tensor

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
        width: int = 32,
        num_layers: int = 4,
        num_levels: int | None = None,
        boundary: Boundary = "zeros",
        restrict: Restrict = "residual",
        pre: int = 1,
        post: int = 0,
        coarsest: int = 2,
        shared: bool = False,
        coordinates: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        if num_layers < 1:
            raise ValueError(f"MgNO: num_layers: expected at least 1, got {num_layers}; try 4")
        grid = as_grid(domain)
        self.num_levels = _levels_of(grid) if num_levels is None else num_levels
        padding = BoundaryPadding(grid, boundary)
        pointwise = CONVOLUTIONS[grid.dimension - 1]
        positions = _position_channels(grid) if coordinates else torch.empty(0, *grid.shape)
        channels = [in_channels + len(positions)] + [width] * (num_layers - 1)
        self.cycles = nn.ModuleList(
            MultigridCycle(
                number,
                width,
                grid.shape,
                padding,
                num_levels=self.num_levels,
                restrict=restrict,
                pre=pre,
                post=post,
                coarsest=coarsest,
                shared=shared,
            )
            for number in channels
        )
        self.pointwise = nn.ModuleList(pointwise(number, width, 1) for number in channels)
        self.activation = nn.GELU()
        self.head = pointwise(width, out_channels, 1, bias=False)
        # Fields with adjacent channels stay so only if the weights of all convolutions have that layout.
        for parameter in self.parameters():
            if parameter.ndim == grid.dimension + 2:
                parameter.data = parameter.data.contiguous(memory_format=_LAYOUTS[grid.dimension])
        # Not in the checkpoint: the grid gives it.
        self.register_buffer("positions", positions.float(), persistent=False)

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "points dimension"] | None = None,
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Map input fields to output fields on the same grid.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Grid of the input, whose levels are even and odd like those of the training grid; None is
                the training grid.
            query: None; this operator answers on its grid only.

        Returns:
            Output, shape (batch, out_channels, *domain.shape).

        Raises:
            ValueError: The values do not lie on the grid, its axes are of other kinds than in training, or
                its levels do not fit the transfers.
        """
        grid = as_grid(self.resolve_domain(values, domain, query))
        self._check_levels(grid)
        if len(self.positions):
            positions = self.positions if grid == self.domain else _position_channels(grid)
            values = torch.cat((values, positions.to(values).expand(len(values), *positions.shape)), dim=1)
        # A copy, for with one channel both layouts look alike to `contiguous`, but not to a convolution.
        hidden = values.clone(memory_format=_LAYOUTS[grid.dimension])
        for cycle, pointwise in zip(self.cycles, self.pointwise, strict=True):
            hidden = self.activation(cycle(hidden).add_(pointwise(hidden)))
        return self.head(hidden).contiguous()

    def _check_levels(self, grid: Grid) -> None:
        trained = as_grid(self.domain)
        # The padding is that of the training grid.
        kinds, trained_kinds = ([str(axis.kind) for axis in given.axes] for given in (grid, trained))
        if kinds != trained_kinds:
            raise ValueError(
                f"MgNO: expected axes of the kinds {', '.join(trained_kinds)} as in training, "
                f"got {', '.join(kinds)}; try an operator built for them"
            )
        if grid.shape == trained.shape:
            return
        found, expected = (
            [[size % 2 for size in shape] for shape in level_shapes(given.shape, self.num_levels)[:-1]]
            for given in (grid, trained)
        )
        if found != expected:
            factor = 2 ** (self.num_levels - 1)
            raise ValueError(
                f"MgNO: expected a grid whose {self.num_levels} levels are even and odd like those of "
                f"{trained.shape}, got {grid.shape}; try sizes that differ by multiples of {factor}"
            )


def _levels_of(grid: Grid) -> int:
    number, shape = 1, coarser_shape(grid.shape)
    while min(shape) >= FEWEST_POINTS:
        number, shape = number + 1, coarser_shape(shape)
    return number


def _position_channels(grid: Grid) -> Tensor:
    return coordinate_channels(grid).movedim(-1, 0)
