"""Which samples of an evaluation batch are real when several processes share a data set."""

from __future__ import annotations

from collections.abc import Sized
from typing import cast

from lightning import Trainer
from torch.utils.data import DataLoader, DistributedSampler


def num_genuine_samples(trainer: Trainer, stage: str, batch_index: int, batch_size: int) -> int:
    """Count the samples of a batch that no other process has.

    ``DistributedSampler`` gives every process equally many samples by repeating some at the end. Repeated
    samples must not count twice in an error, or it would depend on the number of processes.

    Args:
        trainer: The running trainer.
        stage: ``"validation"`` or ``"test"``.
        batch_index: Number of the batch in this process.
        batch_size: Samples in the batch.

    Returns:
        How many of the batch's first samples count.
    """
    if trainer.world_size == 1:
        return batch_size
    loader = trainer.val_dataloaders if stage == "validation" else trainer.test_dataloaders
    if isinstance(loader, list):
        loader = loader[0]
    if not isinstance(loader, DataLoader) or not isinstance(loader.sampler, DistributedSampler):
        return batch_size
    sampler = loader.sampler
    mine = len(range(sampler.rank, len(cast(Sized, sampler.dataset)), sampler.num_replicas))
    return max(0, min(batch_size, mine - batch_index * (loader.batch_size or batch_size)))
