"""Minimal residuals for symmetric systems that need not be definite, by SciPy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator
from scipy.sparse.linalg import minres as scipy_minres
from torch import Tensor

from solvers.krylov.result import KrylovResult, LinearMap
from solvers.krylov.scipy_bridge import solve_one_by_one


class _ToleranceMet(Exception):
    """Ends SciPy's loop, with the iterate."""

    def __init__(self, solution: np.ndarray) -> None:
        super().__init__()
        self.solution = solution


def minres(
    matrix: LinearMap | Sequence[LinearMap],
    right_side: Float[Tensor, "batch ..."],
    *,
    preconditioner: LinearMap | Sequence[LinearMap] | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 1000,
) -> KrylovResult:
    r"""Solve A x = b with A symmetric, definite or not, one system of a batch after the other.

    Each iterate has the least residual in the Krylov space. SciPy stops by a test of its own, relative to
    :math:`\|A\| \|x\|`; here the residual :math:`b - A x` is computed after every step, which costs a second
    product with A, and the loop ends when :math:`\|r\|_2 \le` tolerance :math:`\|b\|_2`.

    Args:
        matrix: x -> A x for tensors (1, ...): one map for all systems, or a list with one a system.
        right_side: b (batch, ...), float64.
        preconditioner: r -> B r, symmetric positive definite, like `matrix`; none by default.
        tolerance: Of the relative residual.
        max_iterations: A system.

    Returns:
        The result; look at ``status``. `SolveStatus.STAGNATION` where rounding or a singular matrix with an
        inconsistent right side ends the descent.

    Raises:
        ValueError: A setting is out of its range, there is not one map a system, b is not finite, or the
            preconditioner is not positive definite.

    Failure mode: A matrix that is not symmetric; use `gmres`.

    References:
        | C. C. Paige, M. A. Saunders, 1975, Solution of sparse indefinite systems of linear equations,
        | doi:10.1137/0712047
    """

    def solve_system(
        operator: LinearOperator, vector: np.ndarray, inverse: LinearOperator | None
    ) -> tuple[np.ndarray, list[float]]:
        norm = np.linalg.norm(vector)
        history = [1.0]
        solution = np.zeros_like(vector)

        def look(iterate: np.ndarray) -> None:
            history.append(float(np.linalg.norm(vector - operator.matvec(iterate)) / norm))
            if history[-1] <= tolerance:
                raise _ToleranceMet(iterate.copy())

        try:
            # SciPy's own test ends the loop where rounding has spoilt the recurrence: it starts again from
            # there, as long as that helps.
            best = math.inf
            while history[-1] < best / 2 and len(history) <= max_iterations:
                best = history[-1]
                remaining = max_iterations + 1 - len(history)
                solution, _ = scipy_minres(
                    operator, vector, solution, rtol=1e-17, maxiter=remaining, M=inverse, callback=look
                )
        except _ToleranceMet as met:
            solution = met.solution
        return solution, history

    return solve_one_by_one(solve_system, matrix, right_side, preconditioner, tolerance, max_iterations)
