"""Integrals of a field against a learned kernel of short reach: the layer of graph neural operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.layers.dense_network import DenseNetwork
from pdeops.layers.radius_neighbours import Neighbours, radius_neighbours
from pdeops.layers.sparse_product import sparse_product

# Share of a ball below which its average fades to zero: away from the domain there is nothing to average.
FADE = 0.05


@dataclass(frozen=True, eq=False)
class Edges:
    """Pairs of a target and a source within a radius, and what an integral needs of them.

    Args:
        neighbours: Which source and which target each pair joins.
        offsets: From the target to the source, over the radius: vectors of the unit ball.
        weights: Weight of the source in the average around the target.
        batch: Number of samples with targets of their own, or None where all have the same.
    """

    neighbours: Neighbours
    offsets: Float[Tensor, "edges dimension"]
    weights: Float[Tensor, " edges"]
    batch: int | None = None


def find_edges(
    targets: Float[Tensor, "*batch targets dimension"],
    sources: Float[Tensor, "sources dimension"],
    volumes: Float[Tensor, " sources"],
    radius: float,
    *,
    periods: Sequence[float | None] | None = None,
    may_be_alone: bool = False,
) -> Edges:
    r"""Join targets and sources, with the weights of a smooth average over the ball around each target.

    .. math:: \omega_{ti} = \frac{w(|x_i - y_t| / r)\, \Delta_i}
              {\epsilon\,|B| + \sum_j w(|x_j - y_t| / r)\, \Delta_j}, \qquad w(s) = (1 - s^2)^3

    where |B| is the integral of w over the whole ball, and :math:`\epsilon` = 0.05. The window has two
    continuous derivatives, so a rule of second order for the weights gives a sum of second order, and a point
    that enters the ball changes nothing at once. Where the ball leaves the domain the average is one over
    the part inside, and fades to zero with the last twentieth.

    Args:
        targets: Points y, shape (targets, dimension), or (batch, targets, dimension) for each sample's own.
        sources: Points x.
        volumes: Quadrature weights :math:`\Delta` of the sources, in the unit of the points.
        radius: Radius r.
        periods: See `radius_neighbours`.
        may_be_alone: Whether targets may be without sources; their weights are then none.

    Returns:
        The pairs.

    Raises:
        ValueError: A target is without a source of positive weight; see `radius_neighbours`.
    """
    rows = targets.reshape(-1, targets.shape[-1])
    neighbours = radius_neighbours(
        rows, sources, radius, periods=periods, counts=volumes > 0, may_be_alone=may_be_alone
    )
    differences = sources[neighbours.sources] - rows[neighbours.targets]
    if periods is not None:
        differences = torch.stack(
            [
                part if period is None else part - period * (part.detach() / period).round()
                for part, period in zip(differences.unbind(-1), periods, strict=True)
            ],
            dim=-1,
        )
    offsets = differences / radius
    window = (1 - offsets.square().sum(dim=-1)).clamp_min(0) ** 3 * volumes[neighbours.sources]
    inside = window.new_zeros(neighbours.num_targets).index_add(0, neighbours.targets, window)
    whole = FADE * ball_volume(targets.shape[-1]) * radius ** targets.shape[-1]
    weights = window / (inside + whole)[neighbours.targets]
    batch = len(targets) if targets.ndim == 3 else None
    return Edges(neighbours if batch is None else neighbours.of_samples(batch), offsets, weights, batch)


def ball_volume(dimension: int) -> float:
    """Integral of the window :math:`(1 - |s|^2)^3` over the unit ball."""
    return math.pi ** (dimension / 2) * math.gamma(4) / math.gamma(dimension / 2 + 4)


class KernelIntegral(nn.Module):
    r"""Averages of a field over balls, against learned kernels.

    .. math:: (K f)(y) = P \int_{|x - y| < r} \kappa\Big(\frac{x - y}{r}, y\Big) \odot (f(x))\, d\mu_y(x)
              \approx P \sum_i \omega_i\, \kappa\Big(\frac{x_i - y}{r}, y\Big) \odot f(x_i)

    with the weights :math:`\omega` of `find_edges`, a small network :math:`\kappa` that gives one number a
    head (each head has an equal part of the channels), and a linear map P. The kernel does not see f, so it
    is computed once for a whole batch, and the sums are sparse products that keep nothing on the edges but
    the kernel.

    Args:
        width: Channels; a multiple of the heads.
        dimension: Coordinates of a point.
        num_places: Channels that say where a target is.
        num_heads: Number of kernels.
        kernel_width: Channels of the two hidden layers of the network.

    Raises:
        ValueError: The width is no multiple of the heads.

    Good values: 8 kernels of width 32; a radius with 20 to 40 points in the ball.

    Failure mode: A ball with only a few points is a poor quadrature, and a field moves by one radius a layer.

    Source: Li, Kovachki et al. (2020), Neural operator: graph kernel network, arXiv:2003.03485. There the
    kernel is a full matrix a pair of points, sums carry no weights and the ball ends abruptly.
    """

    def __init__(
        self, width: int, dimension: int, num_places: int, *, num_heads: int = 8, kernel_width: int = 32
    ) -> None:
        super().__init__()
        if num_heads < 1 or width < 1 or width % num_heads:
            raise ValueError(
                f"kernel integral: expected a width that is a multiple of the heads, got width {width} and "
                f"{num_heads} heads; try 32 and 8"
            )
        self.num_heads = num_heads
        self.kernel = DenseNetwork(
            dimension + num_places, (kernel_width, kernel_width, num_heads), activation="gelu"
        )
        # Starts near the plain average, which smooth fields pass; kernels of both signs would cancel them.
        nn.init.ones_(list(self.kernel.parameters())[-1])
        self.join = nn.Linear(width, width)

    def forward(
        self,
        values: Float[Tensor, "batch sources width"],
        edges: Edges,
        places: Float[Tensor, "*batch targets num_places"],
    ) -> Float[Tensor, "batch targets width"]:
        """Integrate.

        Args:
            values: Field at the sources, channels last.
            edges: Pairs, from `find_edges`.
            places: Channels that say where the targets are, for all samples or for each.

        Returns:
            Field at the targets.
        """
        batch = len(values)
        targets = places.reshape(-1, places.shape[-1])[edges.neighbours.targets]
        kernel = self.kernel(torch.cat((edges.offsets, targets), dim=-1)) * edges.weights[:, None]
        field = values.unflatten(-1, (self.num_heads, -1))
        if edges.batch is None:
            sums = sparse_product(kernel, field, edges.neighbours).flatten(2)
        else:
            sums = sparse_product(kernel, field.flatten(0, 1)[None], edges.neighbours)
            sums = sums.flatten(2).unflatten(1, (batch, -1))[0]
        return self.join(sums)
