r"""How likely data is under a Gaussian process that is seen through a linear map, in square-root form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor


@dataclass(frozen=True)
class LikelyScales:
    """Where the evidence is largest.

    Args:
        log_evidence: Its logarithm there.
        amplitude: Standard deviation s of the weights.
        noise: Standard deviation of the noise.
    """

    log_evidence: float
    amplitude: float
    noise: float


class LinearGaussianEvidence:
    r"""Evidence of y = A w + noise and of b = B w without noise, for weights w ~ N(0, s² I).

    .. math:: p(y, b) = N(b;\, 0,\, s^2 B B^T)\; N(y - A w_b;\, 0,\, s^2 A Z Z^T A^T + \sigma^2 I)

    where :math:`w_b` are the smallest weights with :math:`B w_b = b` and the columns of Z are orthonormal and
    not seen by B. For the waves of a covariance, scaled by their deviations, in the columns of A and B, that
    is the evidence of the covariance: :math:`A A^T` is that of the data. It is never formed: the singular
    values of A Z are good to 1e-16 of the largest, its eigenvalues are their squares, down to 1e-32.

    Args:
        map_of_data: A, one row a number of y.
        data: y.
        exact_map: B, fewer rows than columns, independent ones.
        exact_data: b.

    Failure mode: A noise below 1e-16 of the amplitude times the largest singular value: smaller ones are
        rounding, and the determinant is theirs.

    Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, equation (2.30).
    """

    def __init__(
        self,
        map_of_data: Float64[Tensor, "data weights"],
        data: Float64[Tensor, " data"],
        exact_map: Float64[Tensor, "exact weights"],
        exact_data: Float64[Tensor, " exact"],
    ) -> None:
        self.num_data, self.num_exact = len(data), len(exact_data)
        basis, triangle = torch.linalg.qr(exact_map.T)
        seen = torch.linalg.solve_triangular(triangle.T, exact_data[:, None], upper=False)[:, 0]
        self.exact_square = seen.square().sum()
        self.exact_log_determinant = 2 * triangle.diagonal().abs().log().sum()
        on_exact = map_of_data @ basis
        left_over = data - on_exact @ seen
        # A - A Q Q^T for A Z: the singular values but for zeros, without a matrix of all weights squared.
        vectors, values, _ = torch.linalg.svd(map_of_data - on_exact @ basis.T, full_matrices=False)
        free = min(self.num_data, map_of_data.shape[1] - self.num_exact)
        vectors, values = vectors[:, :free], values[:free]
        shares = vectors.T @ left_over
        outside = (left_over - vectors @ shares).square().sum()
        # What the map cannot reach has a singular value of zero; one number stands for all of it.
        self.values = torch.cat([values, torch.zeros(1).to(values)])
        self.squares = torch.cat(
            [shares.square(), outside[None] if free < self.num_data else values.new_zeros(1)]
        )
        self.counts = torch.ones_like(self.values)
        self.counts[-1] = self.num_data - free

    def log_evidence(self, amplitude: float, noise: float) -> float:
        """Logarithm of p(y, b).

        Args:
            amplitude: s > 0.
            noise: The standard deviation of the noise, above zero.

        Returns:
            The logarithm, with all constants.
        """
        ratio = noise / amplitude
        square, log_determinant = self._with_ratio(ratio)
        total = self.num_data + self.num_exact
        return -0.5 * (square / amplitude**2 + log_determinant + total * math.log(2 * math.pi * amplitude**2))

    def largest(self, ratios: Float64[Tensor, " ratios"]) -> LikelyScales:
        """Largest evidence over all amplitudes and some ratios of noise to amplitude.

        Args:
            ratios: The noise in amplitudes.

        Returns:
            Evidence and where it is; for each ratio the amplitude has a closed form.
        """
        total = self.num_data + self.num_exact
        best = LikelyScales(-math.inf, math.nan, math.nan)
        for ratio in ratios.tolist():
            amplitude = math.sqrt(self._with_ratio(ratio)[0] / total)
            found = self.log_evidence(amplitude, ratio * amplitude)
            if found > best.log_evidence:
                best = LikelyScales(found, amplitude, ratio * amplitude)
        return best

    def largest_with_noise(self, noise: float, amplitudes: Float64[Tensor, " amplitudes"]) -> LikelyScales:
        """Largest evidence over some amplitudes, for a given noise.

        Args:
            noise: Its standard deviation.
            amplitudes: Of the weights.

        Returns:
            Evidence and where it is.
        """
        found = [LikelyScales(self.log_evidence(s, noise), s, noise) for s in amplitudes.tolist()]
        return max(found, key=lambda item: item.log_evidence)

    def _with_ratio(self, ratio: float) -> tuple[float, float]:
        """Square of the data in the inverse of the covariance and log-determinant, for an amplitude of 1."""
        variances = self.values.square() + ratio**2
        square = (self.squares / variances).sum() + self.exact_square
        return square.item(), ((self.counts * variances.log()).sum() + self.exact_log_determinant).item()
