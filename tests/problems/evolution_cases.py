"""Every problem in time that the library exports, with every exact solution it states."""

import dataclasses
import inspect
from dataclasses import dataclass

import sympy
import torch

import pdeops.problems
from pdeops.domains import AxisKind, Grid
from pdeops.problems import Problem
from pdeops.problems.exact_solution import ExactSolution

CLASSES = tuple(
    item
    for item in vars(pdeops.problems).values()
    if inspect.isclass(item)
    and issubclass(item, Problem)
    and not inspect.isabstract(item)
    and not item.steady
)

CHAOTIC = {"kuramoto_sivashinsky"}
"""Problems without a solution in closed form."""

PERIODISED = {"moving_gaussian", "moving_fronts", "walls", "travelling_fronts", "interfaces", "soliton"}
PERIODISED |= {"two_solitons", "bright_soliton", "breather", "vortex"}
"""Sums over images, or solutions of the line: exact but for tails below 1e-13."""

SHARP = {"moving_fronts": 512, "walls": 1024, "travelling_fronts": 768, "interfaces": 1024, "soliton": 768}
SHARP |= {"two_solitons": 1024, "bright_soliton": 768, "breather": 1024, "cole_hopf": 128, "vortex": 160}
"""Points along x that resolve these to rounding (see the docstrings); 64 do for the others."""


@dataclass(frozen=True)
class Case:
    """One exact solution."""

    label: str
    exact: ExactSolution

    @property
    def problem(self) -> Problem:
        return self.exact.problem

    @property
    def name(self) -> str:
        return self.label.split("-")[-1]

    @property
    def is_periodic(self) -> bool:
        """Whether every output has the same value and slope at opposite ends of the standard box."""
        grid = self.problem.default_domain((4,) * self.problem.dimension)
        for number, axis in enumerate(grid.axes):
            ends = []
            for end in (axis.lower, axis.upper):
                points = torch.full((1, grid.dimension), 0.37, dtype=torch.float64)
                points[0, number] = end
                now = {self.problem.time_symbol: sympy.Rational(1, 5)}
                outputs = [self.exact.expressions[v.name].subs(now) for v in self.problem.outputs]
                outputs += [item.diff(self.problem.space_symbols[number]) for item in outputs]
                ends.append(torch.cat([self.problem.values_at(item, points) for item in outputs]))
            if not torch.allclose(*ends, rtol=0, atol=1e-9):
                return False
        return True

    def domain(self) -> Grid:
        """The standard box, with points that resolve the solution to rounding."""
        if not self.is_periodic:
            return self.chebyshev((20,) * self.problem.dimension)
        dimension = self.problem.dimension
        count = SHARP.get(self.name, 64)
        if self.problem.dimension == 3:
            count = 12
        # The sharp ones vary along x only.
        others = 8 if self.name in SHARP and self.name not in {"cole_hopf", "vortex"} else count
        return self.problem.default_domain((count, *(others,) * (dimension - 1)))

    def chebyshev(self, shape: tuple[int, ...]) -> Grid:
        """The standard box with ends."""
        box = self.problem.default_domain(shape).axes
        return Grid.box(shape, AxisKind.CHEBYSHEV, lower=[a.lower for a in box], upper=[a.upper for a in box])


def instances(kind: type[Problem]) -> list[Problem]:
    """One a dimension that the equation has a meaning in; viscous enough for the grids of these tests."""
    changes = {"viscosity": 0.02} if kind.__name__ == "NavierStokes2D" else {}
    fields = {field.name for field in dataclasses.fields(kind)}
    if "dimension" not in fields:
        return [kind(**changes)]
    highest = 2 if kind.__name__ in {"KuramotoSivashinsky", "ShallowWater"} else 3
    return [kind(dimension=dimension) for dimension in range(1, highest + 1)]


INSTANCES = [problem for kind in CLASSES for problem in instances(kind)]
CASES = [
    Case(f"{problem.name}-{problem.dimension}d-{name}", exact)
    for problem in INSTANCES
    for name, exact in problem.exact_solutions().items()
]
