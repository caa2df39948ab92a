"""Functional Tucker models: noise floor, cost against the number of entries, and fields of PDEs.

Three parts, chosen by ``--parts``:

- ``floor``: random smooth Tucker fields of three coordinates, noisy values at random points. The error of the
  posterior mean against the noise-free field is to be below the noise, and to be what the posterior claims.
- ``scaling``: seconds and memory of one sweep against the number of entries, no index repeated, each in a
  process of its own.
- ``surrogate``: Burgers' equation (t, x) and the heat equation (t, x, y) from a share of their values with
  noise, on all points; with ranks that are given and with those that the evidence chooses, next to the
  nearest datum and the sum of the means of each index.

Errors are root mean squares over the deviation of the field; coverage is the share of points whose 95 %
interval holds the noise-free value.
"""

import argparse
import math
import multiprocessing
import resource
from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import Tensor

from pdeops.domains import Field, Grid
from pdeops.gp import FunctionalTucker
from pdeops.instances import posterior_field, scatter
from pdeops.problems import HeatEquation
from pdeops.problems.cole_hopf import cole_hopf_burgers
from solvers import SpectralSolver

SURROGATE_RANKS = {"Burgers": (8, 8), "heat": (3, 8, 8)}


def smooth_field(ranks: Sequence[int], seed: int) -> Callable[[Tensor], Tensor]:
    """A Tucker field of variance about 1 whose functions are sums of four waves each."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [torch.randn(rank, 4, generator=generator, dtype=torch.float64) / 2 for rank in ranks]
    phases = [2 * math.pi * torch.rand(rank, 4, generator=generator, dtype=torch.float64) for rank in ranks]
    core = torch.randn(*ranks, generator=generator, dtype=torch.float64)
    waves = math.pi * (torch.arange(4, dtype=torch.float64) + 0.5)

    def values(points: Tensor) -> Tensor:
        result = core.expand(len(points), *core.shape)
        for column, size, phase in zip(points.unbind(1), sizes, phases, strict=True):
            functions = (size * torch.cos(column[:, None, None] * waves + phase)).sum(dim=2)
            result = torch.einsum("nr,nr...->n...", functions, result)
        return result

    deviation = values(torch.rand(5000, len(ranks), generator=generator, dtype=torch.float64)).std()
    return lambda points: values(points) / deviation


def coverage(error: Tensor, variance: Tensor) -> float:
    """Share of the errors inside the interval of 95 %."""
    return (error.abs() <= 1.96 * variance.sqrt()).double().mean().item()


def noise_floor(entries: int, sweeps: int, seed: int) -> None:
    """Print errors, claims and found noise."""
    print(f"Tucker fields of three coordinates, {entries} entries\n")
    print("| rank | noise | rmse | claimed | coverage | noise found | sweeps | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for rank in (1, 2, 3):
        truth = smooth_field((rank,) * 3, seed + rank)
        for noise in (0.01, 0.1, 0.3):
            generator = torch.Generator().manual_seed(seed)
            points = torch.rand(2 * entries, 3, generator=generator, dtype=torch.float64)
            data = truth(points[:entries])
            data = data + noise * torch.randn(entries, generator=generator, dtype=torch.float64)
            start = perf_counter()
            model = FunctionalTucker(rank, smoothness=2.5, sweeps=sweeps, starts=2, seed=seed)
            mean, variance = model.fit(points[:entries], data).predict(points[entries:])
            seconds = perf_counter() - start
            error = mean - truth(points[entries:])
            print(
                f"| {rank} | {noise:g} | {error.square().mean().sqrt():.4f} | {variance.mean().sqrt():.4f} "
                f"| {coverage(error, variance):.3f} | {model.noise_variance**0.5:.4f} "
                f"| {len(model.bounds)} | {seconds:.1f} |",
                flush=True,
            )


def one_sweep(entries: int, rank: int, threads: int) -> tuple[float, float]:
    """Seconds of a sweep without learning of kernels, and the process's largest memory in MB."""
    torch.set_num_threads(threads)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    points = torch.rand(entries, 2, dtype=torch.float64)
    data = smooth_field((rank, rank), 0)(points)
    model = FunctionalTucker(rank, smoothness=1.5, starts=1, sweeps=1, learn_kernel=False)
    start = perf_counter()
    model.fit(points, data)
    seconds = perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def scaling(largest: int, threads: int) -> None:
    """Print cost against the number of entries."""
    print("One sweep, two coordinates without repeated indices, Matern 3/2\n")
    print("| entries | rank | seconds | microseconds an entry | memory (MB) | bytes an entry |")
    print("|---|---|---|---|---|---|")
    # A process each: the largest memory of a process never falls.
    context = multiprocessing.get_context("spawn")
    for rank in (1, 2):
        entries = 1000
        while entries <= largest:
            with context.Pool(1) as pool:
                seconds, memory = pool.apply(one_sweep, (entries, rank, threads))
            print(
                f"| {entries} | {rank} | {seconds:.2f} | {1e6 * seconds / entries:.1f} | {memory:.0f} "
                f"| {memory * 2**20 / entries:.0f} |",
                flush=True,
            )
            entries *= 10


