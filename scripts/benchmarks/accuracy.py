"""Our FNO against neuraloperator's on Burgers and Darcy: error on the same data.

    python scripts/benchmark.py accuracy --against-neuraloperator --epochs 50

Trains two networks of the same modes, width and layers on the same data in the same batches with the same
optimiser and epochs; needs ``pip install -e '.[bench]'``. Neither pads the domain; the peer keeps one wave
more on the last axis and has channel networks inside its layers. Errors are relative L2 on held-out data.

Our own models at equal training time are compared by ``pdeops compare budget=seconds``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from statistics import mean, stdev
from time import perf_counter

import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch import nn

from pdeops.cli import assembly
from pdeops.data import PDEDataModule
from pdeops.operators import FNO
from pdeops.training import RelativeL2

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
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--against-neuraloperator", action="store_true", required=True)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--problems", nargs="+", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("overrides", nargs="*", help="Hydra overrides for all runs")
    return parser.parse_args(arguments)


def composed(*overrides: str) -> DictConfig:
    """Compose the configuration ``train``."""
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        return compose("train", overrides=list(overrides))


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
    against_neuraloperator(options)


if __name__ == "__main__":
    main()
