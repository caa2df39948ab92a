"""One point of a field beyond each end of its axes, by a boundary condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import AxisKind, Grid

Boundary = Literal["dirichlet", "neumann"]


class BoundaryPadding:
    r"""The rule by which stencils of width 3 read beyond the ends of a grid.

    ================  ======================  =====================================================
    axis              boundary                value beyond the lower end, :math:`u_{-1}`
    ================  ======================  =====================================================
    periodic          (any)                   :math:`u_{n-1}`, the other end
    nodes or cells    dirichlet               0
    nodes             neumann                 :math:`u_1`, mirrored at the end point
    cells             neumann                 :math:`u_0`, mirrored at the wall, half a cell outside
    ================  ======================  =====================================================

    The upper end likewise. Zeros cost nothing: a convolution makes them itself, by the argument ``zeros``.

    Args:
        grid: The grid; its kinds of axes count, not its size.
        boundary: Condition on the axes that are not periodic.

    Raises:
        ValueError: The boundary is unknown.

    Failure mode: On cells the zero lies half a spacing behind the wall, on nodes a whole one behind the end.
    """

    def __init__(self, grid: Grid, boundary: Boundary = "dirichlet") -> None:
        if boundary not in get_args(Boundary):
            raise ValueError(f"boundary: expected one of {', '.join(get_args(Boundary))}, got {boundary!r}")
        self._inner: list[int | None] = []
        for axis in grid.axes:
            if axis.is_periodic:
                self._inner.append(-1)
            elif boundary == "dirichlet":
                self._inner.append(None)
            else:
                self._inner.append(1 if axis.kind is AxisKind.NODES else 0)

    @property
    def zeros(self) -> tuple[int, ...]:
        """Width of the zeros that are still missing after a call, one number an axis: 0 or 1."""
        return tuple(int(inner is None) for inner in self._inner)

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
        for number, (inner, size) in enumerate(zip(self._inner, values.shape[2:], strict=True)):
            if inner is not None and (axes is None or axes[number]):
                # The point beyond the lower end, and the one beyond the upper end by symmetry.
                lower = inner % size
                sources.append((number + 2, lower, size - 1 - lower))
        if not sources:
            return values
        if torch.compiler.is_compiling():
            for dim, lower, upper in sources:
                ends = values.narrow(dim, lower, 1), values.narrow(dim, upper, 1)
                values = torch.cat((ends[0], values, ends[1]), dim)
            return values
        return _Pad.apply(values, sources)


class _Pad(torch.autograd.Function):
    """Concatenation with the ends, but written once for all axes, and its transpose in place.

    What autograd derives from slices fills a field with zeros for each. The backward pass is made of ordinary
    operations, so it can be differentiated again.
    """

    @staticmethod
    def forward(context: Any, values: Tensor, sources: list[tuple[int, int, int]]) -> Tensor:
        context.sources = sources
        shape = list(values.shape)
        for dim, _, _ in sources:
            shape[dim] += 2
        last = torch.channels_last if values.ndim == 4 else torch.channels_last_3d
        keeps = values.ndim > 3 and values.is_contiguous(memory_format=last)
        memory_format = last if keeps else torch.contiguous_format
        padded = torch.empty(shape, dtype=values.dtype, device=values.device, memory_format=memory_format)
        inside = padded
        for dim, _, _ in sources:
            inside = inside.narrow(dim, 1, values.shape[dim])
        inside.copy_(values)
        filled = inside
        for number, (dim, lower, upper) in enumerate(sources):
            # Of the axes still to come only the inside is there.
            filled = padded
            for later, _, _ in sources[number + 1 :]:
                filled = filled.narrow(later, 1, values.shape[later])
            filled.select(dim, 0).copy_(filled.select(dim, lower + 1))
            filled.select(dim, -1).copy_(filled.select(dim, upper + 1))
        return padded

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        for dim, lower, upper in reversed(context.sources):
            size = gradient.shape[dim] - 2
            inside = gradient.narrow(dim, 1, size).clone(memory_format=torch.preserve_format)
            inside.select(dim, lower).add_(gradient.select(dim, 0))
            inside.select(dim, upper).add_(gradient.select(dim, -1))
            gradient = inside
        return gradient, None
