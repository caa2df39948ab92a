"""Fourier transforms between scattered points and a regular grid on a torus."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn


class NonuniformFourier(nn.Module):
    r"""Carry fields from points :math:`\xi_j` on the unit torus to a regular grid, and back, by low waves.

    .. math:: \hat v_k = \sum_j q_j v_j e^{-2\pi i k \cdot \xi_j}, \qquad
              v(x) = \operatorname{Re} \sum_{k \in \mathcal K} s_k \hat v_k e^{2\pi i k \cdot x}

    with quadrature weights :math:`q_j`, so that the first sum is the integral of the field and its wave
    however the points are spread, and the waves |k| < m. Fields are real: of each pair k, -k one wave is
    kept, those with a last entry above 0 (there :math:`s_k = 2`) and all with a last entry 0 (there
    :math:`s_k = 1`, for both waves of the pair are kept).

    The sums are two products of real matrices, exact in the points, with cost (points x waves x channels).

    Args:
        modes: Number of waves m on each axis.

    Raises:
        ValueError: A number of modes is not positive.

    Good values: m = 12 in two dimensions.

    Failure mode: Points more sparse than half a wavelength of the highest wave alias.

    Source: Dutt and Rokhlin (1993), doi:10.1137/0914081, for the sums; Li, Huang, Liu and Anandkumar (2022),
    arXiv:2207.05209, for their use between meshes and grids.
    """

    def __init__(self, modes: Sequence[int]) -> None:
        super().__init__()
        if not modes or min(modes) < 1:
            raise ValueError(f"modes: expected a positive number an axis, got {tuple(modes)}; try 12")
        self.modes = tuple(modes)

    def waves(self, points: Float[Tensor, "batch points dimension"]) -> Complex[Tensor, "batch points waves"]:
        r"""Evaluate all waves :math:`e^{2\pi i k \cdot x}` at points.

        Args:
            points: Points, in periods.

        Returns:
            The waves; the last axis runs fastest.
        """
        product = torch.ones_like(points[..., :1])
        for axis, wavenumbers in enumerate(self._wavenumbers(points.device)):
            phases = 2 * math.pi * points[..., axis : axis + 1] * wavenumbers.to(points.dtype)
            along = torch.polar(torch.ones_like(phases), phases)
            product = (product.unsqueeze(-1) * along.unsqueeze(-2)).flatten(-2)
        return product

    def to_grid(
        self,
        values: Float[Tensor, "batch points channels"],
        weights: Float[Tensor, " points"],
        waves: Complex[Tensor, "batch_or_one points waves"],
        shape: Sequence[int],
    ) -> Float[Tensor, "batch *shape channels"]:
        """Carry a field from the points to the grid with points 0, 1/n, .. (n-1)/n on each axis.

        Args:
            values: Field at the points.
            weights: Quadrature weights of the points, in volumes of the torus.
            waves: What `waves` gives for the points.
            shape: Points n of the grid on each axis.

        Returns:
            Field on the grid.

        Raises:
            ValueError: The grid is too coarse for the modes.
        """
        self.check_shape(shape)
        matrix = torch.view_as_real(waves.conj().resolve_conj()).flatten(-2)
        weighted = weights[:, None] * values
        parts = torch.matmul(matrix.mT, weighted).unflatten(1, (-1, 2))
        coefficients = torch.complex(parts[:, :, 0], parts[:, :, 1])
        half = (*shape[:-1], shape[-1] // 2 + 1)
        spectrum = coefficients.new_zeros(len(values), *half, values.shape[-1])
        spectrum[self._places(shape, values.device)] = coefficients
        dims = tuple(range(1, len(shape) + 1))
        return torch.fft.irfftn(spectrum, s=tuple(shape), dim=dims, norm="forward")

    def to_points(
        self,
        values: Float[Tensor, "batch *shape channels"],
        waves: Complex[Tensor, "batch_or_one points waves"],
    ) -> Float[Tensor, "batch points channels"]:
        """Evaluate the low waves of a field on the grid at the points.

        Args:
            values: Field on the grid.
            waves: What `waves` gives for the points.

        Returns:
            Field at the points.

        Raises:
            ValueError: The grid is too coarse for the modes.
        """
        shape = values.shape[1:-1]
        self.check_shape(shape)
        spectrum = torch.fft.rfftn(values, dim=tuple(range(1, len(shape) + 1)), norm="forward")
        coefficients = spectrum[self._places(shape, values.device)]
        # Re(s c e) = s (Re c Re e - Im c Im e); the wave and its partner -k are the two halves of s = 2.
        number = self._wavenumbers(values.device)[-1].repeat(coefficients.shape[1] // self.modes[-1])
        factor = torch.where(number > 0, 2.0, 1.0).to(values.dtype)[:, None, None]
        parts = torch.stack((coefficients.real, -coefficients.imag), dim=2) * factor
        return torch.matmul(torch.view_as_real(waves).flatten(-2), parts.flatten(1, 2))

    def check_shape(self, shape: Sequence[int]) -> None:
        """Check that a grid carries the waves.

        Raises:
            ValueError: It has another number of axes or is too coarse on one.
        """
        least = tuple(2 * number - 1 for number in self.modes)
        if len(shape) != len(least) or any(n < needed for n, needed in zip(shape, least, strict=True)):
            raise ValueError(
                f"non-uniform transform with modes {self.modes}: expected a grid of at least {least} points, "
                f"got {tuple(shape)}; try fewer modes or a finer grid"
            )

    def _wavenumbers(self, device: torch.device) -> list[Tensor]:
        """Waves of each axis: 0, 1 .. m-1, -(m-1) .. -1, and on the last axis 0 .. m-1."""
        numbers = [torch.arange(count, device=device) for count in self.modes]
        return [torch.cat((axis, -axis[1:].flip(0))) for axis in numbers[:-1]] + numbers[-1:]

    def _places(self, shape: Sequence[int], device: torch.device) -> tuple[slice | Tensor, ...]:
        """Where the waves lie in the spectrum of a grid: one index an axis after the batch."""
        places = [k % n for k, n in zip(self._wavenumbers(device), shape, strict=True)]
        return (slice(None), *(place.flatten() for place in torch.meshgrid(*places, indexing="ij")))
