"""Time and memory of one training step: LSM and MgNO beside their published forms; all models of ``conf``.

The first table has our LSM and MgNO in their published options and the networks as published (written anew
in ``published_lsm.py`` and ``published_mgno.py``): the same map with the same parameters, so that only the
way it is computed differs. LSM has width 32; MgNO has width 24, 4 layers, and 8 points on the coarsest of its
levels. Compiled rows run under torch.compile.

The second table has each model with the settings of its file in ``conf/model``. The T1 rows make the step on
coefficients that a user of its loss gets.

A step is forward, mean relative L2 error, backward and AdamW, float32, one channel in and out, on the CPU.
The contestants of a size take turns. Time is measured with an allocator that keeps its memory, memory in a
process of its own without; see ``operator_speed --help``. Memory of compiled rows is not measured: it is
mostly the compiler's.

    python scripts/benchmark.py architecture_speed
    python scripts/benchmark.py architecture_speed --cases MgNO-256 --models
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from statistics import median

import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from torch import nn

from benchmarks.published_lsm import PublishedLSM
from benchmarks.published_mgno import PublishedMgNO
from benchmarks.training_step import (
    Build,
    Step,
    build_training_step,
    measure_memory,
    measure_memory_apart,
    take_turns,
    use_allocator,
)
from pdeops.domains import Grid
from pdeops.operators import LSM, MgNO

CASES = ("LSM-43", "LSM-85", "MgNO-64", "MgNO-128")
MODELS = ("t1", "fno", "ffno", "lsm", "mgno", "unet", "transolver")
CONTESTANTS = ("published", "published compiled", "ours", "ours compiled")
REFERENCE = CONTESTANTS[0]
MGNO_LEVELS = {64: 4, 128: 5, 256: 6}


def build_operator(case: str, contestant: str) -> nn.Module:
    """Build one of the two forms of LSM or MgNO, or with the contestant "conf" a model of ``conf``.

    Args:
        case: Architecture, or file in conf/model, and points an axis: "LSM-43", "fno-64".
        contestant: One of CONTESTANTS, or "conf".

    Returns:
        The model, with one channel in and out.
    """
    architecture, size = case.rsplit("-")[0], int(case.rsplit("-")[1])
    shape, grid = (size, size), Grid.box((size, size), "cells")
    is_ours = contestant.startswith("ours")
    if contestant == "conf":
        with initialize_config_module("pdeops.conf", version_base="1.3"):
            config = compose("train", overrides=[f"model={architecture}"])
        return instantiate(config.model)(1, 1, grid)
    if architecture == "LSM":
        as_published = partial(LSM, norm="batch", boundary="zeros", initialisation="published")
        if is_ours:
            return as_published(1, 1, grid, width=32, scaled_attention=False)
        return PublishedLSM(1, 1, shape, width=32)
    levels = MGNO_LEVELS[size]
    if is_ours:
        return MgNO(1, 1, grid, width=24, num_layers=4, num_levels=levels, restrict="input")
    return PublishedMgNO(1, 1, shape, width=24, num_layers=4, iterations=(1,) * (levels - 1) + (2,))


def build_step(case: str, contestant: str, batch: int) -> tuple[Step, int]:
    """Build the step of `build_operator`, and count the parameters."""
    torch.manual_seed(0)
    size = int(case.rsplit("-")[1])
    model = build_operator(case, contestant)
    compiled = "compiled" in contestant
    return build_training_step(model, Grid.box((size, size), "cells"), batch, compiled=compiled)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", nargs="*", default=CASES, choices=[*CASES, "MgNO-256"], metavar="CASE",
        help=f"architecture and points an axis, of {', '.join([*CASES, 'MgNO-256'])}",
    )  # fmt: skip
    parser.add_argument("--contestants", nargs="+", default=CONTESTANTS, choices=CONTESTANTS, metavar="NAME")
    parser.add_argument("--models", nargs="*", default=MODELS, help="files of conf/model; none for no table")
    parser.add_argument("--sizes", type=int, nargs="+", default=[43, 64], help="points an axis of --models")
    parser.add_argument("--batch", type=int, default=8, help="samples a step of --cases (8)")
    parser.add_argument("--model-batch", type=int, default=16, help="samples a step of --models (16)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (2)")
    parser.add_argument("--repetitions", type=int, default=15, help="turns of each contestant (15)")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory out")
    parser.add_argument("--allocator", choices=("keep", "default"), default="keep")
    parser.add_argument("--memory-of", nargs=3, metavar=("CASE", "NAME", "BATCH"), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        arguments: Command line; by default that of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    allocator = use_allocator("architecture_speed", arguments, options.allocator)
    torch.set_num_threads(options.threads)
    # The compiler's warnings are about devices that are not used here.
    warnings.filterwarnings("ignore")
    if options.memory_of is not None:
        case, contestant, batch = options.memory_of
        print(json.dumps(measure_memory(partial(build_step, case, contestant, int(batch)))))
        return
    print(
        f"Training step, torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), "
        f"{allocator}"
    )
    columns = "parameters | median ms | best ms |"
    if options.cases:
        print(f"\nAs published and ours, batch {options.batch}\n")
        print(f"| case | contestant | {columns} published / this | peak MB |\n|---|---|---|---|---|---|---|")
    for case in options.cases:
        print_rows({name: (case, name) for name in options.contestants}, case, options.batch, options)
    if options.models:
        print(f"\nModels of conf, batch {options.model_batch}\n")
        print(f"| points | model | {columns} peak MB |\n|---|---|---|---|---|---|")
    for size in options.sizes if options.models else ():
        contestants = {model: (f"{model}-{size}", "conf") for model in options.models}
        print_rows(contestants, str(size), options.model_batch, options)


def print_rows(
    contestants: dict[str, tuple[str, str]], first_column: str, batch: int, options: argparse.Namespace
) -> None:
    """Measure contestants against one another and print a row for each.

    Args:
        contestants: By name, the case and the contestant of `build_step`.
        first_column: What stands first in the rows.
        batch: Samples of a step.
        options: The command line.
    """
    builds: dict[str, Build] = {
        name: partial(build_step, *arguments, batch) for name, arguments in contestants.items()
    }
    # First, while this process is small and rests.
    memory = {
        name: peak_memory(case, contestant, batch, options)
        for name, (case, contestant) in contestants.items()
    }
    results = take_turns(builds, options.repetitions)
    for name, (seconds, num_parameters) in results.items():
        middle = median(seconds)
        ratio = ""
        if contestants[name][1] != "conf":
            ratio = f" {median(results[REFERENCE][0]) / middle:.2f} |" if REFERENCE in results else " – |"
        print(
            f"| {first_column} | {name} | {num_parameters:,} | {1e3 * middle:.1f} | {1e3 * min(seconds):.1f} "
            f"|{ratio} {memory[name]} |",
            flush=True,
        )


def peak_memory(case: str, contestant: str, batch: int, options: argparse.Namespace) -> str:
    """Peak memory in MB as text, or a dash where it is not measured."""
    if options.no_memory or "compiled" in contestant:
        return "–"
    arguments = ["--memory-of", case, contestant, str(batch), "--threads", str(options.threads)]
    return f"{measure_memory_apart('architecture_speed', arguments):.0f}"


if __name__ == "__main__":
    main()
