"""Loaders over datasets that give whole batches."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader

from pdeops.data.batch import Batch
from pdeops.data.dataset import FieldDataset
from pdeops.data.samplers import EpochSampler


def make_loader(
    dataset: FieldDataset,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    num_workers: int = 0,
    num_replicas: int = 1,
    rank: int = 0,
) -> DataLoader:
    """Build a loader.

    Args:
        dataset: The pairs.
        batch_size: Pairs a batch; the last batch may have fewer.
        shuffle_seed: Seed of the order, a new one each epoch (see `EpochSampler`); None keeps the order.
        num_workers: Processes that prepare batches. 0 is fastest for data in memory, where a batch takes a
            fraction of a millisecond; 1 to 4 hide the reading of data that stays in the file.
        num_replicas: Processes that share the pairs of a shuffled loader.
        rank: Number of this process among them.

    Returns:
        The loader, of `Batch`.
    """
    sampler = None
    if shuffle_seed is not None:
        sampler = EpochSampler(len(dataset), seed=shuffle_seed, num_replicas=num_replicas, rank=rank)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=num_workers,
        collate_fn=whole_batch,  # type: ignore[arg-type]  # PyTorch's types do not know __getitems__
        pin_memory=torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
        # A generator of its own: by default each epoch draws from PyTorch's global one, which would shift the
        # dropout of a resumed run.
        generator=torch.Generator(),
        # A fork would share the HDF5 library's state and PyTorch's threads with the parent.
        multiprocessing_context="spawn" if num_workers > 0 else None,
    )


def whole_batch(batch: Batch) -> Batch:
    """Return what the dataset gave: it is a batch already."""
    return batch
