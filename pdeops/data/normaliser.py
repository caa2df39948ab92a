"""Affine normalisation of channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


def full_precision(values: Tensor) -> Tensor:
    """Return values of half precision in float32, and others as they are.

    Args:
        values: Real numbers of any precision.

    Returns:
        The same numbers in float32 or float64.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))


class ChannelStatistics:
    """Mean and deviation of each channel over batches that arrive one by one, in float64.

    Source: Chan, Golub and LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = self._largest = torch.zeros((), dtype=torch.float64)

    def update(self, values: Float[Tensor, "batch channels *shape"]) -> None:
        """Add a batch."""
        rows = values.detach().double().movedim(1, 0).flatten(start_dim=1)
        new = rows.shape[1]
        if new == 0:
            return
        mean = rows.mean(dim=1)
        shift = mean - self._mean
        total = self._count + new
        squares = (rows - mean[:, None]).square().sum(dim=1)
        self._squares = self._squares + squares + shift.square() * (self._count * new / total)
        self._mean = self._mean + shift * (new / total)
        self._largest = torch.maximum(self._largest, rows.abs().amax(dim=1))
        self._count = total

    def result(self) -> tuple[Float[Tensor, " channels"], Float[Tensor, " channels"]]:
        """Return mean and deviation; a channel that never varies gets deviation 1.

        Raises:
            ValueError: There was no value.
        """
        if self._count == 0:
            raise ValueError("normaliser: expected data to fit, got none; try a larger training split")
        deviation = (self._squares / self._count).sqrt()
        # Rounding leaves a constant channel with a deviation near 1e-8 of its size; dividing by it is noise.
        varies = deviation > 1e-7 * self._largest
        return self._mean, torch.where(varies, deviation, torch.ones_like(deviation))


class Normaliser(nn.Module):
    r"""Per-channel affine map :math:`z_c = (u_c - \mu_c) / \sigma_c` and its inverse.

    One mean and one deviation a channel, over all samples and points: it does not depend on the grid, so it
    carries over to other resolutions, which pointwise statistics do not. Both are buffers: they move with the
    model and are saved with it.

    Args:
        mean: :math:`\mu_c`, shape (channels,), in the unit of the channel.
        deviation: :math:`\sigma_c > 0`, same shape and unit.

    Raises:
        ValueError: The shapes differ, or a deviation is not positive and finite.

    The map is computed in float32 at least and gives float32 for values of half precision, to which neither
    the statistics nor physical values are ever rounded: a mean of 300 would be known to 1 only.

    Good values: Statistics of the training split, from `ChannelStatistics`.
    Failure mode: Heavy-tailed channels (a permeability over several decades) stay heavy-tailed; give the
        model their logarithm instead.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Float[Tensor, " channels"], deviation: Float[Tensor, " channels"]) -> None:
        super().__init__()
        if mean.shape != deviation.shape or not bool(((deviation > 0) & deviation.isfinite()).all()):
            raise ValueError(
                f"normaliser: expected as many positive deviations as means, got {mean.tolist()} and "
                f"{deviation.tolist()}; try ChannelStatistics of finite data"
            )
        self.register_buffer("mean", mean.detach().clone().float())
        self.register_buffer("deviation", deviation.detach().clone().float())

    @classmethod
    def identity(cls, num_channels: int) -> Normaliser:
        """Return the normaliser that changes nothing."""
        return cls(torch.zeros(num_channels), torch.ones(num_channels))

    def repeat(self, frames: int) -> Normaliser:
        """Return the normaliser of ``frames`` frames of the same channels, time-major."""
        return Normaliser(self.mean.repeat(frames), self.deviation.repeat(frames))

    def first(self, num_channels: int) -> Normaliser:
        """Return the normaliser of the first channels: those of one frame, where frames repeat."""
        return Normaliser(self.mean[:num_channels], self.deviation[:num_channels])

    def concatenate(self, other: Normaliser) -> Normaliser:
        """Return the normaliser of these channels followed by those of another one."""
        return Normaliser(torch.cat([self.mean, other.mean]), torch.cat([self.deviation, other.deviation]))

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return len(self.mean)

    def forward(
        self, values: Float[Tensor, "batch channels *shape"]
    ) -> Float[Tensor, "batch channels *shape"]:
        """Normalise.

        Args:
            values: Physical values.

        Returns:
            Values without unit.
        """
        values = full_precision(values)
        mean, deviation = self._broadcast(values)
        return (values - mean) / deviation

    def inverse(
        self, values: Float[Tensor, "batch channels *shape"]
    ) -> Float[Tensor, "batch channels *shape"]:
        """Undo `forward`.

        Args:
            values: Values without unit.

        Returns:
            Physical values.
        """
        values = full_precision(values)
        mean, deviation = self._broadcast(values)
        return values * deviation + mean

    def _broadcast(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if values.shape[1] != self.num_channels:
            raise ValueError(
                f"normaliser: expected {self.num_channels} channels, got values of shape "
                f"{tuple(values.shape)}"
            )
        shape = (-1, *(1,) * (values.ndim - 2))
        return self.mean.to(values).reshape(shape), self.deviation.to(values).reshape(shape)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Normaliser:
        # PyTorch's hook of .to() and .half(): a model in half precision keeps its statistics in full.
        before = {"mean": self.mean, "deviation": self.deviation}
        super()._apply(fn, recurse)
        for name, buffer in before.items():
            moved = getattr(self, name)
            if torch.finfo(moved.dtype).bits < 32:
                setattr(self, name, buffer.to(moved.device))
        return self

    def extra_repr(self) -> str:
        """Numbers shown by ``print``."""
        return f"mean={self.mean.tolist()}, deviation={self.deviation.tolist()}"
