"""Eigenvectors of the second derivative along one axis, with its end conditions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis
from solvers.chebyshev.differentiation import differentiation_matrices


@dataclass(frozen=True)
class EndCondition:
    r"""The condition :math:`\alpha u + \beta\, \partial u / \partial n = 0` at one end of an axis.

    Args:
        value: Factor :math:`\alpha` of the value.
        slope: Factor :math:`\beta` of the outward derivative (length).
    """

    value: float
    slope: float


@dataclass(frozen=True)
class LineBasis:
    r"""Real eigenvectors of :math:`d^2/dx^2` on the unknown points of an axis.

    The unknowns are all points of a periodic axis, and all but the two ends of a Chebyshev axis, whose values
    follow from the end conditions. Diagonalising one small matrix an axis inverts an operator on the tensor
    grid in :math:`O(n^{d+1})`.

    Args:
        eigenvalues: :math:`\lambda_k` (1 / length^2), shape (unknowns,).
        vectors: Eigenvectors in the columns, of length one, shape (unknowns, unknowns).
        inverse: Inverse of `vectors`; its product with values gives their coefficients.
        completion: Matrix from values at the unknowns to values at all points, shape (points, unknowns).

    Good values: The condition number of `vectors` grows like :math:`n^{0.3}`: 2 at 17 points, 3 at 65, 5 at
    513, 8 at 1025, whatever the end conditions, so the basis itself loses no digits there. Rounding in
    the matrix (:math:`\lambda_{max} \approx 0.05 n^4`) costs more: solutions of Poisson's equation keep 12
    digits at 65 points, 10 at 257 and 8 at 1025.

    Failure mode: With a negative factor of the value in a Robin condition an eigenvalue is positive: heat
    flows in by itself.

    Source: R. E. Lynch, J. R. Rice and D. H. Thomas (1964), Direct solution of partial difference equations
    by tensor product methods, doi:10.1007/BF01386067; D. B. Haidvogel and T. Zang (1979),
    doi:10.1016/0021-9991(79)90097-4; D. Gottlieb and L. Lustman (1983) for real eigenvalues,
    doi:10.1137/0720063.
    """

    eigenvalues: Float64[Tensor, " unknowns"]
    vectors: Float64[Tensor, "unknowns unknowns"]
    inverse: Float64[Tensor, "unknowns unknowns"]
    completion: Float64[Tensor, "points unknowns"]

    @classmethod
    @lru_cache(maxsize=64)
    def periodic(cls, axis: Axis) -> LineBasis:
        """Cosines and sines of a periodic axis, orthonormal.

        Args:
            axis: A periodic axis.

        Returns:
            The basis, on the CPU; the first vector is the constant.
        """
        count = axis.num_points
        angles = 2 * math.pi * torch.arange(count, dtype=torch.float64)[:, None] / count
        waves = torch.arange(1, (count - 1) // 2 + 1, dtype=torch.float64)
        columns = [torch.ones(count, 1, dtype=torch.float64) / math.sqrt(count)]
        columns += [math.sqrt(2 / count) * torch.cos(angles * waves)]
        columns += [math.sqrt(2 / count) * torch.sin(angles * waves)]
        numbers = [torch.zeros(1, dtype=torch.float64), waves, waves]
        if count % 2 == 0:
            columns.append(torch.cos(angles * (count // 2)) / math.sqrt(count))
            numbers.append(torch.tensor([count / 2], dtype=torch.float64))
        vectors = torch.cat(columns, dim=1)
        eigenvalues = -((2 * math.pi / axis.length * torch.cat(numbers)) ** 2)
        identity = torch.eye(count, dtype=torch.float64)
        return cls(eigenvalues, vectors, vectors.T.contiguous(), identity)

    @classmethod
    @lru_cache(maxsize=64)
    def chebyshev(cls, axis: Axis, lower: EndCondition, upper: EndCondition) -> LineBasis:
        """Eigenvectors of the collocation matrix with its ends eliminated.

        Args:
            axis: A Chebyshev axis.
            lower: Condition at the lower end.
            upper: Condition at the upper end.

        Returns:
            The basis, on the CPU, eigenvalues descending; with two Neumann ends the first one is exactly
            zero.

        Raises:
            ValueError: An eigenvalue is not real, which Robin conditions with factors of different signs can
                bring about, or the conditions leave the end values open.
        """
        first, second = differentiation_matrices(axis)
        conditions = torch.stack([-lower.slope * first[0], upper.slope * first[-1]])
        conditions[0, 0] += lower.value
        conditions[1, -1] += upper.value
        ends = conditions[:, [0, -1]]
        if torch.linalg.matrix_rank(ends / ends.abs().amax(dim=1, keepdim=True).clamp_min(1e-300)) < 2:
            raise ValueError(
                f"axis {axis.name!r}: expected conditions that fix both ends, got {lower}, {upper}"
            )
        eliminated = -torch.linalg.solve(ends, conditions[:, 1:-1])
        matrix = second[1:-1, 1:-1] + second[1:-1][:, [0, -1]] @ eliminated
        eigenvalues, vectors = torch.linalg.eig(matrix)
        if eigenvalues.imag.abs().max() > 1e-8 * eigenvalues.real.abs().max():
            raise ValueError(
                f"axis {axis.name!r}: expected real eigenvalues, got complex ones for {lower} and {upper}; "
                "try Robin coefficients that are not negative"
            )
        order = eigenvalues.real.argsort(descending=True)
        values, vectors = eigenvalues.real[order], vectors.real[:, order]
        if lower.value == 0 and upper.value == 0:
            # Exact for constants, where rounding leaves up to 1e-9.
            values[0] = 0.0
            vectors[:, 0] = len(values) ** -0.5
        identity = torch.eye(len(values), dtype=torch.float64)
        completion = torch.cat([eliminated[:1], identity, eliminated[1:]])
        return cls(values, vectors, torch.linalg.inv(vectors), completion)
