"""Functions of one coordinate that span a Gaussian process: its covariance in square-root form."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis
from pdeops.gp.mixture_kernels import MixtureKernel

PADDING_LENGTHS = 6
SMALLEST_DENSITY = 1e-32
SMALLEST_SINGULAR_VALUE = 1e-13
LARGEST_SHARE = 0.8
"""Of functions in points: with as many functions as points an equation is met at all of them whatever the
kernel, and nothing tells a good one from a bad one."""


class AxisBasis:
    r"""Functions :math:`\varphi_k`, orthonormal on the points of an axis, that add up to a covariance.

    .. math:: k(x, x') = \sum_k \lambda_k\, \varphi_k(x)\, \varphi_k(x')

    By Poisson's summation the covariance, repeated with a period P beyond the axis, is a sum over the waves
    :math:`n / P` with the variances :math:`S(n/P)/P` from the spectral density. The singular value
    decomposition of these waves at the points of the axis gives the eigenvectors of the covariance matrix
    from its square root: directions are good down to variances of 1e-26 of the largest, where those of the
    matrix itself are lost in rounding at 1e-15. Derivatives of waves are exact to any order.

    Args:
        kernel: The covariance; only its values are used, not its gradients.
        axis: Nodes, Chebyshev points, or periodic: then the period is that of the axis.

    Good values: Length scales of an eighth to a half of the axis.

    Failure mode: Waves above the Nyquist rate of the axis are left out.
    """

    def __init__(self, kernel: MixtureKernel, axis: Axis) -> None:
        points = axis.points
        length = kernel.log_length_scales.detach().exp().max().item()
        period = axis.length if axis.is_periodic else axis.length + PADDING_LENGTHS * length
        highest = 0.5 / points.diff().max().item()
        self.reach = axis.lower, axis.upper
        self.centre = (axis.lower + axis.upper) / 2
        with torch.no_grad():
            number = torch.arange(int(highest * period) + 1, dtype=torch.float64)
            variance = kernel.spectral_density((number / period).to(kernel.frequencies)).cpu().double()
        variance = variance * torch.where(number > 0, 2.0, 1.0) / period
        kept = variance > SMALLEST_DENSITY * variance.max()
        self.speeds = 2 * math.pi * number[kept] / period
        self.amplitudes = variance[kept].sqrt()
        left, values, right = torch.linalg.svd(self.waves(points, 0), full_matrices=False)
        rank = int((values > SMALLEST_SINGULAR_VALUE * values[0]).sum())
        fewest = 1 if axis.is_periodic else 3
        rank = min(rank, max(int(LARGEST_SHARE * len(points)), fewest))
        self.values = left[:, :rank]
        self.variances = values[:rank] ** 2
        self.mixing = right[:rank].T / values[:rank]
        self.points = points

    @property
    def rank(self) -> int:
        """Number of functions."""
        return len(self.variances)

    @property
    def num_waves(self) -> int:
        """Number of waves that the functions are made of."""
        return 2 * len(self.speeds)

    def waves(self, points: Float64[Tensor, " points"], order: int) -> Float64[Tensor, "points waves"]:
        """Derivatives of the waves, scaled by their standard deviations."""
        phase = (points - self.centre)[:, None] * self.speeds + order * math.pi / 2
        scale = self.amplitudes * self.speeds**order
        return torch.cat([torch.cos(phase) * scale, torch.sin(phase) * scale], dim=1)

    def at(self, points: Float64[Tensor, " points"], order: int = 0) -> Float64[Tensor, "points rank"]:
        """Derivatives of the functions.

        Args:
            points: Coordinates, within the axis.
            order: Order of the derivative, any.

        Returns:
            One column a function.
        """
        return self.waves(points, order) @ self.mixing
