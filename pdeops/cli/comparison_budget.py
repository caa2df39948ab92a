"""The same budget for every model: what a step costs is measured first, and sets the length of training."""

from __future__ import annotations

import json
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from omegaconf import DictConfig, OmegaConf

from pdeops.cli import assembly
from pdeops.cli.errors import UserError
from pdeops.cli.result import write_whole
from pdeops.cli.train import quiet_advice
from pdeops.training import Timing
from pdeops.training.memory import PeakMemory

PILOT_STEPS = 30
# So often, at least, is the error on the validation split looked at within a budget of seconds.
MIN_EPOCHS = 20


@dataclass(frozen=True)
class Pilot:
    """What a few training steps of a model told.

    Args:
        seconds_per_step: Median time of a step: forward, loss, backward and optimiser.
        memory_megabytes: Peak memory of the steps, see `PeakMemory`.
        num_pairs: Training pairs of the data.
    """

    seconds_per_step: float
    memory_megabytes: float
    num_pairs: int


def read_or_measure(config: DictConfig, folder: Path) -> Pilot:
    """Read what was measured before, or measure a model in a process of its own.

    Args:
        config: Configuration of a run of the model; its data is there.
        folder: Where ``pilot.json`` is kept: a comparison that is continued keeps its lengths.

    Returns:
        The numbers.

    Raises:
        UserError: The process died.
        Exception: What training raises.
    """
    path = folder / "pilot.json"
    if not path.is_file():
        settings = OmegaConf.to_container(config, resolve=True)
        try:
            # Memory is that of a process, so each model gets one that has done nothing else.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                pilot = pool.submit(measure, settings, torch.get_num_threads()).result()
        except BrokenProcessPool as error:
            raise UserError(
                "the process that measured a training step died; did memory run out? try a smaller "
                "data.batch_size"
            ) from error
        write_whole(path, json.dumps(asdict(pilot), indent=2) + "\n")
    return Pilot(**json.loads(path.read_text()))


def measure(settings: Any, num_threads: int) -> Pilot:
    """Make a few training steps; in a new process.

    Args:
        settings: Plain containers of a run's configuration.
        num_threads: Threads to compute on.

    Returns:
        What they took.
    """
    torch.set_num_threads(num_threads)
    config = OmegaConf.create(settings)
    trainer_settings = {"max_epochs": 1, "limit_train_batches": PILOT_STEPS, "limit_val_batches": 0}
    config.trainer = {**config.trainer, **trainer_settings, "enable_progress_bar": False}
    config.callbacks = {"timing": {"_target_": "pdeops.training.Timing"}}
    config.logger = {}
    # A schedule costs nothing, and may not like so few steps.
    config.scheduler = {"interval": "epoch", "factory": None}
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    data = assembly.build_data(config, recipe)
    data.setup("fit")
    with quiet_advice():
        trainer = assembly.build_trainer(config, Path(config.paths.run))
        peak = PeakMemory(trainer.strategy.root_device)
        operator = assembly.build_operator(config, assembly.build_factory(config), data)
        trainer.fit(assembly.build_module(config, operator, data), datamodule=data)
    timing = Timing.of(trainer)
    if timing is None or timing.seconds_per_step is None:
        raise RuntimeError("pilot: expected training steps to measure, got none; try more training data")
    return Pilot(timing.seconds_per_step, peak.megabytes, len(data.dataset("train")))


def training_length(seconds: float, pilot: Pilot, batch_size: int) -> tuple[int, int]:
    """Epochs of one length that take about a given time, so that schedules end when the training does.

    Args:
        seconds: Time for all steps.
        pilot: What a step takes.
        batch_size: Pairs a step.

    Returns:
        Number of epochs and number of batches an epoch; short epochs where few passes over the data fit, so
        that validation still picks the best of several.
    """
    whole = math.ceil(pilot.num_pairs / batch_size)
    num_steps = max(MIN_EPOCHS, round(seconds / pilot.seconds_per_step))
    num_epochs = max(MIN_EPOCHS, round(num_steps / whole))
    return num_epochs, max(1, min(whole, round(num_steps / num_epochs)))


def passes_over_data(num_epochs: int, limit: int | float, num_pairs: int, batch_size: int) -> float:
    """Epochs in the usual sense: how often a training pair was seen.

    Args:
        num_epochs: Epochs of the trainer.
        limit: ``trainer.limit_train_batches``: batches an epoch, or their share.
        num_pairs: Training pairs.
        batch_size: Pairs a step.
    """
    whole = math.ceil(num_pairs / batch_size)
    share = min(limit, whole) / whole if isinstance(limit, int) else limit
    return num_epochs * share
