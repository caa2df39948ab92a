"""Time and memory of one training step: our operators and neuraloperator's FNO, side by side in one run.

A step is forward, mean relative L2 error, backward and AdamW, float32; rows called bfloat16 run the forward
pass under autocast. The T1 rows make the step that a user of frequency training gets: `FrequencyRelativeL2`
on targets at full resolution, whose transform and cut-off waves are computed in every step, inside the clock.
Everyone has PyTorch's default AdamW: the peer's parameters are complex, which the fused one refuses.

The contestants take turns, so that a busy machine slows all of them; the medians are compared. One whose
step takes long has fewer turns, but 3 if that many are asked for. The peer keeps ``n_modes=(24, 24)``, the
waves -12..11 and 0..12; our FNO ``modes=12``, -12..11 and 0..11; T1 24 real modes an axis, the waves below
12; T1Published 24 cosines.

Large fresh tensors cost page faults, often more than the arithmetic, and the peer makes more of them. By
default the process runs with an allocator that keeps its memory (glibc, ``MALLOC_MMAP_MAX_=0`` etc., set by
starting once more), which favours the peer; ``--allocator default`` measures what a plain start gives.
``THP_MEM_ALLOC_ENABLE=1`` in the environment makes PyTorch ask Linux for huge pages; it is printed, too.

Memory is the peak of the resident set of a process that runs one contestant only, with the default allocator,
minus what it had before the model was built.

    pip install -e '.[bench]'
    python scripts/benchmark.py operator_speed --threads 2 --sizes 64 128 256
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import nn

from benchmarks.training_step import (
    Step,
    build_training_step,
    measure_memory,
    measure_memory_apart,
    take_turns,
    use_allocator,
)
from pdeops.domains import Grid
from pdeops.operators import FNO, T1, T1Published

WIDTH, NUM_LAYERS, MODES, HIDDEN = 32, 4, 12, 64
PEER = "neuraloperator FNO"
OURS = ["FNO", "FNO compiled", "FNO bfloat16", "T1", "T1 compiled", "T1 bfloat16", "T1Published",
        "T1Published compiled"]  # fmt: skip
PEER_VARIANTS = [f"{PEER} without channel MLP", f"{PEER} compiled", f"{PEER} bfloat16"]


def build_peer(use_channel_mlp: bool) -> nn.Module:
    """Build the peer's FNO with its own defaults."""
    from neuralop.models import FNO as PeerFNO

    return PeerFNO(
        n_modes=(2 * MODES, 2 * MODES),
        in_channels=1,
        out_channels=1,
        hidden_channels=WIDTH,
        n_layers=NUM_LAYERS,
        use_channel_mlp=use_channel_mlp,
    )


def build_operator(name: str, grid: Grid) -> nn.Module:
    """Build the model of a contestant; T1 has the bandwidth of the others, 2 MODES real functions an axis."""
    if name.startswith(PEER):
        return build_peer(use_channel_mlp="without" not in name)
    if name.startswith("FNO"):
        return FNO(1, 1, grid, modes=MODES, width=WIDTH, num_layers=NUM_LAYERS, projection_width=HIDDEN)
    t1 = T1Published if name.startswith("T1Published") else T1
    return t1(1, 1, grid, modes=2 * MODES, width=WIDTH, num_layers=NUM_LAYERS)


def build_step(name: str, size: int, batch: int) -> tuple[Step, int]:
    """Build one contestant.

    Args:
        name: One of OURS, PEER or PEER_VARIANTS.
        size: Points an axis.
        batch: Samples of a step.

    Returns:
        A function that makes one training step and returns the loss, and the number of real parameters.
    """
    torch.manual_seed(0)
    grid = Grid.periodic((size, size))
    model = build_operator(name, grid)
    return build_training_step(model, grid, batch, compiled="compiled" in name, bfloat16="bfloat16" in name)


def memory_apart(name: str, size: int, options: argparse.Namespace) -> float:
    """Peak memory in MB of one contestant in a process of its own."""
    arguments = ["--memory-of", name, "--sizes", str(size)]
    arguments += ["--batch", str(options.batch), "--threads", str(options.threads)]
    return measure_memory_apart("operator_speed", arguments)


