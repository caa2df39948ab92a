"""Learned first-order differential operators on scattered points."""

from __future__ import annotations

from itertools import combinations_with_replacement

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.layers.kernel_integral import Edges
from pdeops.layers.sparse_product import sparse_product

# Moments below this share of the largest count as missing: points on a line tell nothing across it.
RANK = 1e-8


def gradient_weights(edges: Edges) -> Float[Tensor, "edges dimension"]:
    r"""Weights of the gradient of the parabola that fits a field best within the radius.

    .. math:: r\,\partial_j f(y_t) \approx \sum_i g_{tij} f(x_i), \qquad
              p_t = \arg\min_p \sum_i \omega_{ti}\,(f(x_i) - p(x_i))^2, \quad \nabla p_t(y_t) = g_t f

    over polynomials p of degree 2. The weights are exact for those, whatever the points; for other fields the
    error of the gradient is of order :math:`r^2`. So at a fixed radius the sum is an operator on functions,
    whose quadrature converges, and it tends to the derivative with the radius.

    Args:
        edges: Pairs with their weights :math:`\omega`.

    Returns:
        Weights of r times each derivative, float64; those of a polynomial of less degree where the points
        carry no more.
    """
    offsets = edges.offsets.detach().double()
    weights = edges.weights.detach().double()
    targets, num_targets = edges.neighbours.targets, edges.neighbours.num_targets
    dimension = offsets.shape[-1]
    squares = [
        offsets[:, first] * offsets[:, second]
        for first, second in combinations_with_replacement(range(dimension), 2)
    ]
    monomials = torch.cat((torch.ones_like(offsets[:, :1]), offsets, torch.stack(squares, dim=-1)), dim=-1)
    count = monomials.shape[1]
    moments = monomials.new_zeros(num_targets, count, count)
    # Column by column: all products at once would be the largest array of a training.
    for column in range(count):
        products = (weights * monomials[:, column])[:, None] * monomials
        moments[:, column] = moments[:, column].index_add(0, targets, products)
    inverse = torch.linalg.pinv(moments, rtol=RANK, hermitian=True)
    # The coefficients of first degree.
    rows = [(inverse[:, axis][targets] * monomials).sum(dim=-1) for axis in range(1, 1 + dimension)]
    return torch.stack(rows, dim=-1) * weights[:, None]


class DifferentialConvolution(nn.Module):
    r"""A learned first-order differential operator.

    .. math:: (D f)(y) = P \Big(r\,\partial_j (A_j f)(y)\Big)_j \approx P \Big(\sum_i g_{ij} A_j f(x_i)\Big)_j

    with the weights of `gradient_weights` and linear maps :math:`A_j` and P (zero at first) over the channels.
    On an even
    grid it is a convolution whose kernel has sum zero, divided by a length; unlike a plain one it tends to a
    derivative with the radius, not to a multiple of the identity.

    Args:
        width: Channels.
        dimension: Number of derivatives.

    Good values: A radius with 20 to 40 points in the ball.

    Failure mode: Derivatives enlarge noise by the points within one radius.

    Source: Liu-Schiaffini et al. (2024), Neural operators with localized integral and differential kernels,
    arXiv:2402.16845, on grids.
    """

    def __init__(self, width: int, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        part = -(-width // dimension)
        self.split = nn.Linear(width, dimension * part, bias=False)
        self.join = nn.Linear(dimension * part, width, bias=False)
        # Starts silent, for derivatives enlarge noise.
        nn.init.zeros_(self.join.weight)

    def forward(
        self,
        values: Float[Tensor, "batch sources width"],
        edges: Edges,
        gradient: Float[Tensor, "edges dimension"],
    ) -> Float[Tensor, "batch targets width"]:
        """Differentiate.

        Args:
            values: Field at the sources, channels last.
            edges: Pairs of targets and sources, the same for all samples.
            gradient: From `gradient_weights`.

        Returns:
            Field at the targets.
        """
        parts = self.split(values).unflatten(-1, (self.dimension, -1))
        sums = sparse_product(gradient.to(parts), parts, edges.neighbours)
        return self.join(sums.flatten(2))
