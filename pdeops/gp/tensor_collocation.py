"""The inner solve: coefficients of tensor products of axis functions that meet an equation on a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.boundary_rows import axis_conditions
from pdeops.gp.equation_terms import EquationTerms, Orders
from pdeops.gp.kernel_factor import along
from pdeops.gp.krylov import preconditioned_gmres
from pdeops.gp.posed_problem import PosedProblem
from pdeops.gp.separable_inverse import SeparableInverse

LINEAR_TOLERANCE = 1e-12
NEWTON_TOLERANCE = 1e-4
"""Of the linear systems of Newton's method: closer would be solving for a step that is itself not exact."""
MAX_PRODUCTS = 200
ROUNDING = 2.2e-16
CONTRADICTION = 1e-10
"""Of the largest that a condition could be for such coefficients: below it is rounding."""


@dataclass(frozen=True, eq=False)
class Collocated:
    """What an inner solve found.

    Args:
        coefficients: One an axis function of each axis, shape (*ranks).
        misfit: Norm of the equation's residual at the grid points over that of its largest term, where a
            derivative counts as no less than u over the lengths of the axes, and of what is missed of the
            conditions on the faces over that of their right sides: root of both squared.
        noise: Root mean square of the residual at the grid points, at least rounding.
        score: Generalised cross-validation: the squared misfit over the squared share of free points.
        iterations: Newton steps.
        history: Relative norm of the tested residual, one a step.
        converged: Whether the steps came to rest.
    """

    coefficients: Float64[Tensor, "*ranks"]
    misfit: float
    noise: float
    score: float
    iterations: int
    history: tuple[float, ...]
    converged: bool


