"""Shapes of arrays that users bring; each error names the array and the axis."""

from __future__ import annotations

import numpy
import torch
from torch import Tensor

from pdeops.domains import Domain, Grid


def as_channels(
    name: str, array: numpy.ndarray | Tensor, domain: Domain, *, num_samples: int | None = None
) -> Tensor:
    """Return an array as a tensor of shape (samples, channels, *domain.shape).

    Args:
        name: Name of the array in messages.
        array: Shape (samples, channels, *domain.shape), or (samples, *domain.shape) for one channel.
        domain: Grid or mesh.
        num_samples: Number of samples it should have.

    Returns:
        The tensor, in the dtype of the array.

    Raises:
        TypeError: The numbers are not real.
        ValueError: An axis has the wrong length, or a value is not finite.
    """
    return _checked(name, array, domain, (("samples", num_samples),))


def as_frames(
    name: str,
    array: numpy.ndarray | Tensor,
    num_times: int,
    domain: Domain,
    *,
    num_samples: int | None = None,
) -> Tensor:
    """Return an array as a tensor of shape (samples, times, channels, *domain.shape).

    Args:
        name: Name of the array in messages.
        array: Shape (samples, times, channels, *domain.shape), or without the channels for one.
        num_times: Number of times.
        domain: Grid or mesh.
        num_samples: Number of samples it should have.

    Returns:
        The tensor, in the dtype of the array.

    Raises:
        TypeError: The numbers are not real.
        ValueError: An axis has the wrong length, or a value is not finite.
    """
    return _checked(name, array, domain, (("samples", num_samples), ("times", num_times)))


def _checked(
    name: str,
    array: numpy.ndarray | Tensor,
    domain: Domain,
    leading: tuple[tuple[str, int | None], ...],
) -> Tensor:
    tensor = torch.as_tensor(array)
    if tensor.is_complex():
        raise TypeError(
            f"{name}: expected real numbers, got {tensor.dtype}; try real and imaginary parts as channels"
        )
    if not tensor.is_floating_point():
        tensor = tensor.float()
    points = tuple(axis.name for axis in domain.axes) if isinstance(domain, Grid) else ("points",)
    if tensor.ndim == len(leading) + len(points):
        tensor = tensor.unsqueeze(len(leading))
    layout = [*leading, ("channels", None), *zip(points, domain.shape, strict=True)]
    text = ", ".join(axis if length is None else f"{axis}={length}" for axis, length in layout)
    if tensor.ndim != len(layout):
        raise ValueError(
            f"{name}: expected shape ({text}), with or without the axis of channels, got "
            f"{tuple(array.shape)}; try reshape, or numpy.moveaxis if the axes have another order"
        )
    for number, ((axis, length), found) in enumerate(zip(layout, tensor.shape, strict=True)):
        if found == 0 or (length is not None and found != length):
            raise ValueError(
                f"{name}: expected shape ({text}), got {found} instead of {length or 'at least 1'} "
                "along axis "
                f"{number} ({axis}) of {tuple(tensor.shape)}; try numpy.moveaxis if the axes have "
                "another order, or another domain"
            )
    if not bool(tensor.isfinite().all()):
        bad = int((~tensor.isfinite().flatten(1).all(dim=1)).nonzero()[0])
        raise ValueError(
            f"{name}: expected finite values, got NaN or infinity in sample {bad}; try dropping it"
        )
    return tensor
