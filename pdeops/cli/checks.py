"""What is wrong with the values of a configuration, found before any data is made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from pdeops.cli.assembly import build_window
from pdeops.cli.errors import UserError, section
from pdeops.data import Recipe, Store
from pdeops.data.schema import StoreError
from pdeops.training.optimisation import scheduler_config

LARGEST_SEED = 2**32 - 1
TRIAL_STEPS = 1000
# Lightning takes -1 for "no limit".
ENDLESS = ("trainer.max_epochs", "trainer.max_steps")
WHOLE = {
    "seed": 0,
    "num_pictures": 0,
    "trainer.max_epochs": 1,
    "trainer.max_steps": 1,
    "data.num_train": 1,
    "data.num_validation": 0,
    "data.num_test": 1,
    "data.num_frames": 2,
    "data.seed": 0,
    "data.batch_size": 1,
    "data.num_queries": 1,
    "data.num_workers": 0,
    "data.solver_batch_size": 1,
    "data.solver_refinement": 0,
    "data.generation_workers": 0,
    "data.window.input_frames": 0,
    "data.window.output_frames": 1,
    "data.window.stride": 1,
    "data.window.frames_per_call": 0,
    "data.window.first_frame": 0,
}
REAL = ("optimizer.lr", "optimizer.weight_decay", "data.final_time", "data.memory_limit")
SPLIT_SIZES = ("data.num_train", "data.num_test")


def check_numbers(config: DictConfig, minima: Mapping[str, int] = WHOLE) -> None:
    """Raise a UserError that names the first key whose value is no number, or out of range.

    Args:
        config: The composed configuration; keys that it does not have are passed over, and so is null.
        minima: Smallest whole number a key may have.
    """
    own_file = OmegaConf.select(config, "data.path") is not None
    for key, smallest in minima.items():
        value = OmegaConf.select(config, key)
        minimum = 0 if own_file and key in SPLIT_SIZES else smallest
        if value is None or (key in ENDLESS and value == -1 and type(value) is int):
            continue
        if type(value) is not int:
            raise UserError(f"{key}: expected a whole number, got {value}")
        if value < minimum:
            raise UserError(f"{key}: expected at least {minimum}, got {value}")
    for key in REAL:
        value = OmegaConf.select(config, key)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0
        ):
            raise UserError(f"{key}: expected a number of at least 0, got {value}")
    seed = OmegaConf.select(config, "seed")
    if seed is not None and seed > LARGEST_SEED:
        raise UserError(f"seed: expected 0 to {LARGEST_SEED}, got {seed}")


def check_optimisation(config: DictConfig) -> None:
    """Raise a UserError when optimizer or scheduler do not take their options, tried on one parameter."""
    with section("optimizer"):
        optimizer = instantiate(config.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    with section("scheduler"):
        factory = instantiate(config.scheduler.factory)
        if factory is not None:
            scheduler_config(factory, optimizer, config.scheduler.interval, length=TRIAL_STEPS)


def check_data(config: DictConfig, recipe: Recipe) -> None:
    """Raise a UserError when the window does not fit the times, or an own file cannot be trained on."""
    window = build_window(config)
    times: Any = recipe.times
    num_validation = config.data.num_validation
    if config.data.path is not None:
        with open_own(Path(config.data.path)) as store:
            for split in ("train", "test"):
                if not len(store.split(split)):
                    raise UserError(
                        f"data.path={config.data.path}: expected at least 1 {split} sample, got none; "
                        "see split of pdeops.data.import_arrays"
                    )
            times = store.layouts["outputs"].times
            num_validation = len(store.split("validation"))
    if window is not None and times is not None:
        with section("data.window"):
            window.require_fit(tuple(float(time) for time in times))
    if not num_validation:
        print(
            "warning: there are no validation samples, so the last weights are reported, not the best",
            file=sys.stderr,
        )


def open_own(path: Path) -> Store:
    """Open the user's own data set.

    Raises:
        UserError: It is missing or something else than a data set of this library.
    """
    advice = "pdeops.data.import_arrays makes one from arrays"
    if path.is_dir():
        raise UserError(f"data.path={path}: expected an HDF5 file, got a folder; {advice}")
    if path.suffix in (".npz", ".npy", ".mat"):
        raise UserError(
            f"data.path={path}: expected an HDF5 data set, got arrays; read them with "
            "pdeops.data.read_arrays and make a data set with pdeops.data.import_arrays"
        )
    if path.is_file() and not h5py.is_hdf5(path):
        raise UserError(f"data.path={path}: expected an HDF5 data set, got another kind of file; {advice}")
    try:
        return Store.open(path)
    except StoreError as error:
        # The file is the user's: the store's advice to delete it and generate it again is for our own files.
        raise UserError(f"data.path={str(error).partition('; the file is ')[0]}; {advice}") from error
