"""Preconditioned conjugate gradients for a batch of symmetric positive definite systems."""

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
class ConjugateGradientResult:
    """Outcome of `conjugate_gradient`.

    Args:
        solution: Like the right-hand side.
        status: Converged, iteration limit, stagnation, or breakdown.
        iterations: Iterations a system until it met the tolerance, shape (batch,).
        residual_history: Relative residual norms, as updated by the recurrence, shape (iterations + 1,
            batch); a column stays at its last value once its system is done.
        relative_residual: Norm of b - A x over that of b, computed afresh from the solution, shape (batch,).
    """

    solution: Float[Tensor, "batch ..."]
    status: SolveStatus
    iterations: Int[Tensor, " batch"]
    residual_history: Float[Tensor, "steps batch"]
    relative_residual: Float[Tensor, " batch"]


def conjugate_gradient(
    matrix: LinearMap,
    right_side: Float[Tensor, "batch ..."],
    *,
    preconditioner: LinearMap | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> ConjugateGradientResult:
    r"""Solve A x = b for each system of a batch, A and the preconditioner B symmetric positive definite.

    Each system has its own step lengths and stops on its own, when :math:`\|r\|_2 \le` tolerance
    :math:`\|b\|_2`, so the rest of the batch does not change it. The error in the energy norm falls at least
    like :math:`2 ((\sqrt\kappa - 1) / (\sqrt\kappa + 1))^k`, kappa the condition number of B A. The numbers
    in the code are the lines of algorithm 9.1 in Saad.

    Args:
        matrix: x -> A x for tensors like `right_side`.
        right_side: b (batch, ...), float64 unless rounding at 1e-7 is enough.
        preconditioner: r -> B r, an approximate inverse of A; the identity if None.
        tolerance: Of the relative residual. The true residual levels off near 1e-16 times the norms of A and
            x over b; a tolerance below that ends with `SolveStatus.STAGNATION`.
        max_iterations: For the whole batch.

    Returns:
        The result; it does not raise when the tolerance is not met, look at `status`.

    References:
        | Y. Saad, 2003, Iterative Methods for Sparse Linear Systems, chapter 9, doi:10.1137/1.9780898718003
    """
    shape = (-1, *(1,) * (right_side.ndim - 1))

    def dot(left: Tensor, right: Tensor) -> Tensor:
        return (left * right).flatten(1).sum(1)

    def precondition(residual: Tensor) -> Tensor:
        return residual if preconditioner is None else preconditioner(residual)

    norm = right_side.flatten(1).norm(dim=1)
    scale = torch.where(norm > 0, norm, torch.ones_like(norm))
    solution = torch.zeros_like(right_side)
    residual = right_side.clone()  # 1
    transformed = precondition(residual)
    direction = transformed.clone()
    energy = dot(residual, transformed)
    relative = norm / scale
    history = [relative]
    active = relative > tolerance
    iterations = torch.zeros(len(right_side), dtype=torch.int64, device=right_side.device)
    status = SolveStatus.CONVERGED
    while bool(active.any()):  # 2
        if len(history) > max_iterations:
            status = SolveStatus.ITERATION_LIMIT
            break
        image = matrix(direction)
        curvature = dot(image, direction)
        if bool((active & ~(curvature > 0)).any()) or bool((active & ~(energy > 0)).any()):
            status = SolveStatus.BREAKDOWN
            break
        step = torch.where(active, energy / curvature, 0.0)  # 3
        solution = solution + step.view(shape) * direction  # 4
        residual = residual - step.view(shape) * image  # 5
        transformed = precondition(residual)  # 6
        new_energy = dot(residual, transformed)
        ratio = torch.where(active, new_energy / energy, 0.0)  # 7
        direction = transformed + ratio.view(shape) * direction  # 8
        energy = torch.where(active, new_energy, energy)
        iterations += active
        relative = torch.where(active, residual.flatten(1).norm(dim=1) / scale, relative)
        history.append(relative)
        active = active & (relative > tolerance)
    relative_residual = (right_side - matrix(solution)).flatten(1).norm(dim=1) / scale
    if status is SolveStatus.CONVERGED and bool((relative_residual > STAGNATION_FACTOR * tolerance).any()):
        status = SolveStatus.STAGNATION
    return ConjugateGradientResult(
        solution=solution,
        status=status,
        iterations=iterations,
        residual_history=torch.stack(history),
        relative_residual=relative_residual,
    )
