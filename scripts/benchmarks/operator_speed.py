"""Time and memory of one training step: our operators and neuraloperator's FNO, side by side in one run.

A step is forward, mean relative L2 error, backward and AdamW, float32 unless the name says otherwise. The
contestants take turns, so that a busy machine slows all of them; the medians are compared. Memory is the peak
of the resident set of a process that runs this contestant only, minus what it had before the model was built.

The peer keeps ``n_modes=(24, 24)``, the waves -12..11 and 0..12; ours ``modes=12``, -12..11 and 0..11.

    pip install pdeops[bench]
    python scripts/benchmarks/operator_speed.py --threads 2 --sizes 64 128 256

Large fresh tensors cost page faults, often more than the arithmetic. ``THP_MEM_ALLOC_ENABLE=1`` in the
environment makes PyTorch ask Linux for huge pages; it helps every contestant and is printed with the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

import pdeops.operators
from pdeops.domains import Grid
from pdeops.operators import FNO, SpectralOperator

WIDTH, NUM_LAYERS, MODES, HIDDEN = 32, 4, 12, 64
PEER = "neuraloperator FNO"
REFERENCE = "FNO"
Step = Callable[[], float]


def build_ours(size: int) -> nn.Module:
    """Build our FNO of the benchmark."""
    grid = Grid.periodic((size, size))
    return FNO(1, 1, grid, modes=MODES, width=WIDTH, num_layers=NUM_LAYERS, projection_width=HIDDEN)


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


def build_t1(size: int) -> SpectralOperator:
    """Build T1 at the bandwidth of the others: 2 MODES real functions an axis."""
    t1 = pdeops.operators.T1
    return t1(1, 1, Grid.periodic((size, size)), modes=2 * MODES, width=WIDTH, num_layers=NUM_LAYERS)


def contestant_names() -> list[str]:
    """Everything that can run here, in the order of the table."""
    names = [REFERENCE, "FNO compiled", "FNO bfloat16"]
    if hasattr(pdeops.operators, "T1"):
        names += ["T1", "T1 coefficient loss", "T1 coefficient loss compiled"]
    if find_spec("neuralop") is not None:
        names = [PEER, f"{PEER} without channel MLP", f"{PEER} compiled", f"{PEER} bfloat16", *names]
    return names


def build_step(name: str, size: int, batch: int) -> tuple[Step, int]:
    """Build one contestant.

    Args:
        name: One of `contestant_names`.
        size: Points an axis.
        batch: Samples of a step.

    Returns:
        A function that makes one training step and returns the loss, and the number of real parameters.
    """
    torch.manual_seed(0)
    inputs, targets = torch.randn(2, batch, 1, size, size)
    if name.startswith(PEER):
        model = build_peer(use_channel_mlp="without" not in name)
    else:
        model = build_t1(size) if name.startswith("T1") else build_ours(size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    num_parameters = sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())
    function: Callable[[Tensor], Tensor] = model
    if "coefficient loss" in name:
        # By Parseval's identity this is the same error, on the waves kept; the data set would store these.
        targets = model.transform(targets)
        function = model.coefficients
    if "compiled" in name:
        function = torch.compile(function, dynamic=False)
    precision = torch.autocast("cpu", dtype=torch.bfloat16) if "bfloat16" in name else nullcontext()

    def step() -> float:
        optimizer.zero_grad()
        with precision:
            outputs = function(inputs).float()
        error = (outputs - targets).flatten(start_dim=1).norm(dim=1)
        loss = (error / targets.flatten(start_dim=1).norm(dim=1)).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, num_parameters


def measure_times(names: Sequence[str], size: int, batch: int, repetitions: int) -> dict[str, list[float]]:
    """Seconds of every step, the contestants taking turns; one that fails has none."""
    steps: dict[str, Step] = {}
    for name in names:
        try:
            step, _ = build_step(name, size, batch)
            step()
            step()
        except (RuntimeError, ValueError, TypeError) as error:
            print(f"{name} at {size}: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
            continue
        steps[name] = step
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repetitions):
        for name, step in steps.items():
            start = perf_counter()
            step()
            seconds[name].append(perf_counter() - start)
    return seconds


def measure_memory(name: str, size: int, batch: int) -> dict[str, float]:
    """Growth of the resident set from before the model to the peak of three steps, in MB."""
    before = resident_megabytes("VmRSS")
    step, num_parameters = build_step(name, size, batch)
    for _ in range(3):
        step()
    return {"megabytes": resident_megabytes("VmHWM") - before, "parameters": num_parameters}


def resident_megabytes(key: str) -> float:
    """Resident set now (VmRSS) or at its peak (VmHWM); not a number where the system does not tell.

    Not `resource.getrusage`: its peak starts from that of the process which started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) / 1e3 for line in lines if line.startswith(key)), float("nan"))


