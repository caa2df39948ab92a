"""Unknowns along one axis, and the transfer of values to unknowns that are joined in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class UnknownAxis:
    """Positions of the unknowns along one axis, and what is beyond the outer ones.

    Args:
        positions: Ascending, shape (unknowns,), float64.
        lower: Where the value is zero below the first unknown, or None where nothing flows through the end.
        upper: The same above the last unknown.
        period: Length of the axis where the last unknown is the neighbour of the first, else None.
    """

    positions: Float[Tensor, " unknowns"]
    lower: float | None = None
    upper: float | None = None
    period: float | None = None

    @property
    def num_unknowns(self) -> int:
        """Number of unknowns."""
        return len(self.positions)

    @property
    def spacing(self) -> float:
        """Distance between the first two unknowns; infinite for a single one."""
        return (self.positions[1] - self.positions[0]).item() if self.num_unknowns > 1 else float("inf")

    @property
    def is_periodic(self) -> bool:
        """Whether the last unknown is the neighbour of the first."""
        return self.period is not None

    @cached_property
    def distances(self) -> Float[Tensor, " faces"]:
        """Distance across each inner face, and across the one that closes a periodic axis."""
        inner = self.positions.diff()
        if self.period is None:
            return inner
        closing = self.period - (self.positions[-1:] - self.positions[:1])
        return torch.cat([inner, closing])

    @cached_property
    def joined(self) -> UnknownAxis:
        """Unknowns 0+1, 2+3, ... replaced by one in their middle; the last one of an odd number stays."""
        upper = torch.arange(1, self.num_unknowns + 1, 2, device=self.positions.device)
        partners = self.positions[upper.clamp_max(self.num_unknowns - 1)]
        return UnknownAxis((self.positions[::2] + partners) / 2, self.lower, self.upper, self.period)

    @cached_property
    def kept_faces(self) -> Tensor:
        """Numbers of the faces that remain when unknowns are joined."""
        last = self.num_unknowns - 1
        kept = list(range(1, last, 2)) + ([last] if self.is_periodic else [])
        return torch.tensor(kept, dtype=torch.long, device=self.positions.device)

    @cached_property
    def face_factors(self) -> Float[Tensor, " coarse_faces"]:
        """Distance across each of the remaining faces, old over new."""
        return self.distances[self.kept_faces] / self.joined.distances

    @cached_property
    def wall_factors(self) -> Float[Tensor, " 2"]:
        """Distance from the outer unknowns to the given values beyond the ends, old over new.

        One half at an end that nothing flows through: what couples there is a wall of some resistance.
        """
        coarse = self.joined
        factors = coarse.positions.new_full((2,), 0.5)
        if self.lower is not None:
            factors[0] = (self.positions[0] - self.lower) / (coarse.positions[0] - self.lower)
        if self.upper is not None:
            factors[1] = (self.upper - self.positions[-1]) / (self.upper - coarse.positions[-1])
        elif self.num_unknowns % 2:
            factors[1] = 1.0
        return factors

    @cached_property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights of linear interpolation from the joined unknowns.

        For the lower of each pair those of its own joined unknown and of the one below, then for the upper of
        each pair those of its own and of the one above; shapes (coarse,) and (unknowns // 2,).
        """
        coarse = self.joined.positions
        below, above = coarse.roll(1), coarse.roll(-1)
        if self.period is not None:
            below[0] -= self.period
            above[-1] += self.period
        else:
            # Towards zero at the place of a known value, constant towards an end that nothing flows through.
            below[0] = -torch.inf if self.lower is None else self.lower
            above[-1] = torch.inf if self.upper is None else self.upper
        pairs = self.num_unknowns // 2
        lower = ((coarse - self.positions[::2]) / (coarse - below)).nan_to_num(0.0)
        upper = ((self.positions[1::2] - coarse[:pairs]) / (above - coarse)[:pairs]).nan_to_num(0.0)
        return 1 - lower, lower, 1 - upper, upper

    def interpolate(self, coarse: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
        """Linear interpolation from the joined unknowns to these.

        Args:
            coarse: Values with one entry a joined unknown along `dim`.
            dim: The dimension of this axis, not negative.

        Returns:
            Values with one entry an unknown.
        """
        own_lower, below, own_upper, above = self._shaped_weights(coarse, dim)
        count, pairs = coarse.shape[dim], self.num_unknowns // 2
        shape = list(coarse.shape)
        shape[dim] = self.num_unknowns
        fine = coarse.new_empty(shape)
        step = (slice(None),) * dim
        lower, upper = fine[(*step, slice(0, None, 2))], fine[(*step, slice(1, None, 2))]
        torch.mul(coarse, own_lower, out=lower)
        torch.mul(coarse.narrow(dim, 0, pairs), own_upper, out=upper)
        lower.narrow(dim, 1, count - 1).addcmul_(
            coarse.narrow(dim, 0, count - 1), below.narrow(dim, 1, count - 1)
        )
        reach = min(pairs, count - 1)
        upper.narrow(dim, 0, reach).addcmul_(coarse.narrow(dim, 1, reach), above.narrow(dim, 0, reach))
        if self.is_periodic:
            lower.narrow(dim, 0, 1).addcmul_(coarse.narrow(dim, count - 1, 1), below.narrow(dim, 0, 1))
            if pairs == count:
                upper.narrow(dim, pairs - 1, 1).addcmul_(
                    coarse.narrow(dim, 0, 1), above.narrow(dim, pairs - 1, 1)
                )
        return fine

    def restrict(self, fine: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
        """The transpose of `interpolate`.

        Args:
            fine: Values with one entry an unknown along `dim`.
            dim: The dimension of this axis, not negative.

        Returns:
            Values with one entry a joined unknown.
        """
        own_lower, below, own_upper, above = self._shaped_weights(fine, dim)
        step = (slice(None),) * dim
        lower, upper = fine[(*step, slice(0, None, 2))], fine[(*step, slice(1, None, 2))]
        count, pairs = lower.shape[dim], upper.shape[dim]
        coarse = lower * own_lower
        coarse.narrow(dim, 0, pairs).addcmul_(upper, own_upper)
        coarse.narrow(dim, 0, count - 1).addcmul_(
            lower.narrow(dim, 1, count - 1), below.narrow(dim, 1, count - 1)
        )
        reach = min(pairs, count - 1)
        coarse.narrow(dim, 1, reach).addcmul_(upper.narrow(dim, 0, reach), above.narrow(dim, 0, reach))
        if self.is_periodic:
            coarse.narrow(dim, count - 1, 1).addcmul_(lower.narrow(dim, 0, 1), below.narrow(dim, 0, 1))
            if pairs == count:
                coarse.narrow(dim, 0, 1).addcmul_(
                    upper.narrow(dim, pairs - 1, 1), above.narrow(dim, pairs - 1, 1)
                )
        return coarse

    def _shaped_weights(self, like: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        own_lower, below, own_upper, above = (along(w.to(like), dim, like.ndim) for w in self.weights)
        return own_lower, below, own_upper, above


def along(vector: Tensor, dim: int, ndim: int) -> Tensor:
    """A vector shaped to broadcast along one dimension of a tensor."""
    return vector.reshape([-1 if other == dim else 1 for other in range(ndim)])
