"""Generalised minimal residuals for any regular system, by SciPy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator
from scipy.sparse.linalg import gmres as scipy_gmres
from torch import Tensor

from solvers.krylov.result import KrylovResult, LinearMap
from solvers.krylov.scipy_bridge import solve_one_by_one


def gmres(
    matrix: LinearMap | Sequence[LinearMap],
    right_side: Float[Tensor, "batch ..."],
    *,
    preconditioner: LinearMap | Sequence[LinearMap] | None = None,
    restart: int = 50,
    tolerance: float = 1e-10,
    max_iterations: int = 1000,
) -> KrylovResult:
    r"""Solve A x = b with A regular, one system of a batch after the other.

    Preconditioned from the right, :math:`A B y = b, x = B y`, so that the residuals of the history are those
    of the system itself and not of a transformed one.

    Args:
        matrix: x -> A x for tensors (1, ...): one map for all systems, or a list with one a system.
        right_side: b (batch, ...), float64.
        preconditioner: r -> B r, linear, like `matrix`; none by default.
        restart: Steps between restarts: so many vectors are stored.
        tolerance: Of the relative residual.
        max_iterations: A system, rounded up to whole restarts.

    Returns:
        The result; look at ``status``.

    Raises:
        ValueError: A setting is out of its range, there is not one map a system, or b is not finite.

    Failure mode: With restarts, an indefinite matrix may make no progress at all; raise `restart`.

    References:
        | Y. Saad, M. H. Schultz, 1986, GMRES: a generalized minimal residual algorithm for solving
        | nonsymmetric linear systems, doi:10.1137/0907058
    """
    if restart < 1:
        raise ValueError(f"restart: expected 1 or more, got {restart}; try 50")

    def solve_system(
        operator: LinearOperator, vector: np.ndarray, inverse: LinearOperator | None
    ) -> tuple[np.ndarray, list[float]]:
        history = [1.0]
        steps = min(restart, max_iterations)
        solution, _ = scipy_gmres(
            operator if inverse is None else operator @ inverse,
            vector,
            rtol=tolerance,
            restart=steps,
            maxiter=math.ceil(max_iterations / steps),
            callback=lambda norm: history.append(float(norm)),
            callback_type="pr_norm",
        )
        return solution if inverse is None else inverse.matvec(solution), history

    return solve_one_by_one(solve_system, matrix, right_side, preconditioner, tolerance, max_iterations)
