"""Gaussian processes with a stationary kernel, as functions on any grid or mesh."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, Domain, Grid
from pdeops.problems.smooth_random_field import ROOT_TWO, bounding_axes, generator, series

MARGINS = {"rbf": 6.5, "matern12": 21.0, "matern32": 14.0, "matern52": 12.0}
"""Correlation lengths after which a kernel is below 1e-9 of its value at zero."""

SMOOTHNESS = {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}

ROUNDING = 8.8
"""Wave number times correlation length from which on an rbf kernel has less than 1e-16 of its variance."""

MOST_WAVES = 2**26
"""Random numbers a sample: half a gigabyte."""


@dataclass(frozen=True, kw_only=True)
class GaussianProcess:
    r"""Mean-zero Gaussian process with covariance :math:`\sigma^2 k(|x - x'|)` on a box.

    ==========  ======================================================  =============
    kernel      :math:`k(d)`, with :math:`r = d / \ell`                 samples
    ==========  ======================================================  =============
    rbf         :math:`e^{-r^2 / 2}`                                    analytic
    matern12    :math:`e^{-r}`                                          continuous
    matern32    :math:`(1 + \sqrt 3 r) e^{-\sqrt 3 r}`                  once smooth
    matern52    :math:`(1 + \sqrt 5 r + 5 r^2 / 3) e^{-\sqrt 5 r}`      twice smooth
    ==========  ======================================================  =============

    A sample is a random Fourier series on a torus longer than the box by a margin: its coefficients are
    independent with the variance :math:`\sigma^2 S(\omega_k) / \prod_i L_i`, where S is the spectral density
    of the kernel. By Poisson's sum its covariance is the sum of the kernel over all images of the torus, and
    all but one of these are below 1e-9 within the box. So the covariance is exact but for that and for the
    waves beyond the highest, whose share of the variance `missing_variance` tells: none for rbf; for the
    Matern kernels in one dimension with :math:`\ell` a fifth of the box 2.6e-3, 6e-8 and 2e-12.

    The random numbers are drawn in an order that knows no grid and every wave is evaluated on every grid, so
    a seed is the same function at all points of the same box. On a periodic axis the torus is the axis, and
    the kernel is that of the circle.

    Args:
        kernel: ``"rbf"``, ``"matern12"``, ``"matern32"`` or ``"matern52"``.
        deviation: Standard deviation :math:`\sigma > 0`, in the unit of the field.
        correlation_length: Length :math:`\ell > 0`, in the unit of the coordinates.
        max_wavenumber: Highest wave of the torus an axis, unless an rbf kernel needs fewer. Another number
            gives other samples of a Matern kernel.

    Raises:
        ValueError: A number is out of range or the kernel is not known.

    Good values: ``kernel="rbf", correlation_length=0.2`` on the unit interval, the inputs of most work on
    learning operators from scattered values. In three dimensions Matern kernels need ``max_wavenumber=100``
    or less, as all waves are drawn.

    Failure mode: A grid coarser than the correlation length has the right values at its points, but
    interpolation between them is not the function.

    Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, section 4.2.1.
    """

    kernel: Literal["rbf", "matern12", "matern32", "matern52"] = "rbf"
    deviation: float = 1.0
    correlation_length: float = 0.2
    max_wavenumber: int = 1024

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.kernel not in MARGINS:
            raise ValueError(
                f"gaussian process: kernel: expected one of {', '.join(MARGINS)}, got {self.kernel!r}"
            )
        for name in ("deviation", "correlation_length"):
            value = float(getattr(self, name))
            if not 0 < value < math.inf:
                raise ValueError(
                    f"gaussian process: {name}: expected a positive number, got {value}; try 1.0"
                )
            object.__setattr__(self, name, value)
        if self.max_wavenumber < 1:
            raise ValueError(
                f"gaussian process: max_wavenumber: expected 1 or more, got {self.max_wavenumber}; try 1024"
            )

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one function a seed.

        Args:
            domain: Grid of any kinds of axes; or mesh, on whose points the function of its bounding box is
                evaluated.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: A seed is no seed, or there are too many waves.
        """
        axes = domain.axes if isinstance(domain, Grid) else bounding_axes(domain)
        lines = [axis.points for axis in axes] if isinstance(domain, Grid) else domain.points.unbind(-1)
        waves = [self._wavenumbers(axis) for axis in axes]
        deviations = self._variances(axes, waves).sqrt()
        noise = [torch.randn(deviations.shape, generator=generator(s), dtype=torch.float64) for s in seeds]
        bases = [
            _basis(points - axis.lower, wave) for axis, points, wave in zip(axes, lines, waves, strict=True)
        ]
        return series(torch.stack(noise) * deviations, bases, domain)

    def covariance(self, domain: Grid, distance: Sequence[float]) -> float:
        """Covariance of the values at two points of a box, summed over the series itself.

        Args:
            domain: A grid of the box.
            distance: Difference of the points along each axis.

        Returns:
            The covariance, in the unit of the field squared.
        """
        waves = [self._wavenumbers(axis) for axis in domain.axes]
        result = self._variances(domain.axes, waves)
        for wave, step in zip(waves, distance, strict=True):
            # Cosine and sine of a wave share the covariance 2 cos(w d) of the pair.
            result = torch.tensordot(result, torch.cos(wave * step), dims=([0], [0]))
        return result.item()

    def missing_variance(self, domain: Grid) -> float:
        """Share of the variance in the waves beyond the highest.

        Args:
            domain: A grid of the box.

        Returns:
            A number between 0 and 1; on periodic axes the kernel of the circle may exceed its value on the
            line by as much as its images, which is counted as none missing.
        """
        return max(0.0, 1.0 - self.covariance(domain, [0.0] * domain.dimension) / self.deviation**2)

    def _wavenumbers(self, axis: Axis) -> Tensor:
        """Angular wavenumbers of the functions of an axis: the constant, then cosines and sines in turn."""
        margin = 0.0 if axis.is_periodic else MARGINS[self.kernel] * self.correlation_length
        lowest = 2 * math.pi / (axis.length + margin)
        highest = self.max_wavenumber
        if self.kernel == "rbf":
            highest = min(highest, math.ceil(ROUNDING / self.correlation_length / lowest))
        return lowest * torch.ceil(torch.arange(2 * highest + 1, dtype=torch.float64) / 2)

    def _variances(self, axes: Sequence[Axis], waves: Sequence[Tensor]) -> Tensor:
        """Variance of the coefficient of every product of functions of mean square one."""
        count = math.prod(map(len, waves))
        if count > MOST_WAVES:
            raise ValueError(
                f"gaussian process: expected at most {MOST_WAVES} waves, got {count} in {len(axes)} "
                f"dimensions; try max_wavenumber={int(MOST_WAVES ** (1 / len(axes)) / 2)}"
            )
        squares = torch.stack(torch.meshgrid(*(wave**2 for wave in waves), indexing="ij")).sum(0)
        # The smallest positive wave of an axis is one over its torus: 2 pi / L.
        volume = math.prod(2 * math.pi / wave[1].item() for wave in waves)
        return self.deviation**2 / volume * self._spectral_density(squares, len(axes))

    def _spectral_density(self, squares: Tensor, dimension: int) -> Tensor:
        r"""Fourier transform of the kernel, :math:`\int k(|x|) e^{-i \omega x} dx`, by :math:`\omega^2`."""
        length = self.correlation_length
        if self.kernel == "rbf":
            return (2 * math.pi) ** (dimension / 2) * length**dimension * torch.exp(-squares * length**2 / 2)
        nu = SMOOTHNESS[self.kernel]
        power = nu + dimension / 2
        factor = 2**dimension * math.pi ** (dimension / 2) * math.gamma(power) / math.gamma(nu)
        rate = 2 * nu / length**2
        return factor * rate**nu * (rate + squares) ** -power


def _basis(places: Tensor, waves: Tensor) -> Tensor:
    """1, cos, sin, cos, sin ... of mean square one over the torus, shape (points, functions)."""
    angle = places[:, None] * waves
    is_sine = torch.arange(len(waves)) % 2 == 0
    basis = ROOT_TWO * torch.where(is_sine, torch.sin(angle), torch.cos(angle))
    basis[:, 0] = 1.0
    return basis
