"""Where the points of a grid or a mesh are, and how much of the domain each stands for."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain, Grid
from pdeops.layers.coordinates import coordinate_channels

PositionKind = Literal["coordinates", "distances", "none"]

# Reference points an axis, as published.
REFERENCE_POINTS = 8


class PointPositions(nn.Module):
    r"""Positions of points as channels, and their shares of the domain.

    ``"coordinates"``: those of `coordinate_channels` on grids, :math:`2s - 1` on meshes. ``"distances"``: the
    distances :math:`|s - r|` to the points r of a regular grid of 8 an axis over the unit box; the shorter
    way around on periodic axes. Here s are the coordinates in the box around the training domain, from 0 to 1
    an axis. Both are kept for the training domain and computed anew for others.

    Args:
        domain: The training domain.
        kind: What the channels are.

    Raises:
        ValueError: The kind is unknown.

    Failure mode: ``"distances"`` has 8, 64 or 512 channels in 1, 2 or 3 dimensions.

    Source: Wu, Luo, Wang, Wang and Long (2024), arXiv:2402.02366, for the distances.
    """

    positions: Tensor
    shares: Tensor

    def __init__(self, domain: Domain, kind: PositionKind = "coordinates") -> None:
        super().__init__()
        if kind not in get_args(PositionKind):
            raise ValueError(f"positions: expected one of {', '.join(get_args(PositionKind))}, got {kind!r}")
        self.domain = domain
        self.kind = kind
        if isinstance(domain, Grid):
            ends = [(axis.lower, axis.upper) for axis in domain.axes]
            self.box = torch.tensor(ends, dtype=torch.float64).T
        else:
            self.box = torch.stack((domain.points.amin(dim=0), domain.points.amax(dim=0)))
        self.closes = _closes(domain)
        # Not in the checkpoint: the domain gives them.
        self.register_buffer("positions", self._channels(domain).float(), persistent=False)
        self.register_buffer("shares", _shares(domain).float(), persistent=False)

    def forward(
        self, values: Float[Tensor, "batch *rest"], domain: Domain
    ) -> tuple[Float[Tensor, "points channels"], Float[Tensor, " points"]]:
        """Give positions and shares in the dtype and on the device of some values.

        Args:
            values: The values.
            domain: A domain of the same dimension and with the same periodic axes as the training domain.

        Returns:
            Channels, points flattened; shares of the points, of sum 1.

        Raises:
            ValueError: The dimension or the periodic axes differ.
        """
        if _closes(domain) != self.closes:
            raise ValueError(
                f"positions: expected a domain of dimension {len(self.closes)}, periodic on "
                f"{sum(self.closes)} axes as in training, got {domain}; try an operator built for it"
            )
        if domain == self.domain:
            return self.positions.to(values), self.shares.to(values)
        return self._channels(domain).to(values), _shares(domain).to(values)

    def _channels(self, domain: Domain) -> Tensor:
        if self.kind == "none":
            return torch.empty(domain.num_points, 0, dtype=torch.float64)
        if self.kind == "coordinates" and isinstance(domain, Grid):
            return coordinate_channels(domain).flatten(end_dim=-2)
        fractions = (domain.points - self.box[0]) / (self.box[1] - self.box[0])
        return 2 * fractions - 1 if self.kind == "coordinates" else self._distances(fractions)

    def _distances(self, fractions: Tensor) -> Tensor:
        # Both ends of a period are one point.
        index = torch.arange(REFERENCE_POINTS, dtype=torch.float64)
        axes = [index / (REFERENCE_POINTS - (0 if closes else 1)) for closes in self.closes]
        references = torch.cartesian_prod(*axes).reshape(-1, len(axes))
        differences = (fractions[:, None] - references).abs()
        around = torch.where(torch.tensor(self.closes), 1 - differences, differences)
        return torch.minimum(differences, around).norm(dim=-1)


def _closes(domain: Domain) -> tuple[bool, ...]:
    if isinstance(domain, Grid):
        return tuple(axis.is_periodic for axis in domain.axes)
    return (False,) * domain.dimension


def _shares(domain: Domain) -> Tensor:
    weights = domain.quadrature_weights.flatten()
    return weights / weights.sum()
