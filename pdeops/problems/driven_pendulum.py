"""A pendulum whose two equations are driven."""

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
class DrivenPendulum(OrdinaryProblem):
    r"""A pendulum with two input functions, from rest; x is the time.

    .. math:: s_1' = s_2 + u_1(x), \qquad s_2' = -k \sin s_1 + u_2(x), \qquad s_1(0) = s_2(0) = 0

    Maps a drift :math:`u_1` and a torque :math:`u_2`, independent of one another, to the angle :math:`s_1`
    and the velocity :math:`s_2`; see `OrdinaryProblem`. A test of operators of several input functions.

    Args:
        restoring_rate: Rate :math:`k > 0`, see `Pendulum`.

    Good values: ``restoring_rate=1`` on [0, 1] with 100 nodes.

    Failure mode: That of `Pendulum`.

    Source: P. Jin, S. Meng, L. Lu (2022), MIONet: learning multiple-input operators via tensor product,
    doi:10.1137/22M1477751.
    """

    name: ClassVar[str] = "driven_pendulum"
    inputs: ClassVar[tuple[Variable, ...]] = (
        Variable("drift", latex="u_1"),
        Variable("torque", latex="u_2"),
    )
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("angle", latex="s_1"),
        Variable("velocity", latex="s_2"),
    )

    restoring_rate: float = parameter(1.0, symbol="k", positive=True)

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Velocity and drift; gravity and torque."""
        (x,) = self.space_symbols
        angle, velocity = self.function("angle"), self.function("velocity")
        gravity = -self.symbol("restoring_rate") * sin(angle)
        return (
            Eq(Derivative(angle, x), velocity + self.function("drift"), evaluate=False),
            Eq(Derivative(velocity, x), gravity + self.function("torque"), evaluate=False),
        )

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""One solution on [0, 1].

        ``swing``: :math:`s_1 = \sin \pi x`, :math:`s_2 = 1 - \cos 2 \pi x`, manufactured.
        """
        (x,) = self.space_symbols
        angle, velocity = sin(pi * x), 1 - cos(2 * pi * x)
        drift = angle.diff(x) - velocity
        torque = velocity.diff(x) + self.symbol("restoring_rate") * sin(angle)
        swing = {"drift": drift, "torque": torque, "angle": angle, "velocity": velocity}
        return {"swing": ExactSolution(self, swing, "one swing, manufactured")}
