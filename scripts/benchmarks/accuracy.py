"""Error at equal training time on Navier-Stokes; or our FNO against neuraloperator's on Burgers and Darcy.

    python scripts/benchmark.py accuracy --seconds 120 --seeds 0 1 2
    python scripts/benchmark.py accuracy --against-neuraloperator --epochs 50

The first trains T1, FNO and F-FNO with the settings of ``conf`` on the default data, each for as many steps
as fit into the time: a short pilot measures the step (forward, loss, backward, optimiser). "s in all" adds
loading, validation and checkpoints. The deviation is that over seeds of weights and batches, on one data set.

The second trains two networks of the same modes, width and layers on the same data in the same batches with
the same optimiser and epochs, and needs ``pip install -e '.[bench]'``. Neither pads the domain; the peer
keeps one wave more on the last axis and has channel networks inside its layers.

Errors are relative L2 on held-out data. Finished runs are read, not repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median, stdev
from time import perf_counter
from typing import Any

import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf
from torch import nn

import pdeops
from pdeops.cli import assembly
from pdeops.cli.train import train
from pdeops.data import PDEDataModule
from pdeops.operators import FNO
from pdeops.training import RelativeL2

MODELS = ("t1", "fno", "ffno")
EPOCHS = 20
PILOT_STEPS = 30
PAIRS = {
    "Burgers, 256": ("problem=burgers", "data.resolution=[256]", {"modes": 16, "width": 64}),
    "Darcy, 43 x 43": ("problem=darcy", "data.resolution=[43,43]", {"modes": 12, "width": 32}),
    "Darcy, 85 x 85": ("problem=darcy", "data.resolution=[85,85]", {"modes": 12, "width": 32}),
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="training time of a run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--against-neuraloperator", action="store_true")
    parser.add_argument("--epochs", type=int, default=50, help="of the comparison with neuraloperator")
    parser.add_argument("--problems", nargs="+", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("overrides", nargs="*", help="Hydra overrides for all runs")
    return parser.parse_args(arguments)


def composed(*overrides: str) -> DictConfig:
    """Compose the configuration ``train``."""
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        return compose("train", overrides=["num_pictures=0", "trainer.enable_progress_bar=false", *overrides])


def run_once(folder: Path, name: str, *overrides: str) -> dict[str, Any]:
    """Train into a folder, or read what is there.

    The folder is called after everything that changes the result, so that no old number is read for a new
    setting. It cannot know of changes of the code: remove the folder after them.
    """
    config = OmegaConf.to_container(composed(*overrides, "paths.run=none"), resolve=True)
    settings = {"config": config, "threads": torch.get_num_threads(), "version": pdeops.__version__}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    run = folder / f"{name}-{digest}"
    if not (run / "result.json").is_file():
        shutil.rmtree(run, ignore_errors=True)  # of our own making, and unfinished
        return train(composed(*overrides, f"paths.run='{run}'"))
    return json.loads((run / "result.json").read_text())


def equal_time(options: argparse.Namespace) -> None:
    """Print the table of errors at equal training time."""
    print(f"\n{options.seconds:g} s of training steps, {options.threads} threads, seeds {options.seeds}\n")
    print("| model | parameters | steps | ms a step | s of steps | s in all | relative L2 | relative H1 |")
    print("|---|---|---|---|---|---|---|---|")
    folder = options.folder / "accuracy"
    for model in options.models:
        common = (f"model={model}", *options.overrides)
        short = ("trainer.max_epochs=1", f"trainer.limit_train_batches={PILOT_STEPS}")
        pilot = run_once(folder, f"{model}-pilot", *common, *short)
        num_steps = max(EPOCHS, int(options.seconds / pilot["seconds_per_step"]))
        lengths = training_length(composed(*common), num_steps)
        results = [
            run_once(folder, f"{model}-seed-{seed}", *common, *lengths, f"seed={seed}")
            for seed in options.seeds
        ]
        errors = {kind: spread([result[f"relative_{kind}"] for result in results]) for kind in ("l2", "h1")}
        step = median(result["seconds_per_step"] for result in results)
        first = results[0]
        whole = median(result["seconds_training"] for result in results)
        print(
            f"| {model} | {first['num_parameters']:,} | {first['num_steps']} | {1e3 * step:.1f} "
            f"| {first['num_steps'] * step:.0f} | {whole:.0f} | {errors['l2']} | {errors['h1']} |",
            flush=True,
        )
    for name, error in first["trivial_relative_l2"].items():
        print(f"| ({name.replace('_', ' ')}) | | | | | | {error:.4f} | |")


def training_length(config: DictConfig, num_steps: int) -> tuple[str, str]:
    """Overrides that make about `num_steps` steps in epochs that are all of one length."""
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    window = assembly.build_window(config)
    frames = len(recipe.times or (0.0,))
    pairs = config.data.num_train * (1 if window is None else len(window.first_frames(frames)))
    whole = -(-pairs // config.data.batch_size)
    epochs = max(EPOCHS, num_steps // whole)
    batches = min(whole, max(1, num_steps // epochs))
    return f"trainer.max_epochs={epochs}", f"trainer.limit_train_batches={batches}"


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def against_neuraloperator(options: argparse.Namespace) -> None:
    """Print the table of our FNO beside neuraloperator's."""
    if find_spec("neuralop") is None:
        raise SystemExit("error: expected neuraloperator 2.0.0, got none; try pip install -e '.[bench]'")
    from neuralop.models import FNO as PeerFNO

    print(f"\n{options.epochs} epochs, Adam 1e-3, halved every quarter, {options.threads} threads\n")
    print("| problem | network | parameters | seconds | relative L2 |")
    print("|---|---|---|---|---|")
    for name in options.problems:
        problem, resolution, settings = PAIRS[name]
        config = composed(problem, resolution, "model=fno", *options.overrides)
        data = assembly.build_data(config, assembly.build_recipe(config, assembly.build_problem(config)))
        data.prepare_data()
        data.setup()
        modes, width = settings["modes"], settings["width"]
        for network in ("pdeops", "neuraloperator 2.0.0"):
            errors, seconds = [], []
            for seed in options.seeds:
                torch.manual_seed(seed)
                if network == "pdeops":
                    domain = data.input_domain
                    operator: nn.Module = FNO(
                        1, 1, domain, modes=modes, width=width, projection_width=2 * width, padding=0.0
                    )
                else:
                    dimension = len(data.input_domain.shape)
                    operator = PeerFNO((2 * modes,) * dimension, 1, 1, width, n_layers=4)
                started = perf_counter()
                errors.append(fit(operator, data, options.epochs, seed))
                seconds.append(perf_counter() - started)
            count = sum(p.numel() * (2 if p.is_complex() else 1) for p in operator.parameters())
            print(f"| {name} | {network} | {count:,} | {mean(seconds):.0f} | {spread(errors)} |", flush=True)


def fit(operator: nn.Module, data: PDEDataModule, epochs: int, seed: int) -> float:
    """Train an operator, and return its error on the test split."""
    optimizer = torch.optim.Adam(operator.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, -(-epochs // 4), 0.5)
    loss = RelativeL2()
    data.seed = seed
    loader = data.train_dataloader()
    operator.train()
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            optimizer.zero_grad()
            prediction = data.output_normaliser.inverse(operator(data.input_normaliser(batch.inputs.values)))
            loss(prediction, batch.targets.values, batch.targets.domain).backward()
            optimizer.step()
        schedule.step()
    operator.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in data.test_dataloader():
            prediction = data.output_normaliser.inverse(operator(data.input_normaliser(batch.inputs.values)))
            error = loss(prediction, batch.targets.values, batch.targets.domain)
            total += error.item() * batch.batch_size
            count += batch.batch_size
    return total / count


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    if options.against_neuraloperator:
        against_neuraloperator(options)
    else:
        equal_time(options)


if __name__ == "__main__":
    main()
