"""Running products of an associative operation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Element = tuple[Tensor, ...]


def associative_scan(combine: Callable[[Element, Element], Element], elements: Element) -> Element:
    r"""All prefixes :math:`a_1, a_1 a_2, a_1 a_2 a_3, \dots` in a logarithmic number of batched steps.

    Neighbours are combined in pairs, the half as long sequence is scanned in the same way, and the prefixes
    of even length between follow by one more combination each: fewer than 2 n operations in all.

    Args:
        combine: The operation, on batches: `combine(left, right)`; associative, not necessarily commutative.
        elements: The sequence: tensors with the same first dimension n > 0.

    Returns:
        The prefixes, tensors of the same shapes.

    Failure mode: Rounding differs from that of a loop, for the order of the combinations does.

    Source: Blelloch (1990), Prefix sums and their applications, CMU-CS-90-190.

    Example:
        >>> associative_scan(lambda left, right: (left[0] + right[0],), (torch.tensor([1, 2, 3]),))
        (tensor([1, 3, 6]),)
    """
    length = len(elements[0])
    if length == 1:
        return elements
    pairs = combine(
        tuple(part[: length - 1 : 2] for part in elements), tuple(part[1::2] for part in elements)
    )
    odd = associative_scan(combine, pairs)
    rest = tuple(part[2::2] for part in elements)
    if len(rest[0]) == 0:
        return tuple(torch.cat((part[:1], other)) for part, other in zip(elements, odd, strict=True))
    between = combine(tuple(part[: len(rest[0])] for part in odd), rest)
    return tuple(
        _interleave(torch.cat((part[:1], even)), other)
        for part, even, other in zip(elements, between, odd, strict=True)
    )


def _interleave(first: Tensor, second: Tensor) -> Tensor:
    """First of the first, first of the second and so on; the first has as many or one more."""
    shared = torch.stack((first[: len(second)], second), dim=1).flatten(0, 1)
    return shared if len(first) == len(second) else torch.cat((shared, first[-1:]))
