"""Room beyond the walls, so that a periodic convolution does not join opposite ones."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pdeops.domains import AxisKind, Grid


def padded_shape(grid: Grid, fraction: float) -> tuple[int, ...]:
    r"""Shape of the torus that holds a grid and, on axes that do not close, a strip behind the upper wall.

    The strip is a fraction of the *length*, so the period :math:`(1 + p)L` is the same at every resolution,
    up to the rounding to whole points.

    Args:
        grid: The grid.
        fraction: Fraction p of the length that is added; not negative.

    Returns:
        Number of points an axis; the grid's own on periodic axes.
    """
    shape = []
    for axis in grid.axes:
        intervals = axis.num_points - 1 if axis.kind is AxisKind.NODES else axis.num_points
        padded = axis.num_points if axis.is_periodic else round((1 + fraction) * intervals)
        shape.append(max(padded, axis.num_points))
    return tuple(shape)


def pad(
    values: Float[Tensor, "batch *shape channels"], shape: tuple[int, ...]
) -> Float[Tensor, "batch *out_shape channels"]:
    """Append zeros up to a shape.

    Args:
        values: Field with the channels last.
        shape: Number of points an axis wanted.

    Returns:
        The field, zero in the strip; the same tensor where there is none.
    """
    missing = [wanted - present for wanted, present in zip(shape, values.shape[1:-1], strict=True)]
    if not any(missing):
        return values
    widths = [0, 0]
    for number in reversed(missing):
        widths += [0, number]
    return functional.pad(values, widths)


def crop(
    values: Float[Tensor, "batch *shape channels"], shape: tuple[int, ...]
) -> Float[Tensor, "batch *out_shape channels"]:
    """Undo `pad`.

    Args:
        values: Field with the channels last.
        shape: Number of points an axis wanted.

    Returns:
        The first points of every axis; the same tensor where nothing is cut.
    """
    for dim, number in enumerate(shape, start=1):
        # The gradient of a cut is a copy into zeros, also of one that cuts nothing.
        if values.shape[dim] != number:
            values = values.narrow(dim, 0, number)
    return values
