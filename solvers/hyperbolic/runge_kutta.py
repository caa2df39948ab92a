"""Runge-Kutta methods whose steps are averages of Euler steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

Rate = Callable[[Tensor], Tensor]


class StrongStabilityPreserving(ABC):
    """A method that keeps what an Euler step keeps (variation, bounds, positive depth).

    Attributes:
        order: Order of convergence.
        coefficient: Longest step over the longest Euler step that keeps the property.
    """

    order: ClassVar[int]
    coefficient: ClassVar[float]

    @abstractmethod
    def step(
        self, state: Float[Tensor, "batch ..."], time_step: Float[Tensor, "batch ..."], rate: Rate
    ) -> Float[Tensor, "batch ..."]:
        """One step.

        Args:
            state: The state of each sample.
            time_step: Length of the step of each sample, of a shape that broadcasts to the state's.
            rate: Time derivative of a state.

        Returns:
            The state after the step.
        """


class ThreeStages(StrongStabilityPreserving):
    """Third order in three stages.

    References:
        | C.-W. Shu, S. Osher, 1988, Efficient implementation of essentially non-oscillatory shock-capturing
        | schemes, doi:10.1016/0021-9991(88)90177-5
    """

    order: ClassVar[int] = 3
    coefficient: ClassVar[float] = 1.0

    def step(
        self, state: Float[Tensor, "batch ..."], time_step: Float[Tensor, "batch ..."], rate: Rate
    ) -> Float[Tensor, "batch ..."]:
        """One step; see `StrongStabilityPreserving.step`."""
        first = state + time_step * rate(state)
        second = 0.75 * state + 0.25 * (first + time_step * rate(first))
        return state / 3 + 2 / 3 * (second + time_step * rate(second))


class TenStages(StrongStabilityPreserving):
    """Fourth order in ten stages, six times the step of Euler: 0.6 a stage, where `ThreeStages` has 1/3.

    References:
        | D. I. Ketcheson, 2008, Highly efficient strong stability-preserving Runge-Kutta methods with
        | low-storage implementations, doi:10.1137/07070485X, algorithm 3
    """

    order: ClassVar[int] = 4
    coefficient: ClassVar[float] = 6.0

    def step(
        self, state: Float[Tensor, "batch ..."], time_step: Float[Tensor, "batch ..."], rate: Rate
    ) -> Float[Tensor, "batch ..."]:
        """One step; see `StrongStabilityPreserving.step`."""
        sixth = time_step / 6
        first = state
        for _ in range(5):
            first = first + sixth * rate(first)
        second = state / 25 + 9 / 25 * first
        first = 15 * second - 5 * first
        for _ in range(4):
            first = first + sixth * rate(first)
        return second + 0.6 * first + time_step / 10 * rate(first)
