"""Between fields and scattered measurements of them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field


@runtime_checkable
class PosteriorOfPoints(Protocol):
    """What has a posterior at any points."""

    def predict(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Means and variances at points, one column a coordinate."""


def scatter(
    field: Field, fraction: float, *, noise_std: float = 0.0, seed: int = 0
) -> tuple[Float64[Tensor, "entries coordinates"], Float64[Tensor, " entries"]]:
    """Measure a field at random points of its domain and times.

    Args:
        field: A field of one sample and one channel.
        fraction: Share of all values that is measured, without repetition; at least one.
        noise_std: Standard deviation of the noise that is added, in the unit of the values.
        seed: Seed of the points and the noise.

    Returns:
        Coordinates (entries, coordinates), the time first where there is one, and values (entries,).

    Raises:
        ValueError: The field has more samples or channels, or the fraction is not in (0, 1].

    Example:
        >>> from pdeops.domains import Grid
        >>> indices, values = scatter(Field(torch.ones(1, 1, 8, 8), Grid.periodic((8, 8)), ("u",)), 0.5)
        >>> tuple(indices.shape)
        (32, 2)
    """
    if field.batch_size != 1 or len(field.channels) != 1:
        raise ValueError(
            f"scatter: expected one sample and one channel, got {field.batch_size} and {field.channels}; "
            "try Field.sample and Field.select"
        )
    if not 0 < fraction <= 1:
        raise ValueError(f"scatter: fraction: expected a number in (0, 1], got {fraction}; try 0.02")
    values = field.values.double().flatten()
    generator = torch.Generator().manual_seed(seed)
    count = max(1, round(fraction * len(values)))
    chosen = torch.randperm(len(values), generator=generator)[:count].to(values.device)
    noise = noise_std * torch.randn(count, generator=generator, dtype=torch.float64)
    return _points(field.domain, field.times).to(values)[chosen], values[chosen] + noise.to(values)


def posterior_field(
    model: PosteriorOfPoints,
    domain: Domain,
    times: Float64[Tensor, " time"] | None = None,
    *,
    channel: str = "u",
    unit: str = "1",
) -> Field:
    """Posterior mean and standard deviation of a fitted model on a domain.

    Args:
        model: The model, of the coordinates of the domain, the time first where there is one.
        domain: Where.
        times: When; None if the time is not among the coordinates.
        channel: Name of the channel.
        unit: Its unit.

    Returns:
        A field of one sample with two channels, the mean and its standard deviation.
    """
    mean, variance = model.predict(_points(domain, times))
    frames = () if times is None else (len(times),)
    stacked = torch.stack(
        [part.reshape(*frames, *domain.shape) for part in (mean, variance.sqrt())], len(frames)
    )
    return Field(stacked[None], domain, (channel, f"{channel}_standard_deviation"), (unit, unit), times)


def _points(domain: Domain, times: Tensor | None) -> Tensor:
    """All points, at all times one after the other, the time in the first column."""
    points = domain.points.double()
    if times is None:
        return points
    repeated = times.double().to(points).repeat_interleave(len(points))[:, None]
    return torch.cat((repeated, points.repeat(len(times), 1)), dim=1)
