"""Newton's method with damping for a nonlinear reaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from jaxtyping import Float64

from solvers.elliptic.sparse_finite_difference_direct import Factors, SingularMatrixError
from solvers.solver import SolveStatus

SMALLEST_STEP = 2.0**-20
SUFFICIENT_DESCENT = 1e-4


@dataclass(frozen=True, eq=False)
class NewtonResult:
    """Outcome of `newton`.

    Args:
        solution: The last iterate.
        status: Converged, iteration limit, stagnation, or singular.
        message: One sentence with the numbers.
        history: Norms of the residual over the first one, one a step and the first.
    """

    solution: Float64[np.ndarray, " unknowns"]
    status: SolveStatus
    message: str
    history: list[float]


def newton(
    residual: Callable[[np.ndarray], np.ndarray],
    jacobian: Callable[[np.ndarray], scipy.sparse.spmatrix],
    initial: Float64[np.ndarray, " unknowns"],
    *,
    tolerance: float,
    max_steps: int,
) -> NewtonResult:
    r"""Find a root of F: full steps where they help, halved ones until :math:`\|F\|` falls where not.

    Args:
        residual: u -> F(u).
        jacobian: u -> F'(u), with a symmetric pattern.
        initial: Where to start.
        tolerance: Of :math:`\|F(u)\|` over :math:`\|F(u_0)\|`.
        max_steps: Largest number of linear solves.

    Returns:
        The result; look at ``status``.

    Failure mode: Stuck at a local minimum of :math:`\|F\|`, near a turning point of the solutions.

    References:
        | P. Deuflhard, 2011, Newton Methods for Nonlinear Problems, chapter 3, doi:10.1007/978-3-642-23899-4
    """
    current, value = initial, residual(initial)
    first = float(np.linalg.norm(value))
    history = [1.0 if first > 0 else 0.0]
    while history[-1] > tolerance:
        done = len(history) - 1
        if done >= max_steps:
            return _stopped(SolveStatus.ITERATION_LIMIT, "the limit", current, history)
        try:
            update = Factors.of(jacobian(current)).solve(-value)
        except SingularMatrixError:
            return _stopped(SolveStatus.SINGULAR, "a singular Jacobian", current, history)
        step, norm = 1.0, history[-1] * first
        while True:
            trial = current + step * update
            trial_value = residual(trial)
            if np.linalg.norm(trial_value) <= (1 - SUFFICIENT_DESCENT * step) * norm:
                break
            step /= 2
            if step < SMALLEST_STEP:
                why = "no descent along Newton's direction: a turning point of the solutions, or rounding"
                return _stopped(SolveStatus.STAGNATION, why, current, history)
        current, value = trial, trial_value
        history.append(float(np.linalg.norm(value)) / first)
    message = f"{len(history) - 1} Newton steps, residual {history[-1]:.1e} of the first"
    return NewtonResult(current, SolveStatus.CONVERGED, message, history)


def _stopped(status: SolveStatus, why: str, current: np.ndarray, history: list[float]) -> NewtonResult:
    message = (
        f"Newton's method stopped after {len(history) - 1} steps by {why}, with a residual of "
        f"{history[-1]:.1e} of the first; try more diffusion, more points, or a smaller source"
    )
    return NewtonResult(current, status, message, history)
