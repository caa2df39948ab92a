"""One point of a field beyond each end of its axes, by a boundary condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import AxisKind, Grid

Boundary = Literal["zeros", "dirichlet", "neumann"]


class BoundaryPadding:
    r"""The rule by which stencils of width 3 read beyond the ends of a grid.

    ================  ==========================================================================
    axis, boundary    value beyond the lower end, :math:`u_{-1}`; the upper end likewise
    ================  ==========================================================================
    periodic          :math:`u_{n-1}`, the other end, whatever the boundary
    zeros             0
    nodes, dirichlet  :math:`-u_1`: odd about the end point, which is 0 if the function is odd
    nodes, neumann    :math:`u_1`: even about the end point
    cells, dirichlet  :math:`-u_0`: odd about the wall half a cell outside, thus 0 there
    cells, neumann    :math:`u_0`: even about that wall
    ================  ==========================================================================

    Zeros cost no copy: a convolution makes them itself, see ``zeros``.

    Args:
        grid: The grid; its kinds of axes count, not its size.
        boundary: Condition on the axes that are not periodic.

    Raises:
        ValueError: The boundary is unknown.

    Failure mode: Zeros lie one spacing beyond the last point, farther out on every coarser grid: the domain
        grows, and a classical V-cycle for zero boundary values diverges. Mirrored values stay at the wall.
    """

    def __init__(self, grid: Grid, boundary: Boundary = "zeros") -> None:
        if boundary not in get_args(Boundary):
            raise ValueError(f"boundary: expected one of {', '.join(get_args(Boundary))}, got {boundary!r}")
        # By axis: the point that the one beyond the lower end copies, and the sign; None for zero.
        self._mirrored: list[tuple[int, float] | None] = []
        for axis in grid.axes:
            if axis.is_periodic:
                self._mirrored.append((-1, 1.0))
            elif boundary == "zeros":
                self._mirrored.append(None)
            else:
                inner = 1 if axis.kind is AxisKind.NODES else 0
                self._mirrored.append((inner, 1.0 if boundary == "neumann" else -1.0))

    @property
    def zeros(self) -> tuple[int, ...]:
        """Width of the zeros that are still missing after a call, one number an axis: 0 or 1."""
        return tuple(int(source is None) for source in self._mirrored)

    def __call__(
        self, values: Float[Tensor, "batch channels *shape"], axes: Sequence[bool] | None = None
    ) -> Float[Tensor, "batch channels *padded_shape"]:
        """Add the points beyond the ends of the axes that are not padded with zeros.

        Args:
            values: Field with the channels first.
            axes: Which axes to pad, one truth value an axis; all by default.

        Returns:
            The field, two points longer on these axes; the same tensor where there is none.
        """
        sources = []
        for number, (source, size) in enumerate(zip(self._mirrored, values.shape[2:], strict=True)):
            if source is not None and (axes is None or axes[number]):
                # What the point beyond the lower end copies, and by symmetry the one beyond the upper end.
                lower = source[0] % size
                sources.append((number + 2, lower, size - 1 - lower, source[1]))
        if not sources:
            return values
        if torch.compiler.is_compiling():
            for dim, lower, upper, sign in sources:
                ends = sign * values.narrow(dim, lower, 1), sign * values.narrow(dim, upper, 1)
                values = torch.cat((ends[0], values, ends[1]), dim)
            return values
        return _Pad.apply(values, sources)


class _Pad(torch.autograd.Function):
    """Concatenation with the ends, but written once for all axes, and its transpose in place.

    What autograd derives from slices fills a field with zeros for each. The backward pass is made of ordinary
    operations, so it can be differentiated again.
    """

    @staticmethod
    def forward(context: Any, values: Tensor, sources: list[tuple[int, int, int, float]]) -> Tensor:
        context.sources = sources
        shape = list(values.shape)
        for dim, *_ in sources:
            shape[dim] += 2
        layout = torch.contiguous_format
        if values.ndim > 3:
            last = torch.channels_last if values.ndim == 4 else torch.channels_last_3d
            layout = last if values.is_contiguous(memory_format=last) else layout
        padded = torch.empty(shape, dtype=values.dtype, device=values.device, memory_format=layout)
        inside = padded
        for dim, *_ in sources:
            inside = inside.narrow(dim, 1, values.shape[dim])
        inside.copy_(values)
        for number, (dim, lower, upper, sign) in enumerate(sources):
            # Of the axes still to come only the inside is there.
            filled = padded
            for later, *_ in sources[number + 1 :]:
                filled = filled.narrow(later, 1, values.shape[later])
            torch.mul(filled.select(dim, lower + 1), sign, out=filled.select(dim, 0))
            torch.mul(filled.select(dim, upper + 1), sign, out=filled.select(dim, -1))
        return padded

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        for dim, lower, upper, sign in reversed(context.sources):
            inside = gradient.narrow(dim, 1, gradient.shape[dim] - 2).clone()
            inside.select(dim, lower).add_(gradient.select(dim, 0), alpha=sign)
            inside.select(dim, upper).add_(gradient.select(dim, -1), alpha=sign)
            gradient = inside
        return gradient, None
