"""The order in which a loader visits samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import torch
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """A new permutation each epoch that depends on (seed, epoch) only.

    A run that is stopped and resumed visits the samples in the same order as one that was not; Lightning
    calls `set_epoch`, and on several devices wraps this sampler to deal the samples out over them.

    Args:
        num_samples: Number of samples.
        seed: Seed of the orders.
    """

    def __init__(self, num_samples: int, *, seed: int) -> None:
        self.num_samples = num_samples
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        # A sequence of both numbers: with seed + epoch, neighbouring seeds would share their orders.
        state = numpy.random.SeedSequence((self.seed, self.epoch)).generate_state(1, numpy.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) >> 1)
        yield from torch.randperm(self.num_samples, generator=generator).tolist()
