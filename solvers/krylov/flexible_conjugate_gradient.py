"""Conjugate gradients with any preconditioner, for a batch of symmetric positive definite systems."""

from __future__ import annotations

from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from solvers.krylov.result import KrylovResult, LinearMap, final_status, flat_norm, scale_of
from solvers.solver import SolveStatus


@torch.no_grad()
def flexible_conjugate_gradient(
    matrix: LinearMap,
    right_side: Float[Tensor, "batch ..."],
    preconditioner: LinearMap | None = None,
    memory: int = 2,
    *,
    initial: Float[Tensor, "batch ..."] | None = None,
    normalise: bool = False,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> KrylovResult:
    r"""Solve A x = b for each system of a batch, A symmetric positive definite, with any preconditioner.

    The preconditioner may be nonlinear, change from call to call, and be neither symmetric nor definite: a
    neural network, an inner iteration. From its answer :math:`z = B(r)` a search direction is made,

    .. math:: d = z - \sum_{j = 1}^{m} \frac{z \cdot A p_j}{p_j \cdot A p_j} \, p_j, \qquad
              x \leftarrow x + \frac{d \cdot r}{d \cdot A d} \, d,

    conjugate to the last m directions :math:`p_j`. The step is the best along d, so the error in the energy
    norm never grows, whatever B gives, and neither scale nor sign of z matter. With a linear symmetric B, or
    none, the iterates for m = 1 are those of conjugate gradients, and a larger m changes rounding only. Where
    z is useless (zero, orthogonal to r, or in the span of the :math:`p_j`) the residual takes its place for
    that step.

    Each system has its own step lengths and stops on its own, when :math:`\|r\|_2 \le` tolerance
    :math:`\|b\|_2`, so the rest of the batch does not change it.

    Args:
        matrix: x -> A x for tensors like `right_side`; gives a new tensor at each call.
        right_side: b (batch, ...), float64 unless rounding at 1e-7 is enough.
        preconditioner: r -> z, an approximate inverse of A up to a scale; none by default. Its argument is
            overwritten after the call; keep a clone.
        memory: Number m of past directions to orthogonalise against; 0 gives steepest descent. Each costs two
            vectors of storage and two passes over a vector.
        initial: Where to start; zero by default.
        normalise: Whether the preconditioner is given :math:`r / \|r\|_2` a system. For networks, which are
            not homogeneous.
        tolerance: Of the relative residual. The true residual levels off near 1e-16 times the norms of A and
            x over b; a tolerance below that ends with `SolveStatus.STAGNATION`.
        max_iterations: For the whole batch.

    Returns:
        The result; it does not raise when the tolerance is not met, look at ``status``. Negative curvature
        :math:`d \cdot A d < 0` proves that A is not positive definite: `SolveStatus.BREAKDOWN` with the
        iteration and the value, and the last iterate before it. Not differentiable.

    Raises:
        ValueError: A setting is out of its range, the initial guess has another shape, or b is not finite.

    Good values: ``memory=2`` for a network; 1 for a fixed linear preconditioner.

    Failure mode: Without an approximately linear, symmetric preconditioner there is no bound on the number of
    iterations, only that the error does not grow. An indefinite A is found out only once a direction of
    negative curvature comes up; use `minres`.

    References:
        | Y. Notay, 2000, Flexible conjugate gradients, doi:10.1137/S1064827599362314
        | A. Kaneda et al., 2023, A deep conjugate direction method for iteratively solving linear systems,
        | arXiv:2205.10763
    """
    _check(right_side, initial, memory, tolerance, max_iterations)
    eps = torch.finfo(right_side.dtype).eps
    shape = (-1, *(1,) * (right_side.ndim - 1))
    scale = scale_of(right_side)
    solution = torch.zeros_like(right_side) if initial is None else initial.clone()
    residual = right_side.clone() if initial is None else right_side - matrix(initial)
    past: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=memory)
    norm = flat_norm(residual)
    history = [norm / scale]
    active = norm > tolerance * scale
    iterations = torch.zeros(len(right_side), dtype=torch.int64, device=right_side.device)
    status, fallbacks, failure = SolveStatus.CONVERGED, 0, ""
    spare: Tensor | None = None  # a past direction out of use, to write the next one to: fresh memory is slow

    def direction_from(start: Tensor) -> tuple[Tensor, Tensor]:
        """Make a vector conjugate to the past directions; also the energy that was taken off."""
        removed = torch.zeros_like(norm)
        direction = start
        for old, image, energy in past:
            amount = torch.where(active, _dot(direction, image) / energy, 0.0)
            target = spare if direction is start else direction
            direction = torch.addcmul(direction, -amount.view(shape), old, out=target)
            removed += amount.square() * energy.abs()
        if direction is start:
            direction = start.clone()  # the residual itself changes below
        if not bool(active.all()):
            direction[~active] = 0.0
        return direction, removed

    while bool(active.any()):
        if len(history) > max_iterations:
            status = SolveStatus.ITERATION_LIMIT
            break
        answer = residual
        if preconditioner is not None:
            unit = residual / torch.where(norm > 0, norm, 1.0).view(shape) if normalise else residual
            answer = preconditioner(unit).to(residual.dtype)
        direction, removed = direction_from(answer)
        image = matrix(direction)
        curvature, slope = _dot(direction, image), _dot(direction, residual)
        if preconditioner is not None:
            least_slope = eps * flat_norm(direction) * norm
            lost = (curvature.abs() <= eps * removed) | (slope.abs() <= least_slope)
            useless = active & lost
            if bool(useless.any()):
                # For these systems as if there were no preconditioner.
                fallbacks += int(useless.sum())
                direction, _ = direction_from(torch.where(useless.view(shape), residual, answer))
                image = matrix(direction)
                curvature, slope = _dot(direction, image), _dot(direction, residual)
        broken = active & ~(curvature > 0)
        if bool(broken.any()):
            index = int(broken.nonzero()[0])
            failure = failure or _describe_breakdown(len(history), index, curvature[index].item(), answer)
            active = active & ~broken
        step = torch.where(active, slope / curvature, 0.0).view(shape)
        if bool(broken.any()):
            direction = torch.where(active.view(shape), direction, 0.0)
            image = torch.where(active.view(shape), image, 0.0)
            curvature = torch.where(active, curvature, 1.0)
        solution.addcmul_(step, direction)
        residual.addcmul_(step, image, value=-1)
        if len(past) == memory and memory:
            spare = past[0][0]
        past.append((direction, image, curvature))
        iterations += active
        norm = torch.where(active, flat_norm(residual), norm)
        history.append(norm / scale)
        active = active & (norm > tolerance * scale)
    relative_residual = flat_norm(right_side - matrix(solution)) / scale
    status = SolveStatus.BREAKDOWN if failure else final_status(status, relative_residual, tolerance)
    message = failure or (
        f"{len(right_side)} systems, at most {int(iterations.max())} iterations, relative residual at most "
        f"{relative_residual.max().item():.2e}"
    )
    if fallbacks:
        message += f"; {fallbacks} useless answers of the preconditioner were replaced by the residual"
    return KrylovResult(solution, status, message, iterations, torch.stack(history), relative_residual)


