"""Gaussian-process collocation on eleven problems of high frequency, beside classical solvers.

Each problem is solved once by `GaussianProcessSolver` with its default settings, on the grid of its
configuration. "published" is the best error that the authors of GP-HM logged for the problem, after 1e5 to
3e6 steps of training, chosen among 20 checkpoints by the test error itself. Errors are relative L2 errors on
300 (300 x 300) uniform points, between those of the collocation.

The classical solvers work on the same number of points, and their errors are those at their own points. At
equal error: the first grid of a quarter, 1.2, 1.44, ... quarters of the points with an error of 1e-8 or less,
of ours and of Chebyshev's method. "-" where there is none; the classical solvers do not solve transport.
"""

import argparse
import warnings
from collections.abc import Sequence
from importlib.resources import files
from time import perf_counter

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from pdeops.domains import AxisKind, Domain, Grid
from pdeops.gp import GaussianProcessSolver
from pdeops.problems import Problem
from solvers import ChebyshevEllipticSolver, Solver, SolverError, SparseFiniteDifferenceSolver

PUBLISHED = {
    "poisson_high_frequency": 3.99e-7,
    "poisson_modulated": 1.52e-6,
    "poisson_growing_wave": 8.98e-7,
    "poisson_multiscale": 3.5e-4,
    "poisson_wave_on_parabola": 4.2e-4,
    "steady_allen_cahn_high_frequency": 7.71e-7,
    "steady_allen_cahn_modulated": 4.24e-6,
    "poisson_high_frequency_2d": 4.7e-6,
    "poisson_modulated_2d": 1.02e-3,
    "steady_allen_cahn_multiscale_2d": 2.58e-3,
    "transport_high_frequency": 1.43e-4,
}
TEST_POINTS = 300
EQUAL_ERROR = 1e-8
GROWTH = 1.2


def load(name: str) -> tuple[Problem, tuple[int, ...]]:
    """Problem and resolution of a packaged configuration."""
    node = OmegaConf.load(files("pdeops.conf") / "problem" / f"{name}.yaml")
    return instantiate(node.problem, _convert_="all"), tuple(node.data.resolution)


def collocated(
    problem: Problem, shape: tuple[int, ...], draws: int | None = None
) -> tuple[float, float, float]:
    """Error, seconds, and the share of test points within 1.96 deviations."""
    grid = problem.default_domain(shape)
    assert isinstance(grid, Grid)
    inputs = problem.sample_inputs(grid, [0])
    started = perf_counter()
    solver = GaussianProcessSolver() if draws is None else GaussianProcessSolver(draws=draws)
    solution = solver.solve(problem, inputs, grid)
    seconds = perf_counter() - started
    test = grid.with_shape((TEST_POINTS,) * grid.dimension)
    exact = problem.exact_solutions()["manufactured"].solution(test).values[0, 0]
    posterior = solution.posteriors[0]
    error, deviation = posterior.mean(test) - exact, posterior.standard_deviation(test)
    inner = (slice(1, -1),) * grid.dimension
    covered = (error.abs() <= 1.96 * deviation)[inner].double().mean().item()
    return (error.norm() / exact.norm()).item(), seconds, covered


def classical(solver: Solver, problem: Problem, domain: Domain) -> tuple[float, float] | None:
    """Error and seconds of a classical solver, or None where it does not fit or finds nothing."""
    if solver.unsuited(problem, domain) is not None:
        return None
    inputs = problem.sample_inputs(domain, [0])
    started = perf_counter()
    try:
        solution = solver.solve(problem, inputs, domain)
    except SolverError:
        return None
    seconds = perf_counter() - started
    exact = problem.exact_solutions()["manufactured"].solution(domain)
    return solution.relative_error(exact).item(), seconds


def equal_error(problem: Problem, shape: tuple[int, ...], chebyshev: bool) -> str:
    """Points an axis and seconds with which a method is as good as `EQUAL_ERROR`, in words."""
    points = shape[0] / 4
    while points <= 1.5 * shape[0]:
        sizes = (round(points),) * len(shape)
        if chebyshev:
            grid = Grid.box(sizes, AxisKind.CHEBYSHEV)
            found = classical(ChebyshevEllipticSolver(), problem, grid)
        else:
            try:
                found = collocated(problem, sizes, draws=1)[:2]
            except RuntimeError:  # Newton's method on too few points
                found = None
        if found is not None and found[0] <= EQUAL_ERROR:
            return f"{sizes[0]} points an axis, {found[1]:.2g} s"
        points *= GROWTH
    return "-"


def cell(found: tuple[float, float] | None) -> str:
    """Error and seconds."""
    return "-" if found is None else f"{found[0]:.1e}, {found[1]:.2g} s"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", nargs="+", choices=PUBLISHED, default=list(PUBLISHED))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    columns = (
        *("problem", "points", "error", "seconds", "covered by 95 %", "published error"),
        *("Chebyshev, same points", "differences, same points", "ours to 1e-8", "Chebyshev to 1e-8"),
    )
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    warnings.simplefilter("ignore")
    for name in options.problems:
        problem, shape = load(name)
        error, seconds, covered = collocated(problem, shape)
        chebyshev = classical(ChebyshevEllipticSolver(), problem, Grid.box(shape, AxisKind.CHEBYSHEV))
        differences = classical(SparseFiniteDifferenceSolver(), problem, Grid.box(shape))
        cells = (
            *(name, " x ".join(map(str, shape)), f"{error:.1e}", f"{seconds:.2g}", f"{100 * covered:.0f} %"),
            *(f"{PUBLISHED[name]:.1e}", cell(chebyshev), cell(differences)),
            *(equal_error(problem, shape, chebyshev=False), equal_error(problem, shape, chebyshev=True)),
        )
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
