"""What a loader gives and a training step takes."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int64
from torch import Tensor

from pdeops.domains import Domain, Field


class Batch:
    """Inputs and targets of some samples.

    Not a dataclass, because Lightning's precision plugins write into the fields of those.

    Args:
        inputs: Shape (batch, in_channels, *shape): the input frames, time-major (t0c0, t0c1, t1c0, ...), then
            the inputs that do not depend on time.
        targets: Shape (batch, output_frames * channels, *shape), time-major, or None for prediction.
        chosen: Numbers of the points at which each sample's target is used, shape (batch, queries), counted
            over the frames and then the points of the domain; None for all.
    """

    __slots__ = ("chosen", "inputs", "targets")

    def __init__(
        self,
        inputs: Field,
        targets: Field | None = None,
        chosen: Int64[Tensor, "batch queries"] | None = None,
    ) -> None:
        self.inputs = inputs
        self.targets = targets
        self.chosen = chosen

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return self.inputs.batch_size

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on a device."""
        targets = None if self.targets is None else self.targets.to(device, non_blocking=non_blocking)
        chosen = None if self.chosen is None else self.chosen.to(device, non_blocking=non_blocking)
        return type(self)(self.inputs.to(device, non_blocking=non_blocking), targets, chosen)

    def on(self, input_domain: Domain, output_domain: Domain) -> Batch:
        """Return the batch with domains that are the same as its own, but other objects."""
        targets = None if self.targets is None else replace(self.targets, domain=output_domain)
        return type(self)(replace(self.inputs, domain=input_domain), targets, self.chosen)

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory, from which copies to a GPU run in the background."""

        def pin(field: Field) -> Field:
            return replace(field, values=field.values.pin_memory())

        chosen = None if self.chosen is None else self.chosen.pin_memory()
        return type(self)(pin(self.inputs), None if self.targets is None else pin(self.targets), chosen)

    def __repr__(self) -> str:
        targets = None if self.targets is None else tuple(self.targets.values.shape)
        chosen = "" if self.chosen is None else f", chosen={tuple(self.chosen.shape)}"
        return f"Batch(inputs={tuple(self.inputs.values.shape)}, targets={targets}{chosen})"
