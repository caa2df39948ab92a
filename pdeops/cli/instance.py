"""``pdeops train`` with ``training=instance``: a model is fitted to one instance of a problem."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from pdeops.cli import assembly
from pdeops.cli.errors import UserError, section
from pdeops.cli.instance_files import write_instance_files
from pdeops.cli.instance_result import coverage_of
from pdeops.cli.posing import check_exact, where
from pdeops.cli.result import device_name, versions, write_result
from pdeops.cli.run_folder import write_config
from pdeops.cli.solve import working
from pdeops.data import Recipe, restrict
from pdeops.data.recipe import sample_seeds
from pdeops.domains import Axis, AxisKind, Domain, Field, Grid
from pdeops.instances import InstanceModel, InstanceTraining
from pdeops.problems import ExactSolution

SAME_INPUT = 1e-12


@dataclass(frozen=True, eq=False)
class Instance:
    """One instance of a problem with what is taken for its solution.

    Args:
        recipe: Problem, solver, domain and times.
        inputs: Inputs by name on the domain, one sample.
        reference: The solution, in double precision.
        source: Where the reference comes from, in words.
        change: Relative L2 difference of the reference from the same solver's solution on the grid of the
            instance, which tells how good the reference is; None where it is exact or there is no other.
    """

    recipe: Recipe
    inputs: Mapping[str, Field]
    reference: Field
    source: str
    change: float | None = None

    @property
    def times(self) -> Tensor | None:
        """Times of the frames; None for a steady problem."""
        times = self.recipe.times
        return None if times is None else torch.tensor(times, dtype=torch.float64)


def is_instance(config: DictConfig) -> bool:
    """Whether the model is fitted to one instance; runs older than the group ``training`` are not."""
    # By name: the configuration of a run may come from somebody else, and nothing of it is imported.
    return OmegaConf.select(config, "training._target_") == "pdeops.instances.InstanceTraining"


def build_model(config: DictConfig, recipe: Recipe) -> InstanceModel:
    """Build the model.

    Args:
        config: With the nodes ``model`` and ``training``.
        recipe: Of the instance.

    Returns:
        The model.

    Raises:
        UserError: It is not fitted to instances, an option is wrong, or it cannot work for the problem.
    """
    with section("model"):
        model = instantiate(config.model, _convert_="all")
    if not isinstance(model, InstanceModel):
        raise UserError(
            f"training=instance: expected a model that is fitted to one instance, got {config.model._target_}"
            "; try model=gp_hm or model=functional_tucker"
        )
    reason = model.misfit(recipe.problem, recipe.domain)
    if reason is not None:
        raise UserError(
            f"{model.name} does not fit {type(recipe.problem).__name__} {where(recipe.domain)}: {reason}"
        )
    return model


def build_training(config: DictConfig) -> InstanceTraining:
    """Build what measures the reference."""
    with section("training"):
        return cast(InstanceTraining, instantiate(config.training))


def build_recipe(config: DictConfig) -> Recipe:
    """The recipe of the one instance: the first of the test data with the same ``data.seed``.

    On a grid the reference is solved for with twice the points, if nothing else is asked for: its own error
    would count as that of the model.

    Raises:
        UserError: A setting cannot work for one instance.
    """
    if config.data.path is not None:
        raise UserError(
            f"data.path: expected null for a model that is fitted to one instance, got {config.data.path}"
        )
    one = {"num_train": 0, "num_validation": 0, "num_test": 1, "solver_batch_size": 1, "dtype": "float64"}
    config = config.copy()
    config.data.update(one)
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    if recipe.solver_domain is not None or not isinstance(recipe.domain, Grid):
        return recipe
    return replace(recipe, solver_domain=Grid(tuple(finer(axis) for axis in recipe.domain.axes)))


def finer(axis: Axis) -> Axis:
    """An axis of about twice the points (of cells thrice) that has all points of the given one."""
    if axis.kind is AxisKind.CELLS:
        return axis.with_num_points(3 * axis.num_points)
    return axis.with_num_points(2 * axis.num_points - (1 if axis.has_ends else 0))


def pose_instance(recipe: Recipe) -> Instance:
    """Draw the inputs and find the reference: in closed form where that is known for them, or solved for.

    Raises:
        UserError: The solver gave no solution.
    """
    problem, seeds = recipe.problem, sample_seeds(recipe.seed, [0])
    inputs = {
        name: field.to(dtype=torch.float64)
        for name, field in problem.sample_inputs(recipe.domain, seeds).items()
    }
    times = None if recipe.times is None else torch.tensor(recipe.times, dtype=torch.float64)
    for name, exact in problem.exact_solutions().items():
        if is_exact_here(exact, name, recipe, inputs, times):
            return Instance(recipe, inputs, exact.solution(recipe.domain, times), f"exact solution '{name}'")
    finer = inputs
    if recipe.solver_domain is not None:
        finer = problem.sample_inputs(recipe.solver_grid, seeds)
        finer = {name: field.to(dtype=torch.float64) for name, field in finer.items()}
    words = type(recipe.solver).__name__
    try:
        with working(f"solving with {words}"):
            reference = restrict(solved(recipe, finer, recipe.solver_grid, times), recipe.domain)
    except RuntimeError as error:
        raise UserError(f"{words} gave no reference solution: {error}") from error
    change = None
    if recipe.solver_domain is not None:
        with suppress(RuntimeError, ValueError):
            change = solved(recipe, inputs, recipe.domain, times).relative_error(reference).item()
    return Instance(recipe, inputs, reference, f"{words} {where(recipe.solver_grid)}", change)


def solved(recipe: Recipe, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None) -> Field:
    """The outputs by the solver of a recipe; it may know more than their values, which is dropped."""
    solution = recipe.solver.solve(recipe.problem, inputs, domain, times)
    plain = Field(solution.values, solution.domain, solution.channels, solution.units, solution.times)
    return plain.select(*(output.name for output in recipe.problem.outputs))


def is_exact_here(
    exact: ExactSolution, name: str, recipe: Recipe, inputs: Mapping[str, Field], times: Tensor | None
) -> bool:
    """Whether a solution in closed form is that of these inputs, with these parameters, on this domain."""
    if exact.problem != recipe.problem:
        return False
    for key, field in exact.inputs(recipe.domain).items():
        distance = (field.values - inputs[key].values).abs().max()
        if not distance <= SAME_INPUT * inputs[key].values.abs().max().clamp(min=1):
            return False
    try:
        check_exact(exact, name, recipe.domain, times)
    except UserError:
        return False
    return True


def check_instance(config: DictConfig) -> None:
    """Raise a UserError when the model cannot be fitted to the instance; nothing is solved."""
    build_model(config, build_recipe(config))
    build_training(config)


def fit_instance(config: DictConfig) -> dict[str, Any]:
    """Fit a model to one instance and write the run folder.

    Args:
        config: The composed configuration ``train``; ``paths.run`` is the run folder.

    Returns:
        The result as it is written to ``result.json``: errors and coverage against the reference, seconds.

    Raises:
        UserError: Something in the configuration cannot work, or there was no solution.
    """
    run = Path(config.paths.run)
    recipe = build_recipe(config)
    model = build_model(config, recipe)
    training = build_training(config)
    on_cpu = config.trainer.accelerator == "cpu" or not torch.cuda.is_available()
    device = torch.device("cpu" if on_cpu else "cuda")
    started = time.perf_counter()
    instance = pose_instance(recipe)
    seconds_data = time.perf_counter() - started
    write_config(config, run)
    measured = training.measure(instance.reference.to(device)) if model.from_measurements else {}
    inputs = {name: field.to(device) for name, field in instance.inputs.items()}
    started = time.perf_counter()
    try:
        with nullcontext() if model.shows_progress else working(f"fitting {model.name}"):
            fit = model.fit(recipe.problem, inputs, recipe.domain, instance.times, measured)
    except RuntimeError as error:
        raise UserError(f"{model.name} gave no solution: {error}") from error
    seconds = time.perf_counter() - started
    mean = fit.mean.to("cpu", torch.float64)
    deviation = None if fit.deviation is None else fit.deviation.to("cpu", torch.float64)
    reference = instance.reference.to("cpu", torch.float64)
    result = {
        "problem": config.problem._target_.rpartition(".")[2],
        "model": model.name,
        "resolution": list(recipe.domain.shape),
        "num_frames": None if recipe.times is None else len(recipe.times),
        "sees": sees(training, measured),
        "reference": instance.source,
        "reference_change": instance.change,
        "relative_l2": mean.relative_error(reference).item(),
        "relative_h1": mean.relative_error(reference, "h1").item(),
        "trivial_relative_l2": {"zero": 1.0},
        "coverage": coverage_of(mean, deviation, reference),
        "log_evidence": fit.log_evidence,
        "message": fit.message,
        "num_parameters": fit.num_parameters,
        "num_test": 1,
        "seconds_data": seconds_data,
        "seconds_training": seconds,
        # Another instance takes another fit.
        "seconds_per_sample": seconds,
        "seed": config.seed,
        "data_seed": config.data.seed,
        "device": device_name(device),
        "num_threads": torch.get_num_threads(),
        "versions": versions(),
    }
    write_instance_files(run, mean, deviation, reference, recipe, inputs, pictures=config.num_pictures > 0)
    write_result(result, run)
    return result


def sees(training: InstanceTraining, measured: Mapping[str, Any]) -> str:
    """What the model was given, in words."""
    if not measured:
        return "equations and inputs of one instance, no solution"
    count = sum(len(item.values) for item in measured.values())
    return (
        f"{count:,} values ({100 * training.fraction:g} %) of the solution of one instance, "
        f"noise {100 * training.noise:g} %, no equations"
    )