def work_of_fno(size: int, batch: int) -> tuple[float, float]:
    """Operations (two a multiply-add) and bytes of one step of our FNO, float32.

    The bytes are those of full fields if nothing stays in a cache. A layer: 2 reads by the two products, 1
    write, 1 read and 1 write by the activation; backward 2 reads and 1 write by the activation, 4 reads by
    products (2 of them for the weight), 2 writes, and 2 reads and 1 write where the two gradients of the
    input are added. The head works block by block: its hidden values stay in the cache, and its input is
    read twice and its gradient written.
    """
    points = batch * size**2
    transforms = 2 * (4 * points * MODES * WIDTH + 16 * batch * WIDTH * size * MODES**2)
    mixing = 16 * batch * WIDTH**2 * MODES**2
    pointwise = 2 * points * WIDTH**2
    # Backward: a transform once more; a product with weights twice, for its input and for the weights.
    layer = 2 * transforms + 3 * (mixing + pointwise)
    entry, head = 2 * points * 5 * WIDTH, 2 * points * (WIDTH + 1) * HIDDEN
    # The head's first product is done again in its backward pass.
    operations = NUM_LAYERS * layer + 2 * entry + 4 * head
    field = 4.0 * points * WIDTH
    optimizer = 7 * 4 * NUM_LAYERS * 4 * WIDTH**2 * MODES**2
    return operations, NUM_LAYERS * 17 * field + 3 * field + optimizer


def work_of_t1(size: int, batch: int) -> tuple[float, float]:
    """Operations and bytes of one step of T1 with the loss on coefficients, counted as in `work_of_fno`.

    Full fields have one channel: the input is read once; of the target 2 reads for its transform and norm,
    and for what is cut off 3 writes or reads, 1 subtraction and 1 norm. A layer on the block: each product
    and the gate read and write once, backward twice as much. Weights are read twice, their gradient is
    written, and AdamW reads and writes 7 numbers each.
    """
    block, coarse, waves = (2 * MODES) ** 2, 1.25 * 2 * MODES, 2 * MODES
    lines = batch * WIDTH
    mixing = 4 * block * batch * WIDTH**2
    to_grid = 2 * lines * (coarse * waves**2 + coarse**2 * waves)
    project = block * batch * WIDTH**2
    # The way back to the block has half of the channels; the matrices of both are fixed.
    layer = 3 * (mixing + project) + 2 * 1.5 * to_grid
    kept = 2 * MODES - 1
    transform = 2 * batch * (size**2 * kept + size * kept**2)
    entry, head = 2 * block * batch * 6 * WIDTH, 2 * block * batch * WIDTH
    operations = NUM_LAYERS * layer + 3 * transform + 2 * entry + 3 * head
    full = 4.0 * 8 * batch * size**2
    # In and out of: mixing (1 + 1 block), to_grid (1 + half a step between, twice + 1), gate, back, project.
    blocks = 4.0 * lines * (5 * block + 3 * coarse * waves + 3 * coarse**2)
    weights = 4 * WIDTH**2 * (block + 0.5)
    return operations, full + NUM_LAYERS * (3 * blocks + 10 * weights)


def measure_machine() -> tuple[float, float]:
    """Rates of this machine: operations a second of a large product, bytes a second of adding in place."""
    left, right, product = torch.randn(3, 1024, 1024)
    source, target = torch.zeros(2, 2**25)

    def fastest(action: Callable[[], object]) -> float:
        seconds = []
        for _ in range(30):
            start = perf_counter()
            action()
            seconds.append(perf_counter() - start)
        return min(seconds)

    operations = 2 * 1024**3 / fastest(lambda: torch.mm(left, right, out=product))
    return operations, 3 * 4 * 2**25 / fastest(lambda: target.add_(source))


