"""Sparse linear systems with some unknowns given: direct, or by algebraic multigrid."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy
from scipy.sparse.linalg import splu

from solvers.elements.element_space import Array
from solvers.solver import SolveStatus

Method = Literal["direct", "amg"]
Structure = Literal["definite", "indefinite", "saddle"]

SMALLEST_PIVOT = 1e-13
"""Ratio of the smallest to the largest pivot below which a matrix counts as singular."""

QUICK_PIVOT = 1e-3
"""Part of a column's largest entry from which on the diagonal is taken as the pivot of a saddle point."""

WORST_RESIDUAL = 1e-8
"""Relative residual above which a direct solution is not trusted."""


class SingularMatrix(ArithmeticError):
    """The matrix has no inverse to rounding."""


@dataclass(frozen=True, eq=False)
class SystemSolution:
    """What a linear solve gave.

    Args:
        values: All unknowns, the given ones included.
        status: How it ended.
        residuals: Relative residual norm after each iteration; one number for a direct solve.
    """

    values: Array
    status: SolveStatus
    residuals: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class OpenLevel:
    r"""A vector that the matrix sends to zero, and how its part in the solution is chosen.

    Args:
        null: The vector, ones on the unknowns whose level is open and zeros elsewhere.
        weights: Weights of the mean that is to vanish, :math:`m_i = \int \phi_i` on these unknowns.
    """

    null: Array
    weights: Array


