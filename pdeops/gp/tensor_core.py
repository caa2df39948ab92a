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


def pairs(rank: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the upper triangle: where a symmetric matrix is not said twice.

    Second moments are symmetric, and only their upper triangles are multiplied: with K modes that takes 2^K
    times less work and memory.

    Args:
        rank: Size of the matrix.

    Returns:
        Two vectors of rank (rank + 1) / 2 numbers.
    """
    rows, columns = torch.triu_indices(rank, rank)
    return rows, columns


def unfold(rank: int) -> Tensor:
    """Where each place of a symmetric matrix is found among `pairs`, shape (rank, rank)."""
    rows, columns = pairs(rank)
    table = torch.empty(rank, rank, dtype=torch.long)
    table[rows, columns] = table[columns, rows] = torch.arange(len(rows))
    return table


def multiplicity(rank: int) -> Tensor:
    """How often each of `pairs` is found in the whole matrix: 1 on the diagonal, 2 off it."""
    rows, columns = pairs(rank)
    return 1.0 + (rows != columns).double()


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
            The piece, and in each mode the means (some, rank) and the `pairs` of the second moments.
        """
        triangles = [
            second[:, rows, columns]
            for second, (rows, columns) in zip(self.seconds, map(pairs, self._ranks), strict=True)
        ]
        size = max(1, CHUNK // width)
        for start in range(0, len(self.values), size):
            piece = slice(start, start + size)
            rows = [where[piece] for where in self.where]
            means = [mean[row] for mean, row in zip(self.means, rows, strict=True)]
            seconds = [second[row] for second, row in zip(triangles, rows, strict=True)]
            yield piece, means, seconds

    @property
    def _ranks(self) -> list[int]:
        return [mean.shape[1] for mean in self.means]


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
        """Contract E[W x W] with a symmetric matrix a mode, but for one.

        Args:
            seconds: A mode, the `pairs` of the matrix, (entries, rank (rank + 1) / 2).
            skip: Mode that is left open, or None.

        Returns:
            Shape (entries,); or `pairs` times `multiplicity` of the mode left open.
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
        precisions = entries.values.new_zeros(count, rank * (rank + 1) // 2)
        shifts = entries.values.new_zeros(count, rank)
        for piece, means, seconds in entries.chunks(self.width):
            rows = entries.where[mode][piece]
            precisions.index_add_(0, rows, self.second_form(seconds, mode))
            shifts.index_add_(0, rows, entries.values[piece, None] * self.mean_form(means, mode))
        return (precisions / multiplicity(rank).to(precisions))[:, unfold(rank)], shifts


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
        factors = [second for mode, second in enumerate(seconds) if mode != skip]
        weights = multiplicity(self.ranks[0]).to(seconds[0])
        product = math.prod(factors, start=weights.expand_as(seconds[0]))
        return product.sum(dim=1) if skip is None else product

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
        triangles = [rank * (rank + 1) // 2 for rank in self.ranks]
        return math.prod(triangles) // min(triangles)

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
        gram = self.mean.new_zeros(self.second.flatten(0, -2).shape if modes > 1 else (1, len(self.second)))
        moment = torch.zeros_like(self.mean)
        for piece, means, seconds in entries.chunks(self.width):
            gram += _outer(seconds[:-1], seconds[-1]).mT @ seconds[-1]
            moment += entries.values[piece] @ _outer(means, means[-1])
        square = gram.reshape(self.second.shape)
        for mode, rank in enumerate(self.ranks):
            square = square.index_select(mode, unfold(rank).flatten().to(square.device))
        order = [*range(0, 2 * modes, 2), *range(1, 2 * modes, 2)]
        square = square.reshape([rank for rank in self.ranks for _ in range(2)]).permute(order)
        posterior = torch.eye(size).to(square) + precision * square.reshape(size, size)
        root = torch.linalg.cholesky(posterior)
        self.covariance = torch.cholesky_inverse(root)
        self.mean = torch.cholesky_solve((precision * moment)[:, None], root).squeeze(-1)
        self._interleave()
        squares = entries.values.square().sum() - 2 * self.mean @ moment
        return (squares + (self.second.reshape(gram.shape) * gram).sum()).item()

    def balance(self) -> list[Tensor]:
        """Divide each slice by its root mean square, in one mode after the other.

        What is taken out here belongs to the functions. With it the prior of W is met best: of all scalings
        that leave the field alone, the bound has its maximum near this one.

        Returns:
            A mode, the factors that its functions are to be multiplied by, shape (rank,).
        """
        moment = (self.covariance.diagonal() + self.mean.square()).reshape(self.ranks)
        factors = []
        for mode, rank in enumerate(self.ranks):
            size = moment.movedim(mode, 0).reshape(rank, -1).mean(dim=1).sqrt()
            moment = moment / size.square().reshape([-1] + [1] * (len(self.ranks) - mode - 1))
            factors.append(size)
        whole = _outer([size[None] for size in factors], factors[0][None]).squeeze(0)
        self.mean = self.mean / whole
        self.covariance = self.covariance / whole[:, None] / whole
        self._interleave()
        return factors

    def turn(self, mode: int, matrix: Float64[Tensor, "old new"]) -> None:
        """Contract one mode with a matrix; its functions are to be turned by the inverse.

        Args:
            mode: The mode.
            matrix: With fewer columns than rows, the rank falls.
        """
        modes, ranks = len(self.ranks), list(self.ranks)
        tensor = torch.tensordot(self.mean.reshape(ranks), matrix, dims=([mode], [0])).movedim(-1, mode)
        square = self.covariance.reshape(ranks + ranks)
        for axis in (mode, modes + mode):
            square = torch.tensordot(square, matrix, dims=([axis], [0])).movedim(-1, axis)
        self.ranks = tuple(tensor.shape)
        self.mean = tensor.flatten()
        self.covariance = square.reshape(len(self.mean), len(self.mean))
        self._interleave()

    def grow(self, ranks: tuple[int, ...]) -> None:
        """Add slices of which only the prior is known.

        Args:
            ranks: The new ranks, none below the old one.
        """
        size = math.prod(ranks)
        mean = self.mean.new_zeros(ranks)
        square = torch.eye(size).to(self.mean).reshape(ranks + ranks)
        old = tuple(slice(0, rank) for rank in self.ranks)
        mean[old] = self.mean.reshape(self.ranks)
        square[old + old] = self.covariance.reshape(self.ranks + self.ranks)
        self.ranks, self.mean, self.covariance = ranks, mean.flatten(), square.reshape(size, size)
        self._interleave()

    def _interleave(self) -> None:
        """E[W x W], the two indices of each mode side by side, as `pairs` times `multiplicity`."""
        modes = len(self.ranks)
        second = (self.covariance + torch.outer(self.mean, self.mean)).reshape(2 * self.ranks)
        order = [axis for mode in range(modes) for axis in (mode, modes + mode)]
        second = second.permute(order).reshape([rank * rank for rank in self.ranks])
        for mode, rank in enumerate(self.ranks):
            upper, lower = pairs(rank)
            both = [
                (part * rank + other).to(second.device) for part, other in ((upper, lower), (lower, upper))
            ]
            halves = [second.index_select(mode, places) for places in both]
            weights = (multiplicity(rank) / 2).to(second).reshape([-1] + [1] * (modes - mode - 1))
            second = (halves[0] + halves[1]) * weights
        self.second = second


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
