"""GMRES for a batch of systems, each with its own Krylov space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

Operator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class GMRESResult:
    """Outcome of `batched_gmres`.

    Args:
        solution: Shape (batch, *shape).
        iterations: Iterations of each system, shape (batch,).
        residual_history: Relative norms of the preconditioned residual, shape (iterations + 1, batch); a
            system keeps its last value once it has met the tolerance.
        converged: Whether each system met the tolerance, shape (batch,).
    """

    solution: Float64[Tensor, "batch *shape"]
    iterations: Int64[Tensor, " batch"]
    residual_history: Float64[Tensor, "steps batch"]
    converged: Tensor


def batched_gmres(
    operator: Operator,
    right_side: Float64[Tensor, "batch *shape"],
    precondition: Operator,
    *,
    tolerance: float,
    max_iterations: int,
    restart: int,
) -> GMRESResult:
    r"""Solve :math:`A u = b` by restarted GMRES with the preconditioner :math:`M^{-1}` on the left.

    The norm that is minimised is that of :math:`M^{-1}(b - A u)`, which for spectral matrices is close to
    that of the error: the residual itself is amplified by up to :math:`n^4` and drowns in rounding.

    Args:
        operator: A, from (batch, *shape) to the same; sample by sample independent.
        right_side: b.
        precondition: :math:`M^{-1}`, likewise.
        tolerance: Of the preconditioned residual, relative to :math:`M^{-1} b`.
        max_iterations: In all, restarts included.
        restart: Size of the Krylov space, which is what is stored.

    Returns:
        The solutions and how they came about; each system is solved as if it were alone. It ends early where
        a whole cycle does not halve the residual of any open system: rounding, or a singular matrix.

    Source: Y. Saad and M. H. Schultz (1986), GMRES: a generalized minimal residual algorithm for solving
    nonsymmetric linear systems, doi:10.1137/0907058.
    """
    start = precondition(right_side)
    shape = start.shape
    scale = start.flatten(1).norm(dim=1).clamp_min(1e-300)
    solution, residual = torch.zeros_like(start), start
    relative = residual.flatten(1).norm(dim=1) / scale
    history = [relative]
    iterations = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    while bool((relative > tolerance).any()) and len(history) <= max_iterations:
        size = min(restart, max_iterations - len(history) + 1)
        space = _KrylovSpace(residual.flatten(1), size, relative > tolerance)
        while space.size < size and bool(space.active.any()):
            iterations += space.active.long()
            space.extend(precondition(operator(space.newest.reshape(shape))).flatten(1), tolerance * scale)
            history.append(space.residual / scale)
        solution = solution + space.correction().reshape(shape)
        residual = precondition(right_side - operator(solution))
        before, relative = relative, residual.flatten(1).norm(dim=1) / scale
        # The recurrence may have promised more than rounding allows.
        history[-1] = relative
        if bool((relative > before / 2)[relative > tolerance].all()):
            break
    return GMRESResult(solution, iterations, torch.stack(history), relative <= tolerance)


class _KrylovSpace:
    """Orthonormal basis and QR factors of the Hessenberg matrix, by Givens rotations, for every system.

    A system that has met its tolerance is frozen: what the others do later does not change it.
    """

    def __init__(self, residual: Tensor, capacity: int, active: Tensor) -> None:
        batch, count = residual.shape
        self.residual = residual.norm(dim=1)
        self.active = active
        self.size = 0
        self._used = torch.zeros(batch, dtype=torch.int64, device=residual.device)
        self._basis = residual.new_zeros(batch, capacity + 1, count)
        self._basis[:, 0] = residual / self.residual.clamp_min(1e-300)[:, None]
        self._triangle = residual.new_zeros(batch, capacity, capacity)
        self._cosines = residual.new_zeros(batch, capacity)
        self._sines = residual.new_zeros(batch, capacity)
        self._right = residual.new_zeros(batch, capacity + 1)
        self._right[:, 0] = self.residual

    @property
    def newest(self) -> Tensor:
        return self._basis[:, self.size]

    def extend(self, image: Tensor, limit: Tensor) -> None:
        """Take in the image of the newest vector under the preconditioned operator."""
        k, basis = self.size, self._basis[:, : self.size + 1]
        column = image.new_zeros(len(image), k + 1)
        for _ in range(2):  # twice is enough for orthogonality to rounding
            part = torch.einsum("bkn,bn->bk", basis, image)
            image = image - torch.einsum("bk,bkn->bn", part, basis)
            column = column + part
        length = image.norm(dim=1)
        self._basis[:, k + 1] = image / length.clamp_min(1e-300)[:, None]
        for j in range(k):
            above, below = column[:, j].clone(), column[:, j + 1].clone()
            column[:, j] = self._cosines[:, j] * above + self._sines[:, j] * below
            column[:, j + 1] = self._cosines[:, j] * below - self._sines[:, j] * above
        radius = torch.hypot(column[:, k], length).clamp_min(1e-300)
        self._cosines[:, k], self._sines[:, k] = column[:, k] / radius, length / radius
        column[:, k] = radius
        self._triangle[:, : k + 1, k] = column
        self._right[:, k + 1] = -self._sines[:, k] * self._right[:, k]
        self._right[:, k] = self._cosines[:, k] * self._right[:, k]
        self.size += 1
        self._used = torch.where(self.active, self.size, self._used)
        self.residual = torch.where(self.active, self._right[:, k + 1].abs(), self.residual)
        self.active = self.active & (self.residual > limit)

    def correction(self) -> Tensor:
        """What to add to each solution: the combination of the basis that minimises the residual."""
        index = torch.arange(self.size, device=self._used.device)
        unused = index >= self._used[:, None]
        triangle = self._triangle[:, : self.size, : self.size]
        mask = unused[:, :, None] | unused[:, None, :]
        identity = torch.eye(self.size, dtype=triangle.dtype, device=triangle.device)
        triangle = torch.where(mask, identity, triangle)
        right = torch.where(unused, 0.0, self._right[:, : self.size])
        weights = torch.linalg.solve_triangular(triangle, right[:, :, None], upper=True)[:, :, 0]
        return torch.einsum("bk,bkn->bn", weights, self._basis[:, : self.size])
