"""From a configuration to objects: problem, data, operator, Lightning module, trainer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy
import torch
from hydra.utils import get_class, instantiate
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import Checkpoint
from omegaconf import DictConfig, OmegaConf

from pdeops.cli.domains import asked_mesh, build_domain
from pdeops.cli.errors import UserError, section
from pdeops.cli.options import options
from pdeops.cli.posing import where
from pdeops.data import PDEDataModule, Recipe, ReferenceSolver, Store, Window
from pdeops.data.stored_meshes import same_domain
from pdeops.domains import Domain, Mesh, refine_mesh
from pdeops.operators import Operator, OutputPoints, QueryOperator, SpectralOperator
from pdeops.problems import Problem
from pdeops.training import (
    FieldLoss,
    FrequencyRelativeL2,
    PhysicsInformedOperator,
    SupervisedOperator,
    describe,
    output_points,
    physics_misfit,
)


def generate_data(data: PDEDataModule) -> None:
    """Make the data where it is missing.

    Raises:
        UserError: The solver failed, or a process that solved died.
    """
    try:
        data.prepare_data()
    except RuntimeError as error:
        raise UserError(f"the data could not be made: {error}") from error


def build_problem(config: DictConfig) -> Problem:
    """Build the problem."""
    # Plain containers: a frozen dataclass inside one of OmegaConf would lose its class.
    return cast(Problem, instantiate(config.problem, _convert_="all"))


def build_solver(config: DictConfig) -> ReferenceSolver:
    """Build the solver that the command line or else the problem's file chose.

    Raises:
        UserError: Neither of them did.
    """
    if OmegaConf.select(config, "solver") is None:
        raise UserError(
            f"{config.problem._target_.rpartition('.')[2]} comes without a solver; expected solver=NAME, "
            f"one of {', '.join(options('solver'))}"
        )
    # scikit-fem tells of every assembly, which Hydra's logging would print.
    logging.getLogger("skfem").setLevel(logging.WARNING)
    return cast(ReferenceSolver, instantiate(config.solver))


def build_recipe(config: DictConfig, problem: Problem) -> Recipe:
    """Build the recipe of the data.

    Args:
        config: With the nodes ``solver`` and ``data``.
        problem: The problem.

    Returns:
        What is to be solved, where, for which times and seeds.

    Raises:
        UserError: A number is of the wrong type or out of range, or there is no such mesh.
    """
    data = config.data
    solver = build_solver(config)
    mesh = asked_mesh(config)
    finer = data.solver_resolution
    if mesh is not None and finer is not None:
        raise UserError(
            f"data.solver_resolution: expected null on a mesh, got {list(finer)}; try "
            "data.solver_refinement=1"
        )
    # Older runs do not know the key.
    times = data.get("solver_refinement", 0)
    if mesh is None and times:
        raise UserError(
            f"data.solver_refinement: expected 0 on a grid, got {times}; try data.solver_resolution"
        )
    with section("data"):
        domain = build_domain(problem, data.resolution) if mesh is None else mesh
        return Recipe(
            problem=problem,
            solver=solver,
            domain=domain,
            times=build_times(problem, data.final_time, data.num_frames),
            num_samples=data.num_train + data.num_validation + data.num_test,
            seed=data.seed,
            num_validation=data.num_validation,
            num_test=data.num_test,
            solver_domain=_solver_domain(problem, mesh, finer, times),
            solver_batch_size=data.solver_batch_size,
            dtype=data.dtype,
        )


def _solver_domain(
    problem: Problem, mesh: Mesh | None, finer: Sequence[int] | None, times: int
) -> Domain | None:
    """The finer grid or mesh to solve on, or None where it is the stored one."""
    if mesh is not None and times:
        return refine_mesh(mesh, times)
    return None if finer is None else build_domain(problem, finer)


def build_times(
    problem: Problem, final_time: float | None, num_frames: int | None
) -> tuple[float, ...] | None:
    """Times of the stored frames, evenly spaced from 0 to the last.

    Raises:
        ValueError: They are missing for a problem that depends on time, or out of range.
    """
    if problem.steady:
        return None
    if final_time is None or num_frames is None or final_time <= 0 or num_frames < 2:
        raise ValueError(
            f"expected final_time > 0 and num_frames >= 2 for {problem.name}, which depends on time, "
            f"got {final_time} and {num_frames}; try final_time=1.0 num_frames=2"
        )
    return tuple(final_time * frame / (num_frames - 1) for frame in range(num_frames))


def build_window(config: DictConfig) -> Window | None:
    """Build the window, or None for a steady problem."""
    return None if config.data.window is None else cast(Window, instantiate(config.data.window))


def build_data(config: DictConfig, recipe: Recipe) -> PDEDataModule:
    """Build the data module; nothing is generated yet."""
    data = config.data
    window = build_window(config)
    with section("data"):
        return PDEDataModule(
            None if data.path else recipe,
            Path(config.paths.data),
            path=data.path,
            window=window,
            # Older runs do not know the key.
            solve_training=data.get("solve_training", True),
            num_queries=data.num_queries,
            batch_size=data.batch_size,
            num_workers=data.num_workers,
            generation_workers=data.generation_workers,
            normalise=data.normalise,
            seed=config.get("seed", 0),
            memory_limit=data.memory_limit,
            progress=data.progress,
        )


def training_domain(config: DictConfig, recipe: Recipe) -> Domain:
    """The domain of the model's inputs: that of the recipe, or of the user's own file."""
    if config.data.path is None:
        return recipe.domain
    with Store.open(config.data.path) as store:
        return store.layouts[f"inputs/{store.input_names[0]}"].domain


def training_outputs(config: DictConfig, recipe: Recipe) -> tuple[Domain, int]:
    """Domain and number of variables of the model's outputs, as `training_domain` has it for the inputs."""
    if config.data.path is None:
        return recipe.domain, len(recipe.problem.outputs)
    with Store.open(config.data.path) as store:
        layout = store.layouts["outputs"]
        return layout.domain, len(layout.channels)


