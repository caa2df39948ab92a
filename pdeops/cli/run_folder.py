"""Run folders: never overwritten, continued only on request, shared by all processes of one run."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pdeops.cli.errors import UserError
from pdeops.cli.trusted_targets import check_targets

RUN_FOLDER = "PDEOPS_RUN_DIR"
"""Environment variable that fixes the run folder; child processes of distributed training inherit it."""

MINIMUM_FREE_BYTES = 64 * 2**20


def is_child_process() -> bool:
    """Whether this process was started by another process of the same distributed run."""
    return int(os.environ.get("LOCAL_RANK", "0")) > 0 or int(os.environ.get("NODE_RANK", "0")) > 0


def prepare_arguments(arguments: Sequence[str]) -> list[str]:
    """Make ``resume=RUN`` replay the overrides of that run, and refuse to overwrite an existing folder.

    Args:
        arguments: The command line without the program.

    Returns:
        The command line that Hydra is to see.

    Raises:
        UserError: The folder to resume is no run folder, or the folder to write has a run in it.
    """
    if is_child_process():
        return list(arguments)
    folder = value_of("resume", arguments)
    if folder is None or folder == "null":
        for key in ("hydra.run.dir", "hydra.sweep.dir"):
            refuse_overwriting(value_of(key, arguments))
        refuse_overwriting(os.environ.get(RUN_FOLDER))
        return list(arguments)
    run = Path(folder)
    check_run_folder(run)
    if not (run / "checkpoints" / "last.ckpt").is_file():
        raise UserError(
            f"resume={run}: expected a checkpoint checkpoints/last.ckpt, got none; start the run again"
        )
    recorded = run / ".hydra" / "overrides.yaml"
    if not recorded.is_file():
        raise UserError(
            f"resume={run}: expected {recorded.name} in its folder .hydra, got none; was it copied?"
        )
    before = [str(word) for word in OmegaConf.load(recorded)]
    return [
        *(word for word in before if not word.startswith("resume=")),
        *arguments,
        f"hydra.run.dir='{run}'",
        # Hydra would write these overrides before they are checked, and a refused one would stay.
        "hydra.output_subdir=null",
    ]


def value_of(key: str, arguments: Sequence[str]) -> str | None:
    """The last value given to a key on a command line."""
    values = [word.partition("=")[2].strip("'\"") for word in arguments if word.partition("=")[0] == key]
    return values[-1] if values else None


def refuse_overwriting(folder: str | None) -> None:
    """Raise a UserError when the folder already holds anything."""
    if folder and Path(folder).is_dir() and any(Path(folder).iterdir()):
        raise UserError(
            f"the folder {folder} is not empty and runs are never overwritten; expected a new folder, or "
            f"resume={folder} to continue the run in it"
        )


def check_new(run: Path, resume: str | None) -> None:
    """Raise a UserError when the folder holds a run that is not to be resumed."""
    if resume is None and ((run / "checkpoints").exists() or (run / "result.json").exists()):
        raise UserError(
            f"the folder {run} holds a run and runs are never overwritten; "
            f"expected a new folder, or resume={run} to continue"
        )


def check_run_folder(run: Path) -> None:
    """Raise a UserError when `run` is not the folder of a training run."""
    if not run.is_dir():
        raise UserError(
            f"there is no run folder {run}; expected one made by 'pdeops train'{nearby_runs(run)}"
        )
    if not (run / "config.yaml").is_file():
        raise UserError(f"{run} is no run folder: expected config.yaml in it{nearby_runs(run)}")


def check_surrogate(run: Path) -> None:
    """Raise a UserError when `run` is no training run, or one that left no weights to predict with."""
    check_run_folder(run)
    if (run / "posterior.h5").is_file():
        raise UserError(
            f"{run}: expected a run of an operator, got a fit of one instance, which predicts no other; its "
            "mean and deviation are in posterior.h5; try pdeops train with other data.resolution or data.seed"
        )


def read_config(run: Path) -> DictConfig:
    """Read the resolved configuration of a run.

    Raises:
        UserError: The file holds something else.
    """
    config = OmegaConf.load(run / "config.yaml")
    if not isinstance(config, DictConfig):
        raise UserError(
            f"{run / 'config.yaml'}: expected a mapping, got something else; was the file edited?"
        )
    check_targets(config, run)
    return config


def write_config(config: DictConfig, run: Path) -> None:
    """Write the configuration with all interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    partial = run / ".config.yaml.partial"
    partial.write_text(OmegaConf.to_yaml(OmegaConf.create(plain)))
    partial.replace(run / "config.yaml")


def nearby_runs(run: Path) -> str:
    """Run folders below the nearest existing parent, as a hint."""
    parent = next((place for place in (run, *run.parents) if place.is_dir()), Path())
    found = sorted(parent.glob("*/config.yaml")) + sorted(parent.glob("*/*/*/config.yaml"))
    return f"; try {', '.join(str(path.parent) for path in found[-3:])}" if found else ""


@contextmanager
def shared_folder() -> Iterator[Path]:
    """The run folder that Hydra made, or that the parent process passed on; child processes get it, too."""
    passed = os.environ.get(RUN_FOLDER)
    run = Path(passed if passed else HydraConfig.get().runtime.output_dir)
    os.environ[RUN_FOLDER] = str(run)
    try:
        yield run
    finally:
        # A sweep runs several jobs in one process, each in its own folder.
        if passed is None:
            del os.environ[RUN_FOLDER]


@contextmanager
def removed_if_refused(run: Path) -> Iterator[None]:
    """Remove the new folder of a command that fails before it writes anything of its own into it."""
    try:
        yield
    except Exception:
        entries = list(run.iterdir()) if run.is_dir() else []
        logs = [entry for entry in entries if entry.suffix == ".log" and not entry.stat().st_size]
        # The configuration is written when training starts.
        if {entry.name for entry in entries} - {entry.name for entry in logs} == {".hydra"}:
            shutil.rmtree(run)
        raise


def check_writable(folder: Path) -> None:
    """Raise a UserError when the folder cannot be written or its disk is full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}; try paths.runs=FOLDER or paths.data=FOLDER"
        ) from error
    free = shutil.disk_usage(folder).free
    if free < MINIMUM_FREE_BYTES:
        raise UserError(
            f"the disk of {folder} is full: expected {MINIMUM_FREE_BYTES >> 20} MiB free, "
            f"got {free >> 20} MiB; try paths.runs=FOLDER or paths.data=FOLDER elsewhere"
        )


def program_arguments() -> None:
    """Rewrite ``sys.argv`` by `prepare_arguments`; child processes inherit what is written here."""
    sys.argv = [sys.argv[0], *prepare_arguments(sys.argv[1:])]
