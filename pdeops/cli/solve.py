"""``pdeops solve``: solve a problem with a classical solver, once, and look at the result."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from torch import Tensor

from pdeops.cli import assembly
from pdeops.cli.checks import check_numbers
from pdeops.cli.errors import UserError, guard, job, section
from pdeops.cli.evaluate import choose_device
from pdeops.cli.judging import describe_domain, errors_of, order_in_words, residual_of
from pdeops.cli.posing import ClassicalSolver, check_exact, pose, where
from pdeops.cli.result import markdown, print_table, shorten
from pdeops.cli.run_folder import (
    check_writable,
    refuse_overwriting,
    removed_if_refused,
    value_of,
    write_config,
)
from pdeops.cli.solution_files import draw_solution, write_fields, write_paraview
from pdeops.cli.suggestions import did_you_mean
from pdeops.data.recipe import sample_seeds
from pdeops.data.schema import library_version
from pdeops.domains import Domain, Field
from pdeops.problems import ExactSolution, Problem

DEFAULT_FRAMES = 41
WHOLE = {"num_frames": 2, "seed": 0, "batch": 1, "sample": 0}
# Other settings of data sets mean nothing here.
DATA_KEYS = ("data.resolution", "data.final_time")


@dataclass(frozen=True, eq=False)
class Task:
    """One instance to solve.

    Args:
        problem: The problem, or the instance of it that an exact solution solves.
        solver: The solver.
        domain: Where.
        times: When, or None for a steady problem.
        inputs: Input fields by name.
        exact: The exact solution that they belong to, or None.
    """

    problem: Problem
    solver: ClassicalSolver
    domain: Domain
    times: Tensor | None
    inputs: dict[str, Field]
    exact: ExactSolution | None


def solve(config: DictConfig, folder: Path) -> dict[str, Any]:
    """Solve and write everything into a folder.

    Args:
        config: The composed configuration ``solve``.
        folder: The run folder.

    Returns:
        The result as it is written to ``result.json``.

    Raises:
        UserError: Something in the configuration cannot work, or the solver gave no solution.
    """
    check_writable(folder)
    task = make_task(config)
    with working(f"solving with {type(task.solver).__name__}"):
        solution, seconds = run_solver(task, choose_device(config.device))
    if not 0 <= config.sample < solution.batch_size:
        raise UserError(f"sample: expected 0 to {solution.batch_size - 1}, got {config.sample}")
    write_config(config, folder)
    exact = None if task.exact is None else task.exact.solution(task.domain, task.times)
    with working("checking"):
        residual, words = residual_of(task.problem, task.inputs, solution, task.solver)
    result = {
        "problem": type(task.problem).__name__,
        "parameters": dict(task.problem.parameters),
        "solver": solver_name(task.solver),
        "settings": dict(task.solver.settings),
        "orders": order_in_words(task.solver.time_order, task.solver.space_order),
        "domain": describe_domain(task.domain),
        "where": where(task.domain),
        "times": None if task.times is None else task.times.tolist(),
        "num_samples": solution.batch_size,
        "seed": None if task.exact else config.seed,
        "seconds": seconds,
        **read_report(solution),
        "residual": residual,
        "residual_words": words,
        "exact": config.exact,
        "error": None if exact is None else errors_of(solution, exact),
        "device": str(solution.values.device),
        "num_threads": torch.get_num_threads(),
        "version": library_version(),
    }
    seed = -1 if task.exact else config.seed
    write_fields(folder / "solution.h5", task.problem, task.solver, task.inputs, solution, seed)
    with working("writing VTK files"):
        write_paraview(folder / "solution", task.problem, task.inputs, solution, exact, config.sample)
    if config.pictures:
        with working("drawing"):
            draw_solution(folder, task.problem, task.inputs, solution, exact, config.sample)
    for name, text in (
        ("result.json", json.dumps(result, indent=2, default=str) + "\n"),
        ("result.md", markdown(rows_of(result))),
    ):
        partial = folder / f".{name}.partial"
        partial.write_text(text)
        partial.replace(folder / name)
    return result


def make_task(config: DictConfig) -> Task:
    """Build problem, solver, domain, times and inputs; everything is checked, nothing solved.

    Raises:
        UserError: Something in the configuration cannot work.
    """
    check_numbers(config, WHOLE)
    problem = assembly.build_problem(config)
    exact = None
    if config.exact is not None:
        known = problem.exact_solutions()
        if config.exact not in known:
            valid = did_you_mean(str(config.exact), known) or "it knows none"
            raise UserError(f"{type(problem).__name__} has no exact solution '{config.exact}'; {valid}")
        if config.batch != 1:
            raise UserError(f"batch: expected 1 with an exact solution, got {config.batch}")
        exact = known[config.exact]
        problem = exact.problem
    solver = assembly.build_solver(config)
    if not isinstance(solver, ClassicalSolver):
        raise UserError(f"solver: expected a solver of the package solvers, got {type(solver).__name__}")
    domain = pose(config, problem, solver)
    with section("num_frames"):
        frames = config.num_frames or max(DEFAULT_FRAMES, config.data.get("num_frames") or 0)
        times = assembly.build_times(problem, config.final_time, frames)
    moments = None if times is None else torch.tensor(times, dtype=torch.float64)
    if exact is not None:
        check_exact(exact, config.exact, domain, moments)
        inputs = exact.inputs(domain)
    else:
        with section("problem"):
            inputs = problem.sample_inputs(domain, sample_seeds(config.seed, range(config.batch)))
    return Task(problem, solver, domain, moments, inputs, exact)


def run_solver(task: Task, device: str) -> tuple[Field, float]:
    """Solve; the solution and the seconds it took.

    Raises:
        UserError: The solver gave no solution; the text is its diagnosis.
    """
    inputs = {name: field.to(device) for name, field in task.inputs.items()}
    started = time.perf_counter()
    try:
        solution = task.solver.solve(task.problem, inputs, task.domain, task.times)
    except RuntimeError as error:
        raise UserError(f"{type(task.solver).__name__} gave no solution: {error}") from error
    return solution.to("cpu"), time.perf_counter() - started


def read_report(solution: Field) -> dict[str, Any]:
    """The numbers of a solver's report, the largest of the batch; None for what it does not have."""
    report = getattr(solution, "report", None)

    def largest(name: str) -> Any:
        value = getattr(report, name, None)
        return None if value is None or not value.numel() else value.max().item()

    history = getattr(report, "residual_history", None)
    return {
        "status": str(getattr(report, "status", "")),
        "message": str(getattr(report, "message", "")),
        "num_steps": largest("num_steps"),
        "num_iterations": largest("iterations"),
        "error_estimate": largest("error_estimate"),
        "discrete_residual": None if history is None or not len(history) else history[-1].max().item(),
    }


