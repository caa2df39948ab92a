"""Convolution by truncated Fourier multipliers, in one, two or three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.layers.constants import constant
from pdeops.layers.wave_matrices import pairs_to_waves, real_to_waves, waves_to_pairs, waves_to_real

# Cost of one call in two dimensions, batch B, channels C, n points and m modes an axis; a multiply-add is two
# operations, numbers have four bytes:
#   last axis, real -> waves      4 B C n^2 m operations, reads B C n^2 numbers, writes 2m/n of that
#   first axis, pairs -> waves   16 B C n m^2
#   mixing of channels           16 B C^2 m^2, reads the weight once: 4 C^2 m^2 numbers
#   and the two transforms back, the last of which writes B C n^2 numbers.
# All are batched products whose constant factor stays in the cache. A real FFT takes fewer operations, about
# 2.5 n log2 n a line, but computes and writes all n waves of every channel to keep m of them, and leaves
# the modes where the mixing has to gather them. The two full fields, read once and written once, are the
# least that any method can move.


class SpectralConvolution(nn.Module):
    r"""Multiply the low Fourier modes of all channels by learned matrices.

    .. math:: (Kv)(x) = \sum_{k\in\mathcal K} e^{2\pi i k\cdot x/L}\, R_k\, \hat v_k

    On the last axis the waves 0 <= k < m are kept (the rest follows from the field being real), on the others
    -m <= k < m. The transform carries the factor 1/N, so the weights mean the same at every resolution, and
    the result is evaluated on the wanted grid directly: it resamples exactly, negative waves included.

    Everything is computed in real pairs with float32 numbers, also inside autocast. Inside, channels are the
    last dimension and modes the batch of the products, so no large field is ever permuted.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        modes: Number of waves m on each axis.
        gain: Factor on the standard deviation of the initial weights.
        variance_preserving: Start so that white noise on a grid of ``reference_shape`` keeps its variance. By
            default smooth fields, whose energy is in the kept modes already, keep theirs.
        reference_shape: Grid of the white noise; needed only with ``variance_preserving``.
        complex_parameters: Store the weight as complex numbers. The default, real pairs, works with every
            distributed strategy, optimiser and compiler.

    Raises:
        ValueError: The number of modes, of axes or the reference shape does not fit.

    Good values: m = 12 to 16 for 64 points an axis.

    Failure mode: Waves from m on never pass; give the network a pointwise path beside this layer.

    Source: Li et al. (2021), Fourier neural operator, arXiv:2010.08895; Poli et al. (2022), Transform Once,
    arXiv:2211.14453, for the variance-preserving start.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        *,
        gain: float = 1.0,
        variance_preserving: bool = False,
        reference_shape: Sequence[int] | None = None,
        complex_parameters: bool = False,
    ) -> None:
        super().__init__()
        if not 1 <= len(modes) <= 3 or min(modes) < 1:
            raise ValueError(f"spectral convolution: expected 1 to 3 positive numbers of modes, got {modes}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.modes = tuple(modes)
        # E|Rv|^2 = 2 sigma^2 C_in |v|^2: real and imaginary parts each bring sigma^2.
        deviation = gain / math.sqrt(2 * in_channels)
        if variance_preserving:
            if reference_shape is None or len(reference_shape) != len(self.modes):
                raise ValueError(
                    "spectral convolution: variance_preserving expects the reference_shape of the grid, "
                    f"one number an axis, got {reference_shape}"
                )
            deviation *= math.sqrt(math.prod(reference_shape) / self._num_real_modes())
        num_modes = self.modes[-1] * math.prod(2 * number for number in self.modes[:-1])
        if complex_parameters:
            weight = torch.randn(num_modes, in_channels, out_channels, dtype=torch.cfloat)
            self.weight = nn.Parameter(weight * (deviation * math.sqrt(2)))
        else:
            # Real and imaginary parts side by side: one product then gives both.
            self.weight = nn.Parameter(torch.randn(num_modes, in_channels, 2, out_channels) * deviation)

    def forward(
        self, values: Float[Tensor, "batch *shape in_channels"], *, output_shape: Sequence[int] | None = None
    ) -> Float[Tensor, "batch *out_shape out_channels"]:
        """Convolve.

        Args:
            values: Field with the channels last, shape (batch, *shape, in_channels).
            output_shape: Grid of the result; the input's by default.

        Returns:
            Field, shape (batch, *output_shape, out_channels); float32, or float64 for such values.

        Raises:
            ValueError: A grid is too coarse for the modes.
        """
        shape = tuple(values.shape[1:-1]) if output_shape is None else tuple(output_shape)
        with torch.autocast(values.device.type, enabled=False):
            matrix, lines = self.last_product(values, shape)
            return _multiply(matrix, lines).reshape(len(values), *shape, self.out_channels)

    def last_product(
        self, values: Tensor, shape: tuple[int, ...], bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Do all but the last product, which alone is as large as the field, so that a layer can place it.

        Args:
            values: Field with the channels last.
            shape: Grid of the result.
            bias: Constant to add to each channel of the result; here it costs nothing.

        Returns:
            A matrix (points, 2 modes) and lines (lines, 2 modes, out_channels): their products are the lines
            of the result along the last axis.

        Raises:
            ValueError: A grid is too coarse for the modes.
        """
        self.check_shape(values.shape[1:-1])
        self.check_shape(shape)
        waves = self._analyse(values if values.dtype == torch.float64 else values.float())
        waves = self._mix(waves, bias)
        batch, _, num_modes, channels = waves.shape
        inner = num_modes * channels
        for axis in range(len(shape) - 1):
            modes = self.modes[axis]
            inner //= 2 * modes
            matrix = constant(waves_to_pairs, (shape[axis], modes), waves.dtype, waves.device)
            waves = _multiply(matrix, waves.reshape(batch * math.prod(shape[:axis]), 4 * modes, inner))
        matrix = constant(waves_to_real, (shape[-1], self.modes[-1]), waves.dtype, waves.device)
        return matrix, waves.reshape(batch * math.prod(shape[:-1]), 2 * self.modes[-1], channels)

    def check_shape(self, shape: Sequence[int]) -> None:
        """Check that a grid carries the modes.

        Raises:
            ValueError: It has another number of axes or is too coarse on one.
        """
        # The last axis keeps waves up to m - 1, the others down to -m; both must be at most n / 2.
        needed = (*(2 * number for number in self.modes[:-1]), max(2 * self.modes[-1] - 2, 1))
        if len(shape) != len(needed) or any(n < least for n, least in zip(shape, needed, strict=True)):
            raise ValueError(
                f"spectral convolution with modes {self.modes}: expected a grid of at least {needed} points, "
                f"got {tuple(shape)}; try fewer modes or a finer grid"
            )

    def extra_repr(self) -> str:
        """Channels and modes, for printing."""
        return f"{self.in_channels}, {self.out_channels}, modes={self.modes}"

    def _analyse(self, values: Tensor) -> Tensor:
        """Waves of a field: (batch, *shape, channels) to (batch, part, waves, channels)."""
        batch, *shape, channels = values.shape
        last, modes = shape[-1], self.modes[-1]
        matrix = constant(real_to_waves, (last, modes), values.dtype, values.device)
        waves = _multiply(matrix, values.reshape(batch * math.prod(shape[:-1]), last, channels))
        inner = modes * channels
        for axis in reversed(range(len(shape) - 1)):
            # (.., point, part, inner) -> (.., part, wave, inner): a complex line is a real one twice as long
            matrix = constant(pairs_to_waves, (shape[axis], self.modes[axis]), values.dtype, values.device)
            lines = waves.reshape(batch * math.prod(shape[:axis]), 2 * shape[axis], inner)
            waves = _multiply(matrix, lines)
            inner *= 2 * self.modes[axis]
        return waves.reshape(batch, 2, inner // channels, channels)

    def _mix(self, waves: Tensor, bias: Tensor | None) -> Tensor:
        """Multiply each wave's channels by its matrix; a bias is the real part of wave 0."""
        batch, _, num_modes, channels = waves.shape
        weight = self.weight.to(waves.dtype.to_complex() if self.weight.is_complex() else waves.dtype)
        if weight.is_complex():
            weight = torch.stack((weight.real, weight.imag), dim=2)
        # Modes first by strides only: rows (batch, part), columns channels.
        rows = waves.reshape(2 * batch, num_modes, channels).transpose(0, 1)
        products = torch.bmm(rows, weight.flatten(start_dim=2)).reshape(
            num_modes, batch, 4, self.out_channels
        )
        # (part of the wave, part of the weight); unbind, for the gradient of an index is a field of zeros.
        real_real, real_imaginary, imaginary_real, imaginary_imaginary = products.unbind(dim=2)
        real = real_real - imaginary_imaginary
        imaginary = real_imaginary + imaginary_real
        if bias is not None:
            real[0] += bias
        return torch.stack((real.transpose(0, 1), imaginary.transpose(0, 1)), dim=1)

    def _num_real_modes(self) -> int:
        """Number of real degrees of freedom that the kept waves of a real field span."""
        return (2 * self.modes[-1] - 1) * math.prod(2 * number for number in self.modes[:-1])


def _multiply(matrix: Tensor, lines: Tensor) -> Tensor:
    """Multiply one matrix into every line; by bmm, for matmul would fold, and so copy, the lines."""
    return torch.bmm(matrix.expand(len(lines), *matrix.shape), lines)
