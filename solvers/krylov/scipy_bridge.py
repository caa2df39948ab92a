"""SciPy's Krylov methods on torch tensors: one system of a batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from solvers.krylov.result import KrylovResult, LinearMap, final_status, flat_norm, scale_of
from solvers.solver import SolveStatus

SystemSolver = Callable[[LinearOperator, np.ndarray, LinearOperator | None], tuple[np.ndarray, list[float]]]
"""``(matrix, right side, preconditioner) -> (solution, relative residual norms)`` of one system."""


def linear_operator(linear_map: LinearMap, like: Tensor) -> LinearOperator:
    """A torch map as SciPy sees it.

    Args:
        linear_map: x -> A x for tensors (1, ...).
        like: A tensor (1, ...) that gives shape, dtype and device.

    Returns:
        The operator on flat arrays.
    """

    def product(vector: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(np.ascontiguousarray(vector)).to(like).reshape(like.shape)
        return linear_map(given).detach().cpu().reshape(-1).numpy()

    dtype = np.dtype(str(like.dtype).removeprefix("torch."))
    return LinearOperator((like.numel(), like.numel()), matvec=product, dtype=dtype)


@torch.no_grad()
def solve_one_by_one(
    solve_system: SystemSolver,
    matrix: LinearMap | Sequence[LinearMap],
    right_side: Tensor,
    preconditioner: LinearMap | Sequence[LinearMap] | None,
    tolerance: float,
    max_iterations: int,
) -> KrylovResult:
    """Solve every system of a batch by itself and join the outcomes.

    Args:
        solve_system: The method.
        matrix: One map for all systems, or one a system; each is called on tensors (1, ...).
        right_side: Shape (batch, ...).
        preconditioner: Like `matrix`, or None.
        tolerance: Of the relative residual.
        max_iterations: A system.

    Returns:
        The result, with residuals computed afresh.

    Raises:
        ValueError: There is not one map a system, or a setting is out of its range.
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive number, got {tolerance}; try 1e-10")
    if max_iterations < 1:
        raise ValueError(f"max_iterations: expected 1 or more, got {max_iterations}; try 1000")
    maps = _one_each(matrix, len(right_side), "matrix")
    preconditioners: Sequence[LinearMap | None] = [None] * len(right_side)
    if preconditioner is not None:
        preconditioners = _one_each(preconditioner, len(right_side), "preconditioner")
    scales = scale_of(right_side)
    solutions, histories, failures = [], [], []
    for index, (system, inverse) in enumerate(zip(maps, preconditioners, strict=True)):
        like = right_side[index : index + 1]
        flat, history = np.zeros(like.numel()), [0.0]
        if not bool(torch.isfinite(like).all()):
            raise ValueError(f"right_side: expected finite values, got NaN or infinity in system {index}")
        if bool(like.any()):
            operator = linear_operator(system, like)
            approximate = None if inverse is None else linear_operator(inverse, like)
            flat, history = solve_system(operator, like.detach().cpu().reshape(-1).numpy(), approximate)
        solutions.append(torch.from_numpy(flat).to(like).reshape(like.shape))
        histories.append(torch.tensor(history, dtype=right_side.dtype))
        if not np.isfinite(flat).all():
            failures.append(index)
    solution = torch.cat(solutions)
    residuals = [right_side[i : i + 1] - system(solution[i : i + 1]) for i, system in enumerate(maps)]
    relative = flat_norm(torch.cat(residuals)) / scales
    counts = torch.tensor([len(history) - 1 for history in histories])
    longest = int(counts.max()) + 1
    padded = [torch.cat([item, item[-1:].expand(longest - len(item))]) for item in histories]
    unmet = bool((relative > tolerance).any())
    status = SolveStatus.CONVERGED
    message = (
        f"{len(right_side)} systems, at most {int(counts.max())} iterations, relative residual at most "
        f"{relative.max().item():.2e}"
    )
    if failures:
        status = SolveStatus.BREAKDOWN
        message = f"systems {failures}: values became infinite or NaN"
    elif unmet and bool((counts[(relative > tolerance).cpu()] >= max_iterations).any()):
        status = SolveStatus.ITERATION_LIMIT
    else:
        status = final_status(status, relative, tolerance)
    return KrylovResult(
        solution=solution,
        status=status,
        message=message,
        iterations=counts.to(right_side.device),
        residual_history=torch.stack(padded, dim=1).to(right_side.device),
        relative_residual=relative,
    )


def _one_each(given: LinearMap | Sequence[LinearMap], count: int, name: str) -> Sequence[LinearMap]:
    if callable(given):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"{name}: expected one map, or one for each of {count} systems, got {len(given)}")
    return given
