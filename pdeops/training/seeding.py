"""The same random numbers in an epoch, whether or not the run was interrupted before it."""

from __future__ import annotations

import os
from typing import Any

from lightning import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback


class EpochSeed(Callback):
    """Seed every epoch from the seed of the run and the number of the epoch.

    Shuffling and dropout then depend on the epoch only, and a resumed run draws what the uninterrupted one
    would have drawn. Storing the generators' states instead would also restore what validation and other
    callbacks consumed, which differs between an interrupted run and a whole one.

    Args:
        seed: Seed of the run. Processes of a distributed run share it and differ by their rank.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._resumed_epoch: int | None = None

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember the epoch to go on with."""
        self._resumed_epoch = int(checkpoint["epoch"]) + 1

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed before the loaders of a resumed run start to fetch, which is before its first epoch starts."""
        if self._resumed_epoch is not None:
            self._seed(trainer, self._resumed_epoch)
            self._resumed_epoch = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch, for loaders that shuffle by the global generator."""
        self._seed(trainer, trainer.current_epoch)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed again for the model: a loader with processes draws a number whenever it starts."""
        if batch_idx == 0:
            self._seed(trainer, trainer.current_epoch)

    def _seed(self, trainer: Trainer, epoch: int) -> None:
        # Distinct for every (epoch, rank) of a run, by a stride far above any number of processes.
        seed = (self.seed + 1_000_003 * epoch + 7919 * trainer.global_rank) % 2**32
        # Lightning keeps the seed of the run in the environment, for samplers that processes must agree on.
        of_run = os.environ.get("PL_GLOBAL_SEED")
        seed_everything(seed, workers=True, verbose=False)
        if of_run is None:
            del os.environ["PL_GLOBAL_SEED"]
        else:
            os.environ["PL_GLOBAL_SEED"] = of_run
