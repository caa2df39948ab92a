"""One layer of the Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.layers.spectral_convolution import SpectralConvolution


class FourierLayer(nn.Module):
    r"""Pointwise linear map plus spectral convolution: :math:`W v + b + \mathcal F^{-1}(R\,\mathcal F v)`.

    The last product of the convolution is added into the result of the pointwise map while it is computed, so
    one full field less is allocated, written and read again, and the bias enters as the wave 0, at no cost.
    Under torch.compile and inside autocast the two are added by the usual means.

    Args:
        width: Channels of input and output.
        modes: Number of waves on each axis, see `SpectralConvolution`.
        variance_preserving: See `SpectralConvolution`.
        reference_shape: See `SpectralConvolution`.
        complex_parameters: See `SpectralConvolution`.

    Raises:
        ValueError: See `SpectralConvolution`.

    Source: Li et al. (2021), Fourier neural operator, arXiv:2010.08895.
    """

    def __init__(
        self,
        width: int,
        modes: Sequence[int],
        *,
        variance_preserving: bool = False,
        reference_shape: Sequence[int] | None = None,
        complex_parameters: bool = False,
    ) -> None:
        super().__init__()
        self.pointwise = nn.Linear(width, width)
        self.convolution = SpectralConvolution(
            width,
            width,
            modes,
            variance_preserving=variance_preserving,
            reference_shape=reference_shape,
            complex_parameters=complex_parameters,
        )

    def forward(self, values: Float[Tensor, "batch *shape width"]) -> Float[Tensor, "batch *shape width"]:
        """Apply the layer.

        Args:
            values: Field with the channels last.

        Returns:
            Field of the same shape.

        Raises:
            ValueError: The grid is too coarse for the modes.
        """
        if torch.compiler.is_compiling() or torch.is_autocast_enabled(values.device.type):
            return self.pointwise(values) + self.convolution(values)
        matrix, lines = self.convolution.last_product(values, tuple(values.shape[1:-1]), self.pointwise.bias)
        return _AddedProduct.apply(values, self.pointwise.weight, matrix, lines)


class _AddedProduct(torch.autograd.Function):
    """``linear(values, weight) + matrix @ lines``, the product accumulated in place.

    Autograd can express this only as an in-place update of a view, and then copies the gradient twice. The
    backward pass is made of ordinary operations, so it can be differentiated again.
    """

    @staticmethod
    def forward(context: Any, values: Tensor, weight: Tensor, matrix: Tensor, lines: Tensor) -> Tensor:
        context.save_for_backward(values, weight, matrix, lines)
        result = functional.linear(values, weight)
        result.view(len(lines), -1, len(weight)).baddbmm_(matrix.expand(len(lines), *matrix.shape), lines)
        return result

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, matrix, lines = context.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        by_line = gradient.reshape(len(lines), -1, gradient.shape[-1])
        return (
            gradient @ weight if context.needs_input_grad[0] else None,
            rows.T @ values.reshape(-1, values.shape[-1]),
            None,
            torch.bmm(matrix.T.expand(len(lines), *matrix.T.shape), by_line),
        )
