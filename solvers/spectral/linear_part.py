"""The linear part of an evolution equation in Fourier space: one number, or one small matrix, a wave."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

BALANCING_SWEEPS = 4
"""Sweeps over the outputs; two of them do for two outputs."""

GROWTH_TOLERANCE = 1e-9
"""Real parts of eigenvalues below this part of the matrix are rounding."""


class LinearPart:
    r"""L of :math:`\partial_t u = L u + N(u)`: functions of it, and how they act on spectra.

    Every function of L is a tensor of *multipliers*: of the shape (channels, *modes) of the symbol where the
    outputs do not influence one another linearly, else (channels, channels, *modes), one matrix a wave. They
    are kept complex, which makes products with spectra twice as fast as real ones would be.

    Args:
        symbol: What `SemilinearProblem.linear_symbol` gives (1 / time), double precision.
        is_coupled: Whether it holds matrices.
    """

    def __init__(self, symbol: Shaped[Tensor, "..."], *, is_coupled: bool) -> None:
        self.symbol = symbol
        self.is_coupled = is_coupled

    def exponential(self, time: float) -> Complex[Tensor, "..."]:
        """Multipliers of exp(t L)."""
        if not self.is_coupled:
            return torch.exp(time * self.symbol).to(torch.complex128)
        return _as_multipliers(matrix_phi(time * self.matrices, 0)[0])

    def plus_identity(self, factor: float) -> Shaped[Tensor, "..."]:
        """Multipliers of 1 + factor L."""
        if not self.is_coupled:
            return 1 + factor * self.symbol
        identity = torch.eye(len(self.symbol), dtype=self.symbol.dtype, device=self.symbol.device)
        return _as_channels_first(identity + factor * self.matrices)

    def quotient(self, numerator: Shaped[Tensor, "..."], denominator: Shaped[Tensor, "..."]) -> Tensor:
        """Multipliers of a quotient of two functions of L; they commute."""
        if not self.is_coupled:
            return (numerator / denominator).to(torch.complex128)
        return _as_multipliers(torch.linalg.solve(_as_matrices(denominator), _as_matrices(numerator)))

    def inverse(self, denominator: Shaped[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """Multipliers of one over a function of L."""
        if not self.is_coupled:
            return (1 / denominator).to(torch.complex128)
        return _as_multipliers(torch.linalg.inv(_as_matrices(denominator)))

    @property
    def multipliers(self) -> Complex[Tensor, "..."]:
        """Multipliers of L itself."""
        return self.symbol.to(torch.complex128)

    @property
    def matrices(self) -> Shaped[Tensor, "*modes channels channels"]:
        """The matrices of a coupled part, one a wave."""
        return _as_matrices(self.symbol)

    @property
    def is_growing(self) -> Shaped[Tensor, "..."]:
        """Waves that grow: an output and wave (channels, *modes), or a wave (1, *modes) if coupled."""
        if not self.is_coupled:
            return self.symbol.real > 0
        matrices = self.matrices.to(torch.complex128)
        rates = torch.linalg.eigvals(matrices).real.amax(-1)
        return (rates > GROWTH_TOLERANCE * torch.linalg.matrix_norm(matrices))[None]

    def apply(self, multipliers: Tensor, spectrum: Tensor) -> Tensor:
        """A function of L on a spectrum (batch, channels, *modes)."""
        return apply(multipliers, spectrum, is_coupled=self.is_coupled)


def apply(multipliers: Tensor, spectrum: Tensor, *, is_coupled: bool) -> Tensor:
    """Multiply a spectrum by numbers, or its channels by matrices (rows, columns, *modes)."""
    if not is_coupled:
        return multipliers * spectrum
    return (multipliers * spectrum.unsqueeze(1)).sum(2)


def matrix_phi(matrix: Shaped[Tensor, "*modes m m"], highest: int) -> list[Shaped[Tensor, "*modes m m"]]:
    r"""The functions :math:`\varphi_0 = \exp, \dots, \varphi_p` of matrices, without diagonalising them.

    They are the first row of blocks of the exponential of a matrix with A and identities above the diagonal,
    so that a Jordan block (the mean of a wave equation) is as good as any other. The matrices are balanced
    first: what squaring loses grows with the norm, and that of a wave equation falls from (c k)^2 to c k.

    Args:
        matrix: A, one a wave.
        highest: p; 0 for the exponential alone.

    Returns:
        p + 1 tensors like `matrix`.

    References:
        | Y. Saad, 1992, Analysis of some Krylov subspace approximations to the matrix exponential operator,
        | doi:10.1137/0729014 (the block matrix)
        | A. H. Al-Mohy, N. J. Higham, 2011, Computing the action of the matrix exponential,
        | doi:10.1137/100788860
    """
    size = matrix.shape[-1]
    scale = _balance(matrix)
    balanced = matrix * scale[..., None, :] / scale[..., :, None]
    wide = (highest + 1) * size
    block = matrix.new_zeros(*matrix.shape[:-2], wide, wide)
    block[..., :size, :size] = balanced
    for k in range(highest):
        rows = slice(k * size, (k + 1) * size)
        columns = slice((k + 1) * size, (k + 2) * size)
        block[..., rows, columns] = torch.eye(size, dtype=matrix.dtype, device=matrix.device)
    row = torch.linalg.matrix_exp(block)[..., :size, :]
    back = scale[..., :, None] / scale[..., None, :]
    return [back * part for part in row.split(size, dim=-1)]


def _balance(matrix: Tensor) -> Float[Tensor, "..."]:
    """Powers of two d with equal norms of row and column i of diag(1/d) A diag(d), as far as they go."""
    off = matrix.abs() * (1 - torch.eye(matrix.shape[-1], dtype=torch.float64, device=matrix.device))
    scale = torch.ones(matrix.shape[:-1], dtype=torch.float64, device=matrix.device)
    for _ in range(BALANCING_SWEEPS):
        for i in range(matrix.shape[-1]):
            row, column = off[..., i, :].sum(-1), off[..., :, i].sum(-1)
            usable = (row > 0) & (column > 0)
            ratio = torch.where(usable, row, 1.0) / torch.where(usable, column, 1.0)
            factor = torch.exp2(torch.round(torch.log2(ratio) / 2))
            off[..., i, :] /= factor[..., None]
            off[..., :, i] *= factor[..., None]
            scale[..., i] *= factor
    return scale


def _as_matrices(multipliers: Tensor) -> Tensor:
    return multipliers.movedim((0, 1), (-2, -1))


def _as_channels_first(matrices: Tensor) -> Tensor:
    return matrices.movedim((-2, -1), (0, 1))


def _as_multipliers(matrices: Tensor) -> Tensor:
    return _as_channels_first(matrices).to(torch.complex128).contiguous()
