"""Problems with manufactured solutions for the Chebyshev solvers."""

from dataclasses import dataclass
from typing import ClassVar

import sympy

from pdeops.domains import AxisKind, Field, Grid
from pdeops.problems import Dirichlet, EllipticProblem, ExactSolution, Neumann, Robin, Variable
from pdeops.problems.parameter import formula, parameter

x, y, z = sympy.symbols("x y z", real=True)


@dataclass(frozen=True, kw_only=True)
class Balance(EllipticProblem):
    """Diffusion with a given coefficient, decay with a given rate, and a cubic reaction."""

    name: ClassVar[str] = "balance"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("load"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("density"),)

    dimension: int = 2
    coefficient: str = formula("1", symbol="a")
    decay: str = formula("0", symbol="c")
    cubic: float = parameter(0.0, symbol="q")

    @property
    def diffusion(self):
        return self.formula("coefficient")

    @property
    def reaction(self):
        # A product with the float 0 would keep the cube and make the equation look nonlinear.
        cube = self.symbol("cubic") * self.unknown**3 if self.cubic else 0
        return self.formula("decay") * self.unknown + cube

    @property
    def source(self):
        return self.function("load")

    @classmethod
    def default_domain(cls, shape):
        return Grid.box(shape, AxisKind.CHEBYSHEV)

    def sample_inputs(self, domain, seeds):
        raise NotImplementedError


def condition(kind, solution, coefficient, part, robin):
    """The condition of a kind that a solution meets on a face."""
    symbol = {"x": x, "y": y, "z": z}[part[0]]
    flux = coefficient * sympy.diff(solution, symbol) * (-1 if part.endswith("lower") else 1)
    if kind == "D":
        return Dirichlet(value=str(solution))
    if kind == "N":
        return Neumann(flux=str(flux))
    return Robin(coefficient=str(robin), value=str(flux + robin * solution))


def manufactured(solution, kinds, *, coefficient=1, decay=0, cubic=0.0, robin=1, dimension=2):
    """A solution with the source and the boundary data made for it.

    `kinds` has two letters an axis (D, N, R for the lower and the upper end; "PP" for a periodic axis).
    """
    names = {"x": x, "y": y, "z": z}  # symbols read from text would not be real
    coefficient, decay, robin = (sympy.sympify(item, names) for item in (coefficient, decay, robin))
    parts = [f"{axis}_{side}" for axis in "xyz"[:dimension] for side in ("lower", "upper")]
    boundary = {
        part: condition(kind, solution, coefficient, part, robin)
        for part, kind in zip(parts, kinds, strict=True)
        if kind != "P"
    }
    coordinates = (x, y, z)[:dimension]
    source = decay * solution + sympy.Float(cubic) * solution**3
    source -= sum(sympy.diff(coefficient * sympy.diff(solution, s), s) for s in coordinates)
    problem = Balance(
        dimension=dimension,
        coefficient=str(coefficient),
        decay=str(decay),
        cubic=cubic,
        boundary=boundary or {"default": Dirichlet()},
    )
    return ExactSolution(problem, {"load": source, "density": solution}, "manufactured")


def grid_for(kinds, num_points, *, lower=(-1.0, 0.0, 0.5), upper=(1.0, 2.0, 1.5)):
    """A box with a periodic axis where the kinds say so."""
    axes = [AxisKind.PERIODIC if kinds[2 * k] == "P" else AxisKind.CHEBYSHEV for k in range(len(kinds) // 2)]
    count = len(axes)
    shape = (num_points,) * count if isinstance(num_points, int) else num_points
    return Grid.box(shape, axes, lower=lower[:count], upper=upper[:count])


def largest_error(solver, exact, grid):
    """Largest pointwise error, and the solution."""
    solution = solver.solve(exact.problem, exact.inputs(grid), grid)
    return (solution.values - exact.solution(grid).values).abs().max().item(), solution


def stacked(*items):
    """The inputs of several exact solutions on one grid as one batch."""
    import torch

    return {
        name: Field(torch.cat([item[name].values for item in items]), items[0][name].domain, (name,))
        for name in items[0]
    }
