"""Newton's method with a damped line search and a flow to fall back on, for a batch of equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from solvers.solver import SolveStatus

SMALLEST_DAMPING = 2.0**-5
FIRST_FLOW = 4
"""Steps of the flow that follow the first failure of the line search; each further failure doubles them."""

ROUNDING_FACTOR = 100.0
"""Where no step helps any more, a residual this far above the tolerance is rounding."""

Direction = Callable[[Tensor, Tensor], Tensor]
"""``direction(u, is_flow)``: the correction of each sample, by the flow's matrix where it is asked for."""


@dataclass(frozen=True)
class NewtonResult:
    """Outcome of `globalised_newton`.

    Args:
        solution: Shape (batch, *shape).
        status: CONVERGED, ITERATION_LIMIT, or BLOW_UP.
        message: What happened, with numbers.
        iterations: Steps of each sample, shape (batch,).
        residual_history: Relative residual norms, shape (steps + 1, batch).
    """

    solution: Float64[Tensor, "batch *shape"]
    status: SolveStatus
    message: str
    iterations: Int64[Tensor, " batch"]
    residual_history: Float64[Tensor, "steps batch"]


def globalised_newton(
    residual: Callable[[Tensor], Tensor],
    direction: Direction,
    start: Float64[Tensor, "batch *shape"],
    *,
    tolerance: float,
    max_steps: int,
) -> NewtonResult:
    r"""Solve :math:`G(u) = 0` by steps :math:`u - \lambda\, G'(u)^{-1} G(u)`.

    The factor :math:`\lambda` is halved from one until the norm of the residual falls by the factor
    :math:`1 - \lambda / 10^4` at least, in every sample by itself. Near a solution full steps are taken and
    the number of digits doubles with each. Where no factor helps, a local minimum of the residual that is no
    solution, the sample makes some steps of a flow instead, which the caller's direction has to offer: for a
    gradient system, semi-implicit steps down the energy, which lead to a stable solution if slowly.

    Args:
        residual: G, preferably preconditioned so that its norm is close to that of the error.
        direction: The Newton correction :math:`G'(u)^{-1} G(u)`, or that of the flow.
        start: First guess.
        tolerance: Of the norm of the residual, relative to that of u or of the first residual, whichever is
            larger.
        max_steps: Steps of both kinds.

    Returns:
        The solution and how it came about; samples do not influence one another.

    Failure mode: Where there are several solutions, which one is found depends on the start.

    Source: P. Deuflhard (2011), Newton Methods for Nonlinear Problems, doi:10.1007/978-3-642-23899-4;
    C. T. Kelley and D. E. Keyes (1998), Convergence analysis of pseudo-transient continuation,
    doi:10.1137/S0036142996304796, for the flow.
    """
    solution, value = start, residual(start)
    norm = _norms(value)
    first, worked = norm, torch.ones_like(norm, dtype=torch.bool)
    iterations = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    flow_left, flow_length = torch.zeros_like(iterations), torch.full_like(iterations, FIRST_FLOW)
    shape = (-1, *(1,) * (start.ndim - 1))
    history: list[Tensor] = []
    while True:
        history.append(norm / torch.maximum(first, _norms(solution)).clamp_min(1e-300))
        # A sample whose line search failed at this height is at rounding.
        is_open = history[-1] > torch.where(worked, tolerance, ROUNDING_FACTOR * tolerance)
        worst = f"the relative residual is {history[-1].max().item():.2e} in samples"
        worst += f" {torch.nonzero(is_open).flatten().tolist()}"
        if not bool(is_open.any()):
            status, message = SolveStatus.CONVERGED, "converged"
            break
        if not bool(torch.isfinite(norm).all()):
            status, message = SolveStatus.BLOW_UP, f"after {len(history) - 1} Newton steps {worst}"
            break
        if len(history) > max_steps:
            status = SolveStatus.ITERATION_LIMIT
            message = f"after {max_steps} Newton steps {worst}; try a larger diffusion, or more points"
            break
        is_flow = flow_left > 0
        step = direction(solution, is_flow)
        damping, rejected = is_open.double(), is_open
        while True:
            trial = solution - damping.reshape(shape) * step
            trial_value = residual(trial)
            trial_norm = _norms(trial_value)
            # NaN compares false, so an overflow is damped as well.
            rejected = is_open & ~is_flow & ~(trial_norm <= (1 - 1e-4 * damping) * norm)
            if not bool((rejected & (damping > SMALLEST_DAMPING)).any()):
                break
            damping = torch.where(rejected, damping / 2, damping)
        taken = is_open & ~rejected
        worked = ~rejected
        iterations += taken.long()
        solution = torch.where(taken.reshape(shape), trial, solution)
        value = torch.where(taken.reshape(shape), trial_value, value)
        norm = torch.where(taken, trial_norm, norm)
        flow_left = torch.where(rejected, flow_length, (flow_left - 1).clamp_min(0))
        flow_length = torch.where(rejected, 2 * flow_length, flow_length)
    return NewtonResult(solution, status, message, iterations, torch.stack(history))


def _norms(values: Tensor) -> Tensor:
    return values.flatten(1).norm(dim=1)
