"""Time and memory of elliptic solves beside SciPy and PyAMG: same matrix, data, tolerance and threads.

Four tables. Poisson on a box by fast transforms, against the bare sine transforms of scipy.fft. Variable
coefficients and a domain with holes by multigrid, against PyAMG (classical and smoothed aggregation, both
with conjugate gradients) and conjugate gradients of SciPy; and the memory of that. A batch of Darcy problems,
against sparse elimination one problem after the other.

Every solution is judged by its residual, computed afresh in float64 with the matrix of SciPy. Setup (all that
depends on the matrix only) and solve are timed apart; the peers get their matrix ready-made, ours makes its
own from the coefficients. Runs are interleaved, the figures are medians. Memory is the growth of the largest
resident size over setup and solve, in a fresh process, Linux only. Needs PyAMG: pip install 'pdeops[bench]'.
"""

import argparse
import itertools
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
import scipy.sparse.linalg
import torch

from pdeops.domains import Field, Grid
from pdeops.problems import Darcy2D, Poisson
from pdeops.training.memory import PeakMemory
from solvers import FastPoissonSolver, FiniteVolumeMultigridSolver, FiniteVolumeSystem

TOLERANCE = 1e-8


@dataclass(frozen=True)
class Case:
    """A matrix with its coefficients, and a right side.

    Args:
        name: For the table.
        grid: Cells of the unit box, u = 0 on its boundary.
        diffusion: a (1, *shape).
        mask: Points that are solved for, or None for all.
        source: f (1, *shape).
    """

    name: str
    grid: Grid
    diffusion: torch.Tensor
    mask: torch.Tensor | None
    source: torch.Tensor

    @classmethod
    def make(cls, kind: str, shape: tuple[int, ...], seed: int) -> "Case":
        """A smooth coefficient, one of two phases, or a box with 12 round holes."""
        generator = torch.Generator().manual_seed(seed)
        grid = Grid.box(shape, "cells")
        points = grid.coordinates
        diffusion = torch.ones(1, *shape, dtype=torch.float64)
        mask = None
        if kind == "smooth":
            diffusion[0] = torch.exp(sum(torch.sin(7 * x + i) for i, x in enumerate(points)))
        elif kind == "two phases":
            waves = torch.rand(8, len(shape), generator=generator, dtype=torch.float64) * 40
            field = sum(torch.cos(sum(k * x for k, x in zip(w, points, strict=True)) + w[0]) for w in waves)
            diffusion[0] = torch.where(field > 0, 12.0, 3.0)
        else:
            mask = torch.ones(shape, dtype=torch.bool)
            for _ in range(12):
                centre = torch.rand(len(shape), generator=generator, dtype=torch.float64)
                radius = 0.03 + 0.07 * torch.rand(1, generator=generator).item()
                mask &= sum((x - c) ** 2 for x, c in zip(points, centre, strict=True)) > radius**2
        source = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
        return cls(f"{kind}, {_size(shape)}", grid, diffusion, mask, source)

    def system(self) -> FiniteVolumeSystem:
        """Our discrete equations; this is part of our setup."""
        return FiniteVolumeSystem(self.grid, self.diffusion, mask=self.mask)

    def peer_system(self) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
        """The same matrix and right side on the points that are solved for."""
        system = self.system()
        matrix = sparse_matrix(system)
        inside = np.flatnonzero(matrix.diagonal() > 0)
        right_side = system.right_side(self.source)[0].numpy().ravel()
        return matrix[inside][:, inside].tocsr(), right_side[inside]


@dataclass
class Run:
    """One measured solve."""

    setup: float
    solve: float
    residual: float
    iterations: int | None


Method = Callable[[Case, scipy.sparse.csr_matrix, np.ndarray], Run]


def sparse_matrix(system: FiniteVolumeSystem) -> scipy.sparse.csr_matrix:
    """The matrix of one sample in SciPy's form."""
    operator = system.operator
    numbers = np.arange(operator.diagonal[0].numel()).reshape(operator.shape)
    rows, columns, entries = [numbers.ravel()], [numbers.ravel()], [operator.diagonal[0].numpy().ravel()]
    for axis, faces in enumerate(operator.faces):
        lower = np.take(numbers, range(operator.shape[axis] - 1), axis).ravel()
        upper = np.take(numbers, range(1, operator.shape[axis]), axis).ravel()
        rows += [lower, upper]
        columns += [upper, lower]
        entries += [-faces[0].numpy().ravel()] * 2
    joined = (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns)))
    matrix = scipy.sparse.csr_matrix(joined)
    matrix.eliminate_zeros()
    return matrix