def roofline(name: str, size: int, batch: int, rates: tuple[float, float], seconds: float) -> str:
    """Say what a step would take at the measured rates, and how near the measured one is."""
    operations, moved = (work_of_fno if name == "FNO" else work_of_t1)(size, batch)
    of_products, of_memory = operations / rates[0], moved / rates[1]
    part = max(of_products, of_memory) / seconds
    return (
        f"| {size} | {name} | {operations / 1e9:.2f} | {moved / 1e9:.3f} | {1e3 * of_products:.1f} "
        f"| {1e3 * of_memory:.1f} | {1e3 * seconds:.1f} | {100 * part:.0f} % |"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[64, 128, 256], help="points an axis (64 128 256)"
    )
    parser.add_argument("--batch", type=int, default=16, help="samples a step (16)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (2)")
    parser.add_argument("--repetitions", type=int, default=15, help="turns of each contestant (15)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=[PEER, *PEER_VARIANTS, *OURS],
        help=f"contestants, of: {', '.join([PEER, *OURS])}; and, not by default: {', '.join(PEER_VARIANTS)}",
    )  # fmt: skip
    parser.add_argument(
        "--allocator", choices=("keep", "default"), default="keep", help="memory of the process (keep)"
    )
    parser.add_argument(
        "--memory-sizes", type=int, nargs="*", default=[64, 128], help="points for the memory (64 128)"
    )
    parser.add_argument("--output", type=Path, help="JSON file for the numbers")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def print_times(
    names: Sequence[str], size: int, options: argparse.Namespace
) -> list[dict[str, float | int | str]]:
    """Measure all contestants at one size, print their rows of the table and return them."""
    builds = {name: partial(build_step, name, size, options.batch) for name in names}
    results = take_turns(builds, options.repetitions)
    rows: list[dict[str, float | int | str]] = []
    for name, (seconds, num_parameters) in results.items():
        middle, best = median(seconds), min(seconds)
        ratio = f"{median(results[PEER][0]) / middle:.2f}" if PEER in results else "-"
        print(
            f"| {size} | {name} | {1e3 * middle:.1f} | {1e3 * best:.1f} | {len(seconds)} | {ratio} "
            f"| {num_parameters / 1e6:.2f} |",
            flush=True,
        )
        rows.append(
            {"size": size, "name": name, "median": middle, "minimum": best, "parameters": num_parameters}
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        arguments: Command line; by default that of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    allocator = use_allocator("operator_speed", arguments, options.allocator)
    torch.set_num_threads(options.threads)
    # The peer's warnings are about optional packages.
    warnings.filterwarnings("ignore")
    if options.memory_of is not None:
        build = partial(build_step, options.memory_of, options.sizes[0], options.batch)
        print(json.dumps(measure_memory(build)))
        return

    names = options.only or [PEER, *OURS]
    if find_spec("neuralop") is None and any(name.startswith(PEER) for name in names):
        print("neuraloperator is not installed, so ours run alone; try: pip install -e '.[bench]'\n")
        names = [name for name in names if not name.startswith(PEER)]
    rates = measure_machine()
    # First, while this process is small.
    memory = [
        {
            "size": size,
            "name": name,
            "megabytes": memory_apart(name, size, options),
        }
        for size in options.memory_sizes
        for name in names
        if name in (PEER, "FNO")
    ]
    print(
        f"Training step, torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), "
        f"batch {options.batch}, {allocator}, huge pages {os.environ.get('THP_MEM_ALLOC_ENABLE', '0')}\n\n"
        f"| points | contestant | median ms | best ms | steps | {PEER} / this | M parameters |\n"
        "|---|---|---|---|---|---|---|"
    )
    rows = [row for size in options.sizes for row in print_times(names, size, options)]
    # Another process may have taken a core the first time.
    again = measure_machine()
    rates = max(rates[0], again[0]), max(rates[1], again[1])
    bounds = [
        roofline(str(row["name"]), int(row["size"]), options.batch, rates, float(row["median"]))
        for row in rows
        if row["name"] in ("FNO", "T1")
    ]
    if bounds:
        print(
            f"\nRoofline: a large product runs at {rates[0] / 1e9:.0f} GFLOP/s, an addition in place at "
            f"{rates[1] / 1e9:.1f} GB/s\n\n"
            "| points | contestant | GFLOP | GB | products, ms | memory, ms | median ms | larger / median |\n"
            "|---|---|---|---|---|---|---|---|"
        )
        print("\n".join(bounds))
    if memory:
        print("\nPeak memory of a step, default allocator\n\n| points | contestant | MB |\n|---|---|---|")
        print("\n".join(f"| {row['size']} | {row['name']} | {row['megabytes']:.0f} |" for row in memory))
    if options.output is not None:
        options.output.write_text(json.dumps({"times": rows, "memory": memory}, indent=1))


if __name__ == "__main__":
    main()
