"""The geometry-informed neural operator: points to a grid, Fourier layers there, the grid to points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import Domain, Grid
from pdeops.layers import (
    ChannelMLP,
    FourierLayer,
    KernelIntegral,
    find_edges,
    quadrature_points,
    reach,
)
from pdeops.operators.hidden_field import HiddenFieldOperator
from pdeops.operators.operator import Capabilities, modes_per_axis
from pdeops.operators.query_operator import Code, OutputPoints

# Period of the latent grid over the box, on axes with walls: the strip keeps opposite walls apart.
PERIOD = 1.125
# Radius of the decoder in spacings of the latent grid: 20 points of it in a plane.
CELLS = 2.5


class GINO(HiddenFieldOperator):
    r"""Geometry-informed neural operator: on grids, meshes and to any point, through a latent grid.

    .. math:: v_0 = R\big(K\,P(a, x),\ z\big), \quad
              v_{l+1} = \sigma\big(W_l v_l + b_l + \mathcal F^{-1}(R_l\,\mathcal F v_l)\big), \quad
              u(y) = Q\big((K' v_L)(y), y\big)

    with `KernelIntegral` K from the points x to the points z of a regular grid over the box around the domain
    and K' from there to the query, Fourier layers as in `FNO` and two-layer networks P, R and Q over the
    channels. Radii are measured in the box stretched to unit sides. The average of K fades where there is no
    domain, so the grid sees its shape.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: Grid or mesh of the training data, 1 to 3 dimensions.
        output: Where the outputs of the training lie; see `QueryOperator`.
        width: Channels of the hidden fields; a multiple of the heads.
        num_layers: Number of Fourier layers.
        modes: Waves kept: |k| < modes, on all axes or one number an axis.
        latent_size: Points of the latent grid on each axis.
        num_heads: Kernels of each integral.
        kernel_width: Channels of the networks that are the kernels.
        radius: Radius of K, in the unit box; None for one that suits the domain, see `reach`.
        projection_width: Channels of the hidden layer of Q.

    Raises:
        ValueError: The domain does not fit, or the latent grid is too coarse for the modes.

    Good values: width 32, 4 layers, 10 modes and a latent grid of 32 points an axis on 500 to 4000 points.

    Failure mode: Detail below the spacing of the latent grid is lost.

    Source: Li, Kovachki et al. (2023), arXiv:2309.00583. There the kernels end abruptly, weights are those of
    the points only where they are given, and zero stands where the grid has no neighbour.

    Example:
        >>> operator = GINO(1, 1, Grid.periodic((32, 32)), width=16)
        >>> operator(torch.zeros(2, 1, 32, 32), query=torch.rand(5, 2)).shape
        torch.Size([2, 1, 5])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}), needs_grid=False, any_query=True
    )

    latent_points: Tensor
    latent_volumes: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None = None,
        *,
        width: int = 32,
        num_layers: int = 4,
        modes: int | Sequence[int] = 10,
        latent_size: int = 32,
        num_heads: int = 8,
        kernel_width: int = 32,
        radius: float | None = None,
        projection_width: int = 64,
    ) -> None:
        super().__init__(
            in_channels, out_channels, domain, output, width=width, projection_width=projection_width
        )
        if num_layers < 1:
            raise ValueError(f"GINO: num_layers: expected at least 1, got {num_layers}; try 4")
        dimension = domain.dimension
        self.unit_periods = tuple(None if period is None else 1.0 for period in self.periods)
        ends = [PERIOD if period is None else 1.0 for period in self.periods]
        latent = Grid.periodic((latent_size,) * dimension, lengths=ends)
        spacing = max(ends) / latent_size
        self.latent_shape = latent.shape
        # Not in the checkpoint: the domain gives them.
        self.register_buffer("latent_points", latent.points.float(), persistent=False)
        self.register_buffer("latent_volumes", latent.quadrature_weights.flatten().float(), persistent=False)
        points, _ = quadrature_points(domain)
        suits = reach(self.unit(points), self.unit_periods)
        # A point of the grid must see the points around it, too.
        widest = min((0.5 for period in self.periods if period is not None), default=math.inf)
        self.radius = min(max(suits, CELLS * spacing), widest) if radius is None else radius
        self.leave_radius = min(CELLS * spacing, widest)
        channels = self.places.num_channels
        self.lift = ChannelMLP(in_channels + channels, 2 * width, width)
        self.enter = KernelIntegral(
            width, dimension, channels, num_heads=num_heads, kernel_width=kernel_width
        )
        self.lift_latent = ChannelMLP(width + channels, 2 * width, width)
        layers = [FourierLayer(width, modes_per_axis(modes, dimension)) for _ in range(num_layers)]
        layers[0].convolution.check_shape(self.latent_shape)
        self.layers = nn.ModuleList(layers)
        self.leave = KernelIntegral(
            width, dimension, channels, num_heads=num_heads, kernel_width=kernel_width
        )

    def encode(self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None) -> Code:
        """Make the hidden field on the latent grid.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            The field, shape (batch, points of the grid, width).

        Raises:
            ValueError: The values do not lie on the domain, or it does not fit.
        """
        inputs, points, volumes = self.samples(values, domain)
        sources = self.unit(points).to(values)
        unit_volumes = (volumes / math.prod(self.places.lengths)).to(values)
        latent = self.latent_points.to(values)
        edges = find_edges(
            latent, sources, unit_volumes, self.radius, periods=self.unit_periods, may_be_alone=True
        )
        places = self.places(self._stretched(latent))
        entered = self.enter(self.lift(inputs), edges, places)
        hidden = self.lift_latent(torch.cat((entered, places.expand(len(values), *places.shape)), dim=-1))
        hidden = hidden.unflatten(1, self.latent_shape)
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden if number == 0 else functional.gelu(hidden))
        return hidden.flatten(1, -2)

    def hidden(
        self, code: Code, points: Float[Tensor, "*batch points dimension"]
    ) -> Float[Tensor, "batch points width"]:
        """Integrate the hidden field of the latent grid around any points."""
        assert isinstance(code, Tensor)
        latent, volumes = self.latent_points.to(code), self.latent_volumes.to(code)
        edges = find_edges(self.unit(points), latent, volumes, self.leave_radius, periods=self.unit_periods)
        return self.leave(code, edges, self.places(points))

    def _stretched(self, points: Tensor) -> Tensor:
        return points * points.new_tensor(self.places.lengths) + points.new_tensor(self.places.lower)
