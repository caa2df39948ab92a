"""The learning curve of a run as a file, one row an epoch."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

Row = dict[str, float]


class MetricsFile(Callback):
    """Write ``metrics.csv``, a row an epoch: epoch, step, learning rate after it and all logged numbers.

    Lightning's ``CSVLogger`` deletes the file when a run is resumed. Here a resumed run keeps the rows of
    the epochs before it, and rows of epochs that were finished after the last checkpoint are replaced.

    Args:
        path: The file, ``<run folder>/metrics.csv``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._rows: list[Row] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the rows of the epochs that are already trained."""
        first = trainer.current_epoch
        resumed = first > 0 and self.path.is_file()
        self._rows = [row for row in read_metrics(self.path) if row["epoch"] < first] if resumed else []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the row of an epoch."""
        row: Row = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        logged = trainer.callback_metrics
        # A number logged by step and by epoch comes three times; the one under the bare name is the epoch's.
        row |= {
            name: float(value)
            for name, value in sorted(logged.items())
            if name.removesuffix("_step").removesuffix("_epoch") not in logged.keys() - {name}
        }
        self._rows.append(row)
        if trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(self._rows)
        partial.replace(self.path)


def read_metrics(path: str | Path) -> list[Row]:
    """Read a learning curve.

    Args:
        path: A ``metrics.csv``.

    Returns:
        One mapping an epoch, from name to number; numbers that an epoch does not have are left out.

    Raises:
        ValueError: The file has no ``epoch`` column or holds something that is no number.
    """
    with Path(path).open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    try:
        numbers = [{name: _number(value) for name, value in row.items() if value} for row in rows]
    except (TypeError, ValueError) as error:
        raise ValueError(f"metrics file {path}: expected numbers in every column, got: {error}") from error
    if any("epoch" not in row for row in numbers):
        raise ValueError(f"metrics file {path}: expected a column 'epoch' in every row, got {list(rows[0])}")
    return numbers


def _number(text: str) -> float:
    """Whole numbers stay whole, so that a resumed run writes its rows as they were."""
    return int(text) if text.isdecimal() else float(text)
