"""Fourier convolution along one axis at a time, summed over the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.layers.constants import constant
from pdeops.layers.wave_matrices import real_to_waves, waves_to_real


class FactorisedConvolution(nn.Module):
    r"""Sum of one-dimensional spectral convolutions, one along each axis.

    .. math:: (Kv)(x) = \sum_a \mathcal F_a^{-1}\big( R_a \cdot \mathcal F_a v \big)(x)

    The weights are 2 C^2 m numbers an axis instead of the C^2 (2m)^d of the full convolution. Channels are
    the last dimension; all in real pairs and float32, also inside autocast.

    Args:
        channels: Channels C of input and output.
        modes: Number of waves m on each axis: 0 <= k < m.
        gain: Factor on the standard deviation of the initial weights.

    Raises:
        ValueError: The number of axes or of modes does not fit.

    Good values: m = 16 for 64 points.

    Failure mode: One layer couples the axes by a sum only; it needs depth (8 and more layers) and residuals.

    Source: Tran, Mathews, Xie and Ong (2023), Factorized Fourier neural operators, arXiv:2111.13802.
    """

    def __init__(self, channels: int, modes: Sequence[int], *, gain: float = 1.0) -> None:
        super().__init__()
        if not 1 <= len(modes) <= 3 or min(modes) < 1:
            raise ValueError(f"factorised convolution: expected 1 to 3 numbers of modes, got {modes}")
        self.channels = channels
        self.modes = tuple(modes)
        # The axes bring independent parts, so each takes its share of the variance.
        deviation = gain / math.sqrt(2 * channels * len(modes))
        self.weights = nn.ParameterList(
            torch.randn(number, channels, 2, channels) * deviation for number in self.modes
        )

    def forward(
        self, values: Float[Tensor, "batch *shape channels"]
    ) -> Float[Tensor, "batch *shape channels"]:
        """Convolve.

        Args:
            values: Field with the channels last.

        Returns:
            Field of the same shape; float32, or float64 for such values.

        Raises:
            ValueError: The grid is too coarse for the modes.
        """
        self.check_shape(values.shape[1:-1])
        with torch.autocast(values.device.type, enabled=False):
            if values.dtype != torch.float64:
                values = values.float()
            total = self._along(values, len(self.modes) - 1)
            for axis in range(len(self.modes) - 1):
                total = total + self._along(values, axis)
            return total

    def check_shape(self, shape: Sequence[int]) -> None:
        """Check that a grid carries the modes.

        Raises:
            ValueError: It has another number of axes or is too coarse on one.
        """
        needed = tuple(max(2 * number - 2, 1) for number in self.modes)
        if len(shape) != len(needed) or any(n < least for n, least in zip(shape, needed, strict=True)):
            raise ValueError(
                f"factorised convolution with modes {self.modes}: expected a grid of at least {needed} "
                f"points, got {tuple(shape)}; try fewer modes or a finer grid"
            )

    def _along(self, values: Tensor, axis: int) -> Tensor:
        """Convolve along one axis; the points before it are batch, those behind it go with the channels."""
        batch, *shape, channels = values.shape
        num_points, modes = shape[axis], self.modes[axis]
        before, behind = batch * math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        analysis = constant(real_to_waves, (num_points, modes), values.dtype, values.device)
        synthesis = constant(waves_to_real, (num_points, modes), values.dtype, values.device)
        lines = values.reshape(before, num_points, behind * channels)
        waves = torch.bmm(analysis.expand(before, 2 * modes, num_points), lines)
        # (lines, part, wave, points behind, channels) with the wave as the batch of the product
        waves = waves.reshape(before, 2, modes, behind, channels)
        rows = waves.permute(2, 0, 1, 3, 4).reshape(modes, before * 2 * behind, channels)
        weight = self.weights[axis].to(values.dtype).flatten(start_dim=2)
        products = torch.bmm(rows, weight).reshape(modes, before, 2, behind, 2, channels)
        real = products[:, :, 0, :, 0] - products[:, :, 1, :, 1]
        imaginary = products[:, :, 0, :, 1] + products[:, :, 1, :, 0]
        mixed = torch.stack((real.transpose(0, 1), imaginary.transpose(0, 1)), dim=1)
        mixed = mixed.reshape(before, 2 * modes, behind * channels)
        result = torch.bmm(synthesis.expand(before, num_points, 2 * modes), mixed)
        return result.reshape(values.shape)
