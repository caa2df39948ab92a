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

    .. math:: (A f)(y) = P\,\frac{\int e^{s(y, x)}\, v(x)\,dx}{\int e^{s(y, x)}\,dx}
              \approx P\,\frac{\sum_i e^{s(y, x_i)}\, v_i\, \Delta_i}{\sum_i e^{s(y, x_i)}\, \Delta_i},
              \qquad s(y, x) = \frac{q(y)\cdot k(x)}{\sqrt c} - \frac{|y - x|^2}{2 \ell^2}

    in each head of c channels. Each head has a fixed length :math:`\ell`, from the shortest to all of the box
    in equal ratios, so that from the start some look near and some far; on axes that repeat the
    distance is :math:`\sin(\pi \delta) / \pi`. The weights :math:`\Delta` enter as :math:`\log\Delta_i`
    added to the exponents, so every implementation of attention with a bias will do, and a point of weight
    zero does not exist.
    Queries and keys are turned by angles in proportion to the coordinates, the frequencies :math:`\pi 2^o`
    (:math:`2\pi 2^o` on axes that repeat) over the box, so that the exponents see differences of positions.

    Computed in float32 at least, also inside autocast.

    Args:
        width: Channels; a multiple of twice the heads.
        num_heads: Number of heads.
        repeats: For each coordinate whether it repeats.
        shortest: Length of the first head, over the box; the distance between sources or more.

    Raises:
        ValueError: The width does not fit the heads, or the length is not between 0 and 1.

    Good values: 4 heads of 8 channels and more.

    Failure mode: Time grows with the number of targets times that of sources. Where these are farther apart
    than a length, its head sees the nearest one only, and the sums are no integrals.

    Source: Kovachki et al. (2023), arXiv:2108.08481; Su et al. (2021), arXiv:2104.09864, for the angles;
    Press, Smith and Lewis (2022), arXiv:2108.12409, for fixed distances in the exponents, there linear.
    """

    frequencies: Tensor
    lengths: Tensor

    def __init__(
        self, width: int, num_heads: int, repeats: Sequence[bool], *, shortest: float = 1 / 16
    ) -> None:
        super().__init__()
        if not 0 < shortest <= 1:
            raise ValueError(
                f"quadrature attention: shortest: expected a length above 0, at most 1, got {shortest}; "
                "try 1/16"
            )
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
        lengths = shortest ** torch.linspace(1, 0, num_heads)
        self.register_buffer("lengths", lengths, persistent=False)
        self.repeats = tuple(repeats)

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
            bias = volumes.to(asked).log() - self._distances(targets.to(asked), sources.to(asked))
            bias = bias.expand(len(keys), *bias.shape[-3:])
            mixed = functional.scaled_dot_product_attention(
                self._turned(asked, targets), self._turned(keys, sources), fields, attn_mask=bias
            )
        return self.join(mixed.transpose(1, 2).flatten(2))

    def _distances(
        self, targets: Float[Tensor, "*batch targets dimension"], sources: Float[Tensor, "sources dimension"]
    ) -> Float[Tensor, "*batch heads targets sources"]:
        """Half the squared distances over the squared length of each head."""
        total = torch.zeros((), dtype=targets.dtype, device=targets.device)
        for axis, closes in enumerate(self.repeats):
            difference = targets[..., :, None, axis] - sources[:, axis]
            total = total + (torch.sin(math.pi * difference) / math.pi if closes else difference).square()
        return total[..., None, :, :] / (2 * self.lengths.to(targets).square()[:, None, None])

    def _turned(self, values: Float[Tensor, "batch heads points channels"], points: Tensor) -> Tensor:
        """Turn each pair of channels by the angle of the point."""
        angles = points.to(values) @ self.frequencies.to(values)
        if angles.ndim == 3:
            angles = angles[:, None]
        cosine, sine = torch.cos(angles), torch.sin(angles)
        first, second = values.chunk(2, dim=-1)
        return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)
