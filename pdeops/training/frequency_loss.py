"""The relative L2 error computed from spectral coefficients, no inverse transform in back-propagation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain, squared_norm
from pdeops.layers import TruncatedTransform
from pdeops.training.losses import relative_error


class FrequencyRelativeL2(nn.Module):
    r"""Relative :math:`L^2` error by Parseval, equal to `RelativeL2` of the transformed-back prediction.

    A spectral operator predicts the coefficients :math:`\hat Y` of its output in a basis :math:`T` that is
    orthonormal under the quadrature of the grid, and keeps the low ones
    (`pdeops.layers.TruncatedTransform`). Then, with norms that are means over the domain,

    .. math:: \|T^* \hat Y - y\|^2 = |\hat Y - T y|^2 + \left(\|y\|^2 - |T y|^2\right).

    The bracket is the energy of the target that the kept coefficients cannot express. It does not depend on
    the prediction, but without it the loss would promise an error that the operator does not have. No
    field of full size takes part in back-propagation.

    The output normaliser is affine a channel, :math:`y = \sigma z + \mu`, and the transform is linear, so
    coefficients go back to physical units by :math:`T y = \sigma \, T z + \mu \, T 1`
    (`physical_coefficients`).

    Good values: as `RelativeL2`.

    Failure mode: With another norm of coefficients than the above the identity does not hold; the loss can
    only check the shapes.

    Source: Poli et al. (2022), arXiv:2211.14453, for training in frequency space.
    """

    def forward(
        self,
        coefficients: Float[Tensor, "batch channels *modes"],
        target: Float[Tensor, "batch channels *shape"],
        domain: Domain,
        transform: TruncatedTransform,
    ) -> Float[Tensor, ""]:
        r"""Compute the loss.

        Args:
            coefficients: :math:`\hat Y` in physical units (see `physical_coefficients`).
            target: :math:`y`, physical units, shape (batch, channels, *shape).
            domain: Where the target lives.
            transform: :math:`T`, values to kept coefficients, with its inverse.

        Returns:
            The mean of the relative errors of the samples.

        Raises:
            ValueError: The coefficients and those of the target have different shapes.
        """
        expected = transform(target)
        if coefficients.shape != expected.shape:
            raise ValueError(
                f"frequency loss: expected coefficients of shape {tuple(expected.shape)}, "
                f"got {tuple(coefficients.shape)}; the operator and its transform keep different modes"
            )
        with torch.no_grad():
            total = squared_norm(target, domain).sum(dim=1) / domain.volume
            # |y|^2 - |T y|^2 as the norm of what is cut off: the difference of two nearly equal numbers would
            # leave a floor of 3e-4 under the loss in single precision.
            cut_off = target - transform.inverse(expected, domain.shape)
            tail = squared_norm(cut_off, domain).sum(dim=1) / domain.volume
        return relative_error(_energy(coefficients - expected) + tail, total).mean()


def physical_coefficients(
    coefficients: Float[Tensor, "batch channels *modes"],
    denormalise: Callable[[Tensor], Tensor],
    transform: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
) -> Float[Tensor, "batch channels *modes"]:
    r"""Take coefficients of normalised fields to physical units.

    Args:
        coefficients: :math:`T z`.
        denormalise: Inverse of the output normaliser, an affine map of each channel.
        transform: :math:`T`, values to kept coefficients.
        shape: Points an axis of the output fields.

    Returns:
        :math:`T y` for :math:`y = \sigma z + \mu`.

    Raises:
        ValueError: The normaliser's scale varies in space, which mixes coefficients.
    """
    zeros = coefficients.new_zeros(1, coefficients.shape[1], *shape)
    offset = denormalise(zeros)
    scale = (denormalise(torch.ones_like(zeros)) - offset).flatten(start_dim=2)
    if not torch.allclose(scale, scale[..., :1]):
        raise ValueError(
            "frequency loss: expected a normaliser with one scale a channel, got one that varies in space; "
            "try a normaliser with statistics over all points, or RelativeL2"
        )
    factor = scale[..., 0].reshape(1, -1, *[1] * (coefficients.ndim - 2))
    return factor * coefficients + transform(offset)


def _energy(coefficients: Tensor) -> Tensor:
    """Sum of squares of each sample."""
    return coefficients.square().flatten(start_dim=1).sum(dim=1)
