"""Checkpoints of a run: the best by validation and the last, each always whole."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

BEST = "best.ckpt"
LAST = "last.ckpt"


class RunCheckpoints(Checkpoint):
    """Write ``last.ckpt`` after every epoch and ``best.ckpt`` whenever validation improves.

    Lightning's ``ModelCheckpoint`` writes its last checkpoint only in epochs that improve, and remembers
    absolute paths, so that a run folder that moved loses its best score. Here the last checkpoint is that
    of the last finished epoch, and the folder may move.

    Each file is written under another name, synced to disk and moved into place: a process killed at any
    moment leaves the file of the epoch before. Files hold plain containers and load with
    ``torch.load(weights_only=True)``.

    Args:
        folder: Where the checkpoints go, ``<run folder>/checkpoints``.
        monitor: The logged number to judge by; smaller is better.

    Failure mode: Without validation there is no best checkpoint, only the last one.
    """

    def __init__(self, folder: str | Path, *, monitor: str = "validation/relative_l2") -> None:
        super().__init__()
        self.folder = Path(folder)
        self.monitor = monitor
        self.best_score = math.inf
        self.best_epoch = -1

    @property
    def best_model_path(self) -> str:
        """Path of the best checkpoint, or empty; ``trainer.test(ckpt_path="best")`` reads it."""
        return self._existing(BEST)

    @property
    def last_model_path(self) -> str:
        """Path of the last checkpoint, empty when there is none."""
        return self._existing(LAST)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoints of a finished epoch."""
        score = trainer.callback_metrics.get(self.monitor)
        # Validation may run in some epochs only; an old score must not be judged again.
        if score is not None and _validated(trainer) and float(score) < self.best_score:
            self.best_score = float(score)
            self.best_epoch = trainer.current_epoch
            self._write(trainer, BEST)
        self._write(trainer, LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score so far."""
        return {"best_score": self.best_score, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score so far."""
        self.best_score = float(state_dict["best_score"])
        self.best_epoch = int(state_dict["best_epoch"])

    def _write(self, trainer: Trainer, name: str) -> None:
        path = self.folder / name
        partial = self.folder / f".{name}.partial"
        if trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        trainer.strategy.barrier("checkpoint moved into place")

    def _existing(self, name: str) -> str:
        path = self.folder / name
        return str(path) if path.is_file() else ""


def find_checkpoint(run_folder: str | Path, name: str = LAST) -> Path:
    """Find a checkpoint of a run to go on from.

    Args:
        run_folder: The run folder.
        name: ``"last.ckpt"`` or ``"best.ckpt"``.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: There is none; the message lists what is there.
    """
    folder = Path(run_folder) / "checkpoints"
    path = folder / name
    if not path.is_file():
        found = sorted(file.name for file in folder.glob("*.ckpt")) if folder.is_dir() else []
        raise FileNotFoundError(
            f"checkpoint: expected {path}, got {found or 'no checkpoint in this run folder'}; "
            "try the folder that the training printed (a fit to one instance leaves none, but posterior.h5)"
        )
    return path


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of plain containers; nothing in it is ever unpickled.

    Args:
        path: The file.

    Returns:
        Its contents, tensors on the CPU.

    Raises:
        ValueError: The file is damaged or not a checkpoint of plain containers.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        # torch raises many types here (RuntimeError, EOFError, UnpicklingError, ...), all of one meaning.
        raise ValueError(
            f"checkpoint {path}: expected a whole checkpoint of plain containers, got a file that does not "
            f"read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error


def _validated(trainer: Trainer) -> bool:
    """Whether validation ran in this epoch."""
    every = trainer.check_val_every_n_epoch or 1
    return (trainer.current_epoch + 1) % every == 0
