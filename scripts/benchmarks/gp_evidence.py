"""Kernels of Gaussian-process collocation, chosen by cross-validation and by the evidence, in one dimension.

The lattice is that of `GaussianProcessSolver`: a length in powers of two, a weight for each frequency in
powers of ten, searched by `lattice_descent` from the same start with at most as many kernels. The criteria:

- "cross-validation": that of the solver, the generalised cross-validation of the equation's residual; a step
  has to lower it by a tenth, and the search ends at a residual that is that of rounding.
- "evidence": the likelihood of the equation at the points and of the boundary data, linearised about the
  solution that the kernel leads to, under the prior with all of its waves (`LinearGaussianEvidence`), where
  boundary data has no noise and the equation white noise. Amplitude of the prior and noise are those of the
  largest evidence, the noise from 1e-15 to 1 of the equation's largest term. Every step that raises it is
  kept.
- "evidence, rounding": the same with the noise at the level of rounding: that of the phase of the fastest
  wave, in units of the last place of the largest term, as the solver has it for its deviations.
- "best": the smallest error of all kernels tried, and of those of a descent on the error itself from each of
  the choices. It needs the exact solution and tells how much a criterion could gain.

Each choice is solved as the solver does, so that only the kernel differs. Errors are relative L2 errors at
300 uniform points, behind each the number of kernels that were tried. For random solutions (`random_waves`)
they are geometric means; "5 : 2" says that the error was less than half of that of cross-validation for five
solutions and more than twice that for two.
"""

import argparse
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from benchmarks.gp_high_frequency import TEST_POINTS, load
from benchmarks.linear_gaussian_evidence import LinearGaussianEvidence
from benchmarks.random_waves import EQUATIONS, random_solutions, shape_of
from pdeops.domains import Grid
from pdeops.gp.boundary_rows import wave_rows
from pdeops.gp.direct_solver import MISFIT_AT_REST, SMALLEST_GAIN, GaussianProcessSolver
from pdeops.gp.kernel_lattice import KERNELS, KernelLattice
from pdeops.gp.kernel_search import Steps, lattice_descent
from pdeops.gp.posed_problem import PosedProblem
from pdeops.gp.tensor_collocation import ROUNDING, Collocated, TensorCollocation
from pdeops.problems import Problem

PROBLEMS = (
    *("poisson_high_frequency", "poisson_modulated", "poisson_growing_wave", "poisson_multiscale"),
    *("poisson_wave_on_parabola", "steady_allen_cahn_high_frequency", "steady_allen_cahn_modulated"),
)
DENSITIES = (2.2, 2.6, 3.2, 4.0)
NOISE_RATIOS = torch.logspace(-15, 0, 31, dtype=torch.float64)
AMPLITUDES = torch.logspace(-3, 6, 37, dtype=torch.float64)
SOLVER = GaussianProcessSolver()
HOPELESS = 350.0
"""Minus the logarithm of an evidence, above which it counts as none."""


@dataclass(frozen=True)
class Tried:
    """What is known of a kernel.

    Args:
        error: Relative error of its solution; infinite where Newton's method finds none.
        cross_validation: What the solver lowers; zero ends its search.
        evidence: Minus the logarithm of the largest evidence, for one number of data.
        evidence_rounding: The same with noise of the size of rounding.
    """

    error: float = math.inf
    cross_validation: float = math.inf
    evidence: float = math.inf
    evidence_rounding: float = math.inf


class TriedKernels:
    """The kernels of one problem, each solved once.

    Args:
        problem: One dimension, with the exact solution ``manufactured``.
        grid: Collocation points.
        kernel: ``"gaussian"`` or ``"student"``.
    """

    def __init__(self, problem: Problem, grid: Grid, kernel: str) -> None:
        posed = PosedProblem(problem, problem.sample_inputs(grid, [0]), grid)
        self.lattice = KernelLattice(posed, kernel, SOLVER.length_scale)
        self.test = grid.with_shape((TEST_POINTS,))
        self.exact = problem.exact_solutions()["manufactured"].solution(self.test).values[0, 0]
        self.tried: dict[Steps, Tried] = {}
        self.nearest: torch.Tensor | None = None

    def __call__(self, steps: Steps) -> Tried:
        """Solve with a kernel, unless it has been."""
        if steps not in self.tried:
            self.tried[steps] = self._solved(steps)
        return self.tried[steps]

    def _solved(self, steps: Steps) -> Tried:
        if not self.lattice.holds(steps):
            return Tried()
        collocation = self.lattice.collocation(steps, SOLVER.max_newton_steps)
        found = collocation.solve(self.nearest)
        if not found.converged:
            return Tried()
        if self.nearest is None and not collocation.equation.is_linear:
            self.nearest = collocation.values(found.coefficients)
        values = collocation.bases[0].at(self.test.axes[0].points) @ found.coefficients
        evidence, rounding = evidence_of(collocation, found)
        # The largest term is about the amplitude of a wave times the largest singular value.
        profiled = evidence.largest(NOISE_RATIOS * evidence.values.max())
        rounded = evidence.largest_with_noise(rounding, AMPLITUDES)
        return Tried(
            error=((values - self.exact).norm() / self.exact.norm()).item(),
            cross_validation=0.0 if found.misfit < MISFIT_AT_REST else found.score,
            evidence=-profiled.log_evidence / evidence.num_data,
            evidence_rounding=-rounded.log_evidence / evidence.num_data,
        )