class SparseSystem:
    r"""A matrix that is set up once and solved with for many right sides.

    Args:
        matrix: Square, sparse.
        fixed: Unknowns that are given.
        method: ``"direct"``: sparse LU of SuperLU; ``"amg"``: conjugate gradients preconditioned by smoothed
            aggregation of pyamg, for symmetric positive definite matrices.
        open_level: The null space of the matrix: its mean in the solution is then zero, and what the right
            side has of it is left out. None for a regular matrix.
        near_null_space: Vectors that the operator hardly sees, for ``"amg"``; constants by default.
        tolerance: Of the relative residual, for ``"amg"``.
        max_iterations: For ``"amg"``.
        structure: Of the matrix, for a direct solve: ``"definite"`` needs no pivoting; ``"saddle"`` has
            zeros on the diagonal: where pivoting for them cannot be avoided, the ordering by the symmetric
            pattern, three times faster, is ruled out.

    Raises:
        SingularMatrix: A direct factorisation meets a pivot of zero.
        ImportError: pyamg is wanted and not installed.
    """

    def __init__(
        self,
        matrix: Any,
        fixed: Array,
        *,
        method: Method = "direct",
        open_level: OpenLevel | None = None,
        near_null_space: Array | None = None,
        tolerance: float = 1e-10,
        max_iterations: int = 200,
        structure: Structure = "indefinite",
    ) -> None:
        self.method = method
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.size = matrix.shape[0]
        self.fixed = fixed
        self.free = numpy.setdiff1d(numpy.arange(self.size), fixed)
        rows = matrix.tocsr()[self.free]
        self._inner = rows[:, self.free]
        self._coupling = rows[:, fixed]
        self.open_level = None
        if open_level is not None:
            self.open_level = OpenLevel(open_level.null[self.free], open_level.weights[self.free])
        if method == "amg":
            near = None if near_null_space is None else near_null_space[self.free]
            self._hierarchy = import_pyamg().smoothed_aggregation_solver(
                self._inner.tocsr(), B=near, coarse_solver="pinv", max_coarse=200
            )
        elif len(self.free):
            self._kept = numpy.arange(len(self.free))
            self._factors = self._factorise(structure)

    def _factorise(self, structure: Structure) -> Any:
        matrix = self._inner
        if self.open_level is not None:
            # One unknown of the level is set to zero; as the right side balances, its equation holds anyway.
            self._kept = numpy.delete(self._kept, numpy.argmax(self.open_level.null))
            matrix = matrix[self._kept][:, self._kept]
        matrix = matrix.tocsc()
        if structure == "saddle" and (factors := self._quick_saddle(matrix)) is not None:
            return factors
        # The pattern is symmetric even where the values are not.
        ordering = "COLAMD" if structure == "saddle" else "MMD_AT_PLUS_A"
        options = {"SymmetricMode": True} if structure == "definite" else {}
        pivoting = 0.0 if structure == "definite" else 1.0
        try:
            factors = splu(matrix, permc_spec=ordering, diag_pivot_thresh=pivoting, options=options)
        except RuntimeError as error:
            raise SingularMatrix(str(error)) from None
        pivots = abs(factors.U.diagonal())
        if pivots.min() <= SMALLEST_PIVOT * pivots.max():
            raise SingularMatrix(f"pivots from {pivots.max():.1e} down to {pivots.min():.1e}")
        return factors

    def _quick_saddle(self, matrix: Any) -> Any:
        """Factors in the order of the symmetric pattern if they turn out accurate, otherwise None.

        Most zeros on the diagonal are filled before their turn, so pivoting, which ruins the order, is rarely
        needed; a right side of waves tells.
        """
        try:
            factors = splu(
                matrix,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=QUICK_PIVOT,
                options={"SymmetricMode": True},
            )
        except RuntimeError:
            return None
        waves = numpy.sin(numpy.arange(1.0, 1 + matrix.shape[0]))
        left = numpy.linalg.norm(matrix @ factors.solve(waves) - waves)
        pivots = abs(factors.U.diagonal())
        is_sound = pivots.min() > SMALLEST_PIVOT * pivots.max()
        return factors if is_sound and left <= WORST_RESIDUAL * numpy.linalg.norm(waves) else None

    def solve(self, load: Array, given: Array) -> SystemSolution:
        """Solve for one right side.

        Args:
            load: Right side of all equations.
            given: Values of the fixed unknowns.

        Returns:
            The solution.
        """
        values = numpy.zeros(self.size)
        values[self.fixed] = given
        right = load[self.free] - self._coupling @ given
        level = self.open_level
        if level is not None:
            right = right - level.weights * (level.null @ right / (level.null @ level.weights))
        scale = float(numpy.linalg.norm(right))
        if scale == 0 or not len(self.free):
            return SystemSolution(values, SolveStatus.CONVERGED, (0.0,))
        if self.method == "amg":
            history: list[float] = []
            inner = self._hierarchy.solve(
                right, tol=self.tolerance, maxiter=self.max_iterations, accel="cg", residuals=history
            )
            norms = tuple(float(norm) / scale for norm in history[:-1])
        else:
            inner = numpy.zeros_like(right)
            inner[self._kept] = self._factors.solve(right[self._kept])
            norms = (1.0,)
        if level is not None:
            inner = inner - level.null * (level.weights @ inner / (level.weights @ level.null))
        # The residual of the solution itself, not the one that an iteration updates.
        last = float(numpy.linalg.norm(right - self._inner @ inner)) / scale
        values[self.free] = inner
        return SystemSolution(values, self._status(last), (*norms, last))

    def solve_many(self, loads: Array, given: Array) -> Array:
        """Solve for several right sides at once by the direct factorisation, without looking at residuals.

        Args:
            loads: One column a right side.
            given: Values of the fixed unknowns, the same for all.

        Returns:
            One column a solution.
        """
        values = numpy.zeros_like(loads)
        values[self.fixed] = given[:, None]
        right = loads[self.free] - (self._coupling @ given)[:, None]
        if len(self.free):
            values[self.free] = self._factors.solve(right)
        return values

    def _status(self, residual: float) -> SolveStatus:
        if self.method == "amg":
            # The iteration stops on a residual that it updates; rounding may part the two a little.
            return SolveStatus.CONVERGED if residual <= 10 * self.tolerance else SolveStatus.ITERATION_LIMIT
        return SolveStatus.CONVERGED if residual <= WORST_RESIDUAL else SolveStatus.SINGULAR


def import_pyamg() -> ModuleType:
    """Import pyamg, which is optional.

    Returns:
        The module.

    Raises:
        ImportError: It is not installed; the message names the extra to install.
    """
    try:
        import pyamg
    except ImportError as error:
        raise ImportError(
            "method='amg': expected pyamg, got none installed; try pip install 'pdeops[fem]', "
            "or method='direct'"
        ) from error
    return pyamg
