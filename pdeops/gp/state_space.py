"""Gaussian processes of Matern kind as stochastic differential equations."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

FAR = 100.0
"""Scaled gap from which on two values are independent: exp(-100) is nothing in double precision."""


class MaternStateSpace:
    r"""Matern process of smoothness :math:`\nu = d - 1/2` as a state of d numbers that forgets.

    .. math:: \dot s = \lambda F s + \text{white noise}, \quad \lambda = \sqrt{2 \nu} / \ell, \quad
              s = (f, f' / \lambda, f'' / \lambda^2, \dots)

    F is the companion matrix of :math:`(x + 1)^d`. Derivatives are divided by powers of :math:`\lambda` and
    the variance of f is 1, so no number here depends on the unit of the coordinate. N = F + I is nilpotent,
    so the transition over a gap :math:`\Delta` is a polynomial in :math:`t = \lambda \Delta`, and the noise
    that comes in is a sum of incomplete gamma functions, exact for the smallest gaps:

    .. math:: A(t) = e^{-t} \sum_{m<d} \frac{t^m}{m!} N^m, \qquad
              Q(t) = q \int_0^t A(\tau) e_d e_d^\top A(\tau)^\top d\tau = P_\infty - A P_\infty A^\top

    Args:
        smoothness: 0.5, 1.5 or 2.5; the process has one derivative less than d.

    Raises:
        ValueError: The smoothness is another number.

    Good values: 1.5 for fields of PDEs with fronts, 2.5 for smooth ones, 0.5 for rough records.

    Failure mode: A gap of more than a hundred scaled units counts as infinite.

    Source: Hartikainen and Sarkka (2010), doi:10.1109/MLSP.2010.5589113.

    Example:
        >>> MaternStateSpace(0.5).transition(torch.tensor([math.log(2.0)], dtype=torch.float64))[0]
        tensor([[[0.5000]]], dtype=torch.float64)
    """

    def __init__(self, smoothness: float = 1.5) -> None:
        if smoothness not in (0.5, 1.5, 2.5):
            raise ValueError(
                f"MaternStateSpace: smoothness: expected 0.5, 1.5 or 2.5, got {smoothness}; try 1.5"
            )
        self.smoothness = smoothness
        self.order = order = int(smoothness + 0.5)
        companion = torch.diag(torch.ones(order - 1, dtype=torch.float64), 1)
        companion[-1] = -torch.tensor([math.comb(order, m) for m in range(order)], dtype=torch.float64)
        nilpotent = companion + torch.eye(order, dtype=torch.float64)
        self.powers = torch.stack(
            [torch.linalg.matrix_power(nilpotent, m) / math.factorial(m) for m in range(order)]
        )
        # The noise enters the last state: products of two columns of polynomials, by total degree.
        column = self.powers[..., -1]
        degrees = range(2 * order - 1)
        products = torch.zeros(len(degrees), order, order, dtype=torch.float64)
        for first in range(order):
            for second in range(order):
                products[first + second] += torch.outer(column[first], column[second])
        integrals = torch.tensor([math.factorial(m) / 2 ** (m + 1) for m in degrees], dtype=torch.float64)
        self.noise_terms = products * integrals[:, None, None]
        self.noise_terms /= self.noise_terms.sum(dim=0)[0, 0].clone()

    def rate(self, length_scale: Float64[Tensor, "*any"]) -> Float64[Tensor, "*any"]:
        r"""Scaled units in a unit of the coordinate, :math:`\lambda`.

        Args:
            length_scale: Length :math:`\ell` of the kernel, in the unit of the coordinate.

        Returns:
            The rates.
        """
        return math.sqrt(2 * self.smoothness) / length_scale

    def transition(
        self, gaps: Float64[Tensor, "*any"]
    ) -> tuple[Float64[Tensor, "*any order order"], Float64[Tensor, "*any order order"]]:
        """Transition matrices and the covariances of what is added on the way.

        Args:
            gaps: Scaled gaps t > 0, any shape; from `FAR` on, the state starts anew from its stationary law.

        Returns:
            A(t) and Q(t), each of the shape of the gaps and (order, order).
        """
        gaps = gaps.clamp_max(FAR)
        weights = torch.stack([gaps**m for m in range(self.order)], dim=-1)
        moves = torch.tensordot(torch.exp(-gaps)[..., None] * weights, self.powers.to(gaps), dims=1)
        terms = self.noise_terms.to(gaps)
        shares = [torch.special.gammainc(gaps.new_tensor(m + 1.0), 2 * gaps) for m in range(len(terms))]
        return moves, torch.tensordot(torch.stack(shares, dim=-1), terms, dims=1)
