"""What the classical solver takes for an error that a model makes: its curve of error against time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from pdeops.cli import assembly
from pdeops.cli.evaluate import read_test_data
from pdeops.cli.pictures import double, read_pairs
from pdeops.cli.result import write_whole
from pdeops.data import FieldDataset, Recipe, restrict
from pdeops.data.recipe import initial_inputs, sample_seeds
from pdeops.domains import Axis, AxisKind, Field, Grid

# Points an axis fall by this factor from one grid of the curve to the next.
COARSENING = 2**-0.5
SMALLEST_AXIS = 8
# Tried after the solver's own.
LARGER_TOLERANCES = (1e-4, 1e-2)
# Steps of one size between two frames: control of the error starts from steps that may be finer than needed.
STEPS_A_FRAME = (1, 4, 16, 64)
# A slower solve is worth a row only if its error is smaller by this factor.
BETTER = 0.99
# What a solver may raise on a grid that is too coarse for it.
GIVES_UP = (ValueError, RuntimeError, ArithmeticError)


@dataclass(frozen=True)
class ClassicalSolve:
    """One way to solve the test instances classically.

    Args:
        resolution: Points an axis that were solved on.
        settings: Settings of the solver that differ from its own: ``tolerance`` or ``time_step``.
        relative_l2: Mean relative L2 error against the test data, on its grid.
        seconds_per_sample: Time of a sample in a batch as large as a model gets.
    """

    resolution: tuple[int, ...]
    settings: Mapping[str, float]
    relative_l2: float
    seconds_per_sample: float

    @property
    def name(self) -> str:
        """Such as ``22 x 22, tolerance 0.0001``."""
        size = " x ".join(map(str, self.resolution))
        return ", ".join(
            [size, *(f"{key.replace('_', ' ')} {value:g}" for key, value in self.settings.items())]
        )


@dataclass(frozen=True)
class ClassicalCurve:
    """Error against time of the classical solver.

    Args:
        solves: Grids and tolerances that gave a solution.
        gave_up: Those that did not, with the solver's words.
        missing: Why there is no curve; empty where there is one.
    """

    solves: list[ClassicalSolve] = field(default_factory=list)
    gave_up: dict[str, str] = field(default_factory=dict)
    missing: str = ""

    def cheapest(self, error: float) -> ClassicalSolve | None:
        """The fastest solve that is as good.

        Args:
            error: Relative L2 error of a model.

        Returns:
            The solve, or None when none is as good.
        """
        as_good = [solve for solve in self.solves if solve.relative_l2 <= error]
        return min(as_good, key=lambda solve: solve.seconds_per_sample, default=None)

    @property
    def front(self) -> list[ClassicalSolve]:
        """Solves that no faster one comes near in error, the fastest first."""
        best: list[ClassicalSolve] = []
        for solve in sorted(self.solves, key=lambda item: (item.seconds_per_sample, item.relative_l2)):
            if not best or solve.relative_l2 < BETTER * best[-1].relative_l2:
                best.append(solve)
        return best


def read_or_measure(
    config: DictConfig,
    num_samples: int,
    folder: Path,
    measurement: Callable[[DictConfig, int], ClassicalCurve] | None = None,
) -> ClassicalCurve:
    """Read the curve of a comparison that goes on, or `measure` it and write ``classical.json``.

    Args:
        config: Configuration of a run; its data is there.
        num_samples: Number of test pairs to solve; 0 for no curve.
        folder: Where the file is.
        measurement: In the place of `measure`, for runs that have no test pairs.

    Returns:
        The curve.
    """
    path = folder / "classical.json"
    if not path.is_file():
        write_whole(path, json.dumps(asdict((measurement or measure)(config, num_samples)), indent=2) + "\n")
    stored = json.loads(path.read_text())
    solves = [
        ClassicalSolve(**{**solve, "resolution": tuple(solve["resolution"])}) for solve in stored["solves"]
    ]
    return ClassicalCurve(solves, stored["gave_up"], stored["missing"])


def measure(config: DictConfig, num_samples: int) -> ClassicalCurve:
    """Solve test instances on coarser and coarser grids, with larger tolerances and longer steps.

    Inputs are drawn anew on each grid from the seeds of the test data, so they are the same functions; a
    state in the middle of a trajectory is resampled. Solutions are brought to the grid of the data.

    Args:
        config: Configuration of a run; its data is there.
        num_samples: Number of test pairs to solve; 0 for no curve.

    Returns:
        The curve.
    """
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    missing = reason_for_none(config, recipe, num_samples)
    if missing:
        return ClassicalCurve(missing=missing)
    dataset = read_test_data(config, None)
    count = min(num_samples, len(dataset))
    # Spread over the test set: neighbouring pairs are windows of one trajectory.
    pairs = torch.linspace(0, len(dataset) - 1, count).long().tolist()
    return swept(
        config,
        recipe,
        solver_times(recipe, dataset),
        lambda changed, grid: solve_pairs(changed, recipe, dataset, pairs, grid),
    )


def swept(
    config: DictConfig,
    recipe: Recipe,
    times: Tensor | None,
    solve: Callable[[DictConfig, Grid], tuple[float, float]],
) -> ClassicalCurve:
    """Solve on coarser and coarser grids, with larger tolerances and longer steps.

    Args:
        config: Configuration of a run.
        recipe: Its recipe.
        times: When solutions are wanted; None if they are steady.
        solve: Error and seconds of a solve with a changed configuration on a grid.

    Returns:
        The curve, with what gave up.
    """
    curve = ClassicalCurve()
    finest_first = grids(recipe, OmegaConf.select(config, "solver.degree") or 1)
    for grid, settings in product(finest_first, variants(config, times)):
        changed = config.copy()
        changed.solver.update(settings)
        try:
            with quiet_solvers():
                error, seconds = solve(changed, grid)
        except GIVES_UP as reason:
            name = ClassicalSolve(grid.shape, settings, 0.0, 0.0).name
            curve.gave_up[name] = str(reason).splitlines()[0]
            continue
        curve.solves.append(ClassicalSolve(grid.shape, settings, error, seconds))
    return curve


@contextmanager
def quiet_solvers() -> Iterator[None]:
    """No warnings of grids that resolve too little: how much too little is what is measured."""
    logger = logging.getLogger("solvers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def reason_for_none(config: DictConfig, recipe: Recipe, num_samples: int) -> str:
    """Why there is no curve; empty where there is one."""
    if config.data.path is not None:
        return "the data comes from a file of one's own, so its inputs cannot be drawn on other grids"
    if not isinstance(recipe.domain, Grid) or not isinstance(recipe.solver_grid, Grid):
        return "the data lives on a mesh, which cannot be coarsened"
    if num_samples == 0:
        return "not measured, classical_samples=0"
    past = recipe.times is not None and config.data.window.input_frames > 0
    if past and not initial_inputs(recipe.problem):
        return f"the solver cannot start {recipe.problem.name} from a state that a model is given"
    return ""


def variants(config: DictConfig, times: Tensor | None) -> list[dict[str, float]]:
    """The solver's own settings, and others that cost less.

    Args:
        config: With the node ``solver``.
        times: Of the frames to solve for; None for a steady problem.

    Returns:
        Settings to change, at first none.
    """
    solver = config.solver
    found: list[dict[str, float]] = [{}]
    # Elimination does not look at its tolerance.
    if solver.get("tolerance") is not None and solver.get("method") != "direct":
        found += [{"tolerance": value} for value in LARGER_TOLERANCES if value > solver.tolerance]
    # Where waves set the step, time_step is a limit only.
    if times is not None and "time_step" in solver and "courant" not in solver:
        interval = float(times[1] - times[0])
        found += [{"time_step": interval / count} for count in STEPS_A_FRAME]
    return found


def grids(recipe: Recipe, degree: int = 1) -> list[Grid]:
    """Grids to solve on: that of the reference solution, that of the data, and coarser ones.

    Args:
        recipe: Of the data.
        degree: Of the solver's elements, which take so many intervals between nodes.

    Returns:
        The grids, the finest first.
    """
    own = cast(Grid, recipe.domain)
    found = {cast(Grid, recipe.solver_grid): None, own: None}
    shape: Sequence[float] = own.shape
    while True:
        shape = [count * COARSENING for count in shape]
        counts = tuple(suitable(count, axis, degree) for axis, count in zip(own.axes, shape, strict=True))
        if min(counts) < SMALLEST_AXIS:
            return list(found)
        found[own.with_shape(counts)] = None


def suitable(count: float, axis: Axis, degree: int) -> int:
    """A number of points near `count`: even on periodic axes, whole elements on nodes."""
    if axis.is_periodic:
        return 2 * round(count / 2)
    return degree * round((count - 1) / degree) + 1 if axis.kind == AxisKind.NODES else round(count)


def solve_pairs(
    config: DictConfig, recipe: Recipe, dataset: FieldDataset, pairs: Sequence[int], grid: Grid
) -> tuple[float, float]:
    """Mean error and time a sample of some test pairs, solved on a grid.

    The time is the best of all batches; a single one is solved twice.
    """
    problem, solver, size = recipe.problem, assembly.build_solver(config), config.data.batch_size
    times = solver_times(recipe, dataset)
    num_given = num_given_frames(dataset)
    batches = [list(pairs[start : start + size]) for start in range(0, len(pairs), size)]
    if len(batches) == 1:
        batches *= 2
    errors, seconds = [], []
    for batch in batches:
        given, truth = (double(item) for item in read_pairs(dataset, batch))
        inputs = inputs_of(recipe, dataset, batch, given, grid)
        started = time.perf_counter()
        solution = solver.solve(problem, inputs, grid, times)
        seconds.append((time.perf_counter() - started) / len(batch))
        values = solution.values if times is None else solution.values[:, num_given:].flatten(1, 2)
        errors.append(
            on_data(Field(values, grid, truth.channels), cast(Grid, truth.domain)).relative_error(truth)
        )
    return float(torch.cat(errors).mean()), min(seconds)


def solver_times(recipe: Recipe, dataset: FieldDataset) -> Tensor | None:
    """Times of the given frame and of the frames that a model predicts, from 0; None for a steady problem."""
    window = dataset.window
    if recipe.times is None or window is None:
        return None
    frames = [number * window.stride for number in range(window.output_frames + num_given_frames(dataset))]
    return torch.tensor([recipe.times[number] - recipe.times[0] for number in frames], dtype=torch.float64)


def num_given_frames(dataset: FieldDataset) -> int:
    """Whether the first of the solver's frames is given: 1 where a window has input frames, else 0."""
    return int(dataset.window is not None and dataset.window.input_frames > 0)


