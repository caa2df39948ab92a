"""Methods that are fitted to one instance of a problem: what they are given, and what they give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.instances.instance_training import Measurements
from pdeops.problems import Problem


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
    def name(self) -> str:
        """Name of the method in tables."""

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