def measure_memory_apart(name: str, size: int, batch: int, threads: int) -> dict[str, float]:
    """`measure_memory` in a process of its own; not a number where it fails."""
    options = ["--memory-of", name, "--sizes", str(size), "--batch", str(batch), "--threads", str(threads)]
    command = [sys.executable, str(Path(__file__).resolve()), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"megabytes": float("nan"), "parameters": float("nan")}
    return json.loads(done.stdout.splitlines()[-1])


def operations_of_step(size: int, batch: int) -> float:
    """Floating-point operations of one step of our FNO, two a multiply-add."""
    points = batch * size**2
    transforms = 2 * (4 * points * MODES * WIDTH + 16 * batch * WIDTH * size * MODES**2)
    mixing = 16 * batch * WIDTH**2 * MODES**2
    pointwise = 2 * points * WIDTH**2
    # Backward: a transform once more; a product with weights twice, for its input and for the weights.
    layer = 2 * transforms + 3 * (mixing + pointwise)
    entry, head = 2 * points * 5 * WIDTH, 2 * points * (WIDTH + 1) * HIDDEN
    # The head's first product is done again in its backward pass.
    return NUM_LAYERS * layer + 2 * entry + 4 * head


def bytes_of_step(size: int, batch: int) -> float:
    """Bytes that one step of our FNO moves in full fields if nothing stays in a cache, float32.

    A layer: 2 reads by the two products, 1 write, 1 read and 1 write by the activation; backward 2 reads and
    1 write by the activation, 4 reads by products (2 of them for the weight), 2 writes, and 2 reads and 1
    write where the two gradients of the input are added. The head works block by block: its hidden values
    stay in the cache, and its input is read twice and its gradient written.
    """
    field = 4.0 * batch * size**2 * WIDTH
    head = 3 * field
    optimizer = 7 * 4 * NUM_LAYERS * 4 * WIDTH**2 * MODES**2
    return NUM_LAYERS * 17 * field + head + optimizer


def measure_machine() -> tuple[float, float]:
    """Rates of this machine: operations a second of a large product, bytes a second of adding in place."""
    left, right, product = torch.randn(3, 1024, 1024)
    source, target = torch.zeros(2, 2**25)

    def fastest(action: Callable[[], object]) -> float:
        seconds = []
        for _ in range(7):
            start = perf_counter()
            action()
            seconds.append(perf_counter() - start)
        return min(seconds)

    operations = 2 * 1024**3 / fastest(lambda: torch.mm(left, right, out=product))
    return operations, 3 * 4 * 2**25 / fastest(lambda: target.add_(source))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        arguments: Command line; by default that of the process.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256], help="points an axis")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--only", nargs="+", help="names of contestants")
    parser.add_argument("--no-memory", action="store_true", help="skip the measurement of memory")
    parser.add_argument("--output", type=Path, help="JSON file for the numbers")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    # The peer's warnings are about optional packages.
    warnings.filterwarnings("ignore")

    if options.memory_of is not None:
        print(json.dumps(measure_memory(options.memory_of, options.sizes[0], options.batch)))
        return

    names = [name for name in contestant_names() if options.only is None or name in options.only]
    operations_rate, bytes_rate = measure_machine()
    pages = os.environ.get("THP_MEM_ALLOC_ENABLE", "0")
    print(
        f"torch {torch.__version__}, {platform.machine()}, {options.threads} threads, batch {options.batch}, "
        f"huge pages {pages}; large product {operations_rate / 1e9:.0f} GFLOP/s, "
        f"addition in place {bytes_rate / 1e9:.1f} GB/s"
    )
    rows: list[dict[str, float | str]] = []
    for size in options.sizes:
        seconds = measure_times(names, size, options.batch, options.repetitions)
        baseline = median(seconds[PEER]) if PEER in seconds else float("nan")
        for name, taken in seconds.items():
            row = {"name": name, "size": size, "median": median(taken), "minimum": min(taken)}
            row["ratio"] = baseline / row["median"]
            row |= {"megabytes": float("nan"), "parameters": float("nan")}
            if not options.no_memory:
                row |= measure_memory_apart(name, size, options.batch, options.threads)
            rows.append(row)
            print(
                f"{size:4d}^2  {name:42s} {1e3 * row['median']:8.1f} ms (best {1e3 * row['minimum']:8.1f})  "
                f"{row['ratio']:5.2f} x  {row['megabytes']:7.0f} MB  {row['parameters'] / 1e6:5.2f} M reals",
                flush=True,
            )
        operations, moved = operations_of_step(size, options.batch), bytes_of_step(size, options.batch)
        bound = max(operations / operations_rate, moved / bytes_rate)
        own = median(seconds[REFERENCE]) if REFERENCE in seconds else float("nan")
        print(
            f"{size:4d}^2  roofline of our FNO: {operations / 1e9:.1f} GFLOP, {moved / 1e9:.2f} GB: products "
            f"{1e3 * operations / operations_rate:.0f} ms, memory {1e3 * moved / bytes_rate:.0f} ms; "
            f"the measured step reaches {100 * bound / own:.0f} % of it"
        )
    if options.output is not None:
        options.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
