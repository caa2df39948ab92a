"""Trigonometric polynomials on a periodic grid, with products free of aliasing."""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdeops.domains import Grid


class FourierSpace:
    r"""Real trigonometric polynomials :math:`\sum_{|k_i| \le K_i} \hat u_k e^{i \kappa_k \cdot (x - x_0)}`.

    A spectrum holds the coefficients :math:`\hat u_k` themselves (no factor of the number of points), so it
    means the same on every grid. Layout as ``rfftn`` of a grid of :math:`2K_i + 1` points: on every axis but
    the last the frequencies :math:`0, 1, \dots, K, -K, \dots, -1`, on the last :math:`0, \dots, K`. The
    number of points a period is odd in that layout, so there is no Nyquist mode, whose derivative has no real
    value on the grid.

    **De-aliasing.** Products are formed at the points of the *product grid*, :math:`M` points an axis. The
    product of :math:`d` polynomials of degree :math:`K` reaches :math:`dK`; the waves that the product grid
    cannot tell from a kept one have :math:`|k| \ge M - K`, so the kept part of the product is exact when
    :math:`(d + 1) K < M`. Two ways to that:

    * *truncate* (the 2/3 rule for :math:`d = 2`): :math:`M = N`, the grid's own points,
      :math:`K = \lceil N/(d + 1) \rceil - 1` (21 of 64 for :math:`d = 2`, 15 for :math:`d = 3`, all 31 for
      :math:`d = 1`);
    * *pad* (the 3/2 rule): :math:`K = \lfloor (N-1)/2 \rfloor`, all waves of the grid (31 for 64), and
      :math:`M = (d + 1)(K + 1)` or one more, about 2.25 times the work in two dimensions for :math:`d = 2`.

    Products of more factors than :math:`d` alias.

    The full band of the grid, :math:`|k| \le \lfloor (N-1)/2 \rfloor`, is reached by `full_spectrum`: the
    solvers carry the waves between the two bands by the linear part alone.

    Args:
        grid: Periodic on every axis; odd sizes, different sizes and lengths an axis are fine.
        pad_products: Form products on a grid of (d + 1)/2 as many points instead of truncating to 2/(d + 1)
            of the waves.
        degree: Number d of factors in products that are to be exact; 1 where there are none.
        device: Where the tensors live.

    Raises:
        ValueError: An axis is not periodic, or has fewer than 4 points (no wave would be left), or the degree
            is less than 1.

    References:
        | S. A. Orszag, 1971, On the elimination of aliasing in finite-difference schemes by filtering
        | high-wavenumber components, doi:10.1175/1520-0469(1971)028<1074:OTEOAI>2.0.CO;2
    """

    def __init__(
        self,
        grid: Grid,
        *,
        pad_products: bool = False,
        degree: int = 2,
        device: torch.device | str = "cpu",
    ) -> None:
        """Set up sizes, wavenumbers and coordinates."""
        if degree < 1:
            raise ValueError(f"degree: expected 1 or more factors, got {degree}; try 2")
        for axis in grid.axes:
            if not axis.is_periodic:
                raise ValueError(
                    f"Fourier space: expected periodic axes, got {str(axis.kind)!r} for {axis.name!r}; "
                    "try Grid.periodic"
                )
            if axis.num_points < 4:
                raise ValueError(
                    f"Fourier space: expected 4 points or more, got {axis.num_points} for {axis.name!r}"
                )
        self.grid = grid
        self.device = torch.device(device)
        self.full_band = tuple((n - 1) // 2 for n in grid.shape)
        self.band = tuple(math.ceil(n / (degree + 1)) - 1 for n in grid.shape)
        self.product_grid = grid
        if pad_products and degree > 1:
            self.band = self.full_band
            # Even sizes are the faster ones; (d + 1) K + 1 points would do.
            sizes = [(degree + 1) * (k + 1) for k in self.band]
            self.product_grid = grid.with_shape([size + size % 2 for size in sizes])
        self.wavenumbers = self._wavenumbers(self.band)
        self.full_wavenumbers = self._wavenumbers(self.full_band)
        self.points = tuple(points.to(self.device) for points in self.product_grid.coordinates)

    @property
    def spectral_shape(self) -> tuple[int, ...]:
        """Shape of a de-aliased spectrum: 2K + 1 an axis, K + 1 on the last."""
        return (*(2 * k + 1 for k in self.band[:-1]), self.band[-1] + 1)

    def to_grid(self, spectrum: Complex[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Values at the points of the product grid.

        Args:
            spectrum: Coefficients of shape (..., *spectral_shape).

        Returns:
            Real values (..., *product_grid.shape).
        """
        return self._synthesise(spectrum, self.product_grid.shape)

    def to_spectrum(self, values: Float[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """Coefficients in the de-aliased band |k| <= K; waves beyond it are dropped.

        Args:
            values: Real values (..., *product_grid.shape).

        Returns:
            Coefficients (..., *spectral_shape).
        """
        return self._analyse(values, self.band)

    def full_spectrum(self, values: Float[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """Coefficients of everything that the grid resolves but its Nyquist mode, |k| <= (N - 1) // 2.

        Args:
            values: Real values (..., *grid.shape).

        Returns:
            Coefficients, laid out like a spectrum of that band.
        """
        return self._analyse(values, self.full_band)

    def full_to_grid(self, spectrum: Complex[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Values at the grid's own points of a spectrum of the full band, see `full_spectrum`."""
        return self._synthesise(spectrum, self.grid.shape)

    def truncate(self, full: Complex[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """The de-aliased part |k| <= K of a spectrum of the full band."""
        for dim, k in zip(self._leading_dims, self.band, strict=False):
            full = torch.cat([full.narrow(dim, 0, k + 1), full.narrow(dim, full.shape[dim] - k, k)], dim)
        return full[..., : self.band[-1] + 1]

    def insert(self, full: Complex[Tensor, "..."], band: Complex[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """A copy of the full spectrum with its de-aliased part replaced: the inverse of `truncate`."""
        return torch.where(self._band_mask, self._pad(band, full.shape[-self.grid.dimension :]), full)

    @property
    def _leading_dims(self) -> range:
        """Negative numbers of all axes but the last."""
        return range(-self.grid.dimension, -1)

    @property
    def _band_mask(self) -> Tensor:
        """True on the de-aliased modes in the layout of the full band."""
        mask = torch.ones((), dtype=torch.bool, device=self.device)
        for waves, k, axis in zip(self.full_wavenumbers, self.band, self.grid.axes, strict=True):
            mask = mask & (waves.abs() < (k + 0.5) * 2 * math.pi / axis.length)
        return mask

    def _wavenumbers(self, band: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Angular wavenumbers, one tensor an axis, shaped to broadcast over a spectrum of the band."""
        result = []
        for number, (axis, k) in enumerate(zip(self.grid.axes, band, strict=True)):
            waves = torch.arange(k + 1, device=self.device, dtype=torch.float64)
            if number < self.grid.dimension - 1:
                waves = torch.cat([waves, -waves[1:].flip(0)])
            shape = [1] * self.grid.dimension
            shape[number] = len(waves)
            result.append((2 * math.pi / axis.length * waves).reshape(shape))
        return tuple(result)

    def _pad(self, spectrum: Tensor, shape: tuple[int, ...] | torch.Size) -> Tensor:
        """Zeros between the positive and the negative frequencies, up to a shape of full layout."""
        for dim, size in zip(self._leading_dims, shape, strict=False):
            spectrum = _widen(spectrum, dim, size)
        return torch.nn.functional.pad(spectrum, (0, shape[-1] - spectrum.shape[-1]))

    def _synthesise(self, spectrum: Tensor, shape: tuple[int, ...]) -> Tensor:
        # Axis by axis, so that the first transforms run over the kept waves of the later axes only.
        for dim, size in zip(self._leading_dims, shape, strict=False):
            spectrum = torch.fft.ifft(_widen(spectrum, dim, size), dim=dim, norm="forward")
        return torch.fft.irfft(spectrum, n=shape[-1], dim=-1, norm="forward")

    def _analyse(self, values: Tensor, band: tuple[int, ...]) -> Tensor:
        spectrum = torch.fft.rfft(values, dim=-1, norm="forward")[..., : band[-1] + 1]
        for dim, k in zip(reversed(self._leading_dims), reversed(band[:-1]), strict=True):
            spectrum = torch.fft.fft(spectrum, dim=dim, norm="forward")
            spectrum = torch.cat([spectrum.narrow(dim, 0, k + 1), spectrum.narrow(dim, -k, k)], dim)
        return spectrum


def _widen(spectrum: Tensor, dim: int, size: int) -> Tensor:
    """Zeros between the positive and the negative frequencies of one axis."""
    k = spectrum.shape[dim] // 2
    missing = list(spectrum.shape)
    missing[dim] = size - spectrum.shape[dim]
    return torch.cat(
        [spectrum.narrow(dim, 0, k + 1), spectrum.new_zeros(missing), spectrum.narrow(dim, k + 1, k)], dim
    )