def build_factory(config: DictConfig) -> partial[Operator]:
    """Build the operator but for its channels and domain, which the data knows.

    Raises:
        UserError: The model is no operator.
    """
    factory = instantiate(config.model)
    if not isinstance(factory, partial):
        raise UserError(
            f"expected a model that learns from many samples, got {config.model._target_}, which is fitted "
            "to one instance; try training=instance"
        )
    return cast("partial[Operator]", factory)


def check_fit(
    config: DictConfig,
    factory: partial[Operator],
    domain: Domain,
    outputs: tuple[Domain, int] | None = None,
) -> None:
    """Raise a UserError when the model cannot work on the domain; no data is needed to know.

    Args:
        config: The composed configuration.
        factory: The model, from `build_factory`.
        domain: Domain of the inputs.
        outputs: Domain and number of variables of the outputs; one variable on that of the inputs if None.
    """
    operator = cast("type[Operator]", factory.func)
    reason = operator.misfit(domain)
    if reason is not None:
        fitting = fitting_models(domain)
        if fitting:
            reason = f"{reason.partition('; try')[0]}; models that fit: {', '.join(fitting)}"
        problem = config.problem._target_.rpartition(".")[2]
        raise UserError(f"{operator.__name__} does not fit {problem} {where(domain)}: {reason}")
    output_domain, num_variables = outputs or (domain, 1)
    if not issubclass(operator, QueryOperator) and not same_domain(output_domain, domain):
        fitting = fitting_models(domain, output_domain)
        raise UserError(
            f"{operator.__name__} answers where its inputs are, {where(domain)}: expected outputs there, got "
            f"them {where(output_domain)}; models that fit: {', '.join(fitting)}"
        )
    # Options such as the number of modes have limits that only construction knows.
    try:
        trial = factory(*trial_arguments(config, operator, domain, output_domain, num_variables))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        # Layers of torch do not say which option they refuse: sizes below 0 are never right.
        suspects = [
            f"model.{key}={value}"
            for key, value in config.model.items()
            if isinstance(value, (int, float)) and value < 0
        ]
        raise UserError(
            f"the configuration of 'model' does not work: {operator.__name__} at resolution "
            f"{list(domain.shape)}: {'; '.join([str(error), *suspects])}"
        ) from error
    if get_class(config.loss._target_) is FrequencyRelativeL2 and not isinstance(trial, SpectralOperator):
        raise UserError(
            "the configuration of 'loss' does not work: it compares spectral coefficients, which "
            f"{operator.__name__} does not give; try loss=relative_l2"
        )


def trial_arguments(
    config: DictConfig, operator: type[Operator], domain: Domain, output_domain: Domain, num_variables: int
) -> tuple[Any, ...]:
    """Arguments that an operator gets, as far as they are known before there is data."""
    if not issubclass(operator, QueryOperator):
        return 1, 1, domain
    window, problem = build_window(config), build_problem(config)
    # Options may count the inputs (a linear branch), and name the time, whose step does not matter.
    output = output_points(output_domain, window, time_step=1.0)
    past = num_variables * window.input_frames if window else 0
    num_inputs = len(problem.inputs) - len(problem.initial_inputs) + past
    return max(num_inputs, 1), num_variables * output.num_frames, domain, output


