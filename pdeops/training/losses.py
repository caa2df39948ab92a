"""Errors of fields as training losses, in the physical units of the data."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain, NormKind, squared_norm


def relative_error(
    difference: Float[Tensor, " batch"], reference: Float[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    r"""Relative error of each sample from two squared norms.

    .. math:: e_b = \sqrt{\|\hat y_b - y_b\|^2 / \|y_b\|^2}

    Args:
        difference: :math:`\|\hat y_b - y_b\|^2`, shape (batch,).
        reference: :math:`\|y_b\|^2`, shape (batch,).

    Returns:
        The relative errors, shape (batch,). Infinite or NaN where the reference vanishes: there is no
        relative error to a zero field, and a loss must not hide that.
    """
    # The derivative of a root is infinite at zero; a sample that is met exactly has gradient zero instead.
    floor = torch.finfo(difference.dtype).tiny
    return torch.sqrt((difference / reference).clamp_min(floor))


class FieldLoss(nn.Module, ABC):
    """A loss between two batches of fields, or between their values at some points."""

    @abstractmethod
    def forward(
        self,
        prediction: Float[Tensor, "batch channels *shape"],
        target: Float[Tensor, "batch channels *shape"],
        domain: Domain,
    ) -> Float[Tensor, ""]:
        """Compute the loss on a domain.

        Args:
            prediction: Physical units, shape (batch, channels, *shape).
            target: Same shape and units.
            domain: Where both live.

        Returns:
            The loss.
        """

    def at_points(
        self,
        prediction: Float[Tensor, "batch variables points"],
        target: Float[Tensor, "batch variables points"],
    ) -> Float[Tensor, ""]:
        """Compute the loss from values at points that count alike.

        Args:
            prediction: Physical units.
            target: Same shape and units.

        Returns:
            The loss.

        Raises:
            TypeError: The loss needs derivatives of the fields.
        """
        raise TypeError(
            f"loss at points: expected a loss of values, got {type(self).__name__}; try loss=mean_squared"
        )


class MeanSquared(FieldLoss):
    r"""Mean square of the error, over samples and the domain.

    .. math:: \frac{1}{B} \sum_b \frac{1}{|\Omega|} \sum_c \int_\Omega (\hat y_{b,c} - y_{b,c})^2 \, dx

    Every sample counts with its size, unlike in `RelativeL2`; so a sample may be zero, or known at
    one point only.

    Several frames are channels on a domain, where they add up; at points of space and time the mean runs over
    them, too.

    Good values: It scales with the square of the unit of y: Adam's step does not see the scale.
    """

    def forward(
        self,
        prediction: Float[Tensor, "batch channels *shape"],
        target: Float[Tensor, "batch channels *shape"],
        domain: Domain,
    ) -> Float[Tensor, ""]:
        """Compute the loss on a domain; see `FieldLoss`."""
        volume = float(domain.quadrature_weights.sum())
        return squared_norm(prediction - target, domain).sum(dim=1).mean() / volume

    def at_points(
        self,
        prediction: Float[Tensor, "batch variables points"],
        target: Float[Tensor, "batch variables points"],
    ) -> Float[Tensor, ""]:
        """Compute the loss from values at points that count alike; see `FieldLoss`."""
        return (prediction - target).square().sum(dim=1).mean()


class _Relative(FieldLoss):
    """Mean over the batch of a relative norm; the kind of norm is the subclass's."""

    kind: NormKind

    def forward(
        self,
        prediction: Float[Tensor, "batch channels *shape"],
        target: Float[Tensor, "batch channels *shape"],
        domain: Domain,
    ) -> Float[Tensor, ""]:
        r"""Compute the loss.

        Args:
            prediction: :math:`\hat y`, physical units, shape (batch, channels, *shape).
            target: :math:`y`, same shape and units.
            domain: Where both live; its quadrature weights make the norm.

        Returns:
            The mean of the relative errors of the samples.
        """
        difference = squared_norm(prediction - target, domain, self.kind).sum(dim=1)
        reference = squared_norm(target, domain, self.kind).sum(dim=1)
        return relative_error(difference, reference).mean()


class RelativeL2(_Relative):
    r"""Mean over the batch of the relative :math:`L^2` error.

    .. math:: \frac{1}{B} \sum_b \frac{\|\hat y_b - y_b\|_{L^2}}{\|y_b\|_{L^2}}, \qquad
              \|u\|_{L^2}^2 = \sum_c \int_\Omega u_c^2 \, dx

    One norm runs over all channels and frames of a sample, so a channel with large values dominates
    channels of other units. The integral uses the quadrature weights of the domain, so the loss means the
    same on every resolution.

    Good values: 1 for the zero field; 1e-2 and less for a trained operator.

    Failure mode: A target that is zero everywhere has no relative error; the loss is then not finite.

    Source: Li et al. (2021), arXiv:2010.08895, section 5.
    """

    kind = "l2"

    def at_points(
        self,
        prediction: Float[Tensor, "batch variables points"],
        target: Float[Tensor, "batch variables points"],
    ) -> Float[Tensor, ""]:
        """Compute the loss from values at points that count alike; see `FieldLoss`.

        Failure mode: At a few points the norm of a sample may be near zero; try `MeanSquared`.
        """
        difference = (prediction - target).square().sum(dim=(1, 2))
        return relative_error(difference, target.square().sum(dim=(1, 2))).mean()


class RelativeH1(_Relative):
    r"""Mean over the batch of the relative :math:`H^1` error.

    .. math:: \frac{1}{B} \sum_b \frac{\|\hat y_b - y_b\|_{H^1}}{\|y_b\|_{H^1}}, \qquad
              \|u\|_{H^1}^2 = \sum_c \int_\Omega u_c^2 + |\nabla u_c|^2 \, dx

    It weights a wave with wavenumber :math:`k` by :math:`1 + |k|^2`: small scales count for more.

    Good values: two to five times the relative :math:`L^2` error of the same operator.

    Failure mode: Noise in the targets is differentiated too; use `RelativeL2` for measured data.

    Source: Czarnecki et al. (2017), arXiv:1706.04859 (Sobolev training).
    """

    kind = "h1"
