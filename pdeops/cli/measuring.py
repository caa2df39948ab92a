"""Errors of a run on pairs of inputs and outputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import torch

from pdeops.cli.pictures import double, predict, read_pairs
from pdeops.data import FieldDataset
from pdeops.domains import Field
from pdeops.training import Surrogate


def measure(
    surrogate: Surrogate,
    dataset: FieldDataset,
    batch_size: int,
    inputs_of: Callable[[list[int]], Field] | None = None,
) -> dict[str, float]:
    """Predict all outputs of a data set and compare.

    Args:
        surrogate: What predicts.
        dataset: Pairs.
        batch_size: Pairs a call.
        inputs_of: Inputs of pairs by their numbers, on a domain of their own; by default those of the data.

    Returns:
        Mean relative errors ``relative_l2`` and ``relative_h1``, and ``seconds_per_sample`` of predicting.
    """
    errors: dict[Literal["l2", "h1"], list[torch.Tensor]] = {"l2": [], "h1": []}
    seconds = 0.0
    for start in range(0, len(dataset), batch_size):
        pairs = list(range(start, min(start + batch_size, len(dataset))))
        inputs, truth = read_pairs(dataset, pairs)
        elsewhere = None if inputs_of is None else inputs_of(pairs)
        started = time.perf_counter()
        if elsewhere is None:
            prediction = predict(surrogate, inputs, truth)
        else:
            values = surrogate.predict(elsewhere, truth.domain).values
            prediction = Field(values.reshape(truth.values.shape), truth.domain, truth.channels, truth.units)
        seconds += time.perf_counter() - started
        for kind, collected in errors.items():
            collected.append(double(prediction).relative_error(double(truth), kind))
    return {
        **{f"relative_{kind}": float(torch.cat(collected).mean()) for kind, collected in errors.items()},
        "seconds_per_sample": seconds / len(dataset),
    }