def check_training(config: DictConfig, factory: partial[Operator]) -> None:
    """Raise a UserError when loss, points and equations cannot train the model; before any data is made."""
    kind = get_class(config.loss._target_)
    if config.data.num_queries is not None and getattr(kind, "at_points", None) in (
        None,
        FieldLoss.at_points,
    ):
        raise UserError(
            f"data.num_queries: expected a loss that takes values at points, got {kind.__name__}; try "
            "loss=mean_squared, or data.num_queries=null"
        )
    if not issubclass(get_class(config.training._target_), PhysicsInformedOperator):
        return
    operator = cast("type[Operator]", factory.func)
    reason = physics_misfit(operator, build_problem(config), build_window(config))
    if reason is not None:
        raise UserError(reason)
    with section("loss"):
        instantiate(config.loss)


def fitting_models(domain: Domain, output_domain: Domain | None = None) -> list[str]:
    """Names of the packaged models that work with the options of their files.

    Args:
        domain: Domain of the inputs.
        output_domain: Domain of the outputs, where it is another one.
    """
    names = []
    for name in options("model"):
        node = OmegaConf.load(files("pdeops.conf") / "model" / f"{name}.yaml")  # type: ignore[arg-type]
        if not node.model.get("_partial_"):  # fitted to one instance, so no operator
            continue
        factory = instantiate(node.model)
        if output_domain is not None and not issubclass(factory.func, QueryOperator):
            continue
        try:
            factory(1, 1, domain, *([] if output_domain is None else [OutputPoints(output_domain)]))
        except (TypeError, ValueError, RuntimeError):
            continue
        names.append(name)
    return names


def build_operator(config: DictConfig, factory: partial[Operator], data: PDEDataModule) -> Operator:
    """Build the operator for the channels and the domain of the data."""
    channels = data.in_channels, data.out_channels
    with section("model"):
        if issubclass(cast(type, factory.func), QueryOperator):
            output = output_points(data.output_domain, data.window, data.time_step)
            check_times(output, data)
            operator = factory(*channels, data.input_domain, output)
        else:
            operator = factory(*channels, data.input_domain)
        operator.prepare(data.training_pairs())
    return operator


def check_times(output: OutputPoints, data: PDEDataModule) -> None:
    """Raise a ValueError when the frames of the data do not lie at the times that an operator is told."""
    times, window = data.dataset("train").samples.layout.times, data.window
    if output.times is None or times is None or window is None:
        return
    start = window.first_frames(len(times))[0]
    origin = times[start + window.input_offsets[-1]] if window.input_frames else 0.0
    frames = start + window.output_offsets[: output.num_frames]
    if not numpy.allclose(numpy.array(times)[frames] - origin, output.times, rtol=1e-4, atol=0):
        raise ValueError(
            "expected frames at one spacing in time, from 0 on where none is given, for a model that is told "
            f"their times, got {[float(f'{time:.6g}') for time in times[:4]]}...; try a model such as fno"
        )


def build_module(config: DictConfig, operator: Operator, data: PDEDataModule) -> SupervisedOperator:
    """Build the Lightning module."""
    factory = cast("partial[SupervisedOperator]", instantiate(config.training))
    return factory(
        operator,
        instantiate(config.loss),
        instantiate(config.optimizer),
        instantiate(config.scheduler.factory),
        scheduler_interval=config.scheduler.interval,
        input_normaliser=data.input_normaliser,
        output_normaliser=data.output_normaliser,
        window=data.window,
        compile=config.compile,
        artefact=describe(cast(dict[str, Any], OmegaConf.to_container(config.model, resolve=True)), data),
    )


def build_trainer(config: DictConfig, run: Path) -> Trainer:
    """Build the trainer with the callbacks and loggers that are switched on."""
    callbacks: list[Callback] = [instantiate(node) for node in config.callbacks.values() if node is not None]
    loggers: list[Any] = [instantiate(node) for node in config.logger.values() if node is not None]
    with section("trainer"):
        return cast(
            Trainer,
            instantiate(
                config.trainer,
                callbacks=callbacks,
                logger=loggers or False,
                default_root_dir=str(run),
                # Otherwise Lightning would add checkpoints of its own.
                enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            ),
        )


def check_device(accelerator: str, devices: int | str | Sequence[int]) -> None:
    """Raise a UserError when the configuration asks for a device that is not there."""
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            f"expected a CUDA device for trainer.accelerator={accelerator}, got none; try trainer=default"
        )
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise UserError("expected an Apple GPU for trainer.accelerator=mps, got none; try trainer=default")
    if accelerator in ("gpu", "cuda") and isinstance(devices, int) and devices > torch.cuda.device_count():
        raise UserError(
            f"expected {devices} CUDA devices, got {torch.cuda.device_count()}; try a smaller trainer.devices"
        )
