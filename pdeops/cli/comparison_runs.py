"""The runs of a comparison: planned and checked before any starts, then trained, continued or read."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf, open_dict

from pdeops.cli import assembly
from pdeops.cli.checks import check_data, check_numbers, check_optimisation
from pdeops.cli.comparison_budget import Pilot, passes_over_data, training_length
from pdeops.cli.errors import UserError, explain
from pdeops.cli.evaluate import evaluate
from pdeops.cli.instance import check_instance, is_instance
from pdeops.cli.result import write_whole
from pdeops.cli.run_folder import check_run_folder, read_config
from pdeops.cli.train import train

# Keys of a comparison that a run does not have.
OF_THE_COMPARISON = ("models", "runs", "seeds", "resolutions", "classical_samples", "budget")


@dataclass(frozen=True)
class PlannedRun:
    """One model with one seed.

    Args:
        model: Option of the group ``model``.
        seed: Seed of weights and batches.
        config: Configuration of the run; ``paths.run`` is its folder.
    """

    model: str
    seed: int
    config: DictConfig

    @property
    def folder(self) -> Path:
        """Where the run goes."""
        return Path(self.config.paths.run)

    @property
    def finished(self) -> bool:
        """Whether its result is there."""
        return (self.folder / "result.json").is_file()

    def result(self) -> dict[str, Any]:
        """Read what the finished run wrote."""
        return json.loads((self.folder / "result.json").read_text())


def plan(
    models: Sequence[str], seeds: Sequence[int], overrides: Sequence[str], folder: Path
) -> list[PlannedRun]:
    """Compose the configurations of all runs, seed by seed, so that a table soon has all models.

    Args:
        models: Options of the group ``model``.
        seeds: Seeds of weights and batches.
        overrides: Those of the comparison.
        folder: The comparison's; a run goes to ``<model>/seed_<k>`` in it.

    Returns:
        The runs.
    """
    shared = [word for word in overrides if word.partition("=")[0] not in ("models", "model", "seed")]
    planned = []
    for seed in seeds:
        for model in models:
            config = compose("compare", overrides=[*shared, f"model={model}", f"seed={seed}"])
            OmegaConf.update(config, "paths.run", str(folder / model / f"seed_{seed}"))
            with open_dict(config):
                for key in OF_THE_COMPARISON:
                    config.pop(key, None)
            planned.append(PlannedRun(model, seed, config))
    return planned


def check(runs: Sequence[PlannedRun]) -> None:
    """Raise a UserError when a model cannot work; nothing is trained or generated before all are checked."""
    for run in {run.model: run for run in runs}.values():
        check_numbers(run.config)
        assembly.check_device(run.config.trainer.accelerator, run.config.trainer.devices)
        if run.config.trainer.devices not in (1, "1", "auto"):
            raise UserError(
                f"trainer.devices: expected 1 for compare, got {run.config.trainer.devices}; try pdeops "
                "train for every run, and pdeops compare runs=[...]"
            )
        if is_instance(run.config):
            check_instance(run.config)
            continue
        recipe = assembly.build_recipe(run.config, assembly.build_problem(run.config))
        check_data(run.config, recipe)
        factory = assembly.build_factory(run.config)
        assembly.check_fit(
            run.config,
            factory,
            assembly.training_domain(run.config, recipe),
            assembly.training_outputs(run.config, recipe),
        )
        assembly.check_training(run.config, factory)
        check_optimisation(run.config)


def check_finished(folder: Path, reference: DictConfig) -> None:
    """Raise a UserError when a folder is no finished run, or one of other data than the comparison's."""
    check_run_folder(folder)
    if not (folder / "result.json").is_file():
        raise UserError(
            f"{folder}: expected a finished run with result.json; continue it with resume={folder}"
        )
    config = read_config(folder)
    for key in ("problem", "data.resolution", "data.seed", "data.num_test", "data.window", "data.path"):
        expected, got = (
            OmegaConf.to_container(OmegaConf.create({key: OmegaConf.select(source, key)}), resolve=True)
            for source in (reference, config)
        )
        if expected != got:
            raise UserError(
                f"{folder}: expected a run of the same problem on the same data, {key}={expected[key]}, "  # type: ignore[call-overload,index]
                f"got {got[key]}"  # type: ignore[call-overload,index]
            )


def set_length(run: PlannedRun, seconds: float | None, pilot: Pilot) -> None:
    """Give a run the number of steps that fit into the budget; None leaves its epochs as they are."""
    if seconds is not None:
        trainer = run.config.trainer
        epochs, batches = training_length(seconds, pilot, run.config.data.batch_size)
        trainer.max_epochs, trainer.limit_train_batches = epochs, batches


def finish(run: PlannedRun) -> dict[str, Any]:
    """Read a finished run, continue a half-trained one from its checkpoint, or train a missing one."""
    if run.finished:
        return run.result()
    if (run.folder / "checkpoints" / "last.ckpt").is_file():
        run.config.resume = str(run.folder)
    return train(run.config)


def evaluate_at(run: PlannedRun, resolution: Sequence[int]) -> float | str:
    """Relative L2 error of a finished run on test data of another resolution, or why there is none."""
    path = run.folder / f"evaluation_{'x'.join(map(str, resolution))}.json"
    if not path.is_file():
        device = "cpu" if run.config.trainer.accelerator == "cpu" else "auto"
        try:
            found = evaluate(run.folder, resolution, device, Path(run.config.paths.data))
        except UserError as reason:
            return str(reason)
        write_whole(path, json.dumps(found, indent=2) + "\n")
    return float(json.loads(path.read_text())["relative_l2"])


def epochs_of(run: PlannedRun, pilot: Pilot) -> float:
    """How often the run saw a training pair."""
    return passes_over_data(
        run.result()["num_epochs"],
        run.config.trainer.limit_train_batches,
        pilot.num_pairs,
        run.config.data.batch_size,
    )


def describe_failure(error: Exception, folder: Path) -> str:
    """Say in one line what went wrong, and keep the traceback in ``failure.txt``.

    Args:
        error: What a run raised.
        folder: Its folder.

    Returns:
        The line.
    """
    write_whole(folder / "failure.txt", "".join(traceback.format_exception(error)))
    words = explain(error, "compare") or f"{type(error).__name__}: {error}"
    line = words.splitlines()[0] if words else type(error).__name__
    print(f"failed: {line}; the traceback is in {folder / 'failure.txt'}", file=sys.stderr, flush=True)
    return line
