"""Time of a batch from the loader against the time of a training step of T1 on that batch.

Trajectories of random numbers (what they are does not matter to either time) are stored as a data set, and
the training pairs are read by `PDEDataModule`: from memory, and from the file. Times are medians over the
steps. The goal is less than 5 % of a training step.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from pdeops.data import Batch, PDEDataModule, Window, import_arrays
from pdeops.domains import Grid
from pdeops.operators import T1
from pdeops.training import FrequencyRelativeL2


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=64, help="points an axis (64)")
    parser.add_argument("--trajectories", type=int, default=128, help="stored trajectories (128)")
    parser.add_argument("--frames", type=int, default=21, help="frames a trajectory (21)")
    parser.add_argument("--batch-size", type=int, default=16, help="pairs a step (16)")
    parser.add_argument("--steps", type=int, default=40, help="steps that are timed (40)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the numbers and the order (0)")
    return parser.parse_args(arguments)


def training_step(grid: Grid, device: torch.device) -> Callable[[Batch], None]:
    """Build a training step of T1 in its usual size."""
    operator = T1(1, 1, grid).to(device)
    loss = FrequencyRelativeL2()
    optimizer = torch.optim.AdamW(operator.parameters(), lr=1e-3)

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        coefficients = operator.coefficients(batch.inputs.values, batch.inputs.domain)
        loss(coefficients, batch.targets.values, batch.targets.domain, operator.transform).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def endless(data: PDEDataModule) -> Iterator[Batch]:
    """Batches of one epoch after the other."""
    loader, epoch = data.train_dataloader(), 0
    while True:
        loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1


def measure(data: PDEDataModule, steps: int, device: torch.device) -> tuple[float, float]:
    """Median seconds of a batch on the device, and of a training step on it."""
    batches, step = endless(data), training_step(data.input_domain, device)
    loading, training = [], []
    for number in range(steps + 3):
        start = perf_counter()
        batch = next(batches).to(device)
        loaded = perf_counter()
        step(batch)
        if number >= 3:  # the first steps allocate
            loading.append(loaded - start)
            training.append(perf_counter() - loaded)
    return median(loading), median(training)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    grid = Grid.periodic((options.points, options.points))
    with tempfile.TemporaryDirectory() as folder:
        frames = torch.randn(options.trajectories, options.frames, *grid.shape)
        path = import_arrays(
            Path(folder) / "random.h5", {}, frames, grid, times=[float(i) for i in range(options.frames)]
        )
        del frames
        print(
            f"{options.points} x {options.points} points, batches of {options.batch_size}, "
            f"{options.frames} frames a trajectory, {device}, {options.threads} threads\n"
        )
        print("| data | ms a batch | ms a training step | share |\n|---|---|---|---|")
        cases = (("in memory", 1e12, 0), ("from the file", 0.0, 0), ("from the file, one worker", 0.0, 1))
        for name, memory_limit, num_workers in cases:
            data = PDEDataModule(
                path=path,
                window=Window(stride=min(5, options.frames - 1)),
                batch_size=options.batch_size,
                seed=options.seed,
                memory_limit=memory_limit,
                num_workers=num_workers,
                normalise="none",
            )
            data.setup()
            loading, training = measure(data, options.steps, device)
            share = loading / training
            print(f"| {name} | {1e3 * loading:.2f} | {1e3 * training:.1f} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
