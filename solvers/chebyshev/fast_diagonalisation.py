"""Inverse of the Laplacian with constant coefficients on a tensor grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pdeops.domains import Grid
from solvers.chebyshev.boundary_closure import FaceCondition
from solvers.chebyshev.line_basis import LineBasis
from solvers.chebyshev.tensor_products import apply_to_all

RESONANCE = 1e-11
"""An eigenvalue of this size, relative to the shift, is zero to rounding."""


class FastDiagonalisation:
    r"""The basis in which :math:`\sum_i w_i \partial_i^2` is diagonal, with homogeneous boundary conditions.

    One product with a small matrix an axis takes values to coefficients and back, so a solve costs
    :math:`4 d\, n^{d+1}` multiplications and additions for n points an axis.

    Args:
        grid: Chebyshev and periodic axes.
        faces: Conditions of the Chebyshev axes; where they vary along a face, their mean is taken.
        device: Where the values live.

    Source: R. E. Lynch, J. R. Rice and D. H. Thomas (1964), doi:10.1007/BF01386067.
    """

    def __init__(
        self, grid: Grid, faces: Mapping[int, tuple[FaceCondition, FaceCondition]], device: torch.device
    ) -> None:
        """Find the eigenvectors of each axis."""
        bases = [
            LineBasis.chebyshev(axis, *(side.mean for side in faces[number]))
            if number in faces
            else LineBasis.periodic(axis)
            for number, axis in enumerate(grid.axes)
        ]
        self.eigenvalues = [basis.eigenvalues.to(device) for basis in bases]
        self.vectors = [basis.vectors.to(device) for basis in bases]
        self.inverses = [basis.inverse.to(device) for basis in bases]
        self.completions = [basis.completion.to(device) for basis in bases]
        self.has_constants = all(bool((values == 0).any()) for values in self.eigenvalues)

    def to_coefficients(self, values: Float[Tensor, "... *inner"]) -> Float[Tensor, "... *inner"]:
        """Coefficients of values at inner points."""
        return apply_to_all(self.inverses, values)

    def to_values(self, coefficients: Float[Tensor, "... *inner"]) -> Float[Tensor, "... *inner"]:
        """Values at inner points of coefficients."""
        return apply_to_all(self.vectors, coefficients)

    def symbol(self, weights: Sequence[float] | None = None) -> Float64[Tensor, "*inner"]:
        """Eigenvalues of the weighted Laplacian, not positive unless a Robin factor is negative.

        Args:
            weights: Factor of the second derivative along each axis; ones by default.

        Returns:
            One eigenvalue a coefficient (1 / length^2 times the weights).
        """
        scaled = [
            values if weights is None else weights[number] * values
            for number, values in enumerate(self.eigenvalues)
        ]
        return reduce(lambda total, values: total[..., None] + values, scaled, scaled[0].new_zeros(()))

    def solve(
        self, values: Float64[Tensor, "batch *inner"], shift: Float64[Tensor, " batch"], pinned: bool = False
    ) -> Float64[Tensor, "batch *inner"]:
        r"""Solve :math:`(\sigma - \Delta) u = f` with homogeneous boundary conditions.

        Args:
            values: Right side f.
            shift: One :math:`\sigma` a sample (1 / length^2).
            pinned: Take one as the eigenvalue of the constants, which the operator loses otherwise.

        Returns:
            The solution u.

        Raises:
            ZeroDivisionError: An eigenvalue is zero to rounding: the shift hits a resonance.
        """
        denominator = shift.reshape(-1, *(1,) * len(self.vectors)) - self.symbol()
        if pinned:
            denominator = torch.where(denominator == 0, 1.0, denominator)
        smallest = denominator.flatten(1).abs().amin(dim=1)
        if bool((smallest <= RESONANCE * shift.abs().clamp_min(1e-300)).any()) or bool((smallest == 0).any()):
            raise ZeroDivisionError(
                f"an eigenvalue of the operator is {smallest.min().item():.2e}, zero to rounding"
            )
        return self.to_values(self.to_coefficients(values) / denominator)
