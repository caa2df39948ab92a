"""``pdeops compare``: several models or runs on one problem, in one table of error against time."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pdeops.cli import assembly
from pdeops.cli.checks import check_data, check_numbers, check_optimisation
from pdeops.cli.errors import UserError, guard, job
from pdeops.cli.options import options
from pdeops.cli.result import TRIVIAL, print_table, shorten
from pdeops.cli.run_folder import (
    check_run_folder,
    check_writable,
    read_config,
    refuse_overwriting,
    removed_if_refused,
    value_of,
)
from pdeops.cli.suggestions import did_you_mean
from pdeops.cli.train import train
from pdeops.data import Recipe
from pdeops.data.recipe import sample_seeds

COLUMNS = ("method", "relative L2", "relative H1", "parameters", "ms a step", "s training", "ms a sample")
SOLVER_CALLS = 2


def compare(config: DictConfig, overrides: Sequence[str], folder: Path) -> list[dict[str, str]]:
    """Train the models, collect the runs, and make one row each.

    Args:
        config: The composed configuration ``compare``.
        overrides: The overrides of this command line; the models are trained with them.
        folder: Where new runs and the table go.

    Returns:
        Rows of the table, best error first; then trivial predictors and the classical solver.

    Raises:
        UserError: Nothing to compare, an unknown model, or runs of different problems.
    """
    models, runs = as_list(config.models), [Path(run) for run in as_list(config.runs)]
    if not models and not runs:
        valid = ", ".join(options("model"))
        raise UserError(f"nothing to compare: expected models=[...] or runs=[...]; valid models: {valid}")
    for model in models:
        if model not in options("model"):
            raise UserError(f"there is no model '{model}'; {did_you_mean(model, options('model'))}")
    for run in runs:
        check_run_folder(run)
        if not (run / "result.json").is_file():
            raise UserError(f"{run}: expected a finished run with result.json; continue it with resume={run}")
    shared = [word for word in overrides if word.partition("=")[0] not in ("models", "runs", "model")]
    configs = [model_config(model, shared, folder) for model in models]
    # All models are checked before the first one is trained.
    for setting in configs:
        check_numbers(setting)
        recipe = assembly.build_recipe(setting, assembly.build_problem(setting))
        check_data(setting, recipe)
        assembly.check_fit(
            setting, assembly.build_factory(setting), assembly.training_domain(setting, recipe)
        )
        check_optimisation(setting)
    named = [(name, train(model)) for name, model in zip(models, configs, strict=True)]
    named += [(run_name(run), json.loads((run / "result.json").read_text())) for run in runs]
    problems = {(result["problem"], tuple(result["resolution"])) for _, result in named}
    if len(problems) > 1:
        raise UserError(f"expected runs of one problem at one resolution, got {sorted(problems)}")
    rows = [row(name, result) for name, result in sorted(named, key=lambda pair: pair[1]["relative_l2"])]
    trivial = named[0][1]["trivial_relative_l2"]
    rows += [
        row(f"({name.replace('_', ' ')})", {"relative_l2": trivial[name]})
        for name in TRIVIAL
        if name in trivial
    ]
    reference = read_config(runs[0]) if runs else configs[0]
    if reference.data.path is None:
        rows.append(row("(reference solver)", {"seconds_per_sample": solver_seconds(reference)}))
    return rows


def as_list(value: str | Sequence[str] | None) -> list[str]:
    """One name, or several, as a list."""
    return [value] if isinstance(value, str) else list(value or ())


def model_config(model: str, overrides: Sequence[str], folder: Path) -> DictConfig:
    """Compose the configuration of one model."""
    config = compose("train", overrides=[*overrides, f"model={model}"])
    OmegaConf.update(config, "paths.run", str(folder / model))
    return config


def solver_seconds(config: DictConfig) -> float:
    """Seconds a sample that the reference solver takes for the frames that a model predicts.

    It gets as many samples at once as a model, a first call that is not counted, and the better of two.
    Frames that a model is given are not solved for.
    """
    problem = assembly.build_problem(config)
    recipe: Recipe = assembly.build_recipe(config, problem)
    size = config.data.batch_size
    inputs = problem.sample_inputs(recipe.solver_grid, sample_seeds(recipe.seed, range(size)))
    window = assembly.build_window(config)
    times = None
    if recipe.times is not None and window is not None:
        times = torch.tensor([0.0, recipe.times[window.output_frames * window.stride]], dtype=torch.float64)
    solver = assembly.build_solver(config)
    solver.solve(problem, inputs, recipe.solver_grid, times)
    seconds = []
    for _ in range(SOLVER_CALLS):
        started = time.perf_counter()
        solver.solve(problem, inputs, recipe.solver_grid, times)
        seconds.append(time.perf_counter() - started)
    return min(seconds) / size


def run_name(run: Path) -> str:
    """Name of a finished run: its model and its folder."""
    return f"{run.resolve().parent.name}/{run.resolve().name}"


def row(name: str, result: Mapping[str, Any]) -> dict[str, str]:
    """One row of the table; what is not known is left empty."""

    def shown(key: str, form: str, factor: float = 1) -> str:
        value = result.get(key)
        return "" if value is None else format(factor * value, form)

    numbers = (
        shown("relative_l2", ".4f"),
        shown("relative_h1", ".4f"),
        shown("num_parameters", ",d"),
        shown("seconds_per_step", ".2f", 1e3),
        shown("seconds_training", ".1f"),
        shown("seconds_per_sample", ".3f", 1e3),
    )
    return dict(zip(COLUMNS, (name, *numbers), strict=True))


def write_table(rows: Sequence[Mapping[str, str]], folder: Path) -> None:
    """Write ``comparison.md`` and ``comparison.csv``."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *([entry[name] for name in COLUMNS] for entry in rows)]
    (folder / "comparison.md").write_text("".join(f"| {' | '.join(line)} |\n" for line in lines))
    with (folder / "comparison.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="compare")
def task(config: DictConfig) -> None:
    """Run one job of Hydra."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with job("compare"):
        check_writable(folder)
        with removed_if_refused(folder):
            rows = compare(config, list(HydraConfig.get().overrides.task), folder)
    write_table(rows, folder)
    print_table(COLUMNS, [tuple(entry.values()) for entry in rows], numbers=True)
    print(shorten(folder))


def main() -> None:
    """Run the verb."""

    def run() -> None:
        refuse_overwriting(value_of("hydra.run.dir", sys.argv[1:]))
        task()

    guard(run, "compare")


if __name__ == "__main__":
    main()
