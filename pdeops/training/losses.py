"""Relative errors as training losses, in the physical units of the data."""

from __future__ import annotations

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


class _Relative(nn.Module):
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
