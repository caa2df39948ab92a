"""Attention as a quotient of two integrals over a domain."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class QuadratureAttention(nn.Module):
    r"""Attention of points to a field, each point of which counts as much as the volume that it stands for.

    .. math:: (A f)(y) = P\,\frac{\int e^{q(y)\cdot k(x)/\sqrt c}\, v(x)\,dx}
                                  {\int e^{q(y)\cdot k(x)/\sqrt c}\,dx}
              \approx P\,\frac{\sum_i e^{q(y)\cdot k_i/\sqrt c}\, v_i\, \Delta_i}
                               {\sum_i e^{q(y)\cdot k_i/\sqrt c}\, \Delta_i}

    in each head of c channels. The weights :math:`\Delta` enter as :math:`\log\Delta_i` added to the
    exponents, so every implementation of attention with a bias will do, and a point of weight zero does not
    exist.
    Queries and keys are turned by angles in proportion to the coordinates, the frequencies :math:`\pi 2^o`
    (:math:`2\pi 2^o` on axes that repeat) over the box, so that the exponents see differences of positions.

    Computed in float32 at least, also inside autocast.

    Args:
        width: Channels; a multiple of twice the heads.
        num_heads: Number of heads.
        repeats: For each coordinate whether it repeats.

    Raises:
        ValueError: The width does not fit the heads.

    Good values: 2 to 4 heads of 16 channels.

    Failure mode: Time grows with the number of targets times that of sources.

    Source: Kovachki et al. (2023), arXiv:2108.08481; Su et al. (2021), arXiv:2104.09864, for the angles.
    """

    frequencies: Tensor

    def __init__(self, width: int, num_heads: int, repeats: Sequence[bool]) -> None:
        super().__init__()
        if num_heads < 1 or width < 1 or width % (2 * num_heads):
            raise ValueError(
                f"quadrature attention: expected a width that is a multiple of twice the heads, got width "
                f"{width} and {num_heads} heads; try 32 and 2"
            )
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.join = nn.Linear(width, width)
        # Each pair of channels turns with one coordinate; the octaves rise once all have had their pair.
        pair = torch.arange(width // (2 * num_heads))
        axis, octave = pair % len(repeats), torch.div(pair, len(repeats), rounding_mode="floor")
        lowest = torch.tensor([2 * math.pi if closes else math.pi for closes in repeats])
        frequencies = torch.zeros(len(repeats), len(pair))
        frequencies[axis, pair] = lowest[axis] * 2.0**octave
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(
        self,
        queries: Float[Tensor, "batch targets width"],
        targets: Float[Tensor, "*batch targets dimension"],
        values: Float[Tensor, "batch sources width"],
        sources: Float[Tensor, "sources dimension"],
        volumes: Float[Tensor, " sources"],
    ) -> Float[Tensor, "batch targets width"]:
        """Attend.

        Args:
            queries: What each target asks with; the field itself in self-attention.
            targets: Where they are, from 0 to 1 over the box, for all samples or for each.
            values: Field f at the sources.
            sources: Where these are.
            volumes: Quadrature weights; a common factor changes nothing.

        Returns:
            Field at the targets.
        """
        asked = self.query(queries).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        keys, fields = (
            self.key_value(values).unflatten(-1, (2 * self.num_heads, -1)).transpose(1, 2).chunk(2, 1)
        )
        with torch.autocast(values.device.type, enabled=False):
            if values.dtype != torch.float64:
                asked, keys, fields = asked.float(), keys.float(), fields.float()
            bias = volumes.to(asked).log().expand(len(keys), 1, asked.shape[2], -1)
            mixed = functional.scaled_dot_product_attention(
                self._turned(asked, targets), self._turned(keys, sources), fields, attn_mask=bias
            )
        return self.join(mixed.transpose(1, 2).flatten(2))

    def _turned(self, values: Float[Tensor, "batch heads points channels"], points: Tensor) -> Tensor:
        """Turn each pair of channels by the angle of the point."""
        angles = points.to(values) @ self.frequencies.to(values)
        if angles.ndim == 3:
            angles = angles[:, None]
        cosine, sine = torch.cos(angles), torch.sin(angles)
        first, second = values.chunk(2, dim=-1)
        return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)
