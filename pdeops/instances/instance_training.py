"""What a method that is fitted to one instance is given besides the equations: measurements."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Field
from pdeops.instances.scattered_field import scatter


@dataclass(frozen=True, eq=False)
class Measurements:
    """Noisy values of one unknown at scattered points.

    Args:
        points: Coordinates, the time first where there is one.
        values: One a point.
    """

    points: Float64[Tensor, "entries coordinates"]
    values: Float64[Tensor, " entries"]


@dataclass(frozen=True, kw_only=True)
class InstanceTraining:
    """The training of a model on one instance, and what is measured of its solution for models that need it.

    Each unknown is measured at its own random points of the domain and times of the reference solution.

    Args:
        fraction: Share of the reference's values that is measured, without repetition.
        noise: Standard deviation of the noise, relative to the root mean square of the unknown.
        seed: Seed of points and noise.

    Raises:
        ValueError: A number is out of range.

    Good values: Ten or more measurements for each free number of the model; a noise of 0.01.

    Failure mode: Values between the frames and the points of the reference are never measured.
    """

    fraction: float = 0.1
    noise: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value, fits in (
            ("fraction: expected a number in (0, 1]", self.fraction, 0 < self.fraction <= 1),
            ("noise: expected a number of at least 0", self.noise, self.noise >= 0),
        ):
            if not fits:
                raise ValueError(f"InstanceTraining: {name}, got {value}; try 0.1")

    def measure(self, reference: Field) -> dict[str, Measurements]:
        """Measure each channel of a field of one sample.

        Args:
            reference: The field.

        Returns:
            Measurements by channel.
        """
        found = {}
        for number, name in enumerate(reference.channels):
            channel = reference.select(name)
            size = channel.values.double().square().mean().sqrt().item()
            found[name] = Measurements(
                *scatter(channel, self.fraction, noise_std=self.noise * size, seed=self.seed + number)
            )
        return found