class TensorCollocation:
    r"""Solves an equation for :math:`u = \sum_{ij} c_{ij}\, \varphi_i(x)\, \psi_j(y)`, in 3-D too.

    The coefficients are the most likely ones for the boundary data plus a part that the boundary does not
    see; for this part the residual at the points of the grid is tested with the same functions, so the number
    of equations is that of the unknowns. A solution among the functions is met exactly, as its residual
    vanishes at all points. Newton's method; each linear system by GMRES, with the inverse for constant
    coefficients, axis by axis, in front of it. No matrix joins two axes.

    Args:
        posed: The problem on its grid.
        bases: Functions of each axis.
        max_newton_steps: Number of steps at most.
    """

    def __init__(self, posed: PosedProblem, bases: Sequence[AxisBasis], max_newton_steps: int = 30) -> None:
        self.grid, self.bases = posed.grid, tuple(bases)
        self.max_newton_steps = max_newton_steps
        self.equation = EquationTerms(posed)
        device = self.equation.device
        self.faces = [posed.face_values(number) for number in range(self.grid.dimension)]
        self.ends = [posed.ends(number) for number in range(self.grid.dimension)]
        pairs = zip(self.ends, self.bases, strict=True)
        self.conditions = [axis_conditions(ends, basis) for ends, basis in pairs]
        self.free = [condition.free.to(device) for condition in self.conditions]
        self.tests = [
            basis.values.to(device) @ free for basis, free in zip(self.bases, self.free, strict=True)
        ]
        self.tables = {
            (number, order): basis.at(basis.points, order).to(device)
            for number, basis in enumerate(self.bases)
            for order in {0, *(orders[number] for orders in self.equation.symbols)}
        }

    def lifted(self, data: Sequence[Tensor], values: Tensor | None = None) -> Float64[Tensor, "*ranks"]:
        """Most likely coefficients that meet boundary data, as `on_functions` gives it.

        Args:
            data: Boundary data.
            values: Function on the grid that they shall be near to, zero by default.

        Returns:
            The coefficients.
        """
        result = torch.zeros([basis.rank for basis in self.bases], dtype=torch.float64)
        if values is not None:
            result = values.cpu()
            for number, basis in enumerate(self.bases):
                result = along(basis.values.T, result, number)
        for number, (condition, given) in enumerate(zip(self.conditions, data, strict=True)):
            if len(condition.rows):
                result = result + along(condition.lift, given - along(condition.rows, result, number), number)
        return result.to(self.equation.device)

    def values(self, coefficients: Tensor) -> Float64[Tensor, " *shape"]:
        """The function at the points of the grid."""
        for number in range(self.grid.dimension):
            coefficients = along(self.tables[number, 0], coefficients, number)
        return coefficients

    def derivatives(self, coefficients: Tensor) -> dict[Orders, Float64[Tensor, " *shape"]]:
        """Derivatives of u that the equation holds, at the points of the grid."""
        return differentiated(coefficients, self.tables, self.equation.symbols)

    def on_functions(self, faces: Sequence[Tensor]) -> list[Tensor]:
        """Values at the points of the faces as coefficients of the functions of the other axes."""
        result = []
        for number, values in enumerate(faces):
            for other, basis in enumerate(self.bases):
                if other != number:
                    values = along(basis.values.T, values, other)
            result.append(values)
        return result

    def missed(self, faces: Sequence[Tensor], coefficients: Tensor) -> tuple[float, float]:
        """What a function misses of the right sides of the conditions.

        Both what the functions of the faces cannot hold, and where two faces contradict one another: there
        the later axis has its way.

        Args:
            faces: Values at the points of the faces.
            coefficients: Of the function.

        Returns:
            Norm of what is missed, and of all, over all faces.
        """
        missed, given, coefficients = 0.0, 0.0, coefficients.cpu()
        pairs = zip(faces, self.on_functions(faces), self.conditions, strict=True)
        for number, (values, held, condition) in enumerate(pairs):
            contradicted = (along(condition.rows, coefficients, number) - held).norm()
            if contradicted > CONTRADICTION * condition.rows.norm() * coefficients.norm():
                missed += contradicted.square().item()
            for other, basis in enumerate(self.bases):
                if other != number:
                    held = along(basis.values, held, other)
            missed += (values - held).square().sum().item()
            given += values.square().sum().item()
        return math.sqrt(missed), math.sqrt(given)

    def tested(self, values: Tensor) -> Float64[Tensor, "*free"]:
        """Products of values on the grid with the functions that the boundary does not see."""
        for number, test in enumerate(self.tests):
            values = along(test.T, values, number)
        return values

    def spread(self, unknowns: Tensor) -> Float64[Tensor, "*ranks"]:
        """Coefficients of the part that the boundary does not see."""
        for number, free in enumerate(self.free):
            unknowns = along(free, unknowns, number)
        return unknowns

    def solve(self, start: Tensor | None = None) -> Collocated:
        """Solve.

        Args:
            start: First guess on the grid for Newton's method, zero by default.

        Returns:
            Coefficients, and what tells how good they are without an exact solution.
        """
        coefficients = self.lifted(self.on_functions(self.faces), start)
        history: list[float] = []
        converged, system, scale = False, None, None
        for _ in range(self.max_newton_steps):
            derivatives = self.derivatives(coefficients)
            residual = self.equation.residual(derivatives)
            scale = scale or max(residual.norm().item(), 1e-300)
            history.append(self.tested(residual).norm().item() / scale)
            if system is None or not self.equation.is_linear:
                system = LinearisedSystem(self, self.equation.jacobian(derivatives))
            tolerance = LINEAR_TOLERANCE if self.equation.is_linear else NEWTON_TOLERANCE
            step = system.solve(-self.tested(residual), tolerance)
            update = self.spread(step)
            coefficients = coefficients + update
            size = update.norm().item() / max(coefficients.norm().item(), 1e-300)
            if not size < 1e12:
                break
            # A linear system gets one more round, in which rounding of the first is mended.
            if size < 1e-11 or (self.equation.is_linear and len(history) == 2):
                converged = True
                break
        derivatives = self.derivatives(coefficients)
        residual = self.equation.residual(derivatives)
        terms = self.equation.jacobian(derivatives)
        largest = max((terms[o] * derivatives[o]).square().mean().sqrt().item() for o in terms)
        size = residual.square().mean().sqrt().item()
        missed, given = self.missed(self.faces, coefficients)
        # A solution that hardly varies has terms of nothing: over the box such a residual moves it little.
        level = coefficients.norm().item() / math.sqrt(self.grid.num_points)
        reaches = [axis.length for axis in self.grid.axes]
        plain = max(
            terms[o].square().mean().sqrt().item()
            * math.prod(reach**-order for reach, order in zip(reaches, o, strict=True))
            for o in terms
        )
        misfit = math.hypot(size / max(largest, level * plain, 1e-300), missed / max(given, 1e-300))
        share = 1 - math.prod(test.shape[1] for test in self.tests) / self.grid.num_points
        return Collocated(
            coefficients=coefficients,
            misfit=misfit,
            noise=max(size, ROUNDING * largest),
            score=misfit**2 / share**2,
            iterations=len(history),
            history=tuple(history),
            converged=converged and bool(torch.isfinite(coefficients).all()),
        )


