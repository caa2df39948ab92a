"""Products with a matrix that couples every point of a box with its neighbours along the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 65_536
"""So many numbers are worked on at a time on a CPU: a block of the result stays in its cache."""


class NeighbourMatrix:
    r"""The symmetric matrix :math:`(A u)_i = d_i u_i - \sum_{j \sim i} c_{ij} u_j`.

    All points of all samples form one long row, where a neighbour along an axis is a fixed distance away; the
    coefficients are zero where that would leave the axis. A product is then one fused multiply-add a
    neighbour on contiguous memory, block by block, so that each coefficient is read from memory once.

    Args:
        shape: Points an axis.
        faces: c by axis, shape (batch, *shape) with one entry less along that axis, or with as many on a
            periodic axis, the last one for the face that closes it.
        diagonal: d (batch, *shape), or None for ones.
    """

    def __init__(
        self,
        shape: Sequence[int],
        faces: Sequence[Float[Tensor, "batch ..."]],
        diagonal: Float[Tensor, "batch ..."] | None,
    ) -> None:
        """Lay the coefficients out in one row."""
        self.shape = tuple(shape)
        self._batch_size = len(faces[0])
        self._diagonal = None if diagonal is None else diagonal.contiguous().flatten()
        self._neighbours: list[tuple[int, Tensor]] = []  # distance, and coefficients towards the upper side
        self._closing: list[tuple[int, Tensor]] = []  # dimension of a periodic axis, and its closing face
        for axis, (coefficients, size) in enumerate(zip(faces, self.shape, strict=True)):
            if size == 1:
                continue
            dim = axis + 1
            row = coefficients.new_zeros(self._batch_size, *self.shape)
            row.narrow(dim, 0, size - 1).copy_(coefficients.narrow(dim, 0, size - 1))
            self._neighbours.append((math.prod(self.shape[dim:]), row.flatten()))
            if coefficients.shape[dim] == size:
                self._closing.append((dim, coefficients.narrow(dim, size - 1, 1)))

    def product(
        self, values: Float[Tensor, "batch ..."], result: Float[Tensor, "batch ..."] | None = None
    ) -> Float[Tensor, "batch ..."]:
        """A u, for as many samples as there are matrices, or any number if there is one matrix.

        Args:
            values: u (batch, *shape).
            result: Where to write A u, contiguous; fresh memory by default.

        Returns:
            A u.
        """
        values = values.contiguous()
        return self._accumulate(None, values, torch.empty_like(values) if result is None else result)

    def residual(
        self,
        right_side: Float[Tensor, "batch ..."],
        values: Float[Tensor, "batch ..."],
        result: Float[Tensor, "batch ..."],
    ) -> Float[Tensor, "batch ..."]:
        """B - A u, written to `result`; all contiguous."""
        return self._accumulate(right_side, values, result)

    def _accumulate(self, right_side: Tensor | None, values: Tensor, result: Tensor) -> Tensor:
        if self._batch_size == 1:
            # One matrix for all samples.
            for sample in range(len(values)):
                chosen = slice(sample, sample + 1)
                part = None if right_side is None else right_side[chosen]
                self._blocks(part, values[chosen], result[chosen])
        else:
            self._blocks(right_side, values, result)
        sign = -1.0 if right_side is None else 1.0
        for dim, face in self._closing:
            size = self.shape[dim - 1]
            result.narrow(dim, 0, 1).addcmul_(face, values.narrow(dim, size - 1, 1), value=sign)
            result.narrow(dim, size - 1, 1).addcmul_(face, values.narrow(dim, 0, 1), value=sign)
        return result

    def _blocks(self, right_side: Tensor | None, values: Tensor, result: Tensor) -> None:
        """B - d u + sum of c u, or d u - sum of c u without b, block by block."""
        u, out, total = values.view(-1), result.view(-1), values.numel()
        b = None if right_side is None else right_side.view(-1)
        sign = -1.0 if b is None else 1.0
        block = BLOCK if values.device.type == "cpu" else total
        for start in range(0, total, block):
            end = min(start + block, total)
            here, target = u[start:end], out[start:end]
            if b is None:
                if self._diagonal is None:
                    target.copy_(here)
                else:
                    torch.mul(here, self._diagonal[start:end], out=target)
            elif self._diagonal is None:
                torch.sub(b[start:end], here, out=target)
            else:
                torch.addcmul(b[start:end], here, self._diagonal[start:end], value=-1.0, out=target)
            for distance, c in self._neighbours:
                stop = min(end, total - distance)
                if stop > start:
                    out[start:stop].addcmul_(c[start:stop], u[start + distance : stop + distance], value=sign)
                first = max(start, distance)
                if end > first:
                    out[first:end].addcmul_(
                        c[first - distance : end - distance], u[first - distance : end - distance], value=sign
                    )
