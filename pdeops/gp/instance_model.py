"""Methods that are fitted to one instance of a problem: what they are given, and what they give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.gp.scattered_field import scatter
from pdeops.problems import Problem


@dataclass(frozen=True, eq=False)
class Measurements:
    """Noisy values of one unknown at scattered points.

    Args:
        points: Coordinates, the time first where there is one.
        values: One a point.
    """

    points: Float64[Tensor, "entries coordinates"]
    values: Float64[Tensor, " entries"]


@dataclass(frozen=True, eq=False)
class InstanceFit:
    """What a method knows of the solution of one instance.

    Args:
        mean: Posterior mean of the outputs, one sample.
        deviation: Posterior standard deviation on the same domain and times; None if the method has none.
        num_parameters: Number of free numbers that were found.
        log_evidence: Logarithm of the evidence of the data, or its lower bound; None if there is none.
        message: How the fit ended, in words.
    """

    mean: Field
    deviation: Field | None
    num_parameters: int
    log_evidence: float | None
    message: str


@runtime_checkable
class InstanceModel(Protocol):
    """A method that is fitted to one instance: from its equations, or from measurements of its solution."""

    @property
    def from_measurements(self) -> bool:
        """Whether it learns from measurements; if not, from the equations and the inputs."""

    @property
    def shows_progress(self) -> bool:
        """Whether `fit` shows a progress bar of its own on a terminal."""

    def misfit(self, problem: Problem, domain: Domain) -> str | None:
        """Why it cannot work for a problem on a domain, or None."""

    def fit(
        self,
        problem: Problem,
        inputs: Mapping[str, Field],
        domain: Domain,
        times: Float64[Tensor, " time"] | None,
        measurements: Mapping[str, Measurements],
    ) -> InstanceFit:
        """Find the solution of one instance.

        Args:
            problem: Equations, parameters and conditions.
            inputs: Input fields by name, one sample.
            domain: Where the solution is wanted.
            times: When; None for a steady problem.
            measurements: By name of the unknown; empty for methods that learn from the equations.

        Returns:
            The solution, with its uncertainty where that is known.
        """


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