def differentiated(
    coefficients: Tensor, tables: Mapping[tuple[int, int], Tensor], wanted: Iterable[Orders]
) -> dict[Orders, Tensor]:
    """Derivatives axis by axis; what they have in common along the first axes is computed once.

    Args:
        coefficients: One a function of each axis.
        tables: Derivatives of the functions at the points, by number of the axis and order.
        wanted: Orders of the derivatives.

    Returns:
        Values at the points by orders.
    """
    partial: dict[Orders, Tensor] = {(): coefficients}
    for number in range(coefficients.ndim):
        heads = {orders[: number + 1] for orders in wanted}
        partial = {head: along(tables[number, head[-1]], partial[head[:-1]], number) for head in heads}
    return partial


def weighted_sum(
    coefficients: Mapping[Orders, Tensor], derivatives: Mapping[Orders, Tensor]
) -> Float64[Tensor, " *shape"]:
    """A linear equation: derivatives times their coefficients, summed without a copy of all terms."""
    (first, values), *rest = coefficients.items()
    total = values * derivatives[first]
    for orders, factor in rest:
        total.addcmul_(factor, derivatives[orders])
    return total


class LinearisedSystem:
    """The equation, linearised at some u, for the part that the boundary does not see.

    Args:
        collocation: Functions and equation.
        coefficients: Values of the coefficient of each derivative on the grid.
    """

    def __init__(self, collocation: TensorCollocation, coefficients: Mapping[Orders, Tensor]) -> None:
        self.collocation, self.coefficients = collocation, coefficients
        alone = collocation.grid.dimension == 1
        self.inverse = SeparableInverse(self._axis_matrices(), 0.0 if alone else self._constant())

    def _constant(self) -> float:
        zero = (0,) * self.collocation.grid.dimension
        return self.coefficients[zero].mean().item() if zero in self.coefficients else 0.0

    def _axis_matrices(self) -> list[Tensor]:
        """Terms of one axis each: with mean coefficients, in one dimension exactly."""
        outer = self.collocation
        alone = outer.grid.dimension == 1
        matrices = []
        for number, (test, free) in enumerate(zip(outer.tests, outer.free, strict=True)):
            matrix = torch.zeros(free.shape[1], free.shape[1], dtype=torch.float64, device=free.device)
            for orders, values in self.coefficients.items():
                if alone or (orders[number] > 0 and sum(orders) == orders[number]):
                    factor = values[:, None] if alone else values.mean()
                    matrix = matrix + test.T @ (factor * (outer.tables[number, orders[number]] @ free))
            matrices.append(matrix)
        return matrices

    def apply(self, unknowns: Tensor) -> Tensor:
        """The linear map."""
        derivatives = self.collocation.derivatives(self.collocation.spread(unknowns))
        return self.collocation.tested(weighted_sum(self.coefficients, derivatives))

    def solve(self, right: Tensor, tolerance: float = LINEAR_TOLERANCE) -> Tensor:
        """Solution of the linear system."""
        solution, _, _ = preconditioned_gmres(self.apply, self.inverse, right, tolerance, MAX_PRODUCTS)
        return solution
