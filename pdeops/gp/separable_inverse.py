"""Inverse of a sum of matrices, one an axis, by triangular factors of each."""

from __future__ import annotations

from collections.abc import Sequence

import scipy.linalg
import torch
from torch import Tensor

from pdeops.gp.kernel_factor import along


class SeparableInverse:
    r"""Inverse of :math:`A_1 \otimes I \otimes I + I \otimes A_2 \otimes I + I \otimes I \otimes A_3 + c`.

    In one dimension by LU; in two by Schur forms and a triangular Sylvester equation, which is stable for any
    matrices. In more by eigenvectors of all but the first, so those matrices should be nearly normal, and a
    Schur form of the first, which may be anything: that of the time is far from normal.

    Args:
        matrices: One square matrix an axis.
        constant: The number c.
    """

    def __init__(self, matrices: Sequence[Tensor], constant: float) -> None:
        first = matrices[0]
        identity = torch.eye(len(first), dtype=first.dtype, device=first.device)
        self.matrices = [first + constant * identity, *matrices[1:]]
        if len(matrices) == 1:
            self.factors = torch.linalg.lu_factor(self.matrices[0])
        elif len(matrices) == 2:
            left, right = (matrix.cpu().numpy() for matrix in self.matrices)
            self.schur = (*scipy.linalg.schur(left), *scipy.linalg.schur(right.T))
        else:
            form, vectors = scipy.linalg.schur(self.matrices[0].cpu().numpy(), output="complex")
            self.form, self.first = (torch.from_numpy(item).to(first.device) for item in (form, vectors))
            pairs = [torch.linalg.eig(matrix) for matrix in self.matrices[1:]]
            self.vectors = [pair.eigenvectors for pair in pairs]
            self.inverses = [torch.linalg.inv(pair.eigenvectors) for pair in pairs]
            self.sums = torch.zeros((), dtype=self.form.dtype, device=first.device)
            for pair in pairs:
                self.sums = self.sums[..., None] + pair.eigenvalues

    def __call__(self, right: Tensor) -> Tensor:
        """Solution for a right side of the shape of the unknowns."""
        if right.ndim == 1:
            return torch.linalg.lu_solve(*self.factors, right[:, None])[:, 0]
        if right.ndim == 2:
            left_form, left_vectors, right_form, right_vectors = self.schur
            inner = left_vectors.T @ right.cpu().numpy() @ right_vectors
            solution, scale, _ = scipy.linalg.lapack.dtrsyl(left_form, right_form, inner)
            result = left_vectors @ (solution * scale) @ right_vectors.T
            return torch.from_numpy(result).to(right)
        values = along(self.first.mH, right.to(self.sums), 0)
        for number, inverse in enumerate(self.inverses):
            values = along(inverse, values, number + 1)
        values = self._substituted(values)
        values = along(self.first, values, 0)
        for number, vectors in enumerate(self.vectors):
            values = along(vectors, values, number + 1)
        return values.real.contiguous()

    def _substituted(self, right: Tensor) -> Tensor:
        """Solution with the triangular form of the first matrix, at once for all others' eigenvalues."""
        solution = torch.zeros_like(right)
        for row in range(len(right) - 1, -1, -1):
            known = torch.tensordot(self.form[row, row + 1 :], solution[row + 1 :], dims=1)
            solution[row] = (right[row] - known) / (self.form[row, row] + self.sums)
        return solution
