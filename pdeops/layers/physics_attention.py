"""Attention among a few averages over the domain in place of all its points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import Grid
from pdeops.layers.local_convolution import LocalConvolution

TEMPERATURES = (0.1, 5.0)
# Share of the domain below which a slice counts as empty. Published: 1e-5 points, which is as much on 1000
# points but depends on the resolution.
EMPTY = 1e-8


class PhysicsAttention(nn.Module):
    r"""Each head sorts the points softly into slices, and attends among the means of the slices.

    .. math:: w_{ng} = \operatorname{softmax}_g \frac{(S x_n + s)_g}{\tau}, \quad
              z_g = \frac{\int w_g f\,dx}{\int w_g\,dx} \approx
              \frac{\sum_n q_n w_{ng} f_n}{\sum_n q_n w_{ng}}, \quad
              y_n = \sum_g w_{ng}\, z'_g

    with x and f two projections of the values, :math:`\tau` a temperature a head, z' the result of ordinary
    scaled attention among the tokens z, and :math:`q_n` the share of the domain that a point stands for. The
    cost is linear in the points. The tokens are integrals over the domain, so neither their number nor the
    crowding of the points in places changes what they mean.

    All but the projections is computed in float32, also inside autocast: the sums run over all points.

    Args:
        width: Channels; a multiple of the heads.
        num_heads: Number of heads.
        num_slices: Number of slices, the same projection S in every head.
        grid: The projections are convolutions of three points an axis on such a grid (its number and kinds of
            axes count). None for projections at each point, on any set of points.

    Raises:
        ValueError: The width is no multiple of the heads, or there is no slice.

    Good values: 8 heads of 16 channels, 64 slices.

    Failure mode: Slices that come out alike; the temperature, learnt between 0.1 and 5, tells how sharp they
    are.

    Source: Wu, Luo, Wang, Wang and Long (2024), arXiv:2402.02366; there sums over points take the place of
    the integrals, which is the same where all points have equal shares.
    """

    def __init__(self, width: int, num_heads: int, num_slices: int, *, grid: Grid | None = None) -> None:
        super().__init__()
        if num_heads < 1 or width < 1 or width % num_heads:
            raise ValueError(
                f"physics attention: expected a width that is a multiple of the heads, got width {width} "
                f"and {num_heads} heads; try 128 and 8"
            )
        if num_slices < 1:
            raise ValueError(f"physics attention: expected at least one slice, got {num_slices}; try 64")
        head_width = width // num_heads
        self.num_heads = num_heads
        # The two projections, x and f, as one.
        self.project = (
            nn.Linear(width, 2 * width) if grid is None else LocalConvolution(width, 2 * width, grid)
        )
        self.slice = nn.Linear(head_width, num_slices)
        self.temperature = nn.Parameter(torch.full((num_heads,), 0.5))
        # Queries, keys and values of the tokens, the same maps in every head.
        self.attend = nn.Linear(head_width, 3 * head_width, bias=False)
        self.join = nn.Linear(width, width)

    def forward(
        self,
        values: Float[Tensor, "batch points width"],
        shares: Float[Tensor, " points"],
        shape: Sequence[int],
    ) -> Float[Tensor, "batch points width"]:
        """Mix the points.

        Args:
            values: Field, points flattened and channels last.
            shares: Quadrature weights over the volume; their sum is 1.
            shape: Shape of the points.

        Returns:
            Field of the same shape.
        """
        batch, points, width = values.shape
        projected = self._projected(values, shape)
        # Heads first: what all samples of a head share is then the matrix of one batched product.
        projected = projected.reshape(batch, points, 2, self.num_heads, -1).permute(2, 3, 0, 1, 4)
        with torch.autocast(values.device.type, enabled=False):
            if projected.dtype != torch.float64:
                projected = projected.float()
            keys, fields = projected
            weights = self._slice_weights(keys)
            # With a channel of ones, one product gives the means' numerators and denominators.
            integrand = torch.cat((fields, torch.ones_like(fields[..., :1])), dim=-1) * shares[:, None]
            integrals = (integrand.mT @ weights).mT
            tokens = integrals[..., :-1] / (integrals[..., -1:] + EMPTY)
            tokens = functional.scaled_dot_product_attention(*self.attend(tokens).chunk(3, dim=-1))
            mixed = weights @ tokens
        return self.join(mixed.permute(1, 2, 0, 3).reshape(batch, points, width))

    def _projected(self, values: Tensor, shape: Sequence[int]) -> Tensor:
        if isinstance(self.project, nn.Linear):
            return self.project(values)
        field = values.reshape(len(values), *shape, values.shape[-1]).movedim(-1, 1)
        return self.project(field).movedim(1, -1)

    def _slice_weights(
        self, keys: Float[Tensor, "heads batch points channels"]
    ) -> Float[Tensor, "heads batch points slices"]:
        """Membership of every point in every slice; over the slices the sum is 1."""
        temperature = self.temperature.clamp(*TEMPERATURES)[:, None, None]
        # The small factors are divided by the temperature, not the large result.
        logits = torch.baddbmm(
            self.slice.bias / temperature, keys.flatten(1, 2), self.slice.weight.T / temperature
        )
        return logits.softmax(dim=-1).unflatten(1, keys.shape[1:3])
