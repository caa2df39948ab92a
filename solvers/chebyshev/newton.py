"""Newton's method with a damped line search, for a batch of nonlinear equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from solvers.solver import SolveStatus

SMALLEST_DAMPING = 2.0**-12

ROUNDING_FACTOR = 100.0
"""Where no step helps any more, a residual this far above the tolerance is rounding."""


@dataclass(frozen=True)
class NewtonResult:
    """Outcome of `damped_newton`.

    Args:
        solution: Shape (batch, *shape).
        status: CONVERGED; ITERATION_LIMIT; STAGNATION where no damping lowered the residual.
        message: What happened, with numbers.
        iterations: Newton steps of each sample, shape (batch,).
        residual_history: Relative residual norms, shape (steps + 1, batch).
    """

    solution: Float64[Tensor, "batch *shape"]
    status: SolveStatus
    message: str
    iterations: Int64[Tensor, " batch"]
    residual_history: Float64[Tensor, "steps batch"]


def damped_newton(
    residual: Callable[[Tensor], Tensor],
    direction: Callable[[Tensor, Tensor], Tensor],
    start: Float64[Tensor, "batch *shape"],
    *,
    tolerance: float,
    max_steps: int,
) -> NewtonResult:
    r"""Solve :math:`G(u) = 0` by steps :math:`u - \lambda G'(u)^{-1} G(u)`.

    The factor :math:`\lambda` is halved from one until the norm of the residual falls by the factor
    :math:`1 - \lambda / 10^4` at least, in every sample by itself. Near a solution full steps are taken and
    the number of digits doubles with each.

    Args:
        residual: G, preferably preconditioned so that its norm is close to that of the error.
        direction: ``direction(u, G(u))``, the Newton correction :math:`G'(u)^{-1} G(u)`.
        start: First guess.
        tolerance: Of the norm of the residual, relative to that of u or of the first residual, whichever is
            larger.
        max_steps: Newton steps.

    Returns:
        The solution and how it came about; samples do not influence one another.

    Source: P. Deuflhard (2011), Newton Methods for Nonlinear Problems, doi:10.1007/978-3-642-23899-4.
    """
    solution, value = start, residual(start)
    norm = _norms(value)
    first = norm
    iterations = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    history = []
    while True:
        scale = torch.maximum(first, _norms(solution)).clamp_min(1e-300)
        history.append(norm / scale)
        open_samples = history[-1] > tolerance
        if not bool(open_samples.any()):
            status, message = SolveStatus.CONVERGED, "converged"
            break
        worst = f"the relative residual is {history[-1].max().item():.2e} in samples"
        worst += f" {torch.nonzero(open_samples).flatten().tolist()}"
        if len(history) > max_steps:
            status, message = SolveStatus.ITERATION_LIMIT, f"after {max_steps} Newton steps {worst}"
            break
        step = direction(solution, value)
        damping = open_samples.double()
        shape = (-1, *(1,) * (start.ndim - 1))
        while True:
            trial = solution - damping.reshape(shape) * step
            trial_value = residual(trial)
            trial_norm = _norms(trial_value)
            # NaN compares false, so an overflow is damped as well.
            rejected = open_samples & ~(trial_norm <= (1 - 1e-4 * damping) * norm)
            if not bool(rejected.any()) or bool((damping[rejected] <= SMALLEST_DAMPING).any()):
                break
            damping = torch.where(rejected, damping / 2, damping)
        if bool(rejected.any()):
            if bool((history[-1] <= ROUNDING_FACTOR * tolerance).all()):
                status, message = SolveStatus.CONVERGED, "converged to rounding"
                break
            status = SolveStatus.STAGNATION
            message = (
                f"in Newton step {len(history)} no damping down to {SMALLEST_DAMPING:.1e} lowered the "
                f"residual in samples {torch.nonzero(rejected).flatten().tolist()}: {worst}; the iteration "
                "is at a fold where solutions appear or vanish: try a larger diffusion"
            )
            break
        iterations += open_samples.long()
        solution = torch.where(open_samples.reshape(shape), trial, solution)
        value = torch.where(open_samples.reshape(shape), trial_value, value)
        norm = torch.where(open_samples, trial_norm, norm)
    return NewtonResult(solution, status, message, iterations, torch.stack(history))


def _norms(values: Tensor) -> Tensor:
    return values.flatten(1).norm(dim=1)