def _relative_residual(matrix: Any, right_side: np.ndarray, solution: np.ndarray) -> float:
    return float(np.linalg.norm(right_side - matrix @ solution) / np.linalg.norm(right_side))


def ours(case: Case, matrix: scipy.sparse.csr_matrix, right_side: np.ndarray) -> Run:
    """Finite volumes with multigrid."""
    start = perf_counter()
    system = case.system()
    _ = system.cycle, system.operator.matrix
    ready = perf_counter()
    outcome = system.solve(case.source, tolerance=TOLERANCE)
    end = perf_counter()
    values = outcome.solution[0] if case.mask is None else outcome.solution[0][case.mask]
    residual = _relative_residual(matrix, right_side, values.numpy().ravel())
    return Run(ready - start, end - ready, residual, int(outcome.iterations.max()))


def _pyamg(make: str, matrix: scipy.sparse.csr_matrix, right_side: np.ndarray) -> Run:
    import pyamg

    start = perf_counter()
    hierarchy = getattr(pyamg, make)(matrix)
    ready = perf_counter()
    history: list[float] = []
    solution = hierarchy.solve(right_side, tol=TOLERANCE, accel="cg", residuals=history)
    end = perf_counter()
    residual = _relative_residual(matrix, right_side, solution)
    return Run(ready - start, end - ready, residual, len(history) - 1)


def pyamg_classical(case: Case, matrix: scipy.sparse.csr_matrix, right_side: np.ndarray) -> Run:
    """Ruge-Stuben multigrid with conjugate gradients."""
    return _pyamg("ruge_stuben_solver", matrix, right_side)


def pyamg_aggregation(case: Case, matrix: scipy.sparse.csr_matrix, right_side: np.ndarray) -> Run:
    """Smoothed aggregation with conjugate gradients."""
    return _pyamg("smoothed_aggregation_solver", matrix, right_side)


def scipy_conjugate_gradients(case: Case, matrix: scipy.sparse.csr_matrix, right_side: np.ndarray) -> Run:
    """Conjugate gradients without a preconditioner."""
    count = itertools.count()
    start = perf_counter()
    solution, _ = scipy.sparse.linalg.cg(
        matrix, right_side, rtol=TOLERANCE, maxiter=20_000, callback=lambda _: next(count)
    )
    seconds = perf_counter() - start
    return Run(0.0, seconds, _relative_residual(matrix, right_side, solution), next(count))


METHODS: dict[str, Method] = {
    "pdeops multigrid": ours,
    "PyAMG classical": pyamg_classical,
    "PyAMG aggregation": pyamg_aggregation,
    "SciPy CG": scipy_conjugate_gradients,
}


def memory_table(options: argparse.Namespace) -> None:
    """Growth of the largest resident size over setup and solve, every method in a fresh process."""
    print(f"## Memory, twelve holes, relative residual {TOLERANCE:g}\n")
    print("\n".join(_head(["unknowns", "method", "MB"])), flush=True)
    context = multiprocessing.get_context("spawn")
    for shape in options.shapes:
        for name in METHODS:
            if name != "SciPy CG":
                with context.Pool(1) as pool:
                    megabytes = pool.apply(_memory_of, (name, shape, options.seed, options.threads))
                print(f"| {_size(shape)} | {name} | {megabytes:.0f} |", flush=True)
    print()


def _memory_of(name: str, shape: tuple[int, ...], seed: int, threads: int) -> float:
    torch.set_num_threads(threads)
    small = Case.make("smooth", (20, 20), 0)
    METHODS[name](small, *small.peer_system())  # libraries are loaded
    case = Case.make("holes", shape, seed)
    system = case.peer_system()
    peak = PeakMemory("cpu")
    METHODS[name](case, *system)
    return peak.megabytes


