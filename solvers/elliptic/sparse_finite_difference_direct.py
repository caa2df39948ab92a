"""Sparse elimination that says how far its matrix is from singular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Float64
from scipy.sparse.linalg import LinearOperator, SuperLU, onenormest, splu

SINGULAR = 1e15
"""Beyond this condition number no digit is left."""

NEAR_SINGULAR = 1e10
"""Beyond this condition number rounding and data are amplified to more than 1e-6."""


class SingularMatrixError(ArithmeticError):
    """A matrix that elimination cannot solve with."""


@dataclass(frozen=True, eq=False)
class Factors:
    """LU factors of a symmetric matrix.

    Args:
        matrix: The matrix.
        factors: SuperLU's factors.
    """

    matrix: scipy.sparse.csc_matrix
    factors: SuperLU

    @classmethod
    def of(cls, matrix: scipy.sparse.spmatrix) -> Factors:
        """Factor a matrix whose pattern is symmetric.

        Args:
            matrix: The matrix.

        Returns:
            The factors.

        Raises:
            SingularMatrixError: A pivot is zero.
        """
        columns = scipy.sparse.csc_matrix(matrix)
        try:
            return cls(columns, splu(columns, permc_spec="MMD_AT_PLUS_A"))
        except RuntimeError as error:
            raise SingularMatrixError(str(error)) from None

    def solve(self, right_side: Float64[np.ndarray, "unknowns ..."]) -> Float64[np.ndarray, "unknowns ..."]:
        """Solve for one right side, or one a column."""
        return self.factors.solve(right_side)

    def condition(self) -> float:
        """Estimate of the condition number in the 1-norm, by a few solves (Hager, Higham)."""
        size = self.matrix.shape[0]
        inverse: Any = LinearOperator(
            (size, size),
            matvec=self.factors.solve,
            rmatvec=lambda x: self.factors.solve(x, trans="T"),
            matmat=self.factors.solve,
            rmatmat=lambda x: self.factors.solve(x, trans="T"),
            dtype=np.float64,
        )
        norm = abs(self.matrix).sum(axis=0).max()
        return float(norm * onenormest(inverse, t=min(2, size)))

    def smallest_eigenvalue(self, mass: scipy.sparse.spmatrix) -> float:
        r"""Eigenvalue of :math:`A v = \lambda M v` that is nearest to zero, by inverse iteration.

        Close to a resonance it is far smaller than the next, so that five steps give its first digits; away
        from one it is a bound from above on the size.
        """
        vector = np.random.default_rng(0).standard_normal(self.matrix.shape[0])
        for _ in range(5):
            vector = self.factors.solve(mass @ vector)
            vector /= np.sqrt(vector @ (mass @ vector))
        return float(vector @ (self.matrix @ vector))
