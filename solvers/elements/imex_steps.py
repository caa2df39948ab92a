"""Implicit-explicit Runge-Kutta steps for finite element systems."""

from __future__ import annotations

import math

import numpy

from solvers.elements.element_space import Array
from solvers.elements.evolution_elements import EvolutionElements
from solvers.elements.sparse_system import SparseSystem

GAMMA = 1 - 1 / math.sqrt(2)
DELTA = 1 - 1 / (2 * GAMMA)


class ImexSteps:
    r"""Steps of ARS(2,2,2): order two, the linear part L-stable, both stages with one matrix.

    .. math::

        (M - \gamma h L) U_1 &= M u + \gamma h N(u) \\
        (M - \gamma h L) u' &= M u + (1 - \gamma) h L U_1 + \delta h N(u) + (1 - \delta) h N(U_1)

    with :math:`\gamma = 1 - 1/\sqrt 2`, :math:`\delta = 1 - 1/(2\gamma)`. Values on Dirichlet parts stay.

    Args:
        elements: The system.
        time_step: Length h of a step.

    References:
        | U. M. Ascher, S. J. Ruuth, R. J. Spiteri, 1997, Implicit-explicit Runge-Kutta methods for
        | time-dependent partial differential equations, doi:10.1016/S0168-9274(97)00056-1
    """

    def __init__(self, elements: EvolutionElements, time_step: float) -> None:
        self.elements = elements
        self.time_step = time_step
        self.system = SparseSystem(
            elements.mass - GAMMA * time_step * elements.linear,
            elements.boundary.fixed,
            structure="definite" if elements.is_symmetric else "indefinite",
        )

    def step(self, state: Array, time: float, samples: Array) -> Array:
        """One step.

        Args:
            state: Columns of coefficients.
            time: Time of the state.
            samples: Numbers of the samples that the columns belong to.

        Returns:
            The state one step later.
        """
        elements, h, given = self.elements, self.time_step, self.elements.boundary.values
        start = elements.mass @ state
        first = elements.nonlinear(state, time, samples)
        middle = self.system.solve_many(start + GAMMA * h * first, given)
        second = elements.nonlinear(middle, time + GAMMA * h, samples)
        load = start + h * ((1 - GAMMA) * (elements.linear @ middle) + DELTA * first + (1 - DELTA) * second)
        return self.system.solve_many(load, given)

    def march(self, state: Array, time: float, samples: Array, num_steps: int) -> tuple[Array, int]:
        """Several steps, up to the first that makes values that are not finite.

        Args:
            state: Columns of coefficients.
            time: Time of the state.
            samples: Numbers of the samples.
            num_steps: Number of steps.

        Returns:
            The state, and the number of steps after which all of it was finite.
        """
        # Overflow is found by the check, which names the step.
        with numpy.errstate(all="ignore"):
            for count in range(num_steps):
                state = self.step(state, time + count * self.time_step, samples)
                if not numpy.isfinite(state).all():
                    return state, count
        return state, num_steps
