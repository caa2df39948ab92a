"""Predictors that know nothing; an operator that does not beat them has learned nothing."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.data import Batch
from pdeops.domains import Field


def zero(targets: Field) -> Float[Tensor, "batch channels *shape"]:
    """Predict zero everywhere; its relative error is 1 in every norm.

    Args:
        targets: What is to be predicted.

    Returns:
        Zeros of the same shape.
    """
    return torch.zeros_like(targets.values)


def training_mean(batches: Iterable[Batch]) -> Float[Tensor, "channels *shape"]:
    r"""Mean field of the training targets, :math:`\bar y(x) = \frac{1}{N} \sum_i y_i(x)`.

    Args:
        batches: All batches of the training set.

    Returns:
        The mean, double precision, shape (channels, *shape).

    Raises:
        ValueError: There is no batch.
    """
    total: Tensor | None = None
    count = 0
    for batch in batches:
        values = require_targets(batch).values.double()
        total = values.sum(dim=0) if total is None else total + values.sum(dim=0)
        count += values.shape[0]
    if total is None:
        raise ValueError("training mean: expected at least one batch, got none")
    return total / count


def require_targets(batch: Batch) -> Field:
    """Targets of a batch.

    Args:
        batch: Inputs with their targets.

    Returns:
        The targets.

    Raises:
        ValueError: The batch has none; it was made for prediction.
    """
    if batch.targets is None:
        raise ValueError(
            "batch: expected targets to train on or to test with, got none; try Surrogate.predict"
        )
    return batch.targets


def persistence(
    inputs: Field, num_variables: int, history_channels: int, num_frames: int
) -> Float[Tensor, "batch channels *shape"]:
    """Predict that nothing changes: the last input frame, for every frame of the target.

    Args:
        inputs: Input channels; the first ``history_channels`` are past frames, time-major.
        num_variables: Variables a frame.
        history_channels: Number of channels that are past frames.
        num_frames: Frames to predict.

    Returns:
        The last frame, repeated, shape (batch, num_frames * num_variables, *shape).
    """
    last = inputs.values[:, history_channels - num_variables : history_channels]
    return last.repeat(1, num_frames, *[1] * (last.ndim - 2))


def same_variables(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> bool:
    """Whether past frames of the outputs come first among the inputs, so that persistence means something.

    Args:
        inputs: Names of the input channels.
        outputs: Names of the variables of a target frame.

    Returns:
        True when the first input channels carry the names of the outputs, with or without the number of
        their frame (``vorticity[-1]``).
    """
    if len(inputs) < len(outputs):
        return False
    first = [name.split("[")[0] for name in inputs[: len(outputs)]]
    return first == [name.split("[")[0] for name in outputs]
