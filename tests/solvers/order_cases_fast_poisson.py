"""Orders of the direct solvers of elliptic problems on grids, against manufactured solutions."""

import math
from dataclasses import replace

import sympy
from order_case import OrderCase

from pdeops.domains import Grid
from pdeops.problems import (
    Darcy2D,
    Dirichlet,
    Helmholtz,
    Neumann,
    Poisson,
    Robin,
    ScreenedPoisson,
    SteadyAllenCahn,
)
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.manufactured import conditions_of, source_of
from solvers import FastPoissonSolver, SparseFiniteDifferenceSolver

X, Y, Z = sympy.symbols("x y z", real=True)
WAVY = sympy.exp(X / 2) * sympy.cos(X + 2 * Y)
BUMPS = sympy.exp(sympy.sin(2 * sympy.pi * X)) * sympy.cos(2 * sympy.pi * Y)

ENDS = {"x_lower": Dirichlet, "x_upper": Neumann, "y_lower": Neumann, "y_upper": Dirichlet}
FLUXES = dict.fromkeys(ENDS, Neumann)
ROBIN = ENDS | {"x_upper": Robin, "y_lower": Robin}


def manufactured(problem, solution, kinds):
    """The problem with the source and the conditions of a solution."""
    made = replace(problem, boundary=conditions_of(solution, problem.diffusion, kinds))
    reaction = problem.reaction.subs(problem.unknown, solution)
    source = source_of(solution, problem.diffusion, reaction, problem.space_symbols)
    return ExactSolution(made, {"source": source, "potential": solution}, "made for this test")


def refining(exact, kinds, shape=lambda n: (n + 1, n - 2)):
    """Errors on grids of a box that is no cube."""

    def run(solver, size):
        numbers = shape(size)[: exact.problem.dimension]
        axes = [kinds] * len(numbers) if isinstance(kinds, str) else kinds
        grid = Grid.box(numbers, axes)
        solution = solver.solve(exact.problem, exact.inputs(grid), grid)
        reference = exact.solution(grid)
        # Where the solution has mean zero, so has what it is compared with.
        reference = replace(reference, values=reference.values - solution_mean(exact, reference, grid))
        errors = {norm: solution.relative_error(reference, norm).item() for norm in ("l2", "h1")}
        return max(axis.spacing for axis in grid.axes), errors

    return run


def solution_mean(exact, reference, grid):
    if exact.description != "mean zero":
        return 0.0
    weights = grid.quadrature_weights
    return (reference.values * weights).sum() / weights.sum()


def case(label, solver, exact, kinds, sizes=(16, 32, 64), norms=None, **options):
    norms = norms or {"l2": 2, "h1": 2}
    return OrderCase(
        label=label,
        solver=solver,
        kind="space",
        sizes=sizes,
        run=refining(exact, kinds, **options),
        norms=norms,
    )


FLOATING = replace(manufactured(Poisson(), WAVY, FLUXES), description="mean zero")
PERIODIC = manufactured(ScreenedPoisson(decay=3.0), BUMPS, {"default": Dirichlet})


def cube(n):
    return n + 1, n - 1, n


FAST = FastPoissonSolver()
SPARSE = SparseFiniteDifferenceSolver()

CASES = [
    case("dirichlet-nodes", FAST, Poisson().exact_solutions()["smooth"], "nodes"),
    case("dirichlet-cells", FAST, Poisson().exact_solutions()["smooth"], "cells"),
    case("mixed-ends-nodes", FAST, manufactured(ScreenedPoisson(), WAVY, ENDS), "nodes"),
    case("mixed-ends-cells", FAST, manufactured(ScreenedPoisson(), WAVY, ENDS), "cells"),
    case("fluxes-nodes", FAST, FLOATING, "nodes"),
    case("fluxes-cells", FAST, FLOATING, "cells"),
    case("periodic", FAST, PERIODIC, "periodic"),
    case("line", FAST, Poisson(dimension=1).exact_solutions()["smooth"], "nodes"),
    case(
        "cube",
        FAST,
        Poisson(dimension=3).exact_solutions()["smooth"],
        ("nodes", "cells", "nodes"),
        sizes=(12, 24, 48),
        shape=cube,
    ),
    case(
        "fourier",
        FastPoissonSolver(symbol="fourier"),
        PERIODIC,
        "periodic",
        sizes=(8, 12, 16, 20),
        norms={"l2": math.inf, "h1": math.inf},
    ),
    case("robin-nodes", SPARSE, manufactured(Poisson(), WAVY, ROBIN), "nodes"),
    case("robin-cells", SPARSE, manufactured(Poisson(), WAVY, ROBIN), "cells"),
    case("fluxes-nodes", SPARSE, FLOATING, "nodes"),
    case("darcy-nodes", SPARSE, Darcy2D().exact_solutions()["smooth"], "nodes"),
    case("darcy-cells", SPARSE, Darcy2D().exact_solutions()["smooth"], "cells"),
    case(
        "helmholtz",
        SPARSE,
        Helmholtz(frequency=100.0).exact_solutions()["plane_wave_flux"],
        "nodes",
        sizes=(24, 48, 96),
    ),
    case("allen-cahn", SPARSE, SteadyAllenCahn().exact_solutions()["mixed"], "nodes"),
    case(
        "cube",
        SPARSE,
        Poisson(dimension=3).exact_solutions()["mixed"],
        "nodes",
        sizes=(6, 12, 24),
        shape=cube,
    ),
    case(
        "elements-of-degree-3",
        SparseFiniteDifferenceSolver(degree=3),
        manufactured(Poisson(), WAVY, ROBIN),
        "nodes",
        sizes=(6, 12, 24, 48),
        norms={"l2": 4},
        shape=lambda n: (n + 1, n + 1),
    ),
    case(
        "elements-of-degree-4",
        SparseFiniteDifferenceSolver(degree=4),
        SteadyAllenCahn().exact_solutions()["mixed"],
        "nodes",
        sizes=(8, 16, 32),
        norms={"l2": 5},
        shape=lambda n: (n + 1, 3 * n // 2 + 1),
    ),
]
