"""``pdeops compare``: several models at one budget with several seeds, in one table of error against time."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pdeops.cli import assembly, comparison_budget, equal_error
from pdeops.cli.comparison_budget import Pilot
from pdeops.cli.comparison_runs import (
    PlannedRun,
    check,
    check_finished,
    describe_failure,
    epochs_of,
    evaluate_at,
    finish,
    plan,
    set_length,
)
from pdeops.cli.comparison_table import (
    Row,
    classical_table,
    in_order,
    model_row,
    table,
    trivial_rows,
    write_table,
)
from pdeops.cli.equal_error import ClassicalCurve
from pdeops.cli.errors import UserError, guard, job
from pdeops.cli.instance import is_instance
from pdeops.cli.instance_curve import measure_instance
from pdeops.cli.instance_result import is_instance_result
from pdeops.cli.result import print_table, shorten
from pdeops.cli.run_folder import (
    check_run_folder,
    check_writable,
    read_config,
    refuse_overwriting,
    removed_if_refused,
    value_of,
)
from pdeops.cli.suggestions import did_you_mean
from pdeops.export import TimedError, draw_error_and_time

FAILED = 1
OF_ONE_INSTANCE = (
    "its error is that of one instance over all frames, the classical solves are of the test data"
)


@dataclass
class Comparison:
    """What is known so far, and how it becomes a table.

    Args:
        folder: Where the table goes.
        runs: Runs of this comparison.
        others: Runs that were trained before, by their names.
        resolutions: Other numbers of points to evaluate on.
        curve: The classical solver.
        pilots: Measured steps by model.
        failures: Words by model and seed.
    """

    folder: Path
    runs: Sequence[PlannedRun]
    others: Mapping[str, dict[str, Any]]
    resolutions: Sequence[Sequence[int]]
    curve: ClassicalCurve
    pilots: dict[str, Pilot] = field(default_factory=dict)
    failures: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def places(self) -> list[str]:
        """Names of the other resolutions."""
        return ["x".join(map(str, resolution)) for resolution in self.resolutions]

    def rows(self) -> list[Row]:
        """Lines of what has finished or failed, best error first, and of the trivial predictors."""
        rows, results = [], list(self.others.values())
        finished = [run.result() for run in self.runs if run.finished]
        kinds = {is_instance_result(result) for result in results + finished}

        def curve_of(found: Sequence[Mapping[str, Any]]) -> ClassicalCurve:
            mixed = len(kinds) > 1 and bool(found) and is_instance_result(found[0])
            return ClassicalCurve(missing=OF_ONE_INSTANCE) if mixed else self.curve

        for model in dict.fromkeys(run.model for run in self.runs):
            done = [run for run in self.runs if run.model == model and run.finished]
            found = [run.result() for run in done]
            results += found
            failures = self.failures.get(model, {})
            if not found and not failures:
                continue
            pilot = self.pilots.get(model)
            known = {} if pilot is None else {"memory_megabytes": pilot.memory_megabytes}
            if pilot is not None and done:
                known["epochs"] = epochs_of(done[0], pilot)
            evaluations = {
                place: [evaluate_at(run, resolution) for run in done]
                for place, resolution in zip(self.places, self.resolutions, strict=True)
            }
            rows.append(
                model_row(
                    model,
                    found,
                    failures=failures,
                    known=known,
                    evaluations=evaluations,
                    curve=curve_of(found),
                    tells_data=True in kinds,
                )
            )
        for name, result in self.others.items():
            known = {"epochs": float(result["num_epochs"])} if "num_epochs" in result else {}
            rows.append(
                model_row(
                    name,
                    [result],
                    failures={},
                    known=known,
                    evaluations={},
                    curve=curve_of([result]),
                    tells_data=True in kinds,
                )
            )
        # Those of the data of many instances say more than that of one.
        trivial = sorted((result["trivial_relative_l2"] for result in results), key=len)
        return in_order(rows) + (trivial_rows(trivial[-1]) if trivial else [])

    def write(self) -> list[Row]:
        """Write the table of what is there."""
        rows = self.rows()
        write_table(rows, self.places, self.curve, self.folder)
        return rows

    def draw(self, rows: Sequence[Row]) -> None:
        """Draw the models that have an error and times."""
        wanted = ("relative_l2", "seconds_per_sample", "seconds_training")
        models = [
            TimedError(
                row.name,
                row.numbers["relative_l2"],
                row.numbers.get("relative_l2_deviation", 0.0),
                row.numbers["seconds_per_sample"],
                row.numbers["seconds_training"],
            )
            for row in rows
            if all(key in row.numbers for key in wanted)
        ]
        if models:
            trivial = min((row.error for row in rows if row.kind == "trivial"), default=None)
            classical = [(solve.seconds_per_sample, solve.relative_l2) for solve in self.curve.front]
            draw_error_and_time(models, classical, trivial, self.folder / "comparison.png")


def compare(config: DictConfig, overrides: Sequence[str], folder: Path) -> tuple[Comparison, list[Row]]:
    """Train what is missing, and write the table after every run.

    Args:
        config: The composed configuration ``compare``.
        overrides: The overrides of this command line; the models are trained with them.
        folder: Where runs, table and picture go.

    Returns:
        The comparison, and the rows of its table.

    Raises:
        UserError: Nothing to compare, an unknown model, a model that does not fit, or runs of other data.
    """
    models, others = as_list(config.models), [Path(run) for run in as_list(config.runs)]
    check_request(config, models, others)
    for run in others:
        check_run_folder(run)
    runs = plan(models, config.seeds, overrides, folder)
    check(runs)
    configs = [*(run.config for run in runs), *(read_config(run) for run in others)]
    reference = next((known for known in configs if not is_instance(known)), configs[0])
    for run in others:
        check_finished(run, reference)
    resolutions = check_resolutions(config, reference)

    # One file, but for models that are trained on equations: theirs holds the held-out samples alone.
    for needed in (reference, *{run.model: run.config for run in runs}.values()):
        if is_instance(needed):
            continue
        recipe = assembly.build_recipe(needed, assembly.build_problem(needed))
        assembly.generate_data(assembly.build_data(needed, recipe))
    measurement = measure_instance if is_instance(reference) else None
    curve = equal_error.read_or_measure(reference, config.classical_samples, folder, measurement)
    found = {run_name(run): json.loads((run / "result.json").read_text()) for run in others}
    comparison = Comparison(folder, runs, found, resolutions, curve)
    for number, planned in enumerate(runs, start=1):
        print(f"model {planned.model}, seed {planned.seed} ({number} of {len(runs)})", flush=True)
        try:
            # A fit of one instance has no steps to measure, and ends by itself.
            if not is_instance(planned.config):
                pilot = comparison_budget.read_or_measure(planned.config, folder / planned.model)
                comparison.pilots[planned.model] = pilot
                set_length(planned, config.budget.seconds, pilot)
            finish(planned)
            for resolution in resolutions:
                evaluate_at(planned, resolution)
        except Exception as error:  # one model must not lose the others
            comparison.failures[planned.model][planned.seed] = describe_failure(error, planned.folder)
        comparison.write()
    rows = comparison.write()
    comparison.draw(rows)
    return comparison, rows


def as_list(value: str | Sequence[str] | None) -> list[str]:
    """One name, or several, as a list."""
    return [value] if isinstance(value, str) else list(value or ())


def check_request(config: DictConfig, models: Sequence[str], others: Sequence[Path]) -> None:
    """Raise a UserError when the keys of the comparison itself do not make sense."""
    # Those of --config-dir, too.
    valid = GlobalHydra.instance().config_loader().get_group_options("model")
    if not models and not others:
        raise UserError(
            f"nothing to compare: expected model=[...] (in files models=[...]) or runs=[...]; "
            f"valid models: {', '.join(valid)}"
        )
    for model in models:
        if model not in valid:
            raise UserError(f"there is no model '{model}'; {did_you_mean(model, valid)}")
    seeds = config.seeds
    if not OmegaConf.is_list(seeds) or not seeds or any(type(seed) is not int or seed < 0 for seed in seeds):
        raise UserError(
            f"seeds: expected a list of whole numbers of at least 0, got {seeds}; try seeds=[0,1,2]"
        )
    for name, values in (("models", models), ("seeds", seeds)):
        if len(set(values)) < len(values):
            raise UserError(f"{name}: expected each one once, got {list(values)}")
    seconds = config.budget.seconds
    if seconds is not None and (type(seconds) not in (int, float) or not seconds > 0):
        raise UserError(f"budget.seconds: expected a number above 0, got {seconds}; try budget.seconds=90")
    if type(config.classical_samples) is not int or config.classical_samples < 0:
        raise UserError(
            f"classical_samples: expected a whole number of at least 0, got {config.classical_samples}"
        )
    words = HydraConfig.get().overrides.task
    if "budget=seconds" in words and seconds is None:
        raise UserError("budget=seconds: expected budget.seconds, got null; try budget.seconds=90")
    if "budget=epochs" in words and seconds is not None:
        raise UserError(
            f"budget=epochs: expected no seconds, got budget.seconds={seconds} from the experiment; "
            "try budget.seconds=null"
        )


def check_resolutions(config: DictConfig, reference: DictConfig) -> list[list[int]]:
    """Other resolutions, each with a number of points an axis.

    Raises:
        UserError: One does not suit the problem.
    """
    problem = assembly.build_problem(reference)
    found = []
    for entry in config.resolutions:
        resolution = [entry] * problem.dimension if isinstance(entry, int) else list(entry)
        with assembly.section("resolutions"):
            assembly.build_domain(problem, resolution)
        found.append(resolution)
    return found


def run_name(run: Path) -> str:
    """Name of a finished run: its model and its folder."""
    return f"{run.resolve().parent.name}/{run.resolve().name}"


def prepare_arguments(arguments: Sequence[str]) -> list[str]:
    """Make ``model=[a,b]`` the list of models, and ``resume=FOLDER`` the command line of that comparison.

    Args:
        arguments: The command line without the program.

    Returns:
        The command line that Hydra is to see.

    Raises:
        UserError: The folder to resume holds no comparison, or one to write to is not empty.
    """
    words = [
        f"models={word.removeprefix('model=')}" if word.startswith("model=") else word for word in arguments
    ]
    models = value_of("models", words)
    if models is not None:
        # The first one stands for the others where settings such as model.width are checked.
        first = models.strip("[] ").split(",")[0].strip("'\" ")
        words += [f"model={first}"] if first else []
    if value_of("seed", words) is not None:
        raise UserError(
            f"seed: expected a list for compare, got seed={value_of('seed', words)}; try seeds=[0,1]"
        )
    resumed = value_of("resume", words)
    if resumed is None:
        refuse_overwriting(value_of("hydra.run.dir", words))
        return words
    folder = Path(resumed)
    recorded = folder / ".hydra" / "overrides.yaml"
    if not recorded.is_file():
        raise UserError(f"resume={folder}: expected the folder of a comparison with {recorded}, got none")
    others = [word for word in words if "=" in word and not word.startswith(("resume=", "-"))]
    if others:
        raise UserError(
            f"resume={folder}: expected no other settings, as a comparison goes on with its own, got "
            f"{' '.join(others)}; start a new one"
        )
    before = [str(word) for word in OmegaConf.load(recorded)]
    flags = [word for word in words if not word.startswith("resume=")]
    return [*before, *flags, f"hydra.run.dir='{folder}'", "hydra.output_subdir=null"]


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="compare")
def task(config: DictConfig) -> None:
    """Run one job of Hydra."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with job("compare"):
        check_writable(folder)
        with removed_if_refused(folder):
            comparison, rows = compare(config, list(HydraConfig.get().overrides.task), folder)
    headings, lines, footnotes = table(rows, comparison.places)
    print_table(headings, lines, numbers=True)
    print("\n".join(footnotes))
    if comparison.curve.solves:
        print_table(*classical_table(comparison.curve), numbers=True)
    print(shorten(folder))
    if comparison.failures:
        raise SystemExit(FAILED)


def main() -> None:
    """Run the verb."""

    def run() -> None:
        sys.argv = [sys.argv[0], *prepare_arguments(sys.argv[1:])]
        task()

    guard(run, "compare")


if __name__ == "__main__":
    main()
