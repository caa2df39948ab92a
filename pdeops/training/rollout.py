"""Feed predicted frames back as inputs: a window that slides over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor


def unroll(
    step: Callable[[Tensor], Tensor],
    inputs: Float[Tensor, "batch in_channels *shape"],
    *,
    num_calls: int,
    history_channels: int,
) -> Iterator[Float[Tensor, "batch out_channels *shape"]]:
    """Call a one-step operator again and again on its own output.

    The first ``history_channels`` channels of the input are past frames, time-major; the others are static
    (coefficients, forcing) and stay. After each call the oldest frames leave the window and the predicted
    ones enter it. Nothing is detached, so gradients run through the whole unroll.

    Args:
        step: Maps (batch, in_channels, *shape) to predicted frames (batch, out_channels, *shape), both in
            physical units.
        inputs: The first window with the static channels after it.
        num_calls: How often to call.
        history_channels: Number of channels that are past frames: input frames times variables.

    Yields:
        The output of each call.

    Raises:
        ValueError: More than one call is wanted, but the window is shorter than one variable set.
    """
    if num_calls > 1 and not 0 < history_channels <= inputs.shape[1]:
        raise ValueError(
            f"rollout: expected between 1 and {inputs.shape[1]} channels of past frames, "
            f"got {history_channels}; a rollout needs outputs that are the same variables as the inputs"
        )
    history, static = inputs[:, :history_channels], inputs[:, history_channels:]
    for call in range(num_calls):
        predicted = step(torch.cat([history, static], dim=1))
        yield predicted
        if call + 1 < num_calls:
            history = torch.cat([history, predicted], dim=1)[:, -history_channels:]
