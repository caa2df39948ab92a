"""The graph neural operator: learned integrals over short distances."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain
from pdeops.layers import (
    ChannelMLP,
    DifferentialConvolution,
    Edges,
    KernelIntegral,
    find_edges,
    gradient_weights,
    quadrature_points,
    reach,
)
from pdeops.operators.hidden_field import HiddenFieldOperator
from pdeops.operators.operator import Capabilities
from pdeops.operators.query_operator import Code, OutputPoints


class GNO(HiddenFieldOperator):
    r"""Graph neural operator: integrals and derivatives over balls, on grids, meshes and to any point.

    .. math:: v_0 = P(a, x), \quad
              \hat v_l = v_l + K_l \operatorname{LN} v_l + D_l \operatorname{LN} v_l, \quad
              v_{l+1} = \hat v_l + F_l \operatorname{LN} \hat v_l, \quad u(y) = Q\big((K v_L)(y), y\big)

    with `KernelIntegral` K, `DifferentialConvolution` D, two-layer networks P and F over the channels and Q
    over the channels of the query. All sums run over points within a radius, with quadrature weights: on
    finer domains they tend to the operators on functions.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: Grid or mesh of the training data, 1 to 3 dimensions.
        output: Where the outputs of the training lie; see `QueryOperator`.
        width: Channels of the hidden fields; a multiple of the heads.
        num_layers: Number L of layers.
        num_heads: Kernels of each integral.
        kernel_width: Channels of the networks that are the kernels.
        radius: Radius of the balls, in the unit of the coordinates; None for one that suits the domain, see
            `reach`.
        differential: Whether there are derivatives beside the integrals.
        projection_width: Channels of the hidden layer of Q.

    Raises:
        ValueError: The domain does not fit, or a point has no other within the radius.

    Good values: width 32, 4 layers and 8 heads on 500 to 4000 points.

    Failure mode: A layer sees one radius far; what depends on all of the domain (elliptic equations) wants
    as many radii as it is wide, or `GINO`. On very uneven points a radius that reaches the sparse ones holds
    very many of the dense ones.

    Source: Li, Kovachki et al. (2020), arXiv:2003.03485; Liu-Schiaffini et al. (2024), arXiv:2402.16845, for
    the derivatives.

    Example:
        >>> operator = GNO(1, 1, Grid.periodic((32, 32)), width=16)
        >>> operator(torch.zeros(2, 1, 32, 32), query=torch.rand(5, 2)).shape
        torch.Size([2, 1, 5])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}), needs_grid=False, any_query=True
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None = None,
        *,
        width: int = 32,
        num_layers: int = 4,
        num_heads: int = 8,
        kernel_width: int = 32,
        radius: float | None = None,
        differential: bool = True,
        projection_width: int = 64,
    ) -> None:
        super().__init__(
            in_channels, out_channels, domain, output, width=width, projection_width=projection_width
        )
        if num_layers < 1:
            raise ValueError(f"GNO: num_layers: expected at least 1, got {num_layers}; try 4")
        points, _ = quadrature_points(domain)
        self.radius = reach(points, self.periods) if radius is None else radius
        channels = self.places.num_channels
        self.lift = ChannelMLP(in_channels + channels, 2 * width, width)
        self.layers = nn.ModuleList(
            GNOLayer(width, domain.dimension, channels, num_heads, kernel_width, differential=differential)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = KernelIntegral(
            width, domain.dimension, channels, num_heads=num_heads, kernel_width=kernel_width
        )

    def encode(self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None) -> Code:
        """Make the hidden field at the points of the input.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            The field, its points and their volumes.

        Raises:
            ValueError: The values do not lie on the domain, it does not fit, or it is too coarse for the
                radius.
        """
        inputs, points, volumes = self.samples(values, domain)
        points, volumes = points.to(values), volumes.to(values)
        given = self.domain if domain is None else domain
        edges, gradient = _layer_edges(given, self.radius, self.periods, values.dtype, values.device)
        places = self.places(points)
        hidden = self.lift(inputs)
        for layer in self.layers:
            hidden = layer(hidden, edges, gradient, places)
        batch = len(values)
        return self.norm(hidden), points.expand(batch, *points.shape), volumes.expand(batch, -1)

    def hidden(
        self, code: Code, points: Float[Tensor, "*batch points dimension"]
    ) -> Float[Tensor, "batch points width"]:
        """Integrate the hidden field around any points."""
        hidden, sources, volumes = code
        edges = find_edges(points, sources[0], volumes[0], self.radius, periods=self.periods)
        return self.leave(hidden, edges, self.places(points))


class GNOLayer(nn.Module):
    """Integrals, derivatives and a two-layer network, each added to what it reads.

    Args:
        width: Channels; a multiple of the heads.
        dimension: Coordinates of a point.
        num_places: Channels that say where a point is.
        num_heads: Kernels of the integral.
        kernel_width: Channels of the network that is the kernels.
        differential: Whether there are derivatives.
    """

    def __init__(
        self,
        width: int,
        dimension: int,
        num_places: int,
        num_heads: int,
        kernel_width: int,
        *,
        differential: bool,
    ) -> None:
        super().__init__()
        self.integral_norm = nn.LayerNorm(width)
        self.integral = KernelIntegral(
            width, dimension, num_places, num_heads=num_heads, kernel_width=kernel_width
        )
        self.differential = DifferentialConvolution(width, dimension) if differential else None
        self.network_norm = nn.LayerNorm(width)
        self.network = ChannelMLP(width, 2 * width, width)

    def forward(
        self,
        values: Float[Tensor, "batch points width"],
        edges: Edges,
        gradient: Float[Tensor, "edges dimension"],
        places: Float[Tensor, "points num_places"],
    ) -> Float[Tensor, "batch points width"]:
        """Apply the layer; see `KernelIntegral` and `DifferentialConvolution`."""
        normed = self.integral_norm(values)
        values = values + self.integral(normed, edges, places)
        if self.differential is not None:
            values = values + self.differential(normed, edges, gradient)
        return values + self.network(self.network_norm(values))


@torch.compiler.disable
@lru_cache(maxsize=8)
def _layer_edges(
    domain: Domain,
    radius: float,
    periods: tuple[float | None, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[Edges, Float[Tensor, "edges dimension"]]:
    """Pairs of the points of a domain and weights of the gradient: the same in every layer and step."""
    with torch.inference_mode(False), torch.no_grad():
        points, volumes = (part.to(device, dtype) for part in quadrature_points(domain))
        edges = find_edges(points, points, volumes, radius, periods=periods)
        return edges, gradient_weights(edges).to(dtype)
