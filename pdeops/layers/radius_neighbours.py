"""Which points lie within a radius of which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy
import torch
from jaxtyping import Bool, Float, Int64
from scipy.spatial import cKDTree
from torch import Tensor

# A neighbour nearer to the end of the ball than this hardly counts in a window that vanishes there.
WITHIN = 0.95
# Neighbours that `reach` asks for, by the dimension: about three spacings far. In the corner of a square 8
# are within 2.8 spacings.
TYPICAL = {1: 6, 2: 24, 3: 40}
LEAST = {1: 2, 2: 8, 3: 8}


@dataclass(frozen=True, eq=False)
class Neighbours:
    """A sparse matrix without its values: rows are targets, columns sources, entries sorted by target.

    Args:
        starts: Where the entries of each target start, then the number of entries.
        sources: Source of each entry.
        num_sources: Number of columns.
    """

    # What is kept is made outside of inference mode: a validation may be the first to ask.

    starts: Int64[Tensor, " targets_and_one"]
    sources: Int64[Tensor, " entries"]
    num_sources: int

    @property
    def num_targets(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    @cached_property
    def targets(self) -> Int64[Tensor, " entries"]:
        """Target of each entry."""
        with torch.inference_mode(False):
            numbers = torch.arange(self.num_targets, device=self.starts.device)
            return numbers.repeat_interleave(self.starts.diff())

    @cached_property
    def transposed(self) -> tuple[Neighbours, Int64[Tensor, " entries"]]:
        """The transposed pattern, and which entry of this one each of its entries is."""
        with torch.inference_mode(False):
            order = torch.argsort(self.sources, stable=True)
            counts = torch.bincount(self.sources, minlength=self.num_sources)
            starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
            return Neighbours(starts, self.targets[order], self.num_targets), order

    def repeated(self, times: int) -> Neighbours:
        """This pattern some times over along the diagonal.

        Args:
            times: How often.

        Returns:
            The pattern; kept, for layers ask in every step.
        """
        if times not in self._repeated:
            with torch.inference_mode(False):
                copies = torch.arange(times, device=self.starts.device)[:, None]
                starts = (self.starts[:-1] + copies * len(self.sources)).flatten()
                starts = torch.cat((starts, starts.new_full((1,), times * len(self.sources))))
                sources = (self.sources + copies * self.num_sources).flatten()
                self._repeated[times] = Neighbours(starts, sources, times * self.num_sources)
        return self._repeated[times]

    def of_samples(self, batch: int) -> Neighbours:
        """Give each sample its own sources, where the targets are those of one sample after the other.

        Args:
            batch: Number of samples, each with an equal part of the targets.

        Returns:
            The pattern with ``batch * num_sources`` columns.
        """
        sample = torch.div(self.targets, self.num_targets // batch, rounding_mode="floor")
        return Neighbours(self.starts, self.sources + sample * self.num_sources, batch * self.num_sources)

    @cached_property
    def _repeated(self) -> dict[int, Neighbours]:
        return {}


@torch.compiler.disable
def radius_neighbours(
    targets: Float[Tensor, "targets dimension"],
    sources: Float[Tensor, "sources dimension"],
    radius: float,
    *,
    periods: Sequence[float | None] | None = None,
    counts: Bool[Tensor, " sources"] | None = None,
    may_be_alone: bool = False,
) -> Neighbours:
    """Find the sources within a radius of each target, by a tree of the sources.

    The last few answers are kept by the coordinates themselves, so the search is done once in a training. A
    change of the targets within a derivative does not change who is whose neighbour.

    Args:
        targets: Points around which is looked.
        sources: Points that are looked for.
        radius: Radius of the ball, in the unit of the points.
        periods: Length after which each coordinate repeats, or None; distances are the shorter way round.
        counts: Which sources can be found; by default all. Those of weight zero should not.
        may_be_alone: Whether a target may be without neighbours.

    Returns:
        The pattern, on the device of the targets.

    Raises:
        ValueError: The radius is not positive or more than half a period, or a target has no neighbour.
    """
    periods = (None,) * targets.shape[-1] if periods is None else tuple(periods)
    least = min((period / 2 for period in periods if period is not None), default=float("inf"))
    if not 0 < radius <= least:
        raise ValueError(
            f"radius: expected a positive number of at most {least:g} (half a period), got {radius:g}"
        )
    found = _Found()
    _Search.apply(targets.detach(), sources.detach(), counts, radius, periods, may_be_alone, found)
    return found.neighbours


def reach(points: Float[Tensor, "points dimension"], periods: Sequence[float | None]) -> float:
    """A radius that suits the points: half of them have 6, 24 or 40 others within it in 1, 2 or 3 dimensions.

    It is larger where not every point would have 2, 8 or 8 others.

    Args:
        points: The points.
        periods: See `radius_neighbours`.

    Returns:
        The radius; at most half a period.
    """
    rows = points.detach().cpu().double().numpy()
    tree, wrapped = _tree(rows, tuple(periods))
    others = len(rows) - 1
    typical, least = (min(count[rows.shape[1]], others) for count in (TYPICAL, LEAST))
    distances = tree.query(wrapped, k=[1 + least, 1 + typical])[0]
    radius = 1.1 * max(float(distances[:, 0].max()), float(numpy.median(distances[:, 1])))
    return min([radius, *(period / 2 for period in periods if period is not None)])


class _Found:
    """Where the search leaves its answer, which is no tensor."""

    neighbours: Neighbours


class _Search(torch.autograd.Function):
    """The search as a function, so that inside `torch.func.jvp` it sees numbers."""

    @staticmethod
    def forward(
        targets: Tensor,
        sources: Tensor,
        counts: Tensor | None,
        radius: float,
        periods: tuple[float | None, ...],
        may_be_alone: bool,
        found: _Found,
    ) -> Tensor:
        with torch.inference_mode(False):
            found.neighbours = _search(
                _bytes(targets),
                _bytes(sources),
                None if counts is None else counts.cpu().numpy().tobytes(),
                radius,
                periods,
                may_be_alone,
                targets.device,
            )
        return targets.new_zeros(())

    @staticmethod
    def setup_context(context: object, inputs: tuple[object, ...], output: Tensor) -> None:
        """Nothing to keep."""

    @staticmethod
    def jvp(context: object, *tangents: object) -> None:
        return None


@lru_cache(maxsize=32)
def _search(
    targets: tuple[bytes, tuple[int, ...]],
    sources: tuple[bytes, tuple[int, ...]],
    counts: bytes | None,
    radius: float,
    periods: tuple[float | None, ...],
    may_be_alone: bool,
    device: torch.device,
) -> Neighbours:
    rows, columns = _rows(targets), _rows(sources)
    found = (
        numpy.arange(len(columns)) if counts is None else numpy.flatnonzero(numpy.frombuffer(counts, bool))
    )
    tree, wrapped = _tree(columns[found], periods, rows)
    if not may_be_alone:
        nearest = tree.query(wrapped, distance_upper_bound=numpy.inf)[0].max(initial=0.0)
        if not nearest <= WITHIN * radius:
            raise ValueError(
                f"neighbours: expected a source within the radius {radius:g} of every point, got one whose "
                f"nearest is {nearest:g} away; try a radius of at least {nearest / WITHIN:g}"
            )
    lists = tree.query_ball_point(wrapped, radius, return_sorted=True)
    numbers = numpy.fromiter((len(entry) for entry in lists), dtype=numpy.int64, count=len(lists))
    starts = torch.from_numpy(numpy.concatenate(([0], numbers.cumsum())))
    entries = found[numpy.concatenate([*lists, []]).astype(numpy.int64)]
    return Neighbours(starts.to(device), torch.from_numpy(entries).to(device), len(columns))


def _tree(
    points: numpy.ndarray, periods: tuple[float | None, ...], others: numpy.ndarray | None = None
) -> tuple[cKDTree, numpy.ndarray]:
    """A tree of some points, and others (by default the same) with their coordinates in the periods."""
    # The tree takes 0 for a coordinate without a period, and wants the others from 0 to below the period.
    box = numpy.array([0.0 if period is None else period for period in periods])

    def wrapped(rows: numpy.ndarray) -> numpy.ndarray:
        inside = numpy.where(box > 0, numpy.mod(rows, numpy.where(box > 0, box, 1.0)), rows)
        return numpy.where((box > 0) & (inside >= box), 0.0, inside)

    return cKDTree(wrapped(points), boxsize=box), wrapped(points if others is None else others)


def _bytes(points: Tensor) -> tuple[bytes, tuple[int, ...]]:
    rows = points.cpu().double().numpy()
    return rows.tobytes(), rows.shape


def _rows(points: tuple[bytes, tuple[int, ...]]) -> numpy.ndarray:
    return numpy.frombuffer(points[0]).reshape(points[1])