flexible_cg = flexible_conjugate_gradient
"""Short name of `flexible_conjugate_gradient`."""


def _dot(left: Tensor, right: Tensor) -> Tensor:
    left, right = left.flatten(1), right.flatten(1)
    if left.is_cuda or len(left) > left.shape[1]:
        return torch.linalg.vecdot(left, right)
    # One by one there is no product to be stored, which costs more than the sum.
    return torch.stack([torch.dot(x, y) for x, y in zip(left, right, strict=True)])


def _describe_breakdown(iteration: int, index: int, curvature: float, answer: Tensor) -> str:
    if not bool(torch.isfinite(answer[index]).all()):
        return (
            f"iteration {iteration}, system {index}: the search direction (the residual, or what the "
            "preconditioner made of it) is not finite"
        )
    return f"iteration {iteration}, system {index}: curvature d.Ad = {curvature:.3e}, expected it positive"


def _check(
    right_side: Tensor, initial: Tensor | None, memory: int, tolerance: float, max_iterations: int
) -> None:
    if memory < 0:
        raise ValueError(f"memory: expected 0 or more past directions, got {memory}; try 2")
    if not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive number, got {tolerance}; try 1e-10")
    if max_iterations < 1:
        raise ValueError(f"max_iterations: expected 1 or more, got {max_iterations}; try 200")
    if initial is not None and initial.shape != right_side.shape:
        raise ValueError(
            f"initial: expected the shape of right_side, {tuple(right_side.shape)}, got "
            f"{tuple(initial.shape)}"
        )
    bad = torch.nonzero(~torch.isfinite(right_side).flatten(1).all(1)).flatten().tolist()
    if bad:
        raise ValueError(f"right_side: expected finite values, got NaN or infinity in systems {bad}")
