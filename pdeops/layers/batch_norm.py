"""Batch normalisation of fields in any number of dimensions."""

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


class BatchNorm(_BatchNorm):
    r"""Bring every channel to mean 0 and variance 1 over the samples and points of a batch, then scale it.

    .. math:: v \leftarrow \gamma\, \frac{v - \operatorname{mean} v}{\sqrt{\operatorname{var} v + 10^{-5}}}
              + \beta

    In training mean and variance are those of the batch, and running means of them are kept; in evaluation
    these running means take their place, so a sample does not see the others.

    It is torch's, for 1 to 3 dimensions in one, and it says what to try where there is nothing to average.

    Args:
        num_features: Channels, the second axis of the field.

    Raises:
        ValueError: In training, a channel has one value only: one sample, on a grid of one point.

    Good values: batches of 8 or more.

    Failure mode: Small batches give rough means. In a rollout the running means lean to its last calls: each
    call counts a tenth, and what was before counts less.

    Source: Ioffe and Szegedy (2015), arXiv:1502.03167.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        points = input.shape[2:].numel()
        if self.training and len(input) * points == 1:
            raise ValueError(
                "batch normalisation: expected two values a channel or more in training, got one sample on a "
                "level of one point; try a larger batch or a smaller depth"
            )
