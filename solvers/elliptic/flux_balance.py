"""The matrix of a diffusion equation on a box: fluxes through the faces between neighbouring unknowns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from solvers.elliptic.neighbour_matrix import NeighbourMatrix
from solvers.elliptic.pair_transfer import PairTransfer


@dataclass(frozen=True, eq=False)
class FluxBalance:
    r"""The operator :math:`(A u)_i = \sum_{j \sim i} T_{ij} (u_i - u_j) + (w_i + m_i) u_i`.

    T is the transmissibility of the face between two unknowns: the flux through it for a difference of 1.
    w is that of the outer faces, with a given value behind them; m is all else that takes from an unknown in
    proportion to its value. With T, w, m >= 0, and one w or m positive, the matrix is a symmetric positive
    definite M-matrix; the eigenvalues of D^-1 A, D its diagonal, lie in (0, 2]. An unknown that is coupled to
    nothing (outside of a mask) has a zero row.

    Args:
        faces: T, one tensor an axis: (batch, *shape) with one entry less along that axis, or with as many on
            a periodic axis, the last one the face that closes it.
        walls: w by axis, each (batch, *shape) with 2 entries along that axis, the lower and the upper end.
        mass: m (batch, *shape).
    """

    faces: tuple[Float[Tensor, "batch ..."], ...]
    walls: tuple[Float[Tensor, "batch ..."], ...]
    mass: Float[Tensor, "batch ..."]

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.faces)

    @property
    def shape(self) -> tuple[int, ...]:
        """Unknowns an axis."""
        return tuple(self.mass.shape[1:])

    @cached_property
    def sinks(self) -> Float[Tensor, "batch ..."]:
        """Sums of the rows, w + m."""
        result = self.mass.clone()
        for dim, walls in enumerate(self.walls, start=1):
            result.narrow(dim, 0, 1).add_(walls.narrow(dim, 0, 1))
            result.narrow(dim, -1, 1).add_(walls.narrow(dim, 1, 1))
        return result

    @cached_property
    def diagonal(self) -> Float[Tensor, "batch ..."]:
        """D, the sum of each unknown's couplings; 0 outside of a mask."""
        result = self.sinks.clone()
        for dim, (faces, size) in enumerate(zip(self.faces, self.shape, strict=True), start=1):
            if size == 1:
                continue
            inner = faces.narrow(dim, 0, size - 1)
            result.narrow(dim, 0, size - 1).add_(inner)
            result.narrow(dim, 1, size - 1).add_(inner)
            if faces.shape[dim] == size:
                closing = faces.narrow(dim, size - 1, 1)
                result.narrow(dim, 0, 1).add_(closing)
                result.narrow(dim, size - 1, 1).add_(closing)
        return result

    @cached_property
    def is_singular(self) -> Bool[Tensor, " batch"]:
        """Samples whose unknowns are coupled to each other only: constants have no flux."""
        return (self.sinks == 0).flatten(1).all(1)

    @cached_property
    def matrix(self) -> NeighbourMatrix:
        """The matrix in the layout of its products."""
        return NeighbourMatrix(self.shape, self.faces, self.diagonal)

    def __call__(self, values: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """A u for values (batch, *shape); a larger batch needs that many matrices, or one."""
        return self.matrix.product(values)

    def dense(self) -> Float[Tensor, "batch unknowns unknowns"]:
        """The matrices, for small shapes: memory grows with the square of the number of unknowns."""
        num_unknowns = math.prod(self.shape)
        numbers = torch.arange(num_unknowns, device=self.mass.device).reshape(self.shape)
        result = torch.diag_embed(self.diagonal.flatten(1))
        for axis, (faces, size) in enumerate(zip(self.faces, self.shape, strict=True)):
            if size == 1:
                continue
            count = faces.shape[axis + 1]
            left = numbers.narrow(axis, 0, count).flatten()
            right = numbers.roll(-1, axis).narrow(axis, 0, count).flatten()
            # One after the other: on a periodic axis of two unknowns both faces join the same pair.
            result[:, left, right] -= faces.flatten(1)
            result[:, right, left] -= faces.flatten(1)
        return result

    def joined(self, axis: int) -> tuple[FluxBalance, PairTransfer]:
        """The same equation with the unknowns of one axis joined in pairs, and the interpolation back.

        Unknowns 0+1, 2+3, ... are replaced by one half-way between them, in terms of resistance 1 / T; the
        last one of an odd number stays. Along the axis, resistances add up: half of that within each of two
        pairs, and that of the face between them. Across it, transmissibilities add up, and so do the masses.
        (The Galerkin product with piecewise constant interpolation would be about twice too stiff.) The flux
        is taken as constant between joined unknowns, which makes the interpolation linear where a is
        constant, and bends it where a jumps.

        Args:
            axis: Number of the axis, from 0.

        Returns:
            The operator on ceil(n / 2) unknowns along this axis, and the transfer.
        """
        dim, size, own = axis + 1, self.shape[axis], self.faces[axis]
        count, is_periodic = (size + 1) // 2, own.shape[axis + 1] == size
        index = torch.arange(size, device=own.device)
        inside = own.index_select(dim, index[: size - 1 : 2])
        # Where only one of a pair is on the inside of a mask, the joined unknown is that one.
        half = torch.where(inside > 0, 0.5 / inside, 0.0)
        if count > half.shape[dim]:
            half = torch.cat([half, torch.zeros_like(self.mass.narrow(dim, 0, 1))], dim)
        kept = own.index_select(dim, torch.cat([index[1 : size - 1 : 2], index[size - 1 : own.shape[dim]]]))
        length = kept.shape[dim]
        following = half.roll(-1, dim).narrow(dim, 0, length)
        between = 1 / (half.narrow(dim, 0, length) + 1 / kept + following)
        walls = 1 / (torch.cat([half.narrow(dim, 0, 1), half.narrow(dim, -1, 1)], dim) + 1 / self.walls[axis])
        lower, upper = walls.split(1, dim)
        if is_periodic:
            below, above = half * between.roll(1, dim), half * between
        else:
            below = half * torch.cat([lower, between], dim)
            above = half * torch.cat([between, upper], dim)
        transfer = PairTransfer(dim, below, above.narrow(dim, 0, size // 2).contiguous(), is_periodic)
        faces = tuple(between if i == axis else pair_sums(x, dim) for i, x in enumerate(self.faces))
        ends = tuple(walls if i == axis else pair_sums(x, dim) for i, x in enumerate(self.walls))
        return FluxBalance(faces, ends, pair_sums(self.mass, dim)), transfer

    def to(self, dtype: torch.dtype) -> FluxBalance:
        """The operator in another precision."""
        return FluxBalance(
            tuple(faces.to(dtype) for faces in self.faces),
            tuple(walls.to(dtype) for walls in self.walls),
            self.mass.to(dtype),
        )


def pair_sums(values: Tensor, dim: int) -> Tensor:
    """Sums of neighbours 0+1, 2+3, ... along an axis; the last entry of an odd axis stays alone."""
    step = (slice(None),) * dim
    lower, upper = values[(*step, slice(0, None, 2))], values[(*step, slice(1, None, 2))]
    result = lower.clone(memory_format=torch.contiguous_format)
    result.narrow(dim, 0, upper.shape[dim]).add_(upper)
    return result
