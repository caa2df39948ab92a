"""The block of low coefficients on which a transform-once network lives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import AxisKind, Grid
from pdeops.layers.bases import analysis_matrix, synthesis_matrix

Basis = Literal["grid", "cosine"]


class ModeBlock(nn.Module):
    r"""Order of coefficients in a block, and the block's own coarse grid.

    A block has the shape (*sizes, batch, channels): modes first, so that a product per mode is one batched
    product on contiguous numbers, and a transform along an axis one plain product.

    On a periodic axis the block holds the waves :math:`0 \le k < h` as cosines, then as sines; the sine of
    wave 0 is a row of zeros, which makes the two halves match, so that they are the real and the imaginary
    part of complex amplitudes. On other axes it holds the cosines :math:`\cos \pi k x` in order.

    Args:
        kinds: Kind of each axis.
        modes: Number of real modes m wanted on each axis; a periodic axis keeps the waves below m / 2.
        coarse_shape: Points of the coarse grid on each axis, at least the number of modes.

    Raises:
        ValueError: The coarse grid does not carry the modes.
    """

    def __init__(
        self, kinds: Sequence[AxisKind | str], modes: Sequence[int], coarse_shape: Sequence[int]
    ) -> None:
        super().__init__()
        self.kinds = tuple(AxisKind(kind) for kind in kinds)
        self.num_waves = tuple((number + 1) // 2 for number in modes)
        self.coarse_shape = tuple(coarse_shape)
        periodic = [kind is AxisKind.PERIODIC for kind in self.kinds]
        #: Modes of the transform that belongs to this block: all sines and cosines of the waves kept.
        self.modes = tuple(
            2 * waves - 1 if wrap else number
            for wrap, waves, number in zip(periodic, self.num_waves, modes, strict=True)
        )
        self.sizes = tuple(
            2 * waves if wrap else number
            for wrap, waves, number in zip(periodic, self.num_waves, modes, strict=True)
        )
        for axis, (kind, number, points) in enumerate(
            zip(self.kinds, self.modes, self.coarse_shape, strict=True)
        ):
            order = self._order(axis)
            # One more column of zeros: what the row of zeros points to.
            synthesis = nn.functional.pad(synthesis_matrix(kind, points, number), (0, 1))[:, order]
            analysis = nn.functional.pad(analysis_matrix(kind, points, number), (0, 0, 0, 1))[order]
            self.register_buffer(f"order{axis}", order, persistent=False)
            # For each coefficient of the transform, its row in the block.
            self.register_buffer(f"position{axis}", torch.argsort(order)[:number], persistent=False)
            self.register_buffer(f"synthesis{axis}", synthesis.float().contiguous(), persistent=False)
            self.register_buffer(f"analysis{axis}", analysis.float().contiguous(), persistent=False)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.kinds)

    def pack(
        self, coefficients: Float[Tensor, "batch channels *modes"]
    ) -> Float[Tensor, "*sizes batch channels"]:
        """Bring coefficients of the transform in the order of the block."""
        block = coefficients.movedim((0, 1), (-2, -1))
        for axis in range(self.dimension):
            if self.kinds[axis] is AxisKind.PERIODIC:
                zero = torch.zeros_like(block.narrow(axis, 0, 1))
                block = torch.cat((block, zero), axis).index_select(axis, self.get_buffer(f"order{axis}"))
        return block

    def unpack(self, block: Float[Tensor, "*sizes batch channels"]) -> Float[Tensor, "batch channels *modes"]:
        """Bring a block back in the order of the transform."""
        for axis in range(self.dimension):
            if self.kinds[axis] is AxisKind.PERIODIC:
                block = block.index_select(axis, self.get_buffer(f"position{axis}"))
        return block.movedim((-2, -1), (0, 1))

    def to_grid(
        self, block: Float[Tensor, "*sizes batch channels"]
    ) -> Float[Tensor, "*coarse batch channels"]:
        """Values on the coarse grid."""
        return self._along("synthesis", block)

    def from_grid(
        self, values: Float[Tensor, "*coarse batch channels"]
    ) -> Float[Tensor, "*sizes batch channels"]:
        """Coefficients of values on the coarse grid; waves that the block does not hold are dropped."""
        return self._along("analysis", values)

    def _along(self, name: str, values: Tensor) -> Tensor:
        lead = 1
        for axis in range(self.dimension):
            matrix = self.get_buffer(f"{name}{axis}").to(values.dtype)
            rest = math.prod(values.shape[axis + 1 :])
            lines = values.reshape(lead, matrix.shape[1], rest)
            product = torch.bmm(matrix.expand(lead, *matrix.shape), lines) if lead > 1 else matrix @ lines[0]
            values = product.reshape(*values.shape[:axis], matrix.shape[0], *values.shape[axis + 1 :])
            lead *= matrix.shape[0]
        return values

    def _order(self, axis: int) -> Tensor:
        """For each row of the block, the number of its coefficient in the transform (modes: the zeros)."""
        if self.kinds[axis] is not AxisKind.PERIODIC:
            return torch.arange(self.modes[axis])
        waves = self.num_waves[axis]
        cosines = [0, *range(1, 2 * waves - 1, 2)]
        sines = [self.modes[axis], *range(2, 2 * waves, 2)]
        return torch.tensor(cosines + sines)


def basis_kinds(grid: Grid, basis: Basis) -> tuple[AxisKind, ...]:
    """Kinds of the axes of a transform on a grid.

    Args:
        grid: The grid.
        basis: ``"grid"``: the basis that fits each axis, real Fourier on periodic ones and cosines on others;
            ``"cosine"``: cosines everywhere, as if periodic points were cell centres (the DCT as published).

    Returns:
        One kind an axis.

    Raises:
        ValueError: The basis is unknown.

    Failure mode: Cosines on a periodic grid are shifted by half a cell, which is another shift at another
    resolution, and they do not know that the ends are joined.
    """
    if basis not in get_args(Basis):
        raise ValueError(f"basis: expected one of {get_args(Basis)}, got {basis!r}")
    kinds = tuple(AxisKind(axis.kind) for axis in grid.axes)
    if basis == "grid":
        return kinds
    return tuple(AxisKind.CELLS if kind is AxisKind.PERIODIC else kind for kind in kinds)
