"""Several processes that train as one: which samples are genuine, and how the processes part."""

from __future__ import annotations

import atexit
from collections.abc import Sized
from typing import cast

import torch
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


def leave_group_at_exit() -> None:
    """Destroy the process group before the interpreter ends; calling this again changes nothing."""
    # Threads of Gloo that still hold tensors while Python finalises abort the process ("terminate called
    # without an active exception") after a training that went well. Lightning does this for NCCL only.
    atexit.unregister(_destroy_group)
    atexit.register(_destroy_group)


def _destroy_group() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
