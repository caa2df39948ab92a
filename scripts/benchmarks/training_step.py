"""One training step, measured: contestants take turns in one process, memory is measured in another one."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from pdeops.domains import Grid
from pdeops.operators import SpectralOperator
from pdeops.training import FrequencyRelativeL2, RelativeL2
from pdeops.training.memory import PeakMemory

# Seconds after which a contestant has had enough turns.
ENOUGH = 20.0
# Settings of glibc, read when a process starts, under which it never gives memory back.
KEEPING_ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "500000000",
}
Step = Callable[[], float]
# Makes a step, and says how many real parameters its model has.
Build = Callable[[], tuple[Step, int]]


def build_training_step(
    model: nn.Module, grid: Grid, batch: int, *, compiled: bool = False, bfloat16: bool = False
) -> tuple[Step, int]:
    """Build a step: forward, mean relative L2, backward, AdamW; random fields of one channel in and out.

    Args:
        model: Maps (batch, 1, *grid.shape) to the same shape; the loss of a spectral operator is that on its
            coefficients.
        grid: Where the fields lie.
        batch: Samples of a step.
        compiled: Whether the model runs under torch.compile.
        bfloat16: Whether the forward pass runs under autocast.

    Returns:
        A function that makes one step and returns the loss, and the number of real parameters.
    """
    inputs, targets = torch.randn(2, batch, 1, *grid.shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    function: Callable[[Tensor], Tensor] = (
        model.coefficients if isinstance(model, SpectralOperator) else model
    )
    if compiled:
        function = torch.compile(function, dynamic=False)
    in_frequencies, in_space = FrequencyRelativeL2(), RelativeL2()

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16) if bfloat16 else nullcontext():
            outputs = function(inputs)
        outputs = outputs.float()
        if isinstance(model, SpectralOperator):
            loss = in_frequencies(outputs, targets, grid, model.transform)
        else:
            loss = in_space(outputs, targets, grid)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())


def take_turns(builds: Mapping[str, Build], repetitions: int) -> dict[str, tuple[list[float], int]]:
    """Seconds of every step and the number of parameters, the contestants taking turns.

    A busy machine then slows all of them. One whose step takes long has fewer turns, but 3 if that many are
    asked for; one that fails is left out, with a line on the standard error.
    """
    steps: dict[str, Step] = {}
    turns: dict[str, int] = {}
    results: dict[str, tuple[list[float], int]] = {}
    for name, build in builds.items():
        try:
            step, num_parameters = build()
            step()
            step()
            start = perf_counter()
            step()
        except (RuntimeError, ValueError, TypeError) as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
            print(f"{name}: {reason}", file=sys.stderr)
            continue
        turns[name] = min(repetitions, max(3, int(ENOUGH / (perf_counter() - start))))
        steps[name], results[name] = step, ([], num_parameters)
    for turn in range(repetitions):
        for name, step in steps.items():
            if turn < turns[name]:
                start = perf_counter()
                step()
                results[name][0].append(perf_counter() - start)
    return results


def measure_memory(build: Build) -> float:
    """Growth of the resident set from before the model to the peak of three steps, in MB."""
    peak = PeakMemory("cpu")
    step, _ = build()
    for _ in range(3):
        step()
    return peak.megabytes


def measure_memory_apart(benchmark: str, arguments: Sequence[str]) -> float:
    """The number that a benchmark prints in another process with the default allocator; NaN if it fails."""
    done = _start(benchmark, [*arguments, "--allocator", "default"], {}, capture_output=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else float("nan")


def use_allocator(benchmark: str, arguments: Sequence[str], choice: str) -> str:
    """Start the benchmark once more if its allocator is another one, and exit; else say which it has.

    Args:
        benchmark: Name of the benchmark.
        arguments: Its command line.
        choice: "keep" or "default".

    Returns:
        The allocator in words.
    """
    wanted = KEEPING_ALLOCATOR if choice == "keep" and platform.libc_ver()[0] == "glibc" else {}
    if wanted != {key: os.environ[key] for key in KEEPING_ALLOCATOR if key in os.environ}:
        sys.exit(_start(benchmark, arguments, wanted, capture_output=False).returncode)
    return "allocator that keeps its memory" if wanted else "default allocator"


def _start(
    benchmark: str, arguments: Sequence[str], allocator: Mapping[str, str], capture_output: bool
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in KEEPING_ALLOCATOR}
    script = Path(__file__).parents[1] / "benchmark.py"
    return subprocess.run(
        [sys.executable, str(script), benchmark, *arguments],
        env=environment | dict(allocator),
        capture_output=capture_output,
        text=True,
        check=False,
    )
