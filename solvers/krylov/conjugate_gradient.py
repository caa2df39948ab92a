"""Preconditioned conjugate gradients for a batch of symmetric positive definite systems."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from solvers.krylov.flexible_conjugate_gradient import flexible_conjugate_gradient
from solvers.krylov.result import KrylovResult, LinearMap


def conjugate_gradient(
    matrix: LinearMap,
    right_side: Float[Tensor, "batch ..."],
    *,
    preconditioner: LinearMap | None = None,
    initial: Float[Tensor, "batch ..."] | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> KrylovResult:
    r"""Solve A x = b for each system of a batch, A and the preconditioner B symmetric positive definite.

    `flexible_conjugate_gradient` with a memory of one direction: the same iterates as algorithm 9.1 of Saad
    for one more dot product an iteration, and no harm done where B is symmetric only up to rounding. The
    error in the energy norm falls at least like :math:`2 ((\sqrt\kappa - 1) / (\sqrt\kappa + 1))^k`, kappa
    the condition number of B A.

    Args:
        matrix: x -> A x for tensors like `right_side`; gives a new tensor at each call.
        right_side: b (batch, ...), float64 unless rounding at 1e-7 is enough.
        preconditioner: r -> B r, an approximate inverse of A; the identity if None.
        initial: Where to start; zero by default.
        tolerance: Of the relative residual, see `flexible_conjugate_gradient`.
        max_iterations: For the whole batch.

    Returns:
        The result; it does not raise when the tolerance is not met, look at ``status``.

    References:
        | Y. Saad, 2003, Iterative Methods for Sparse Linear Systems, chapter 9, doi:10.1137/1.9780898718003
    """
    return flexible_conjugate_gradient(
        matrix,
        right_side,
        preconditioner,
        1,
        initial=initial,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )
