"""Attention to a few tokens a patch, which a trigonometric series then moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.layers.trigonometric_series import add_trigonometric_series

Initialisation = Literal["symmetric", "published"]


class NeuralSpectralBlock(nn.Module):
    r"""Patch by patch: gather the points into latent tokens, move the tokens, read them at the points.

    With the points :math:`x_i` of a patch, h heads of :math:`d = C/h` channels and M tokens a head,

    .. math:: Z_m = Z^0_m + \sum_i \operatorname{softmax}_i\big(s\, Z^0_m \cdot K x_i\big)\, V x_i, \qquad
              Z \leftarrow Z + \sum_{n=0}^{N-1} a_n \sin\frac{\pi n Z}{N} + b_n \cos\frac{\pi n Z}{N}, \qquad
              x_i \leftarrow x_i + \sum_m \operatorname{softmax}_m\big(s\, Q x_i \cdot Z_m\big)\, Z_m

    with affine K, V and Q, coefficients a and b for each channel, and the same weights for every patch.

    Keys, values and queries are never computed at the points. :math:`Z^0_m \cdot K x` is one vector times x;
    the mean of :math:`Vx` is V times the mean of x; and :math:`Q x \cdot Z_m` is :math:`x \cdot Q^T Z_m`. So
    products of channels with channels are left for the few tokens, and a point costs 4 h M C
    multiplications where the formulas, as they stand, cost 3 C^2 and more.

    Args:
        channels: Channels C, a multiple of the heads.
        heads: Number h of heads.
        tokens: Number M of tokens a head.
        frequencies: Number N of frequencies.
        scaled: Whether :math:`s = 1/\sqrt d`; 1 otherwise.
        initialisation: ``symmetric`` draws :math:`Z^0` from a normal distribution of deviation
            :math:`1/\sqrt d`, so that tokens begin apart, and the coefficients from
            :math:`[-1/C, 1/C]`; ``published`` draws both from :math:`[0, 1/C]`.

    Raises:
        ValueError: The heads do not divide the channels, a number is not positive, or the initialisation is
            unknown.

    Good values: 8 heads, 4 tokens, 12 frequencies, patches of 9 to 49 points.

    Failure mode: The frequencies are all below 1, so the series bends slowly: tokens far above 1 see many
    periods, tokens far below 1 see a straight line. The sine of frequency 0 is nothing, its weight idle.

    Source: Wu, Hu, Luo, Wang and Long (2023), arXiv:2301.12664.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 8,
        tokens: int = 4,
        frequencies: int = 12,
        scaled: bool = True,
        initialisation: Initialisation = "symmetric",
    ) -> None:
        super().__init__()
        if min(heads, tokens, frequencies) < 1 or channels % heads:
            raise ValueError(
                "neural spectral block: expected positive numbers and heads that divide the channels, got "
                f"{channels} channels, {heads} heads, {tokens} tokens, {frequencies} frequencies; try 8 heads"
            )
        if initialisation not in get_args(Initialisation):
            names = " or ".join(get_args(Initialisation))
            raise ValueError(f"initialisation: expected {names}, got {initialisation!r}")
        self.heads = heads
        self.head_width = channels // heads
        self.scale = 1 / math.sqrt(self.head_width) if scaled else 1.0
        # Rows of the keys first, then those of the values. The bias of the keys moves all scores of a token
        # alike, which the softmax over the points does not see: it is there as published and stays idle.
        self.key_value = nn.Linear(channels, 2 * channels)
        self.query = nn.Linear(channels, channels)
        self.tokens = nn.Parameter(torch.empty(heads, tokens, self.head_width))
        self.coefficients = nn.Parameter(torch.empty(channels, 2 * frequencies))
        if initialisation == "published":
            nn.init.uniform_(self.tokens, 0, 1 / channels)
            nn.init.uniform_(self.coefficients, 0, 1 / channels)
        else:
            nn.init.normal_(self.tokens, std=1 / math.sqrt(self.head_width))
            nn.init.uniform_(self.coefficients, -1 / channels, 1 / channels)

    def forward(
        self, values: Float[Tensor, "batch *shape channels"], patches: Sequence[int]
    ) -> Float[Tensor, "batch *shape channels"]:
        """Apply the block.

        Args:
            values: Field with the channels last.
            patches: Number of patches on each axis, which divides the number of points there.

        Returns:
            Field of the same shape.

        Raises:
            ValueError: The patches do not divide the points.
        """
        batch, *shape, channels = values.shape
        if len(patches) != len(shape) or any(n % p for n, p in zip(shape, patches, strict=True)):
            raise ValueError(
                f"neural spectral block: expected patches that divide {tuple(shape)} points, "
                f"got {tuple(patches)}; try powers of 2 on a padded field"
            )
        # (batch, patch, point of the patch, next axis ..) with the patches of all axes first.
        split = [size for n, p in zip(shape, patches, strict=True) for size in (p, n // p)]
        outer = range(1, 2 * len(shape), 2)
        order = (0, *outer, *(axis + 1 for axis in outer), 2 * len(shape) + 1)
        ordered = values.reshape(batch, *split, channels).permute(order)
        points = ordered.reshape(batch * math.prod(patches), -1, channels)
        points = self._read(points, self._move(self._gather(points)))
        inverse = sorted(range(len(order)), key=order.__getitem__)
        return points.reshape(ordered.shape).permute(inverse).reshape(values.shape)

    def _gather(self, points: Tensor) -> Tensor:
        """Tokens (patches, tokens, heads, d) of points (patches, points, channels)."""
        weight = self.key_value.weight.unflatten(0, (2, self.heads, self.head_width))
        directions = torch.einsum("hmd,hdc->mhc", self.tokens * self.scale, weight[0]).flatten(0, 1)
        scores = torch.softmax(functional.linear(points, directions), dim=1)
        means = torch.bmm(scores.mT.to(points.dtype), points).unflatten(1, (-1, self.heads))
        bias = self.key_value.bias[len(self.query.bias) :].unflatten(0, (self.heads, self.head_width))
        return torch.einsum("pmhc,hdc->pmhd", means, weight[1]) + (bias + self.tokens.transpose(0, 1))

    def _move(self, tokens: Tensor) -> Tensor:
        """Add the series to the tokens; each channel has its coefficients."""
        with torch.autocast(tokens.device.type, enabled=False):
            rows = tokens.reshape(-1, self.heads * self.head_width)
            rows = rows if rows.dtype == torch.float64 else rows.float()
            return add_trigonometric_series(rows, self.coefficients).reshape(tokens.shape)

    def _read(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Points plus what each takes from the tokens of its patch."""
        scaled = tokens * self.scale
        weight = self.query.weight.unflatten(0, (self.heads, self.head_width))
        directions = torch.einsum("pmhd,hdc->pmhc", scaled, weight).flatten(1, 2)
        bias = (scaled * self.query.bias.unflatten(0, (self.heads, self.head_width))).sum(dim=3).flatten(1)
        scores = torch.baddbmm(bias[..., None], directions, points.mT)
        # The tokens are the outer part of the dimension: rows of heads and points, on which vectors work.
        shape = scores.shape
        scores = torch.softmax(scores.view(shape[0], -1, self.heads * shape[2]), dim=1).view(shape)
        # A head's tokens fill its channels only: one product over tokens and heads then gives all channels.
        own = torch.eye(self.heads, dtype=tokens.dtype, device=tokens.device)[:, :, None]
        placed = (tokens[:, :, :, None] * own).flatten(3).flatten(1, 2)
        return torch.baddbmm(points, scores.mT.to(points.dtype), placed.to(points.dtype))
