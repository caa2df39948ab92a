"""Taylor polynomials in several variables: derivatives of a network in one pass forward."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

Index = tuple[int, ...]


class TaylorAlgebra:
    r"""Polynomials :math:`\sum_\alpha c_\alpha\,h^\alpha`, truncated to the indices that are asked for.

    Around a point y the coefficients of a function f are :math:`c_\alpha = \partial^\alpha f(y) / \alpha!`.
    Sums and linear maps act on each coefficient, products are convolutions, and a function of one variable is
    composed by its own Taylor series. What a derivative needs below it is computed once for all of them.

    A polynomial is one tensor whose first dimension runs over `indices`.

    Args:
        orders: Orders of the derivatives wanted, one number a variable.

    Raises:
        ValueError: There is none, they differ in length, or one is negative.

    Source: Griewank and Walther (2008), Evaluating Derivatives, doi:10.1137/1.9780898717761, chapter 13.

    Example:
        >>> TaylorAlgebra([(2, 0), (0, 1)]).indices
        [(0, 0), (0, 1), (1, 0), (2, 0)]
    """

    def __init__(self, orders: Iterable[Index]) -> None:
        wanted = [tuple(order) for order in orders]
        if not wanted or len(set(map(len, wanted))) != 1 or any(min(order) < 0 for order in wanted):
            raise ValueError(
                f"orders: expected one or more derivatives with one order a coordinate, got {wanted}; "
                "try [(0, 0), (2, 0)]"
            )
        below = {index for order in wanted for index in product(*(range(count + 1) for count in order))}
        self.indices = sorted(below, key=lambda index: (sum(index), index))
        self.degree = max(map(sum, self.indices))
        self.position = {index: number for number, index in enumerate(self.indices)}
        self._factors = [
            [
                (self.position[left], self.position[tuple(a - b for a, b in zip(index, left, strict=True))])
                for left in self.indices
                if all(a >= b for a, b in zip(index, left, strict=True))
            ]
            for index in self.indices
        ]

    def derivative(
        self, polynomial: Float[Tensor, "indices *shape"], order: Index
    ) -> Float[Tensor, "*shape"]:
        """Return a derivative from its coefficient: the coefficient times the factorials."""
        return polynomial[self.position[tuple(order)]] * math.prod(map(math.factorial, order))

    def multiply(
        self, left: Float[Tensor, "indices *left"], right: Float[Tensor, "indices *right"]
    ) -> Float[Tensor, "indices *shape"]:
        """Multiply two polynomials; the shapes behind the first dimension broadcast."""
        first, second = left.unbind(), right.unbind()
        return torch.stack([_sum([first[i] * second[j] for i, j in pairs]) for pairs in self._factors])

    def compose(
        self, derivatives: Sequence[Float[Tensor, "*shape"]], polynomial: Float[Tensor, "indices *shape"]
    ) -> Float[Tensor, "indices *shape"]:
        """Apply a function of one variable.

        Args:
            derivatives: The function and its derivatives up to `degree` at the polynomial's constant.
            polynomial: What it is applied to.

        Returns:
            The polynomial of the composition.
        """
        # f(c + d) = sum_k f^(k)(c) d^k / k!, where d has no constant: d^k begins at degree k.
        change = dict(enumerate(polynomial.unbind()))
        del change[0]
        terms: list[list[Tensor]] = [[] for _ in self.indices]
        power = change
        for k in range(1, self.degree + 1):
            scaled = derivatives[k] / math.factorial(k) if k > 1 else derivatives[k]
            for number, value in power.items():
                terms[number].append(scaled * value)
            if k < self.degree:
                power = self._multiply_sparse(power, change)
        return torch.stack([derivatives[0], *map(_sum, terms[1:])])

    def _multiply_sparse(self, left: dict[int, Tensor], right: dict[int, Tensor]) -> dict[int, Tensor]:
        result = {}
        for number, pairs in enumerate(self._factors):
            parts = [left[i] * right[j] for i, j in pairs if i in left and j in right]
            if parts:
                result[number] = _sum(parts)
        return result


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return sum(parts[1:], parts[0])