def multigrid_table(options: argparse.Namespace) -> None:
    """Variable coefficients and masks."""
    print(f"## Multigrid, relative residual {TOLERANCE:g}\n")
    header = ["case", "method", "setup s", "solve s", "sum s", "sum / ours", "solve / ours"]
    print("\n".join(_head([*header, "iterations", "residual"])), flush=True)
    for shape in options.shapes:
        for kind in ("smooth", "two phases", "holes"):
            case = Case.make(kind, shape, options.seed)
            matrix, right_side = case.peer_system()
            names = [n for n in METHODS if not (n == "SciPy CG" and options.no_cg)]
            runs: dict[str, list[Run]] = {name: [] for name in names}
            METHODS["pdeops multigrid"](case, matrix, right_side)  # warm
            for repetition in range(options.repetitions):
                for name in names:
                    if name == "SciPy CG" and repetition >= options.cg_repetitions:
                        continue
                    runs[name].append(METHODS[name](case, matrix, right_side))
            own_setup, own_solve = (_medians(runs["pdeops multigrid"], key) for key in ("setup", "solve"))
            for name in names:
                setup, solve = (_medians(runs[name], key) for key in ("setup", "solve"))
                worst = max(run.residual for run in runs[name])
                # At once: PyAMG and SciPy take minutes for the largest.
                print(
                    f"| {case.name} | {name} | {setup:.3f} | {solve:.3f} | {setup + solve:.3f} "
                    f"| {(setup + solve) / (own_setup + own_solve):.1f} | {solve / own_solve:.1f} "
                    f"| {runs[name][0].iterations} | {worst:.1e} |",
                    flush=True,
                )
    print()


def fast_table(options: argparse.Namespace) -> None:
    """Poisson on a box by transforms."""
    print("## Poisson on a box, u = 0 on the boundary\n")
    lines = _head(["unknowns", "method", "setup s", "solve s", "solve / scipy.fft", "residual"])
    for shape in options.shapes:
        grid = Grid.box([n + 2 for n in shape], "nodes")
        generator = torch.Generator().manual_seed(options.seed)
        values = torch.randn(1, 1, *grid.shape, generator=generator, dtype=torch.float64)
        inputs = {"source": Field(values, grid, ("source",))}
        problem = Poisson(dimension=len(shape))
        system = FiniteVolumeSystem(grid, torch.ones(1, *grid.shape, dtype=torch.float64))
        inner = (0, 0, *(slice(1, -1),) * len(shape))
        source = values[inner].numpy()

        def residual(
            solution: torch.Tensor, system: FiniteVolumeSystem = system, values: torch.Tensor = values
        ) -> float:
            right_side = system.right_side(values[:, 0])
            return ((system.operator(solution) - right_side).norm() / right_side.norm()).item()

        runs: dict[str, list[Run]] = {"scipy.fft": [], "pdeops FastPoissonSolver": []}
        for _ in range(options.repetitions + 1):  # the first one warms
            start = perf_counter()
            eigenvalues = _sine_eigenvalues(shape)
            ready = perf_counter()
            spectrum = scipy.fft.dstn(source, type=1, workers=options.threads)
            spectrum /= eigenvalues
            solution = scipy.fft.idstn(spectrum, type=1, workers=options.threads, overwrite_x=True)
            end = perf_counter()
            runs["scipy.fft"].append(
                Run(ready - start, end - ready, residual(torch.from_numpy(solution)[None]), None)
            )
            start = perf_counter()
            field = FastPoissonSolver().solve(problem, inputs, grid)
            end = perf_counter()
            runs["pdeops FastPoissonSolver"].append(
                Run(0.0, end - start, residual(field.values[inner][None]), None)
            )
        base = _medians(runs["scipy.fft"][1:], "solve")
        for name, measured in runs.items():
            setup, solve = (_medians(measured[1:], key) for key in ("setup", "solve"))
            worst = max(run.residual for run in measured)
            lines.append(
                f"| {_size(shape)} | {name} | {setup:.4f} | {solve:.4f} | {solve / base:.2f} | {worst:.1e} |"
            )
    print("\n".join(lines) + "\n")


