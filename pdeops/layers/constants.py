"""Constant matrices, built once in float64 and kept per size, dtype and device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Not buffers: a buffer would fix one resolution, would be rounded to float32 before a model is made double,
# and would be stored in every checkpoint.
_CACHE: dict[tuple[str | int | torch.dtype | torch.device, ...], Tensor] = {}


def constant(
    build: Callable[..., Tensor], arguments: tuple[str | int, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return ``build(*arguments)`` in a dtype on a device, from a cache.

    Args:
        build: Module-level function that returns a float64 tensor.
        arguments: Its arguments.
        dtype: Dtype of the result.
        device: Device of the result.

    Returns:
        The tensor; shared, so never written to.
    """
    key = (build.__name__, *arguments, dtype, device)
    if key in _CACHE:
        return _CACHE[key]
    if torch.compiler.is_compiling():
        # Part of the graph: built in every call, which is cheap beside the products it is used in.
        return build(*arguments).to(dtype=dtype, device=device)
    # A tensor made inside inference mode (validation) could not be used in training afterwards.
    with torch.inference_mode(False), torch.no_grad():
        _CACHE[key] = build(*arguments).to(dtype=dtype, device=device).contiguous()
    return _CACHE[key]
