"""A pendulum that is pushed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, cos, pi, sin

from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.ordinary import OrdinaryProblem
from pdeops.problems.parameter import parameter
from pdeops.problems.variable import Variable


@dataclass(frozen=True, kw_only=True)
class Pendulum(OrdinaryProblem):
    r"""A pendulum under a torque, from rest; x is the time.

    .. math:: s_1' = s_2, \qquad s_2' = -k \sin s_1 + u(x), \qquad s_1(0) = s_2(0) = 0

    Maps the torque u to the angle :math:`s_1` and its velocity :math:`s_2`; see `OrdinaryProblem`.

    Args:
        restoring_rate: Rate :math:`k > 0`: gravity over length; small swings take :math:`2\pi / \sqrt k`.

    Good values: ``restoring_rate=1`` on [0, 1] with 100 nodes.

    Failure mode: Over long times the pendulum turns over, and neighbouring torques end far apart.

    Source: L. Lu et al. (2021), Learning nonlinear operators via DeepONet, doi:10.1038/s42256-021-00302-5.
    """

    name: ClassVar[str] = "pendulum"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("torque", latex="u"),)
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("angle", latex="s_1"),
        Variable("velocity", latex="s_2"),
    )

    restoring_rate: float = parameter(1.0, symbol="k", positive=True)

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Velocity, gravity and torque."""
        (x,) = self.space_symbols
        angle, velocity = self.function("angle"), self.function("velocity")
        gravity = -self.symbol("restoring_rate") * sin(angle)
        return (
            Eq(Derivative(angle, x), velocity, evaluate=False),
            Eq(Derivative(velocity, x), gravity + self.function("torque"), evaluate=False),
        )

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""One solution on [0, 1].

        ``swing``: :math:`s_1 = 1 - \cos 2 \pi x`, to an angle of 2 and back, manufactured.
        """
        (x,) = self.space_symbols
        angle = 1 - cos(2 * pi * x)
        torque = angle.diff(x, 2) + self.symbol("restoring_rate") * sin(angle)
        swing = {"torque": torque, "angle": angle, "velocity": angle.diff(x)}
        return {"swing": ExactSolution(self, swing, "one swing, manufactured")}