def _sine_eigenvalues(shape: tuple[int, ...]) -> np.ndarray:
    """Eigenvalues of the second differences on the inner nodes of the unit box."""
    total = np.zeros(shape)
    for axis, count in enumerate(shape):
        waves = 4 * (count + 1) ** 2 * np.sin(np.pi * np.arange(1, count + 1) / (2 * (count + 1))) ** 2
        total += waves.reshape([-1 if other == axis else 1 for other in range(len(shape))])
    return total


def darcy_table(options: argparse.Namespace) -> None:
    """A batch of Darcy problems."""
    count, points = options.batch_size, options.darcy_points
    problem = Darcy2D()
    grid = problem.default_domain((points, points))
    inputs = problem.sample_inputs(grid, list(range(options.seed, options.seed + count)))
    solver = FiniteVolumeMultigridSolver(tolerance=TOLERANCE)
    permeability = inputs["permeability"].values[:, 0]
    right_side = np.full(points * points, 1 / points**2)
    matrices = [sparse_matrix(FiniteVolumeSystem(grid, a[None])).tocsc() for a in permeability]

    def multigrid() -> list[np.ndarray]:
        return list(solver.solve(problem, inputs, grid).values[:, 0].flatten(1).numpy())

    def elimination() -> list[np.ndarray]:
        return [scipy.sparse.linalg.spsolve(matrix, right_side) for matrix in matrices]

    def symmetric_elimination() -> list[np.ndarray]:
        settings = {"permc_spec": "MMD_AT_PLUS_A", "options": {"SymmetricMode": True}}
        return [scipy.sparse.linalg.splu(matrix, **settings).solve(right_side) for matrix in matrices]

    methods = {
        "pdeops multigrid, batched": multigrid,
        "scipy spsolve, in a loop": elimination,
        "scipy splu (symmetric ordering), in a loop": symmetric_elimination,
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    residuals: dict[str, float] = dict.fromkeys(methods, 0.0)
    for repetition in range(options.repetitions + 1):  # the first one warms
        for name, method in methods.items():
            start = perf_counter()
            solutions = method()
            taken = perf_counter() - start
            if repetition:
                seconds[name].append(taken)
            worst = max(
                _relative_residual(matrix, right_side, solution)
                for matrix, solution in zip(matrices, solutions, strict=True)
            )
            residuals[name] = max(residuals[name], worst)
    own = median(seconds["pdeops multigrid, batched"])
    print(f"## {count} Darcy problems on {points} x {points} cells, permeabilities 3 and 12\n")
    lines = _head(["method", "s", "s / ours", "residual"])
    for name in methods:
        taken = median(seconds[name])
        lines.append(f"| {name} | {taken:.3f} | {taken / own:.1f} | {residuals[name]:.1e} |")
    print("\n".join(lines) + "\n")


def _medians(runs: Sequence[Run], key: str) -> float:
    return median(getattr(run, key) for run in runs)


def _head(titles: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


TABLES = {"fast": fast_table, "multigrid": multigrid_table, "memory": memory_table, "darcy": darcy_table}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch and scipy.fft (2)")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each method (5)")
    parser.add_argument("--cg-repetitions", type=int, default=1, help="runs of SciPy's CG (1)")
    parser.add_argument("--no-cg", action="store_true", help="leave SciPy's CG out")
    parser.add_argument("--seed", type=int, default=0, help="of coefficients and sources (0)")
    parser.add_argument("--batch-size", type=int, default=64, help="Darcy problems (64)")
    parser.add_argument("--darcy-points", type=int, default=128, help="their cells an axis (128)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument(
        "--tables",
        nargs="+",
        choices=list(TABLES),
        default=list(TABLES),
        help="which tables (all)",
    )
    options = parser.parse_args(arguments)
    options.shapes = [(511, 511), (127, 127, 127)]
    if options.quick:
        options.shapes = [(63, 63), (15, 15, 15)]
        options.batch_size, options.darcy_points, options.repetitions = 4, 32, 2
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    print(
        f"{options.threads} thread(s), float64, medians of {options.repetitions} interleaved runs "
        f"(SciPy CG {options.cg_repetitions}), torch {torch.__version__}, scipy {scipy.__version__}\n"
    )
    for name in options.tables:
        TABLES[name](options)
