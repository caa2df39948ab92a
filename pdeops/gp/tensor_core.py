"""How the values of latent functions are joined into one: a full core (Tucker) or none (CP)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

CHUNK = 2**22
"""Most numbers in a tensor of a chunk of entries."""

Moments = Sequence[Tensor]


@dataclass(frozen=True)
class Entries:
    """What a core needs to know of the data: values, and the factors' moments at each entry.

    Args:
        values: Shape (entries,).
        where: A mode, the row of each entry in the two tables below, shape (entries,).
        means: A mode, posterior means (points, rank).
        seconds: A mode, posterior second moments (points, rank, rank).
    """

    values: Float64[Tensor, " entries"]
    where: Sequence[Tensor]
    means: Moments
    seconds: Moments

    def chunks(self, width: int) -> Iterator[tuple[slice, list[Tensor], list[Tensor]]]:
        """Go through the entries in pieces, so that memory does not grow with their number.

        Args:
            width: Numbers that are held for an entry.

        Yields:
            The piece, and in each mode the means (some, rank) and flat second moments (some, rank^2).
        """
        size = max(1, CHUNK // width)
        for start in range(0, len(self.values), size):
            piece = slice(start, start + size)
            rows = [where[piece] for where in self.where]
            means = [mean[row] for mean, row in zip(self.means, rows, strict=True)]
            seconds = [second[row].flatten(1) for second, row in zip(self.seconds, rows, strict=True)]
            yield piece, means, seconds


class TensorCore(ABC):
    """The multilinear form f = <W, u^1 x ... x u^K> and what is known of W."""

    ranks: tuple[int, ...]

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers that the work on one entry takes."""

    @abstractmethod
    def mean_form(self, vectors: Moments, skip: int | None = None) -> Tensor:
        """Contract E[W] with a vector a mode, but for one.

        Args:
            vectors: A mode, (entries, rank).
            skip: Mode that is left open, or None.

        Returns:
            Shape (entries, rank of the mode left open), or (entries,).
        """

    @abstractmethod
    def second_form(self, seconds: Moments, skip: int | None = None) -> Tensor:
        """Contract E[W x W] with a flat matrix a mode, but for one.

        Args:
            seconds: A mode, (entries, rank^2).
            skip: Mode that is left open, or None.

        Returns:
            Shape (entries, rank^2 of the mode left open), or (entries,).
        """

    @abstractmethod
    def update(self, entries: Entries, precision: float) -> float:
        """Take the best posterior of W given all others.

        Args:
            entries: The data.
            precision: Expected precision of the noise.

        Returns:
            Expected sum of squares of what is left, E sum (y - f)^2, after it.
        """

    @property
    @abstractmethod
    def divergence(self) -> float:
        """Kullback-Leibler divergence of the posterior of W from its prior."""

    def messages(self, entries: Entries, mode: int) -> tuple[Tensor, Tensor]:
        """Sum what the data say of one mode's functions over the entries of each point, for noise 1.

        Args:
            entries: The data.
            mode: The mode.

        Returns:
            Precisions (points, rank, rank) and shifts (points, rank).
        """
        rank, count = self.ranks[mode], len(entries.means[mode])
        precisions = entries.values.new_zeros(count, rank * rank)
        shifts = entries.values.new_zeros(count, rank)
        for piece, means, seconds in entries.chunks(self.width):
            rows = entries.where[mode][piece]
            precisions.index_add_(0, rows, self.second_form(seconds, mode))
            shifts.index_add_(0, rows, entries.values[piece, None] * self.mean_form(means, mode))
        precisions = precisions.unflatten(1, (rank, rank))
        return (precisions + precisions.mT) / 2, shifts


class CanonicalCore(TensorCore):
    """CP: f = sum_r prod_k u^k_r, nothing to learn.

    Args:
        ranks: Ranks of the modes, all the same.

    Raises:
        ValueError: They differ.
    """

    divergence = 0.0

    def __init__(self, ranks: tuple[int, ...]) -> None:
        if len(set(ranks)) != 1:
            raise ValueError(
                f"CanonicalCore: expected one rank for all modes, got {ranks}; try core='tucker'"
            )
        self.ranks = ranks

    @property
    def width(self) -> int:
        """Numbers that the work on one entry takes."""
        return self.ranks[0] ** 2

    def mean_form(self, vectors: Moments, skip: int | None = None) -> Tensor:
        """See `TensorCore.mean_form`."""
        factors = [vector for mode, vector in enumerate(vectors) if mode != skip]
        product = math.prod(factors[1:], start=factors[0]) if factors else torch.ones_like(vectors[0])
        return product.sum(dim=1) if skip is None else product

    def second_form(self, seconds: Moments, skip: int | None = None) -> Tensor:
        """See `TensorCore.second_form`."""
        return self.mean_form(seconds, skip)

    def update(self, entries: Entries, precision: float) -> float:
        """See `TensorCore.update`."""
        total = 0.0
        for piece, means, seconds in entries.chunks(self.width):
            values = entries.values[piece]
            misfit = values.square() - 2 * values * self.mean_form(means) + self.second_form(seconds)
            total += misfit.sum().item()
        return total


