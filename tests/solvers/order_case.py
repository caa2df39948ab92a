"""How a solver's order of convergence is measured."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from solvers import Solver


@dataclass(frozen=True, kw_only=True)
class OrderCase:
    """One solver on a problem whose solution is known, over a sequence of refinements.

    Args:
        label: Name of the test.
        solver: The solver as it is used (its settings, but for the time step in time cases).
        kind: "space" or "time": which of the declared orders the L2 error has to show.
        sizes: Numbers of points or of steps, ascending.
        run: ``run(solver, size) -> (h, errors)``: the size of a cell or of a step, and the errors by norm
            ("l2", "h1", "l1") against the known solution.
        norms: Expected order by norm; "l2" has to be what the solver declares, unless `reason` says why not.
        tolerance: Of the slope. The slopes approach the order from both sides as h falls.
        reason: Why this case does not show the declared order (a kink, a singular corner).
    """

    label: str
    solver: Solver
    kind: str
    sizes: Sequence[int]
    run: Callable[[Solver, int], tuple[float, Mapping[str, float]]]
    norms: Mapping[str, float]
    tolerance: float = 0.25
    reason: str = ""


def slopes(sizes, errors):
    """Slopes of the error over the size in a log-log plot, between neighbours."""
    pairs = zip(sizes, errors, sizes[1:], errors[1:], strict=False)
    return [math.log(e / e2) / math.log(h / h2) for h, e, h2, e2 in pairs]