def burgers() -> Field:
    """A front that steepens at x = 0, viscosity 0.02."""
    grid = Grid.box((129,), lower=(-1,), upper=(1,))
    times = torch.linspace(0, 1, 101, dtype=torch.float64)
    values = cole_hopf_burgers(grid.points[:, 0], times[:, None], 0.02)
    return Field(values[None, :, None], grid, ("velocity",), (), times)


def heat(seed: int) -> Field:
    """Decay of a smooth random temperature on the torus."""
    grid = Grid.periodic((32, 32))
    problem = HeatEquation(diffusivity=0.01)
    times = torch.linspace(0, 1, 41, dtype=torch.float64)
    return SpectralSolver().solve(problem, problem.sample_inputs(grid, [seed]), grid, times)


def nearest(points: Tensor, data: Tensor, query: Tensor) -> Tensor:
    """The value of the nearest datum, all coordinates scaled to [0, 1]."""
    lower, upper = query.amin(dim=0), query.amax(dim=0)
    scaled = [(part - lower) / (upper - lower) for part in (points, query)]
    return torch.cat([data[torch.cdist(some, scaled[0]).argmin(dim=1)] for some in scaled[1].split(4096)])


def index_means(points: Tensor, data: Tensor, query: Tensor) -> Tensor:
    """Overall mean plus, a coordinate, the mean difference from it of the data with the same index."""
    result = data.mean().expand(len(query)).clone()
    for seen, wanted in zip(points.unbind(1), query.unbind(1), strict=True):
        known, where = torch.unique(torch.cat((seen, wanted)), return_inverse=True)
        sums, counts = data.new_zeros(len(known)), data.new_zeros(len(known))
        sums.index_add_(0, where[: len(seen)], data - data.mean())
        counts.index_add_(0, where[: len(seen)], torch.ones_like(data))
        result += (sums / counts.clamp_min(1))[where[len(seen) :]]
    return result


def surrogates(fraction: float, noise: float, sweeps: int, seed: int) -> None:
    """Print errors and coverage on the fields of two equations."""
    print(
        f"Fields from {100 * fraction:g} % of their values, noise of {100 * noise:g} % of their deviation\n"
    )
    print("| field | entries | method | relative rmse | claimed | coverage | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, field in (("Burgers", burgers()), ("heat", heat(seed))):
        deviation = field.values.std().item()
        points, data = scatter(field, fraction, noise_std=noise * deviation, seed=seed)
        query, truth = scatter(field, 1.0)
        for label, method in (("nearest datum", nearest), ("means of each index", index_means)):
            error = (method(points, data, query) - truth) / deviation
            print(
                f"| {name} | {len(data)} | {label} | {error.square().mean().sqrt():.4f} | | | |", flush=True
            )
        for core, ranks in (
            ("cp", max(SURROGATE_RANKS[name])),
            ("tucker", SURROGATE_RANKS[name]),
            ("tucker", None),
        ):
            start = perf_counter()
            model = FunctionalTucker(ranks, core=core, smoothness=2.5, sweeps=sweeps, seed=seed)
            model.fit(points, data)
            posterior = posterior_field(model, field.domain, field.times, channel=field.channels[0])
            seconds = perf_counter() - start
            mean, spread = (posterior.select(channel).values for channel in posterior.channels)
            error, variance = (mean - field.values) / deviation, (spread / deviation).square()
            label = f"{core} {model.ranks_found}" + (" by evidence" if ranks is None else "")
            print(
                f"| {name} | {len(data)} | {label} | {error.square().mean().sqrt():.4f} "
                f"| {variance.mean().sqrt():.4f} | {coverage(error, variance):.3f} | {seconds:.0f} |",
                flush=True,
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("floor", "scaling", "surrogate")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts, help="what to measure (all)")
    parser.add_argument("--entries", type=int, default=1000, help="entries of the noise floor (1000)")
    parser.add_argument("--largest", type=int, default=10**6, help="most entries of the scaling (1000000)")
    parser.add_argument("--fraction", type=float, default=0.02, help="share of the field that is seen (0.02)")
    parser.add_argument("--noise", type=float, default=0.02, help="noise over the field's deviation (0.02)")
    parser.add_argument("--sweeps", type=int, default=100, help="most sweeps of a fit (100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of fields, points and starts (0)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if "floor" in options.parts:
        noise_floor(options.entries, options.sweeps, options.seed)
    if "scaling" in options.parts:
        scaling(options.largest, options.threads)
    if "surrogate" in options.parts:
        surrogates(options.fraction, options.noise, options.sweeps, options.seed)


if __name__ == "__main__":
    main()
