"""What every Krylov method gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from solvers.solver import SolveStatus

LinearMap = Callable[[Tensor], Tensor]

STAGNATION_FACTOR = 10
"""The updated residual drifts from the true one by rounding; beyond this factor the tolerance is not met."""


@dataclass(frozen=True, eq=False)
class KrylovResult:
    """Outcome of a Krylov method; it does not raise when the tolerance is not met, look at `status`.

    Args:
        solution: Like the right side. Only where `status` is converged does every system meet the tolerance;
            `relative_residual` says how close each one is.
        status: Converged, iteration limit, stagnation, or breakdown; the worst of the batch.
        message: One sentence with the numbers; on a breakdown the iteration, the system and the value.
        iterations: Iterations a system until it met the tolerance or gave up, shape (batch,).
        residual_history: Relative residual norms, as updated by the recurrence, shape (iterations + 1,
            batch); a column stays at its last value once its system is done.
        relative_residual: Norm of b - A x over that of b, computed afresh from the solution, shape (batch,).
    """

    solution: Float[Tensor, "batch ..."]
    status: SolveStatus
    message: str
    iterations: Int[Tensor, " batch"]
    residual_history: Float[Tensor, "steps batch"]
    relative_residual: Float[Tensor, " batch"]


def flat_norm(values: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """Euclidean norm of each system's vector."""
    return values.flatten(1).norm(dim=1)


def scale_of(right_side: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """Norms that residuals are divided by; 1 for a right side of zero, whose solution is zero."""
    norm = flat_norm(right_side)
    return torch.where(norm > 0, norm, torch.ones_like(norm))


def final_status(
    status: SolveStatus, relative_residual: Float[Tensor, " batch"], tolerance: float
) -> SolveStatus:
    """Hold a recurrence that claims to have converged to the residual computed afresh."""
    met = bool((relative_residual <= STAGNATION_FACTOR * tolerance).all())
    return SolveStatus.STAGNATION if status is SolveStatus.CONVERGED and not met else status
