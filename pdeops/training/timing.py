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
    not spoil it. That of the last epoch, and the wall time of all epochs with their validation, are kept in
    checkpoints: a run that was continued knows what it took in all. On test batches the whole rollout of the
    operator is timed and logged as ``time/inference_per_sample``, the best batch divided by its size.

    Attributes:
        seconds_per_step: Median over the steps of the last epoch; None before the first one.
        seconds_training: Wall time of the finished epochs.

    Failure mode: Waiting for the device costs a little of the overlap between host and device.
    """

    def __init__(self) -> None:
        self.seconds_per_step: float | None = None
        self.seconds_training = 0.0
        self._epoch_started = 0.0
        self._started = 0.0
        self._steps: list[float] = []
        self._inference: list[float] = []

    @classmethod
    def of(cls, trainer: Trainer) -> Timing | None:
        """The one among the callbacks of a trainer, or None."""
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # declared nowhere
        return next((item for item in callbacks if isinstance(item, cls)), None)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the epoch, and forget the steps of the one before."""
        self._epoch_started = _now(pl_module.device)
        self._steps = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of the epoch."""
        self.seconds_training += _now(pl_module.device) - self._epoch_started
        if self._steps:
            self.seconds_per_step = statistics.median(self._steps)

    def state_dict(self) -> dict[str, Any]:
        """Return what was measured in the epochs so far."""
        return {"seconds_training": self.seconds_training, "seconds_per_step": self.seconds_per_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what was measured before the run was interrupted."""
        self.seconds_training = float(state_dict["seconds_training"])
        self.seconds_per_step = state_dict["seconds_per_step"]

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