def inputs_of(
    recipe: Recipe, dataset: FieldDataset, pairs: Sequence[int], given: Field, grid: Grid
) -> Mapping[str, Field]:
    """Inputs of the problem on a grid for some test pairs; the last given frame is the state at the start."""
    problem, window = recipe.problem, dataset.window
    starts = [0] if window is None else window.first_frames(len(recipe.times or ())).tolist()
    # Test samples come first in a recipe, and their windows one after another.
    samples = [pair // len(starts) for pair in pairs]
    inputs = problem.sample_inputs(grid, sample_seeds(recipe.seed, samples))
    if window is not None and max(starts) + max(window.input_frames - 1, 0) * window.stride > 0:
        num_variables = len(problem.outputs)
        last = (window.input_frames - 1) * num_variables
        state = given.values[:, last : last + num_variables]
        for number, name in enumerate(initial_inputs(problem)):
            frame = Field(state[:, number : number + 1], given.domain, (name,))
            inputs[name] = frame.resample(grid)
    return inputs


def on_data(solution: Field, domain: Grid) -> Field:
    """A solution on the grid of the data: restricted as the data was, or interpolated from a coarser grid."""
    finer = all(a >= b for a, b in zip(solution.domain.shape, domain.shape, strict=True))
    return restrict(solution, domain) if finer else solution.resample(domain)
