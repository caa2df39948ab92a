"""Pairs of inputs and targets, a whole batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import Dataset

from pdeops.data.array_checks import as_channels, as_frames
from pdeops.data.batch import Batch
from pdeops.data.samples import MemorySamples, SampleLayout, Samples
from pdeops.data.windows import Window
from pdeops.domains import Domain, Field

Array = numpy.ndarray | Tensor


class FieldDataset(Dataset[Batch]):
    """Training pairs of samples: the steady map input -> output, or the time windows of trajectories.

    A loader asks for a batch of indices at once (``__getitems__``) and gets a `Batch`, gathered by one
    vectorised indexing: no Python loop over samples and no collation; see `make_loader`.

    Args:
        samples: The samples.
        window: Time window, or None for a steady problem.
        num_queries: Number of points, drawn once for each pair, at which its target is to be used; None for
            all. One is the set-up of triples (input, point, value).
        seed: Of these points.

    Samples that are not solved give batches without targets, one a sample: they start at time 0.

    Raises:
        ValueError: A window is missing or does not fit the trajectories, or there are fewer points.
    """

    def __init__(
        self,
        samples: Samples,
        window: Window | None = None,
        *,
        num_queries: int | None = None,
        seed: int = 0,
    ) -> None:
        layout = samples.layout
        if (window is None) != (layout.times is None):
            raise ValueError(
                "dataset: expected "
                f"{'a window for trajectories' if window is None else 'no window without times'}, "
                f"got {window}; try {'Window()' if window is None else 'window=None'}"
            )
        self.samples = samples
        self.window = window
        starts = torch.zeros(1, dtype=torch.int64)
        if window is not None and layout.times is not None:
            window.require_fit(layout.times)
            if samples.solved:
                starts = torch.from_numpy(window.first_frames(layout.num_frames))
            elif window.input_frames > 1 or window.first_frame:
                raise ValueError(
                    "dataset: expected a window that starts from the state at time 0, the only one without "
                    f"solutions, got {window}; try input_frames=1 and first_frame=0"
                )
        # Trajectory-major, so that a pass in order reads each trajectory once.
        self._samples = torch.arange(samples.num_samples).repeat_interleave(len(starts))
        self._starts = starts.repeat(samples.num_samples)
        self._input_channels, self._output_channels = _channel_names(layout, window)
        self._chosen = None if num_queries is None else self._choose(num_queries, seed)

    @classmethod
    def from_arrays(
        cls,
        inputs: Array,
        targets: Array,
        domain: Domain,
        *,
        input_channels: Sequence[str] | None = None,
        output_channels: Sequence[str] | None = None,
        output_domain: Domain | None = None,
    ) -> FieldDataset:
        """Build a dataset of pairs from arrays.

        Args:
            inputs: Shape (samples, channels, *domain.shape), or (samples, *domain.shape) for one channel.
            targets: Shape (samples, channels, *output_domain.shape), or without the channels.
            domain: Grid or mesh of the inputs.
            input_channels: Names; ``input_0``, ... by default.
            output_channels: Names; ``output_0``, ... by default.
            output_domain: Grid or mesh of the targets; that of the inputs by default.

        Returns:
            The dataset, float32 in memory.

        Raises:
            ValueError: A shape does not fit; the message names the array and the axis.

        Example:
            >>> import numpy
            >>> from pdeops.domains import Grid
            >>> rng = numpy.random.default_rng(0)
            >>> values = rng.normal(size=(10, 32))
            >>> dataset = FieldDataset.from_arrays(values, values**2, Grid.periodic((32,)))
            >>> dataset[[0, 3]]
            Batch(inputs=(2, 1, 32), targets=(2, 1, 32))
        """
        output_domain = output_domain or domain
        statics = as_channels("inputs", inputs, domain)
        frames = as_channels("targets", targets, output_domain, num_samples=len(statics))
        layout = SampleLayout(
            _names("input", input_channels, statics.shape[1]),
            domain,
            _names("output", output_channels, frames.shape[1]),
            output_domain,
        )
        return cls(MemorySamples(layout, statics, frames.unsqueeze(1)))

    @classmethod
    def from_trajectories(
        cls,
        frames: Array,
        times: Sequence[float],
        domain: Domain,
        window: Window,
        *,
        statics: Array | None = None,
        frame_channels: Sequence[str] | None = None,
        static_channels: Sequence[str] | None = None,
    ) -> FieldDataset:
        """Build a dataset of time windows from arrays.

        Args:
            frames: Shape (samples, times, channels, *domain.shape), or without the channels for one.
            times: Times of the frames.
            domain: Grid or mesh.
            window: Which frames are input and which are target.
            statics: Inputs that do not depend on time, shape (samples, channels, *domain.shape).
            frame_channels: Names; ``output_0``, ... by default.
            static_channels: Names; ``input_0``, ... by default.

        Returns:
            The dataset, float32 in memory.

        Raises:
            ValueError: A shape does not fit; the message names the array and the axis.
        """
        values = as_frames("frames", frames, len(times), domain)
        fixed = None if statics is None else as_channels("statics", statics, domain, num_samples=len(values))
        layout = SampleLayout(
            () if fixed is None else _names("input", static_channels, fixed.shape[1]),
            None if fixed is None else domain,
            _names("output", frame_channels, values.shape[2]),
            domain,
            tuple(float(time) for time in times),
        )
        return cls(MemorySamples(layout, fixed, values), window)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int | Sequence[int]) -> Batch:
        return self.__getitems__([index] if isinstance(index, int) else list(index))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the pairs of some indices as one batch."""
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        samples, starts = self._samples[chosen], self._starts[chosen]
        statics = self.samples.statics(samples)
        layout, window = self.samples.layout, self.window
        if window is None:
            if statics is None or layout.static_domain is None:
                raise ValueError("dataset: expected inputs for a steady problem, got none")
            wanted = starts[:, None][:, : int(self.samples.solved)]
            targets = self.samples.frames(samples, wanted).flatten(1, 2)
            inputs, domain = statics, layout.static_domain
        else:
            later = window.output_offsets if self.samples.solved else window.output_offsets[:0]
            offsets = torch.from_numpy(numpy.concatenate([window.input_offsets, later]))
            frames = self.samples.frames(samples, starts[:, None] + offsets)
            history = frames[:, : window.input_frames].flatten(1, 2)
            targets = frames[:, window.input_frames :].flatten(1, 2)
            inputs = history if statics is None else torch.cat([history, statics], dim=1)
            if not inputs.shape[1]:
                raise ValueError("dataset: expected static inputs without input frames; try input_frames=1")
            domain = layout.frame_domain
        return Batch(
            Field(inputs, domain, self._input_channels),
            Field(targets, layout.frame_domain, self._output_channels) if self.samples.solved else None,
            None if self._chosen is None else self._chosen[chosen],
        )

    def _choose(self, num_queries: int, seed: int) -> Int64[Tensor, "pairs queries"]:
        """Points of each pair, none twice."""
        frames = 1 if self.window is None else self.window.output_frames
        num_points = frames * self.samples.layout.frame_domain.num_points
        if not 1 <= num_queries <= num_points:
            raise ValueError(
                f"dataset: num_queries: expected 1 to {num_points}, the points of a target, got {num_queries}"
            )
        generator = numpy.random.default_rng(seed)
        rows = [generator.choice(num_points, num_queries, replace=False) for _ in range(len(self))]
        return torch.from_numpy(numpy.array(rows, dtype=numpy.int64).reshape(-1, num_queries))

    @property
    def input_domain(self) -> Domain:
        """Where the inputs live."""
        layout = self.samples.layout
        return layout.frame_domain if self.window or layout.static_domain is None else layout.static_domain

    @property
    def output_domain(self) -> Domain:
        """Where the targets live."""
        return self.samples.layout.frame_domain

    @property
    def input_channels(self) -> tuple[str, ...]:
        """Names of the input channels."""
        return self._input_channels

    @property
    def output_channels(self) -> tuple[str, ...]:
        """Names of the target channels."""
        return self._output_channels


def _channel_names(layout: SampleLayout, window: Window | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Input and output names: ``name`` for one frame, ``name[-1], name[0]``, ``name[1], ...`` for several."""
    if window is None:
        return layout.static_channels, layout.frame_channels

    def numbered(numbers: range) -> tuple[str, ...]:
        if len(numbers) == 1:
            return layout.frame_channels
        return tuple(f"{name}[{number}]" for number in numbers for name in layout.frame_channels)

    history = numbered(range(1 - window.input_frames, 1))
    return history + layout.static_channels, numbered(range(1, window.output_frames + 1))


def _names(prefix: str, given: Sequence[str] | None, count: int) -> tuple[str, ...]:
    names = tuple(f"{prefix}_{number}" for number in range(count)) if given is None else tuple(given)
    if len(names) != count:
        raise ValueError(f"dataset: expected {count} names of {prefix} channels, got {names}")
    return names