def rows_of(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of the table: what, and how much."""
    times = result["times"]
    frames = "" if times is None else f", {len(times)} frames to t = {times[-1]:g}"
    samples = "" if result["num_samples"] == 1 else f", {result['num_samples']} samples"
    rows = [
        ("problem", f"{result['problem']} {result['where']}{frames}{samples}"),
        ("solver", f"{result['solver']}, {result['orders']}"),
        ("status", f"{result['status']}: {result['message']}"),
    ]
    if result["num_steps"] is not None:
        rows.append(("time steps", f"{int(result['num_steps']):,}"))
    if result["num_iterations"] is not None:
        rows.append(("iterations", f"{int(result['num_iterations']):,}"))
    rows.append(("seconds", f"{result['seconds']:.3g}"))
    if result["error_estimate"] is not None:
        rows.append(("estimated error in time", f"{result['error_estimate']:.1e}"))
    if result["discrete_residual"] is not None:
        rows.append(("residual of the discrete equations", f"{result['discrete_residual']:.1e}"))
    words = result["residual_words"]
    shown = words if result["residual"] is None else f"{result['residual']:.1e}, {words}"
    rows.append(("residual of the equation", shown))
    if result["error"] is not None:
        error = result["error"]
        shown = f"{error['relative_l2']:.2e} in L2, {error['relative_h1']:.2e} in H1"
        rows.append((f"relative error against '{result['exact']}'", shown))
    return rows


def solver_name(solver: ClassicalSolver) -> str:
    """Class of the solver, with its name in the configuration where that is known."""
    choice = HydraConfig.get().runtime.choices.get("solver") if HydraConfig.initialized() else None
    name = type(solver).__name__
    return f"{choice} ({name})" if choice else name


def check_words(words: Sequence[str]) -> None:
    """Raise a UserError when an override sets what means nothing here."""
    for word in words:
        key = word.partition("=")[0].lstrip("+~")
        if key.startswith("data.") and key not in DATA_KEYS:
            raise UserError(f"{key} is for data sets; {did_you_mean(key.removeprefix('data.'), WHOLE)}")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on, and for how long already."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="solve")
def task(config: DictConfig) -> float | None:
    """Run one job of Hydra; the returned error is what sweepers minimise."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with job("solve"), removed_if_refused(folder):
        check_words(list(HydraConfig.get().overrides.task))
        result = solve(config, folder)
    print_table(("quantity", "value"), [*rows_of(result), ("run folder", shorten(folder))])
    return None if result["error"] is None else cast(float, result["error"]["relative_l2"])


def main() -> None:
    """Run the verb."""

    def run() -> None:
        refuse_overwriting(value_of("hydra.run.dir", sys.argv[1:]))
        task()

    guard(run, "solve")


if __name__ == "__main__":
    main()
