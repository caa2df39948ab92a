"""Orders of the solver of initial value problems: the spline through the input on nodes sets it."""

import math

from order_case import OrderCase

from pdeops.domains import AxisKind, Grid
from pdeops.problems import Antiderivative, DrivenPendulum, NonlinearODE, Pendulum
from solvers import InitialValueSolver


def on(kind, exact):
    def run(solver, size):
        grid = Grid.box((size + 1,), kind)
        solution = solver.solve(exact.problem, exact.inputs(grid), grid)
        return 1 / size, {"l2": solution.relative_error(exact.solution(grid)).max().item()}

    return run


def nodes(label, exact, sizes):
    return OrderCase(
        label=label,
        solver=InitialValueSolver(tolerance=1e-12),
        kind="space",
        sizes=sizes,
        run=on(AxisKind.NODES, exact),
        norms={"l2": 4},
    )


CASES = [
    nodes("antiderivative", Antiderivative().exact_solutions()["exponential"], [40, 80, 160]),
    nodes("riccati", NonlinearODE().exact_solutions()["half_wave"], [80, 160, 320]),
    nodes("pendulum", Pendulum().exact_solutions()["swing"], [160, 320, 640]),
    nodes("driven-pendulum", DrivenPendulum().exact_solutions()["swing"], [80, 160, 320]),
    OrderCase(
        label="chebyshev",
        solver=InitialValueSolver(tolerance=1e-12),
        kind="space",
        sizes=[8, 10, 12, 14, 16],
        run=on(AxisKind.CHEBYSHEV, DrivenPendulum().exact_solutions()["swing"]),
        norms={"l2": math.inf},
        reason="polynomials through Chebyshev points take the place of the spline",
    ),
]