class TuckerCore(TensorCore):
    """Tucker: f = sum W_ab.. u^1_a u^2_b .., with independent standard normal W before the data.

    The covariance of W, of size prod rank_k^2, is the only thing of that size: entries add to it in chunks.

    Args:
        ranks: Ranks of the modes.
        like: A tensor of the wanted device.
        generator: Source of the first mean, drawn from the prior.
    """

    def __init__(self, ranks: tuple[int, ...], like: Tensor, generator: torch.Generator) -> None:
        self.ranks = ranks
        size = math.prod(ranks)
        self.mean = torch.randn(size, generator=generator, dtype=torch.float64).to(like)
        self.covariance = torch.zeros(size, size).to(like)
        self._interleave()

    @property
    def width(self) -> int:
        """Numbers that the work on one entry takes."""
        return math.prod(self.ranks) ** 2 // min(self.ranks) ** 2

    @property
    def divergence(self) -> float:
        """Kullback-Leibler divergence of the posterior of W from its prior."""
        trace = self.covariance.trace() + self.mean.square().sum() - len(self.mean)
        return ((trace - torch.linalg.slogdet(self.covariance).logabsdet) / 2).item()

    def mean_form(self, vectors: Moments, skip: int | None = None) -> Tensor:
        """See `TensorCore.mean_form`."""
        return _contract(self.mean.reshape(self.ranks), vectors, skip)

    def second_form(self, seconds: Moments, skip: int | None = None) -> Tensor:
        """See `TensorCore.second_form`."""
        return _contract(self.second, seconds, skip)

    def update(self, entries: Entries, precision: float) -> float:
        """See `TensorCore.update`."""
        size, modes = len(self.mean), len(self.ranks)
        gram = self.mean.new_zeros(self.second.flatten(0, -2).shape if modes > 1 else (1, size * size))
        moment = torch.zeros_like(self.mean)
        for piece, means, seconds in entries.chunks(self.width):
            gram += _outer(seconds[:-1], seconds[-1]).mT @ seconds[-1]
            moment += entries.values[piece] @ _outer(means, means[-1])
        pairs = [rank for rank in self.ranks for _ in range(2)]
        order = [*range(0, 2 * modes, 2), *range(1, 2 * modes, 2)]
        square = gram.reshape(pairs).permute(order).reshape(size, size)
        posterior = torch.eye(size).to(square) + precision * (square + square.mT) / 2
        root = torch.linalg.cholesky(posterior)
        self.covariance = torch.cholesky_inverse(root)
        self.mean = torch.cholesky_solve((precision * moment)[:, None], root).squeeze(-1)
        self._interleave()
        squares = entries.values.square().sum() - 2 * self.mean @ moment
        return (squares + (self.second.reshape(gram.shape) * gram).sum()).item()

    def _interleave(self) -> None:
        """E[W x W] with the two indices of each mode side by side and joined."""
        modes = len(self.ranks)
        second = (self.covariance + torch.outer(self.mean, self.mean)).reshape(2 * self.ranks)
        order = [axis for mode in range(modes) for axis in (mode, modes + mode)]
        self.second = second.permute(order).reshape([rank * rank for rank in self.ranks])


def _contract(core: Tensor, vectors: Moments, skip: int | None) -> Tensor:
    """A form of many arguments with a batch of vectors in all places but one."""
    modes = [mode for mode in range(core.ndim) if mode != skip]
    left = core.permute(modes + ([] if skip is None else [skip])).reshape(1, -1)
    for mode in modes:
        vector = vectors[mode]
        rows = left.reshape(len(left), vector.shape[1], -1)
        # The first one is a product of matrices: the core is the same for all entries.
        left = vector @ rows[0] if len(rows) == 1 else torch.einsum("np,npq->nq", vector, rows)
    if not modes:
        left = left.expand(len(vectors[0]), -1)
    return left.squeeze(1) if skip is None else left


def _outer(vectors: Moments, like: Tensor) -> Tensor:
    """Products of the entries of one vector a mode, the last mode running fastest; ones of no vectors."""
    product = torch.ones_like(like[:, :1])
    for vector in vectors:
        product = (product[:, :, None] * vector[:, None, :]).flatten(1)
    return product
