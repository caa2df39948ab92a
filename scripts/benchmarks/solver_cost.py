"""Cost and error of the published Navier-Stokes recipe and of `solvers.SpectralSolver`, on the same data.

The recipe: 256 x 256 points, first-order steps of 1e-4 (`CrankNicolsonEulerSolver`). Ours: coarser grids and
longer steps. Errors are relative L2 errors at the final time, the largest of the samples, against a fine run:
once with both fields on 64 x 64 points (waves below 32, what the data sets keep), once on the recipe's grid.
The ratio counts only settings that are no worse than the recipe in both.

The reference has the recipe's grid and initial data, so the recipe's row shows its error in time only, not
that of its grid, while our rows show both: the comparison favours the recipe.

All seconds are medians. Each of our settings runs several times; the recipe, which takes minutes, runs once,
in as many pieces of the time interval as the others have repetitions, one starting where the last one ended.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch

from pdeops.domains import Field, Grid
from pdeops.problems import NavierStokes2D
from solvers import CrankNicolsonEulerSolver, Solver, SpectralSolver

STORED = Grid.periodic((64, 64))


@dataclass(frozen=True)
class Row:
    """One measured setting."""

    name: str
    num_points: int
    step: str
    seconds: float
    stored_error: float
    full_error: float


@dataclass(frozen=True)
class Case:
    """What all settings have in common."""

    problem: NavierStokes2D
    initial: Field
    final_time: float
    repetitions: int

    def run(self, solver: Solver, num_points: int, repetitions: int) -> tuple[Field, float]:
        """Final field, and seconds of a unit of time and a sample (the median of the repetitions)."""
        grid = Grid.periodic((num_points, num_points))
        initial = self.initial.resample(grid)
        seconds = []
        for _ in range(repetitions):
            final, taken = self._solve(solver, initial, self.final_time)
            seconds.append(taken)
        return final, median(seconds) / self.final_time / self.initial.batch_size

    def run_in_pieces(self, solver: Solver, num_points: int) -> tuple[Field, float]:
        """What `run` gives, from one run whose pieces are timed; the equation does not depend on time."""
        field = self.initial.resample(Grid.periodic((num_points, num_points)))
        length = self.final_time / self.repetitions
        seconds = []
        for _ in range(self.repetitions):
            field, taken = self._solve(solver, field, length)
            seconds.append(taken)
        return field, median(seconds) / length / self.initial.batch_size

    def measure(self, name: str, solver: Solver, num_points: int, step: str, reference: Field) -> Row:
        """Run a setting and compare it with the reference."""
        if isinstance(solver, CrankNicolsonEulerSolver):
            final, seconds = self.run_in_pieces(solver, num_points)
        else:
            final, seconds = self.run(solver, num_points, self.repetitions)
        stored = final.resample(STORED).relative_error(reference.resample(STORED)).max().item()
        full = final.resample(reference.domain).relative_error(reference).max().item()
        return Row(name, num_points, step, seconds, stored, full)

    def _solve(self, solver: Solver, initial: Field, duration: float) -> tuple[Field, float]:
        times = torch.tensor([duration], dtype=torch.float64)
        start = perf_counter()
        solution = solver.solve(self.problem, {"initial_vorticity": initial}, initial.domain, times)
        taken = perf_counter() - start
        values = solution.snapshot(0).values
        return Field(values, initial.domain, initial.channels, initial.units), taken


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--final-time", type=float, default=1.0, help="time units to simulate (1)")
    parser.add_argument("--batch-size", type=int, default=4, help="samples solved together (4)")
    parser.add_argument("--viscosity", type=float, default=1e-3, help="kinematic viscosity (1e-3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    parser.add_argument("--seed", type=int, default=0, help="first seed of the initial data (0)")
    parser.add_argument("--recipe-points", type=int, default=256, help="points of recipe and reference (256)")
    parser.add_argument("--recipe-step", type=float, default=1e-4, help="time step of the recipe (1e-4)")
    parser.add_argument(
        "--reference-step", type=float, default=0.01, help="time step of the reference (0.01)"
    )
    parser.add_argument("--points", type=int, nargs="+", default=[64, 96, 128], help="our points an axis")
    parser.add_argument("--steps", type=float, nargs="+", default=[0.1, 0.05], help="our time steps")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="tolerance of our step control (1e-6)")
    parser.add_argument(
        "--repetitions",
        type=int,
        default=5,
        help="runs of each of our settings, and pieces of the recipe's (5)",
    )
    return parser.parse_args(arguments)


def table(rows: Sequence[Row], recipe: Row) -> str:
    """Markdown table; the ratio is that of the seconds."""
    lines = [
        "| method | points | step | s / (time, sample) | error on 64 x 64 | on all waves | times cheaper |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = "1" if row is recipe else f"{recipe.seconds / row.seconds:.0f}"
        if not _no_worse(row, recipe):
            ratio += " (larger error)"
        lines.append(
            f"| {row.name} | {row.num_points} x {row.num_points} | {row.step} | {row.seconds:.3g} "
            f"| {row.stored_error:.2e} | {row.full_error:.2e} | {ratio} |"
        )
    return "\n".join(lines)


def _no_worse(row: Row, recipe: Row) -> bool:
    return row.stored_error <= recipe.stored_error and row.full_error <= recipe.full_error


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and the best ratio."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    problem = NavierStokes2D(viscosity=options.viscosity)
    fine_grid = Grid.periodic((options.recipe_points, options.recipe_points))
    seeds = range(options.seed, options.seed + options.batch_size)
    initial = problem.sample_inputs(fine_grid, list(seeds))["initial_vorticity"]
    case = Case(problem, initial, options.final_time, options.repetitions)

    reference, _ = case.run(SpectralSolver(time_step=options.reference_step), options.recipe_points, 1)
    rougher, _ = case.run(SpectralSolver(time_step=2 * options.reference_step), options.recipe_points, 1)
    certainty = rougher.relative_error(reference).max().item() / 15

    recipe = case.measure(
        "recipe", CrankNicolsonEulerSolver(time_step=options.recipe_step), options.recipe_points,
        f"{options.recipe_step:g}", reference,
    )  # fmt: skip
    rows = [recipe]
    for num_points in options.points:
        for step in options.steps:
            solver = SpectralSolver(time_step=step)
            rows.append(case.measure("ours", solver, num_points, f"{step:g}", reference))
        solver = SpectralSolver(tolerance=options.tolerance)
        label = f"controlled, {options.tolerance:g}"
        rows.append(case.measure("ours", solver, num_points, label, reference))

    print(
        f"Navier-Stokes, viscosity {options.viscosity:g}, t = {options.final_time:g}, "
        f"{options.batch_size} samples (seeds from {options.seed}), float64, {options.threads} thread(s), "
        f"{reference.values.device}\n\n"
        f"reference: {options.recipe_points} x {options.recipe_points}, step {options.reference_step:g}, "
        f"error in time about {certainty:.1e}\n\n{table(rows, recipe)}\n"
    )
    candidates = [row for row in rows[1:] if _no_worse(row, recipe)]
    if not candidates:
        print("None of our settings reached the recipe's error; try more --points or smaller --steps.")
        return
    best = min(candidates, key=lambda row: row.seconds)
    print(
        f"{recipe.seconds / best.seconds:.0f} times cheaper at equal or better error: {best.num_points} x "
        f"{best.num_points}, step {best.step}"
    )


if __name__ == "__main__":
    main()
