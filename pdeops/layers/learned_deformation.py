"""A learned map of points into the torus of a latent grid."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

# As published: the angle is not defined at the centre itself, so it lies just outside the lower corner.
CENTRE = -1e-4
# Octaves of the sines and cosines of the features.
OCTAVES = 8


class LearnedDeformation(nn.Module):
    r"""Move each point by a small network of where it is and what the input is there.

    .. math:: \xi = x + \delta(\phi, \sin 2^k\pi\phi, \cos 2^k\pi\phi, a(x)), \quad k = 0 .. 7

    with the features :math:`\phi` = (x, angles, radius) of polar coordinates about the lower corner (the
    angle then has no cut inside the box), and :math:`\delta` three layers with tanh and a last linear one.
    The last starts at zero, so that training starts from the undeformed points.

    Args:
        in_channels: Channels of the input a.
        dimension: Number of coordinates, 1 to 3.
        width: Channels that features and input are each mapped to; the hidden layers have four times as many.

    Good values: ``width`` 32.

    Failure mode: Nothing keeps the map one to one; points that fall on one another look alike on the grid.

    Source: Li, Huang, Liu and Anandkumar (2022), arXiv:2207.05209; Wu et al. (2023), arXiv:2301.12664. There
    the step is multiplied by x, which pins the origin, and the input enters as one code for all points.
    """

    def __init__(self, in_channels: int, dimension: int, *, width: int = 32) -> None:
        super().__init__()
        # x, the angles (none in one dimension) and the radius.
        features = 2 * dimension
        self.position = nn.Linear(features, width)
        self.values = nn.Linear(in_channels, width)
        sizes = [2 * width + 2 * OCTAVES * features] + [4 * width] * 3
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.Tanh()]
        self.network = nn.Sequential(*layers, nn.Linear(sizes[-1], dimension))
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        points: Float[Tensor, "points dimension"],
        values: Float[Tensor, "batch points in_channels"],
    ) -> Float[Tensor, "batch points dimension"]:
        """Deform the points of each sample.

        Args:
            points: Points x, of the unit box.
            values: Input a at the points.

        Returns:
            Deformed points.
        """
        features = polar_features(points)
        octaves = math.pi * 2 ** torch.arange(OCTAVES, dtype=points.dtype, device=points.device)
        angles = (features[:, :, None] * octaves).flatten(1)
        place = torch.cat((self.position(features), torch.sin(angles), torch.cos(angles)), dim=1)
        hidden = torch.cat((place.expand(len(values), *place.shape), self.values(values)), dim=2)
        return points + self.network(hidden)


def polar_features(points: Float[Tensor, "points dimension"]) -> Float[Tensor, "points features"]:
    """Coordinates, angles and radius about the lower corner of the unit box.

    Args:
        points: Points of the unit box.

    Returns:
        Cartesian coordinates, one angle less than there are coordinates, and the radius.
    """
    offset = points - CENTRE
    radius = offset.norm(dim=1, keepdim=True)
    angles = [
        torch.atan2(offset[:, axis + 1 :].norm(dim=1), offset[:, axis])[:, None]
        for axis in range(points.shape[1] - 1)
    ]
    return torch.cat((points, *angles, radius), dim=1)
