"""A time step of `solvers.SpectralSolver` and of exponax (JAX, compiled), on the same equation and scheme.

Both take ETDRK4 steps of the same length in float64 from the same band-limited initial data, on the same
grid, with the same threads. The seconds of a step are (T(2n) - T(n)) / n, so that setup and compilation do
not count; the median of interleaved repetitions is printed, and the relative L2 difference of the two final
fields without their means (exponax removes the mean of Kuramoto-Sivashinsky), which says that both solved
the same problem. Memory is not compared: XLA's allocator is not ours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import sympy
import torch

from pdeops.domains import Field, Grid
from pdeops.problems import Burgers2D, KuramotoSivashinsky, NavierStokes2D, SemilinearProblem
from solvers import SpectralSolver


@dataclass(frozen=True, kw_only=True)
class SeparateKuramotoSivashinsky(KuramotoSivashinsky):
    """With the sum of fourth derivatives, as exponax has it, in place of the square of the Laplacian."""

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The same equation without its mixed derivative."""
        x, y = self.space_symbols
        mixed = 2 * sympy.Derivative(self.function("front"), (x, 2), (y, 2))
        (equation,) = super().equations
        return (sympy.Eq(equation.lhs, equation.rhs + mixed, evaluate=False),)


@dataclass(frozen=True)
class Case:
    """One equation for both libraries."""

    name: str
    problem: SemilinearProblem
    length: float
    amplitude: float
    time_step: float
    stepper: Callable[[Any, int, float], Any]

    def initial(self, num_points: int) -> torch.Tensor:
        """Smooth values (channels, points, points): waves up to the fourth."""
        generator = torch.Generator().manual_seed(0)
        spectrum = torch.zeros(
            len(self.problem.outputs), num_points, num_points // 2 + 1, dtype=torch.complex128
        )
        shape = (len(self.problem.outputs), 4, 4)
        spectrum[:, 1:5, 1:5] = torch.randn(shape, generator=generator, dtype=torch.complex128)
        values = torch.fft.irfft2(spectrum, s=(num_points, num_points), norm="forward")
        return self.amplitude * values / values.std()


CASES = (
    Case(
        "Navier-Stokes (vorticity)",
        NavierStokes2D(viscosity=1e-3, forcing_amplitude=0.0),
        1.0,
        1.0,
        0.02,
        # Its stream function has the other sign.
        lambda ex, n, dt: ex.stepper.NavierStokesVorticity(
            2, 1.0, n, dt, diffusivity=1e-3, vorticity_convection_scale=-1.0, order=4
        ),
    ),
    Case(
        "Burgers (two components)",
        Burgers2D(viscosity=0.01),
        1.0,
        0.5,
        0.005,
        lambda ex, n, dt: ex.stepper.Burgers(2, 1.0, n, dt, diffusivity=0.01, order=4),
    ),
    Case(
        "Kuramoto-Sivashinsky",
        SeparateKuramotoSivashinsky(dimension=2),
        100.0,
        1.0,
        0.05,
        lambda ex, n, dt: ex.stepper.KuramotoSivashinsky(2, 100.0, n, dt, order=4),
    ),
)


def ours(case: Case, num_points: int, num_steps: int) -> tuple[torch.Tensor, float]:
    """Final values (channels, points, points), and seconds of the whole solve."""
    grid = Grid.periodic((num_points,) * 2, lengths=(case.length,) * 2)
    names = [variable.name for variable in case.problem.inputs]
    parts = case.initial(num_points).unsqueeze(1).unbind(0)
    inputs = {name: Field(v[None], grid, (name,)) for name, v in zip(names, parts, strict=True)}
    times = torch.tensor([num_steps * case.time_step], dtype=torch.float64)
    start = perf_counter()
    solution = SpectralSolver(time_step=case.time_step).solve(case.problem, inputs, grid, times)
    return solution.values[0, 0], perf_counter() - start


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs="+", default=[256], help="points an axis (256)")
    parser.add_argument("--num-steps", type=int, default=10, help="steps n (10)")
    parser.add_argument("--repetitions", type=int, default=7, help="runs of each (7)")
    parser.add_argument("--threads", type=int, default=2, help="processors for both (2)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    options = parse(arguments)
    # XLA takes as many threads as there are processors it may run on, and looks once.
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: options.threads])
    torch.set_num_threads(options.threads)
    try:
        import exponax
        import jax
    except ImportError:
        raise SystemExit(
            "expected exponax to compare with, found none; try pip install 'pdeops[bench]'"
        ) from None
    jax.config.update("jax_enable_x64", True)

    print(f"ETDRK4, float64, {options.threads} threads, medians of {options.repetitions}\n")
    print("| equation | points | pdeops, ms a step | exponax, ms a step | ratio | difference of the fields |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        for num_points in options.points:
            stepper = case.stepper(exponax, num_points, case.time_step)
            initial = jax.numpy.asarray(case.initial(num_points).numpy())
            runs = {}
            for factor in (1, 2):
                repeated = jax.jit(exponax.repeat(stepper, factor * options.num_steps))
                repeated(initial).block_until_ready()
                runs[factor] = repeated
                ours(case, num_points, options.num_steps)
            our_steps, their_steps = [], []
            for _ in range(options.repetitions):
                our_seconds, their_seconds = {}, {}
                for factor in (1, 2):
                    our_final, our_seconds[factor] = ours(case, num_points, factor * options.num_steps)
                    start = perf_counter()
                    their_final = runs[factor](initial).block_until_ready()
                    their_seconds[factor] = perf_counter() - start
                our_steps.append((our_seconds[2] - our_seconds[1]) / options.num_steps)
                their_steps.append((their_seconds[2] - their_seconds[1]) / options.num_steps)
            theirs = torch.from_dlpack(their_final)
            theirs = theirs - theirs.mean(dim=(-2, -1), keepdim=True)
            our_final = our_final - our_final.mean(dim=(-2, -1), keepdim=True)
            difference = ((our_final - theirs).norm() / theirs.norm()).item()
            mine, other = 1e3 * median(our_steps), 1e3 * median(their_steps)
            cells = (case.name, f"{num_points} x {num_points}", f"{mine:.2f}", f"{other:.2f}")
            print(f"| {' | '.join(cells)} | {mine / other:.2f} | {difference:.1e} |", flush=True)


if __name__ == "__main__":
    main()
