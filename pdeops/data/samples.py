"""Where a dataset takes its numbers from: tensors in memory, or a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pdeops.data.restriction import restrict
from pdeops.data.schema import FieldLayout
from pdeops.data.store import Store
from pdeops.domains import Domain, Field, Grid


@dataclass(frozen=True, eq=False)
class SampleLayout:
    """What samples consist of: static channels, and frames of the outputs.

    Args:
        static_channels: Channels of the inputs that do not depend on time.
        static_domain: Where they live; None if there are none.
        frame_channels: Channels of the outputs.
        frame_domain: Where they live.
        times: Times of the frames, or None for a steady problem, which has one frame.
    """

    static_channels: tuple[str, ...]
    static_domain: Domain | None
    frame_channels: tuple[str, ...]
    frame_domain: Domain
    times: tuple[float, ...] | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames of a sample."""
        return 1 if self.times is None else len(self.times)


class Samples(ABC):
    """A number of samples of one layout, read by sample number.

    Attributes:
        layout: What a sample consists of.
        num_samples: Number of samples.
        solved: Whether the frames are there; if not, then no more than those of the inputs are.
    """

    layout: SampleLayout
    num_samples: int
    solved: bool = True

    @abstractmethod
    def statics(self, samples: Int64[Tensor, " batch"]) -> Float[Tensor, "batch channels *shape"] | None:
        """Return the static inputs of some samples, or None if there are none."""

    @abstractmethod
    def frames(
        self, samples: Int64[Tensor, " batch"], frames: Int64[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames channels *shape"]:
        """Return some frames of each of some samples."""


class MemorySamples(Samples):
    """Samples held as float32 tensors; reading is one gather.

    Args:
        layout: What a sample consists of.
        statics: Shape (samples, channels, *shape), or None.
        frames: Shape (samples, frames, channels, *shape).
        solved: Whether these are all frames of the layout, or only the state at time 0.
    """

    def __init__(
        self, layout: SampleLayout, statics: Tensor | None, frames: Tensor, *, solved: bool = True
    ) -> None:
        self.layout = layout
        self.solved = solved
        self.num_samples = len(frames)
        self._statics = None if statics is None else statics.float().contiguous()
        self._frames = frames.float().contiguous()

    def statics(self, samples: Int64[Tensor, " batch"]) -> Float[Tensor, "batch channels *shape"] | None:
        """See `Samples`."""
        return None if self._statics is None else self._statics.index_select(0, samples)

    def frames(
        self, samples: Int64[Tensor, " batch"], frames: Int64[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames channels *shape"]:
        """See `Samples`."""
        # One index over (sample, frame) pairs: index_select copies whole frames, several times faster than
        # indexing by two tensors.
        flat = self._frames.flatten(0, 1)
        rows = samples[:, None] * self._frames.shape[1] + frames
        return flat.index_select(0, rows.flatten()).unflatten(0, (len(samples), frames.shape[1]))


class StoreSamples(Samples):
    """Some samples of a file, read when asked for; each is one chunk and one read.

    The state at time 0 becomes frame 0 of the trajectory when the stored frames start later; the inputs that
    are not that state are static.

    Args:
        store: The file.
        samples: Sample numbers in it.
        domain: Coarser grid for all fields, see `restrict`; as stored by default.
    """

    def __init__(
        self, store: Store, samples: Sequence[int] | numpy.ndarray, domain: Grid | None = None
    ) -> None:
        self.store = store
        self.domain = domain
        self._samples = torch.as_tensor(numpy.asarray(samples, dtype=numpy.int64))
        self.num_samples = len(self._samples)
        outputs = store.layouts["outputs"]
        initial = store.metadata.initial_inputs
        self._statics = tuple(name for name in store.input_names if name not in initial)
        self._initial = initial if outputs.times is not None and outputs.times[0] > 0 else ()
        self.layout = self._layout(outputs)

    def _layout(self, outputs: FieldLayout) -> SampleLayout:
        statics = [self.store.layouts[f"inputs/{name}"] for name in self._statics]
        domains = {layout.domain for layout in statics}
        frame_domain = self.domain or outputs.domain
        if outputs.times is not None and statics:
            domains.add(outputs.domain)
        if len(domains) > 1:
            shapes = {name: self.store.layouts[f"inputs/{name}"].domain.shape for name in self._statics}
            raise ValueError(
                f"{self.store.path}: expected inputs {shapes} on one grid (that of the frames "
                f"{outputs.domain.shape}, "
                "if there are frames) to stack them as channels, got several; try storing them on one grid"
            )
        static_domain = (self.domain or statics[0].domain) if statics else None
        if not statics and outputs.times is None:
            raise ValueError(f"{self.store.path}: expected at least one input of a steady problem, got none")
        times = outputs.times if not self._initial or outputs.times is None else (0.0, *outputs.times)
        channels = tuple(channel for layout in statics for channel in layout.channels)
        return SampleLayout(channels, static_domain, outputs.channels, frame_domain, times)

    def statics(self, samples: Int64[Tensor, " batch"]) -> Float[Tensor, "batch channels *shape"] | None:
        """See `Samples`."""
        return self._stacked(self._statics, self._samples[samples]) if self._statics else None

    def frames(
        self, samples: Int64[Tensor, " batch"], frames: Int64[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames channels *shape"]:
        """See `Samples`."""
        unique, inverse = torch.unique(self._samples[samples], return_inverse=True)
        return self._trajectories(unique)[inverse[:, None], frames]

    def in_memory(self) -> MemorySamples:
        """Read all of them into memory."""
        everything = torch.arange(self.num_samples)
        return MemorySamples(self.layout, self.statics(everything), self._trajectories(self._samples))

    def _trajectories(self, samples: Tensor) -> Tensor:
        """All frames, shape (samples, frames, channels, *shape)."""
        field = self.store.read_outputs(samples.numpy())
        values = self._restricted(field)
        if field.times is None:
            return values.unsqueeze(1)
        if self._initial:
            initial = self._stacked(self._initial, samples)
            values = torch.cat([initial.unsqueeze(1), values], dim=1)
        return values

    def _stacked(self, names: tuple[str, ...], samples: Tensor) -> Tensor:
        fields = (
            self.store.layouts[f"inputs/{name}"].field(self.store.read(f"inputs/{name}", samples.numpy()))
            for name in names
        )
        return torch.cat([self._restricted(field) for field in fields], dim=1)

    def _restricted(self, field: Field) -> Tensor:
        return (field if self.domain is None else restrict(field, self.domain)).values.float()