def evidence_of(collocation: TensorCollocation, found: Collocated) -> tuple[LinearGaussianEvidence, float]:
    """Evidence of the equation, linearised about a solution, with the boundary data; and what rounding is."""
    equation, (basis,) = collocation.equation, collocation.bases
    values = collocation.derivatives(found.coefficients)
    slopes = equation.jacobian(values)
    terms = [slopes[orders] * values[orders] for orders in slopes]
    waves = [slopes[orders][:, None] * basis.waves(basis.points, orders[0]) for orders in slopes]
    data = torch.stack(terms).sum(dim=0) - equation.residual(values)
    matrix = torch.stack(waves).sum(dim=0)
    largest = max(term.square().mean().sqrt().item() for term in terms)
    phase = (basis.speeds.max() * (basis.points[-1] - basis.points[0])).item()
    noise = ROUNDING * phase / math.sqrt(12) * largest
    return LinearGaussianEvidence(
        matrix, data, wave_rows(collocation.ends[0], basis), collocation.faces[0]
    ), noise


def descended(
    kernels: TriedKernels, score: Callable[[Tried], float], gain: float, first: Steps | None = None
) -> tuple[Steps, int]:
    """Where a descent from a kernel ends, the solver's first one by default, and after how many kernels."""
    start = first or (0,) * kernels.lattice.dimension
    visited = set()

    def scored(steps: Steps) -> float:
        here = tuple(one + other for one, other in zip(start, steps, strict=True))
        visited.add(here)
        return score(kernels(here))

    found = lattice_descent(scored, kernels.lattice.moves, SOLVER.max_kernels, gain=gain)
    return tuple(one + other for one, other in zip(start, found, strict=True)), len(visited)


def mean_square(minus_log_evidence: float) -> float:
    """Mean square of a number of the data, given those before it: a descent divides scores."""
    return math.exp(2 * minus_log_evidence) if minus_log_evidence < HOPELESS else math.inf


CRITERIA: dict[str, tuple[Callable[[Tried], float], float]] = {
    "cross-validation": (lambda tried: tried.cross_validation, SMALLEST_GAIN),
    "evidence": (lambda tried: mean_square(tried.evidence), 1.0),
    "evidence, rounding": (lambda tried: mean_square(tried.evidence_rounding), 1.0),
}


def compared(problem: Problem, shape: tuple[int, ...], kernel: str) -> tuple[list[float], list[int]]:
    """Errors of the choices, and of the best kernel; numbers of kernels tried by each criterion."""
    grid = problem.default_domain(shape)
    assert isinstance(grid, Grid)
    kernels = TriedKernels(problem, grid, kernel)
    chosen = [descended(kernels, score, gain) for score, gain in CRITERIA.values()]
    errors = [kernels(steps).error for steps, _ in chosen]
    for steps in {steps for steps, _ in chosen if math.isfinite(kernels(steps).error)}:
        descended(kernels, lambda tried: tried.error, 1.0, steps)
    best = min(tried.error for tried in kernels.tried.values())
    return [*errors, best], [count for _, count in chosen]


def header(columns: Sequence[str]) -> None:
    """Print the head of a table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns), flush=True)


def row(cells: Sequence[str]) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def published_problems() -> None:
    """Print the table of the problems of gp_high_frequency, for the kernel that the solver has by default."""
    header(("problem", "points", *CRITERIA, "best"))
    for name in PROBLEMS:
        problem, shape = load(name)
        errors, counts = compared(problem, shape, SOLVER.kernel)
        cells = [f"{error:.1e} ({n})" for error, n in zip(errors, counts, strict=False)]
        row([name, f"{shape[0]}", *cells, f"{errors[-1]:.1e}"])


def random_problems(kernels: Sequence[str], count: int, seed: int) -> None:
    """Print the table of random solutions: geometric means, and how often each criterion is better."""
    header(("equation", "kernel", "points a wave", "solutions", *CRITERIA, "best"))
    for equation, kind in EQUATIONS.items():
        for kernel in kernels:
            for density in DENSITIES:
                rows = [
                    compared(kind(dimension=1, solution=formula), shape_of(density, 1), kernel)
                    for formula in random_solutions(1, count, seed)
                ]
                errors = torch.tensor([errors for errors, _ in rows], dtype=torch.float64)
                tried = torch.tensor([counts for _, counts in rows]).double().mean(dim=0).tolist()
                errors = errors[errors.isfinite().all(dim=1)]
                means = [f"{mean:.1e}" for mean in errors.log().mean(dim=0).exp().tolist()]
                cells = [f"{mean} ({number:.0f})" for mean, number in zip(means, tried, strict=False)]
                for number in range(1, len(cells)):
                    ratio = errors[:, number] / errors[:, 0]
                    cells[number] += f", {int((ratio < 0.5).sum())} : {int((ratio > 2).sum())}"
                row([equation, kernel, f"{density:g}", f"{len(errors)} of {count}", *cells, means[-1]])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS))
    parser.add_argument("--solutions", type=int, default=16, help="random ones a row")
    parser.add_argument("--seed", type=int, default=2024, help="of the random solutions")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    published_problems()
    print()
    random_problems(options.kernels, options.solutions, options.seed)


if __name__ == "__main__":
    main()
