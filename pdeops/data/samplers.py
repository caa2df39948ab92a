"""The order in which a loader visits samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import torch
from torch.utils.data import DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """A new permutation each epoch that depends on (seed, epoch) only, dealt out over processes.

    A run that is stopped and resumed visits the samples in the same order as one that was not, with any
    number of processes; Lightning calls `set_epoch`. It is a distributed sampler also for one process,
    since Lightning wraps any other kind into one that shuffles a second time, by the seed that happens to
    be in the environment.

    Processes get every ``num_replicas``-th sample of the permutation and equally many; where the samples do
    not divide evenly, the first of the permutation fill up the last round.

    Args:
        num_samples: Number of samples.
        seed: Seed of the orders, the same in all processes.
        num_replicas: Number of processes.
        rank: Number of this process.
    """

    def __init__(self, num_samples: int, *, seed: int, num_replicas: int = 1, rank: int = 0) -> None:
        super().__init__(range(num_samples), num_replicas=num_replicas, rank=rank, seed=seed)  # type: ignore[arg-type]  # a range has a length, all that is needed

    def __iter__(self) -> Iterator[int]:
        # A sequence of both numbers: with seed + epoch, neighbouring seeds would share their orders.
        state = numpy.random.SeedSequence((self.seed, self.epoch)).generate_state(1, numpy.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) >> 1)
        order = torch.randperm(len(self.dataset), generator=generator)  # type: ignore[arg-type]
        # Indices modulo the number of samples, which wraps around to fill up the last round.
        mine = torch.arange(self.rank, self.total_size, self.num_replicas) % max(len(order), 1)
        yield from order[mine].tolist()
