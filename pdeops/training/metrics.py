"""Relative error over a data set, exact with unequal batches and several processes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from pdeops.domains import Domain, NormKind, squared_norm
from pdeops.training.losses import relative_error


class RelativeError(Metric):
    r"""Mean over all samples of the relative error, in double precision.

    .. math:: \frac{1}{N} \sum_{i=1}^{N} \frac{\|\hat y_i - y_i\|}{\|y_i\|}

    Sums and counts are kept, not means of batches: a smaller last batch and several processes change
    nothing.

    Args:
        kind: ``"l2"`` or ``"h1"``, the norm of `pdeops.domains.squared_norm`.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, kind: NormKind = "l2") -> None:
        super().__init__()
        self.kind = kind
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(
        self,
        prediction: Float[Tensor, "batch channels *shape"],
        target: Float[Tensor, "batch channels *shape"],
        domain: Domain,
    ) -> None:
        """Add the samples of a batch.

        Args:
            prediction: Physical units, shape (batch, channels, *shape).
            target: Same shape and units.
            domain: Where both live.
        """
        if not len(
            target
        ):  # a process whose share of the last batch repeats samples; FFTs refuse empty batches
            return
        target = target.double()
        difference = squared_norm(prediction.double() - target, domain, self.kind).sum(dim=1)
        reference = squared_norm(target, domain, self.kind).sum(dim=1)
        self.total += relative_error(difference, reference).sum()
        self.count += target.shape[0]

    def compute(self) -> Float[Tensor, ""]:
        """Return the mean over all samples seen (NaN when there were none)."""
        return self.total / self.count
