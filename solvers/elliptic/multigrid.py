"""Geometric multigrid for diffusion with a variable coefficient on a box of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from solvers.elliptic.flux_balance import FluxBalance
from solvers.elliptic.neighbour_matrix import NeighbourMatrix
from solvers.elliptic.pair_transfer import PairTransfer

COARSEST_UNKNOWNS = 64
"""At most so many unknowns are solved for directly."""

SMOOTHED_SPECTRUM = (0.5, 2.0)
"""The smoother works on these eigenvalues of D^-1 A, the upper three quarters."""


class Multigrid:
    r"""One V-cycle: an approximate inverse of a `FluxBalance`, symmetric positive (semi)definite.

    * Levels: unknowns are joined in pairs along every axis that is not already much coarser than the others,
      so stretched grids are first made square. Sizes need not be even.
    * Coarse operators: transmissibilities of coarse faces, see `FluxBalance.joined`; points outside of a
      mask have none, so the same cycle works around them.
    * Interpolation: linear along each axis where the coefficient is constant, with a constant flux where it
      jumps; restriction is its transpose.
    * Smoother: Chebyshev polynomial on the upper three quarters of the spectrum. It is symmetric, takes the
      same work on every device, and needs no estimate, as the eigenvalues of D^-1 A are below 2.
    * Coarsest level: the inverse. Where only constants have no flux (Neumann and periodic ends alone), the
      inverse on the functions of mean zero.

    Every level holds the unit-diagonal form D^-1/2 A D^-1/2, which spares a smoothing step the diagonal, in
    single precision, which halves the memory that a cycle reads. Rounding in a preconditioner costs conjugate
    gradients in double precision no accuracy.

    Work a cycle is about 2 smoothing_steps products with A, times 4/3 in two dimensions.

    Args:
        operator: The matrices of the batch.
        spacings: Distance of neighbouring unknowns along each axis.
        smoothing_steps: Degree of the smoother, before and after each coarse correction. Good values: 2 or 3.
        dtype: Precision of the cycle.

    References:
        | M. Khalil, P. Wesseling, 1992, Vertex-centered and cell-centered multigrid for interface problems,
        | doi:10.1016/0021-9991(92)90127-J
        | M. Adams et al., 2003, Parallel multigrid smoothing: polynomial versus Gauss-Seidel,
        | doi:10.1016/S0021-9991(03)00194-3
    """

    def __init__(
        self,
        operator: FluxBalance,
        spacings: Sequence[float],
        *,
        smoothing_steps: int = 2,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype
        self.coarsened_dims: list[list[int]] = []
        self._singular = operator.is_singular
        self._damping = _chebyshev_damping(smoothing_steps)
        self._levels = [_Level(operator, dtype)]
        self._transfers: list[list[PairTransfer]] = []
        current, widths = operator.to(dtype), list(spacings)
        while math.prod(current.shape) > COARSEST_UNKNOWNS:
            narrowest = min(width for width, size in zip(widths, current.shape, strict=True) if size > 1)
            dims = [i for i, n in enumerate(current.shape) if n > 1 and widths[i] < 1.5 * narrowest]
            transfers = []
            for axis in dims:
                current, transfer = current.joined(axis)
                transfers.append(transfer)
                widths[axis] *= 2
            self.coarsened_dims.append(dims)
            self._transfers.append(transfers)
            self._levels.append(_Level(current, dtype))
        self._coarsest_inverse = _inverse(current, self._levels[-1].root, self._singular)

    @property
    def num_levels(self) -> int:
        """Number of grids, the finest included."""
        return len(self._levels)

    def __call__(
        self, residual: Float[Tensor, "batch ..."], result: Float[Tensor, "batch ..."] | None = None
    ) -> Float[Tensor, "batch ..."]:
        """One V-cycle from zero: the approximate solution of A e = residual.

        Args:
            residual: Right side, for as many samples as there are matrices, or any number if there is one.
            result: Where to write the solution; fresh memory by default.

        Returns:
            The solution, in the precision of the residual.
        """
        finest = self._levels[0]
        scaled = finest.work(residual, self.dtype)[2]
        scaled.copy_(residual).mul_(finest.inverse_root)
        correction = self._cycle(scaled, 0).mul_(finest.inverse_root)
        return (torch.empty_like(residual) if result is None else result).copy_(correction)

    def _cycle(self, residual: Tensor, number: int) -> Tensor:
        if number == self.num_levels - 1:
            flat = residual.flatten(1)[..., None]
            return (self._coarsest_inverse @ flat).reshape(residual.shape)
        level, transfers = self._levels[number], self._transfers[number]
        correction, remaining, _ = level.work(residual, self.dtype)
        torch.mul(residual, self._damping[0], out=correction)
        for damping in self._damping[1:]:
            level.matrix.residual(residual, correction, remaining)
            correction.add_(remaining, alpha=damping)
        level.matrix.residual(residual, correction, remaining)
        coarse = remaining.mul_(level.root)
        for transfer in transfers:
            coarse = transfer.restrict(coarse)
        coarser = self._levels[number + 1]
        coarse = self._cycle(coarse.mul_(coarser.inverse_root), number + 1).mul_(coarser.inverse_root)
        for transfer in reversed(transfers):
            coarse = transfer.interpolate(coarse)
        correction.addcmul_(coarse, level.root)
        for damping in self._damping:
            level.matrix.residual(residual, correction, remaining)
            correction.add_(remaining, alpha=damping)
        return correction


class _Level:
    """A matrix in unit-diagonal form, the root of its diagonal, and memory to work in."""

    def __init__(self, operator: FluxBalance, dtype: torch.dtype) -> None:
        diagonal = operator.diagonal.to(dtype)
        self.root = diagonal.sqrt()
        self.inverse_root = torch.where(diagonal > 0, diagonal.rsqrt(), 0.0)
        scaled = []
        for dim, (faces, size) in enumerate(zip(operator.faces, operator.shape, strict=True), start=1):
            count = faces.shape[dim]
            product = faces.to(dtype) * self.inverse_root.narrow(dim, 0, count)
            product.narrow(dim, 0, size - 1).mul_(self.inverse_root.narrow(dim, 1, size - 1))
            if count == size:
                product.narrow(dim, size - 1, 1).mul_(self.inverse_root.narrow(dim, 0, 1))
            scaled.append(product)
        self.matrix = NeighbourMatrix(operator.shape, scaled, None)
        self._work: tuple[Tensor, Tensor, Tensor] | None = None

    def work(self, like: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Three tensors to write to, the same ones in every cycle: fresh memory is slow."""
        if self._work is None or self._work[0].shape != like.shape:
            first, second, third = (torch.empty_like(like, dtype=dtype) for _ in range(3))
            self._work = first, second, third
        return self._work


def _chebyshev_damping(degree: int) -> list[float]:
    """Factors of the Jacobi steps whose product is the Chebyshev polynomial of this degree."""
    lower, upper = SMOOTHED_SPECTRUM
    centre, radius = (upper + lower) / 2, (upper - lower) / 2
    return [1 / (centre - radius * math.cos(math.pi * (2 * k + 1) / (2 * degree))) for k in range(degree)]


def _inverse(operator: FluxBalance, root: Tensor, singular: Tensor) -> Tensor:
    """Inverse of the unit-diagonal form, on functions of mean zero where constants have no flux."""
    dense = operator.to(torch.float64).dense()
    diagonal = dense.diagonal(dim1=1, dim2=2)
    count = dense.shape[-1]
    inside = diagonal > 0
    diagonal += ~inside
    dense += (singular * diagonal.mean(1) / count)[:, None, None]
    inverse = torch.linalg.inv(dense)
    scale = root.flatten(1).double()
    return (scale[:, :, None] * inverse * scale[:, None, :]).to(root.dtype)
