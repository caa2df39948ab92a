"""Sums over the neighbours of points, as products with sparse matrices."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.layers.radius_neighbours import Neighbours

# With E entries, batch B, width C and H heads, a product of the matrices' values (E H numbers) and the field
# (N B C numbers) takes E B C multiply-adds for any H, and so do each of the two gradients. No field on the
# entries, of E B C numbers, ever exists: with 1000 points, 30 neighbours, a batch of 16 and a width of 32 it
# would have 61 MB.

_FORWARD_MODE = ContextVar("forward_mode", default=False)


@contextmanager
def forward_mode() -> Iterator[None]:
    """Within, `sparse_product` is made of operations that can be differentiated in forward mode.

    Those do make the field on the entries. Outside, PyTorch refuses `torch.func.jvp` of a product, for it
    could not nest one in another.
    """
    token = _FORWARD_MODE.set(True)
    try:
        yield
    finally:
        _FORWARD_MODE.reset(token)


def sparse_product(
    values: Float[Tensor, "entries heads"],
    field: Float[Tensor, "batch sources heads channels"],
    neighbours: Neighbours,
) -> Float[Tensor, "batch targets heads channels"]:
    r"""Multiply each head of a field by a sparse matrix of its own, all of one pattern.

    .. math:: g_{bthc} = \sum_{e:\,t_e = t} v_{eh}\, f_{b s_e h c}

    Linear in both arguments, with derivatives of any order, see `forward_mode`. Computed in float32 at least,
    also inside autocast.

    Args:
        values: Entries of the matrices.
        field: What they multiply.
        neighbours: Targets t and sources s of the entries.

    Returns:
        The sums; zero at targets without entries.
    """
    with torch.autocast(field.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(values.dtype, field.dtype), torch.float32)
        batch, sources, heads, channels = field.shape
        if _FORWARD_MODE.get():
            terms = values.to(dtype)[:, :, None] * field.to(dtype)[:, neighbours.sources]
            sums = terms.new_zeros(batch, neighbours.num_targets, heads, channels)
            return sums.index_add(1, neighbours.targets, terms)
        rows = field.to(dtype).permute(2, 1, 0, 3).reshape(heads * sources, batch * channels)
        sums = _product(values.to(dtype).T.flatten(), rows, neighbours.repeated(heads))
        return sums.unflatten(1, (batch, channels)).unflatten(0, (heads, -1)).permute(2, 1, 0, 3)


@torch.compiler.disable
def _product(values: Tensor, rows: Tensor, pattern: Neighbours) -> Tensor:
    return _Product.apply(values, rows, pattern)


class _Product(torch.autograd.Function):
    """A sparse matrix, by its values, times a dense one."""

    @staticmethod
    def forward(values: Tensor, rows: Tensor, pattern: Neighbours) -> Tensor:
        return _matrix(values, pattern) @ rows

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor, Tensor, Neighbours], output: Tensor) -> None:
        values, rows, context.pattern = inputs
        context.save_for_backward(values, rows)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, rows = context.saved_tensors
        by_values = by_rows = None
        if context.needs_input_grad[0]:
            by_values = _Entries.apply(gradient, rows, context.pattern)
        if context.needs_input_grad[1]:
            transposed, order = context.pattern.transposed
            by_rows = _Product.apply(values[order], gradient, transposed)
        return by_values, by_rows, None


class _Entries(torch.autograd.Function):
    """The entries of a pattern in the product of two dense matrices: left rows times right rows."""

    @staticmethod
    def forward(left: Tensor, right: Tensor, pattern: Neighbours) -> Tensor:
        empty = _matrix(left.new_zeros(len(pattern.sources)), pattern)
        return torch.sparse.sampled_addmm(empty, left, right.T, beta=0.0).values()

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor, Tensor, Neighbours], output: Tensor) -> None:
        left, right, context.pattern = inputs
        context.save_for_backward(left, right)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        left, right = context.saved_tensors
        transposed, order = context.pattern.transposed
        by_left = by_right = None
        if context.needs_input_grad[0]:
            by_left = _Product.apply(gradient, right, context.pattern)
        if context.needs_input_grad[1]:
            by_right = _Product.apply(gradient[order], left, transposed)
        return by_left, by_right, None


def _matrix(values: Tensor, pattern: Neighbours) -> Tensor:
    shape = (pattern.num_targets, pattern.num_sources)
    with warnings.catch_warnings():
        # It is marked as beta; the pattern comes from a search, so it needs no checks.
        warnings.filterwarnings("ignore", message=".*(Sparse|sparse).*")
        return torch.sparse_csr_tensor(pattern.starts, pattern.sources, values, shape, check_invariants=False)
