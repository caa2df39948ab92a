"""Orders of finite volumes with multigrid, against manufactured solutions."""

from dataclasses import replace

import sympy
from order_case import OrderCase

from pdeops.domains import Grid
from pdeops.problems import Darcy2D, Poisson, ScreenedPoisson
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.manufactured import source_of
from solvers import FiniteVolumeMultigridSolver

X, Y = sympy.symbols("x y", real=True)
BUMPS = sympy.exp(sympy.sin(2 * sympy.pi * X)) * sympy.cos(2 * sympy.pi * Y)


def refining(exact, kinds, difference=0):
    """Errors on the unit box; the axes after the first one have so many points less."""

    def run(solver, size):
        shape = (size, size - difference, size - 2 * difference)[: exact.problem.dimension]
        grid = Grid.box(shape, kinds)
        solution = solver.solve(exact.problem, exact.inputs(grid), grid)
        reference = exact.solution(grid)
        errors = {norm: solution.relative_error(reference, norm).item() for norm in ("l2", "h1")}
        return max(axis.spacing for axis in grid.axes), errors

    return run


def periodic_waves():
    """Screened Poisson on a torus."""
    problem = ScreenedPoisson()
    reaction = problem.reaction.subs(problem.unknown, BUMPS)
    source = source_of(BUMPS, problem.diffusion, reaction, problem.space_symbols)
    return ExactSolution(replace(problem, boundary={}), {"source": source, "potential": BUMPS}, "waves")


def case(label, exact, kinds, sizes, difference=0, **settings):
    return OrderCase(
        label=f"finite_volume_multigrid_{label}",
        solver=FiniteVolumeMultigridSolver(**settings),
        kind="space",
        sizes=sizes,
        run=refining(exact, kinds, difference),
        norms={"l2": 2, "h1": 2},
    )


DARCY = Darcy2D().exact_solutions()["smooth"]
CASES = [
    case("darcy_cells", DARCY, "cells", (33, 65, 129)),
    case("darcy_nodes", DARCY, "nodes", (33, 65, 129)),
    case("darcy_cells_and_nodes", DARCY, ("cells", "nodes"), (33, 65, 129)),
    case("darcy_arithmetic", DARCY, "nodes", (33, 65, 129), face_mean="arithmetic"),
    case("mixed_walls_line", Poisson(dimension=1).exact_solutions()["mixed"], "cells", (32, 64, 128)),
    case("mixed_walls_cells", Poisson().exact_solutions()["mixed"], "cells", (32, 64, 128)),
    case("mixed_walls_nodes", Poisson().exact_solutions()["mixed"], "nodes", (33, 65, 129)),
    case("given_values_nodes", Poisson().exact_solutions()["smooth"], "nodes", (33, 65, 129)),
    case("screened_torus", periodic_waves(), "periodic", (32, 64, 128)),
    case("mixed_walls_space", ScreenedPoisson(dimension=3).exact_solutions()["mixed"], "nodes", (9, 17, 33)),
]
