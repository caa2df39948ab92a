"""What the intervals of Gaussian-process collocation cover, on random exact solutions.

Each solution is three random waves on a parabola (`random_waves`), solved by `GaussianProcessSolver` with its
default settings on uniform grids of some points a wave, counted for the fastest wave that may be drawn. All
rows of one dimension solve for the same solutions. Error and deviation are taken on a uniform grid whose
points are none of the collocation, apart from the boundary: u and its first derivatives inside of the box,
and the derivative normal to the boundary on it.

"covered" is the share of points whose error is within 1.96 standard deviations, averaged over the solutions;
95 % is what it should be. One solution has one error, smooth over the box: "in 0.9 to 0.99" is the share of
solutions whose own coverage of u is between these. "error / deviation" is the ratio of their norms over the
points, with the values that a tenth, half and nine tenths of the solutions are below; 1 is what it should be.
The second table has the same by the size of the relative error of u, over all rows of the first.
"""

import argparse
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from benchmarks.random_waves import EQUATIONS, random_solutions, shape_of
from pdeops.domains import Grid
from pdeops.gp import GaussianProcessSolver

TEST_SHAPE = {1: (174,), 2: (42, 44)}
"""Numbers of intervals are prime, or have no factor in common with those of the collocation below."""
DENSITIES = {1: (2.6, 4.0, 6.0, 10.0), 2: (3.0, 4.0, 6.0, 8.0)}
WIDTH = 1.96
ASKED = (0.9, 0.99)


@dataclass(frozen=True)
class Intervals:
    """How the error of a quantity compares with its deviation.

    Args:
        covered: Share of points within the interval.
        ratio: Norm of the error over that of the deviation.
    """

    covered: float
    ratio: float


@dataclass(frozen=True)
class Found:
    """What a solve is worth.

    Args:
        error: Relative L2 error of u.
        values: Of u.
        slopes: Of the first derivatives.
        normal_slopes: Of the derivative normal to the boundary, on it.
    """

    error: float
    values: Intervals
    slopes: Intervals
    normal_slopes: Intervals


def intervals(errors: Sequence[torch.Tensor], deviations: Sequence[torch.Tensor]) -> Intervals:
    """Coverage of all numbers of some tensors."""
    error = torch.cat([item.flatten() for item in errors])
    deviation = torch.cat([item.flatten() for item in deviations])
    covered = (error.abs() <= WIDTH * deviation).double().mean().item()
    return Intervals(covered, (error.norm() / deviation.norm()).item())


def solved(equation: str, kernel: str, formula: str, shape: tuple[int, ...]) -> Found | None:
    """Solve for one solution; None where Newton's method does not come to rest."""
    dimension = len(shape)
    problem = EQUATIONS[equation](dimension=dimension, solution=formula)
    collocation = Grid.box(shape)
    try:
        solution = GaussianProcessSolver(kernel=kernel).solve(
            problem, problem.sample_inputs(collocation, [0]), collocation
        )
    except RuntimeError:
        return None
    posterior, grid = solution.posteriors[0], Grid.box(TEST_SHAPE[dimension])
    inner = (slice(1, -1),) * dimension
    formula_of_u = problem.formula("solution")
    exact = problem.values(formula_of_u, grid)
    error, deviation = posterior.mean(grid) - exact, posterior.standard_deviation(grid)
    slopes: list[tuple[torch.Tensor, torch.Tensor]] = []
    normals: list[tuple[torch.Tensor, torch.Tensor]] = []
    for number, symbol in enumerate(problem.space_symbols):
        orders = [int(other == number) for other in range(dimension)]
        slope = problem.values(formula_of_u.diff(symbol), grid)
        both = posterior.mean(grid, orders) - slope, posterior.standard_deviation(grid, orders)
        slopes.append((both[0][inner], both[1][inner]))
        normals += [(both[0].select(number, end), both[1].select(number, end)) for end in (0, -1)]
    return Found(
        (error.norm() / exact.norm()).item(),
        intervals([error[inner]], [deviation[inner]]),
        intervals(*zip(*slopes, strict=True)),
        intervals(*zip(*normals, strict=True)),
    )


def quantiles(values: Iterable[float]) -> str:
    """What a tenth, half and nine tenths of the values are below."""
    cuts = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    return ", ".join(f"{cut:.2g}" for cut in torch.tensor([*values]).double().quantile(cuts).tolist())


def summary(found: Sequence[Found]) -> tuple[str, ...]:
    """The columns that both tables have."""
    if not found:
        return ("-",) * len(COLUMNS)
    inside = sum(ASKED[0] <= item.values.covered <= ASKED[1] for item in found) / len(found)
    cells = [f"{100 * inside:.0f} %"]
    for several in (
        [item.values for item in found],
        [item.slopes for item in found],
        [item.normal_slopes for item in found],
    ):
        cells.append(f"{100 * sum(item.covered for item in several) / len(several):.0f} %")
        cells.append(quantiles(item.ratio for item in several))
    return tuple(cells)


COLUMNS = (
    *("in 0.9 to 0.99", "u covered", "error / deviation"),
    *("du/dx covered", "error / deviation", "normal derivative covered", "error / deviation"),
)


def header(columns: Sequence[str]) -> None:
    """Print the head of a table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--equations", nargs="+", choices=EQUATIONS, default=list(EQUATIONS))
    parser.add_argument("--kernels", nargs="+", default=["gaussian", "student"])
    parser.add_argument("--dimensions", nargs="+", type=int, choices=DENSITIES, default=list(DENSITIES))
    parser.add_argument("--solutions", type=int, default=24, help="a row")
    parser.add_argument("--seed", type=int, default=2024, help="of the solutions; the tests have 7")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    header(("equation", "kernel", "dimension", "points a wave", "solutions", "median error", *COLUMNS))
    everything: list[Found] = []
    for dimension in options.dimensions:
        formulas = random_solutions(dimension, options.solutions, options.seed)
        for equation in options.equations:
            for kernel in options.kernels:
                for density in DENSITIES[dimension]:
                    shape = shape_of(density, dimension)
                    tried = [solved(equation, kernel, formula, shape) for formula in formulas]
                    found = [item for item in tried if item is not None]
                    everything += found
                    middle = quantiles(item.error for item in found).split(", ")[1] if found else "-"
                    count = f"{len(found)} of {len(formulas)}"
                    cells = (equation, kernel, f"{dimension}", f"{density:g}", count, middle, *summary(found))
                    print("| " + " | ".join(cells) + " |", flush=True)
    print()
    header(("relative error", "solutions", *COLUMNS))
    decades = [math.floor(math.log10(item.error)) for item in everything]
    for decade in sorted(set(decades), reverse=True):
        chosen = [item for item, own in zip(everything, decades, strict=True) if own == decade]
        cells = (f"1e{decade} to 1e{decade + 1}", f"{len(chosen)}", *summary(chosen))
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
