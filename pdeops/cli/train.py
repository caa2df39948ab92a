"""``pdeops train``: train a model on a problem and say how good it is."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import lightning
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pdeops.cli import assembly
from pdeops.cli.checks import check_data, check_numbers, check_optimisation
from pdeops.cli.errors import UserError, guard, job
from pdeops.cli.instance import fit_instance, is_instance
from pdeops.cli.pictures import write_pictures
from pdeops.cli.result import describe_result, print_result, write_result
from pdeops.cli.run_folder import (
    check_new,
    check_writable,
    is_child_process,
    program_arguments,
    read_config,
    removed_if_refused,
    shared_folder,
    write_config,
)
from pdeops.cli.suggestions import flatten
from pdeops.training import Timing, find_checkpoint, read_checkpoint


def train(config: DictConfig) -> dict[str, Any]:
    """Train, test and write a run folder.

    Args:
        config: The composed configuration ``train``; ``paths.run`` is the run folder.

    Returns:
        The result as it is written to ``result.json``: errors on held-out data, trivial predictors,
        seconds, number of parameters, versions. Empty in child processes of a distributed run. A model that
        is fitted to one instance has the result of `fit_instance`.

    Raises:
        UserError: Something in the configuration cannot work; no data was made.
    """
    run = Path(config.paths.run)
    if not is_child_process():
        check_new(run, config.resume)
        check_writable(run)
        check_writable(Path(config.paths.data))
    check_numbers(config)
    assembly.check_device(config.trainer.accelerator, config.trainer.devices)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    if is_instance(config):
        return fit_instance(config)

    problem = assembly.build_problem(config)
    recipe = assembly.build_recipe(config, problem)
    factory = assembly.build_factory(config)
    check_data(config, recipe)
    assembly.check_fit(
        config,
        factory,
        assembly.training_domain(config, recipe),
        assembly.training_outputs(config, recipe),
    )
    assembly.check_training(config, factory)
    check_optimisation(config)
    checkpoint = check_resume(config, run) if config.resume else None
    with quiet_advice():
        trainer = assembly.build_trainer(config, run)
    data = assembly.build_data(config, recipe)
    seconds = {"data": time.perf_counter()}
    assembly.generate_data(data)
    data.setup("fit")
    seconds["data"] = time.perf_counter() - seconds["data"]

    operator = assembly.build_operator(config, factory, data)
    module = assembly.build_module(config, operator, data)
    if not is_child_process():
        write_config(config, run)
        # A run of a comparison has none: it is continued with the overrides of the comparison.
        if config.resume and (run / ".hydra").is_dir():
            record_overrides(run)
    seconds["training"] = time.perf_counter()
    with quiet_advice():
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        if trainer.interrupted:
            raise KeyboardInterrupt
        seconds["training"] = time.perf_counter() - seconds["training"]
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        metrics = kept_times(trainer, seconds) | logged | test(trainer, module, data)
    if not trainer.is_global_zero:
        return {}
    result = describe_result(config, module, data, metrics, seconds, trainer)
    write_result(result, run)
    write_pictures(run, data, problem, config.num_pictures)
    return result


def kept_times(trainer: lightning.Trainer, seconds: dict[str, float]) -> dict[str, float]:
    """Times that a continued run knows from before, put into `seconds` and the numbers that are logged."""
    timing = Timing.of(trainer)
    if timing is None or timing.seconds_per_step is None:
        return {}
    seconds["training"] = timing.seconds_training
    return {"time/train_step": timing.seconds_per_step}


def test(trainer: lightning.Trainer, module: lightning.LightningModule, data: Any) -> dict[str, float]:
    """Errors and times on the test split, with the weights that were best on the validation split."""
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    (metrics,) = trainer.test(
        module, datamodule=data, ckpt_path=best or None, verbose=False, weights_only=True
    )
    return {name: float(value) for name, value in metrics.items()}


def check_resume(config: DictConfig, run: Path) -> Path:
    """Find the checkpoint to go on from, and check that there is something left to do.

    Raises:
        UserError: The run has finished, or another model or length is wanted than its checkpoint has.
    """
    checkpoint = find_checkpoint(run)
    contents = read_checkpoint(checkpoint)
    num_epochs = contents["epoch"] + 1
    finished = (run / "result.json").is_file()  # or else it was killed after its last epoch
    if finished and config.trainer.max_epochs is not None and num_epochs >= config.trainer.max_epochs:
        raise UserError(
            f"resume={run}: all {num_epochs} epochs are done; expected a larger trainer.max_epochs"
        )
    before = read_config(run)
    for part in ("problem", "model", "data", "solver", "domain", "mesh", "refinement"):
        was, wanted = ({part: contents_of(source, part)} for source in (before, config))
        if was != wanted:
            # The innermost key says most.
            names = sorted({*flatten(was), *flatten(wanted)}, key=lambda name: (-name.count("."), name))
            values = ((key, OmegaConf.select(before, key), OmegaConf.select(config, key)) for key in names)
            key, old, new = next(entry for entry in values if entry[1] != entry[2])
            raise UserError(
                f"resume={run}: expected the '{part}' of that run with {key}={old}, got {new}; "
                "start a new run instead"
            )
    scheduler = (contents["lr_schedulers"] or [{}])[0]
    fixed = "total_steps" in scheduler or "T_max" in scheduler
    if fixed and before.trainer.max_epochs != config.trainer.max_epochs:
        raise UserError(
            f"resume={run}: the learning rate of that run ends after {before.trainer.max_epochs} epochs, got "
            f"trainer.max_epochs={config.trainer.max_epochs}; start a new run, or with scheduler=step or none"
        )
    return checkpoint


def contents_of(config: DictConfig, key: str) -> Any:
    """What a key holds as plain containers; None where it holds nothing, as in runs older than the key."""
    value = config.get(key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value or None


def record_overrides(run: Path) -> None:
    """Keep the overrides that were accepted on a resume, so that the next one starts from them."""
    words = [word for word in HydraConfig.get().overrides.task if not word.startswith("resume=")]
    partial = run / ".hydra" / ".overrides.yaml.partial"
    partial.write_text(OmegaConf.to_yaml(OmegaConf.create(words)))
    partial.replace(run / ".hydra" / "overrides.yaml")


@contextmanager
def quiet_advice() -> Iterator[None]:
    """Silence advice of Lightning that does not concern a user of the command line."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for text in (".*does not have many workers.*", "The number of training batches.*", ".*LeafSpec.*"):
            warnings.filterwarnings("ignore", message=text)
        yield


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="train")
def task(config: DictConfig) -> float | None:
    """Run one job of Hydra; the returned error is what sweepers minimise."""
    with job("train"), shared_folder() as run:
        OmegaConf.update(config, "paths.run", str(run))
        with removed_if_refused(run):
            result = train(config)
    if result:
        print_result(result, run)
    return result.get("relative_l2")


def main() -> None:
    """Run the verb."""

    def run() -> None:
        program_arguments()
        task()

    guard(run, "train")


if __name__ == "__main__":
    main()
