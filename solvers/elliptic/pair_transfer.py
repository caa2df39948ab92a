"""Transfer of values between the unknowns of one axis and those joined in pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PairTransfer:
    """Interpolation to pairs of unknowns, each from its own joined one and the next one on its side.

    Args:
        dim: The dimension of the axis in values (batch, *shape), not negative.
        below: Weight of the joined unknown below, for the lower one of each pair; shaped like the joined
            values. The rest of the weight is on its own joined unknown.
        above: Weight of the joined unknown above, for the upper one of each pair; one entry less along the
            axis where the last unknown has no partner.
        is_periodic: Whether the first joined unknown is above the last one; else beyond the ends is zero.
    """

    dim: int
    below: Float[Tensor, "batch ..."]
    above: Float[Tensor, "batch ..."]
    is_periodic: bool

    def interpolate(self, coarse: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Values at the unknowns from those at the joined ones."""
        dim, count, pairs = self.dim, coarse.shape[self.dim], self.above.shape[self.dim]
        shape = list(coarse.shape)
        shape[dim] = count + pairs
        fine = coarse.new_empty(shape)
        lower, upper = self._children(fine)
        own = coarse.narrow(dim, 0, pairs)
        torch.addcmul(coarse, self.below, coarse, value=-1, out=lower)
        torch.addcmul(own, self.above, own, value=-1, out=upper)
        for target, weights, source in self._neighbours(lower, upper):
            target.addcmul_(weights, coarse.narrow(dim, *source))
        return fine

    def restrict(self, fine: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The transpose of `interpolate`."""
        lower, upper = self._children(fine)
        coarse = torch.addcmul(lower, self.below, lower, value=-1)
        own = coarse.narrow(self.dim, 0, upper.shape[self.dim])
        own.add_(upper).addcmul_(self.above, upper, value=-1)
        for source, weights, target in self._neighbours(lower, upper):
            coarse.narrow(self.dim, *target).addcmul_(weights, source)
        return coarse

    def _children(self, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Views of the lower and the upper ones of the pairs."""
        step = (slice(None),) * self.dim
        return fine[(*step, slice(0, None, 2))], fine[(*step, slice(1, None, 2))]

    def _neighbours(self, lower: Tensor, upper: Tensor) -> list[tuple[Tensor, Tensor, tuple[int, int]]]:
        """Children with a joined neighbour, their weights, and start and length of these neighbours."""
        dim, count, pairs = self.dim, self.below.shape[self.dim], self.above.shape[self.dim]
        reach = min(pairs, count - 1)
        links = [
            (lower.narrow(dim, 1, count - 1), self.below.narrow(dim, 1, count - 1), (0, count - 1)),
            (upper.narrow(dim, 0, reach), self.above.narrow(dim, 0, reach), (1, reach)),
        ]
        if self.is_periodic:
            links.append((lower.narrow(dim, 0, 1), self.below.narrow(dim, 0, 1), (count - 1, 1)))
            if pairs == count:
                last = pairs - 1
                links.append((upper.narrow(dim, last, 1), self.above.narrow(dim, last, 1), (0, 1)))
        return links
