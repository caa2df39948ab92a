"""Mixtures of waves as covariances of one coordinate, with derivatives in closed form."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import gpytorch
import torch
from jaxtyping import Float
from torch import Tensor, nn


class MixtureKernel(gpytorch.kernels.Kernel):
    r"""Covariance :math:`k(z) = \sum_q w_q\, g(z; \ell_q) \cos 2\pi\mu_q z` of one coordinate, z = x - x'.

    The logarithms of weights and lengths are the parameters, so that a flat prior on them is Jeffreys' prior
    :math:`1/w` and Adam's steps are relative.

    Args:
        frequencies: Frequencies :math:`\mu_q`, shape (components,), in cycles a unit of length.
        length_scales: Lengths :math:`\ell_q > 0`: one, or one a component.
        weights: Weights :math:`w_q > 0`, one a component; by default equal, of sum one.

    Raises:
        ValueError: Shapes do not fit, or a length or weight is not positive.

    Good values: Frequencies of the data (see `spectral_lines`) and zero, lengths of a quarter of the axis.

    Failure mode: Frequencies that miss those of the data by more than :math:`1 / \ell` leave the solution
        outside of what the kernel can say; lengths far above the axis make the matrices singular.

    Source: Wilson and Adams (2013), arXiv:1302.4245; Fang et al. (2024), arXiv:2311.04465.
    """

    has_lengthscale = False

    def __init__(
        self,
        frequencies: Float[Tensor, " components"],
        length_scales: Float[Tensor, " components"] | float = 1.0,
        weights: Float[Tensor, " components"] | None = None,
    ) -> None:
        super().__init__()
        frequencies = torch.as_tensor(frequencies, dtype=torch.float64)
        lengths = torch.as_tensor(length_scales, dtype=torch.float64).expand_as(frequencies).clone()
        given = torch.full_like(frequencies, 1 / len(frequencies)) if weights is None else weights.double()
        if frequencies.ndim != 1 or given.shape != frequencies.shape:
            raise ValueError(
                f"mixture kernel: expected frequencies and weights of one shape (components,), got "
                f"{tuple(frequencies.shape)} and {tuple(given.shape)}"
            )
        if not bool((lengths > 0).all() and (given > 0).all()):
            raise ValueError("mixture kernel: expected positive lengths and weights, got one that is not")
        self.frequencies = nn.Parameter(frequencies.clone())
        self.log_length_scales = nn.Parameter(lengths.log())
        self.log_weights = nn.Parameter(given.log())

    @abstractmethod
    def envelope(
        self, lags: Float[Tensor, "*lags 1"], order: int
    ) -> tuple[Float[Tensor, "*lags components"], ...]:
        """Derivatives of g from order 0 to ``order`` at most 3, one column a component."""

    @abstractmethod
    def envelope_density(
        self, frequencies: Float[Tensor, "*frequencies components"]
    ) -> Float[Tensor, "*frequencies components"]:
        r"""Fourier transform :math:`\int g(z) e^{-2\pi i f z} dz` of the envelopes."""

    def derivative(self, lags: Float[Tensor, "*lags"], order: int = 0) -> Float[Tensor, "*lags"]:
        """Derivative of the covariance by the lag: that of k(x, x') by x.

        Never differentiate k by automatic differentiation instead: through :math:`|z|` and roots it gives
        wrong values at z = 0 without an error.

        Args:
            lags: Differences z = x - x'.
            order: 0 to 3.

        Returns:
            The derivative at each lag.

        Raises:
            ValueError: The order is out of range.
        """
        if order not in (0, 1, 2, 3):
            raise ValueError(f"mixture kernel: expected an order of 0 to 3, got {order}")
        z = lags[..., None]
        speed = 2 * math.pi * self.frequencies
        cosine, sine = torch.cos(speed * z), torch.sin(speed * z)
        waves = (cosine, -speed * sine, -(speed**2) * cosine, speed**3 * sine)
        envelopes = self.envelope(z, order)
        terms = (math.comb(order, m) * envelopes[m] * waves[order - m] for m in range(order + 1))
        product = torch.stack(list(terms)).sum(dim=0)
        return (product * self.log_weights.exp()).sum(dim=-1)

    def spectral_density(self, frequencies: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        r"""Density S with :math:`k(z) = \int S(f) \cos(2 \pi f z)\, df`.

        Args:
            frequencies: Frequencies f, in cycles a unit of length.

        Returns:
            The density, not negative.
        """
        f = frequencies[..., None]
        both = self.envelope_density(f - self.frequencies) + self.envelope_density(f + self.frequencies)
        return (both * self.log_weights.exp()).sum(dim=-1) / 2

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **params: Any) -> Tensor:
        """Covariance matrix of two sets of points (points, 1), as gpytorch calls it."""
        lags = x1[..., 0] - x2[..., 0] if diag else x1 - x2.mT
        return self.derivative(lags)


class GaussianMixtureKernel(MixtureKernel):
    r"""Spectral mixture: Gaussian envelopes :math:`g = e^{-z^2/\ell^2}`, see `MixtureKernel`."""

    def envelope(
        self, lags: Float[Tensor, "*lags 1"], order: int
    ) -> tuple[Float[Tensor, "*lags components"], ...]:
        """See `MixtureKernel.envelope`."""
        square = self.log_length_scales.exp() ** 2
        g = torch.exp(-(lags**2) / square)
        factors = (
            lambda: torch.ones_like(g),
            lambda: -2 * lags / square,
            lambda: 4 * lags**2 / square**2 - 2 / square,
            lambda: 12 * lags / square**2 - 8 * lags**3 / square**3,
        )
        return tuple(factor() * g for factor in factors[: order + 1])

    def envelope_density(
        self, frequencies: Float[Tensor, "*frequencies components"]
    ) -> Float[Tensor, "*frequencies components"]:
        """See `MixtureKernel.envelope_density`."""
        length = self.log_length_scales.exp()
        return length * math.sqrt(math.pi) * torch.exp(-((math.pi * length * frequencies) ** 2))


class StudentMixtureKernel(MixtureKernel):
    r"""Student-t mixture: Matérn-5/2 envelopes, whose spectra are Student's t with five degrees of freedom.

    .. math:: g = (1 + a r + a^2 r^2 / 3)\, e^{-a r}, \qquad r = |z|, \quad a = \sqrt 5 / \ell

    It is three times differentiable away from zero and twice at zero; the third derivative there is zero.
    See `MixtureKernel`.
    """

    def envelope(
        self, lags: Float[Tensor, "*lags 1"], order: int
    ) -> tuple[Float[Tensor, "*lags components"], ...]:
        """See `MixtureKernel.envelope`."""
        a = math.sqrt(5) / self.log_length_scales.exp()
        r = a * lags.abs()
        decay = torch.exp(-r)
        factors = (
            lambda: 1 + r + r**2 / 3,
            lambda: -(a**2) / 3 * lags * (1 + r),
            lambda: -(a**2) / 3 * (1 + r - r**2),
            lambda: a**4 / 3 * lags * (3 - r),
        )
        return tuple(factor() * decay for factor in factors[: order + 1])

    def envelope_density(
        self, frequencies: Float[Tensor, "*frequencies components"]
    ) -> Float[Tensor, "*frequencies components"]:
        """See `MixtureKernel.envelope_density`."""
        a = math.sqrt(5) / self.log_length_scales.exp()
        return 16 / 3 * a**5 / (a**2 + (2 * math.pi * frequencies) ** 2) ** 3
