"""How long a training step and a prediction take."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class Timing(Callback):
    """Measure seconds per training step and per predicted sample.

    Times are taken with the device idle, so that queued work is counted where it belongs. The median over
    the steps of an epoch is logged as ``time/train_step`` in seconds: first steps (compilation, caches) do
    not spoil it. On test batches the whole rollout of the operator is timed and logged as
    ``time/inference_per_sample``, the best batch divided by its size.

    Failure mode: Waiting for the device costs a little of the overlap between host and device.
    """

    def __init__(self) -> None:
        self._started = 0.0
        self._steps: list[float] = []
        self._inference: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the steps of the epoch before."""
        self._steps = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock of a step."""
        self._started = _now(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the clock of a step, and log the median after the last one."""
        self._steps.append(_now(pl_module.device) - self._started)
        # Logged with the last batch and not at the end of the epoch, where files may be written already.
        if trainer.is_last_batch:
            pl_module.log(
                "time/train_step",
                statistics.median(self._steps),
                on_step=False,
                on_epoch=True,
                batch_size=1,
                sync_dist=True,
            )

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Time a prediction of the batch by itself, without the metrics."""
        started = _now(pl_module.device)
        with torch.no_grad():
            pl_module(batch.inputs)
        self._inference.append((_now(pl_module.device) - started) / batch.batch_size)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the time of a sample."""
        if self._inference:
            pl_module.log("time/inference_per_sample", min(self._inference), sync_dist=True)


def _now(device: torch.device) -> float:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()
