"""Adaptive explicit Runge-Kutta steps in Fourier space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from solvers.spectral.embedded_control import EmbeddedControl, combination, explicit_slope
from solvers.spectral.march import Step
from solvers.spectral.one_step_solver import OneStepSolver
from solvers.spectral.runge_kutta_tableau import DORMAND_PRINCE
from solvers.spectral.spectral_trajectory import SpectralTrajectory


@dataclass(frozen=True, kw_only=True)
class ExplicitRungeKuttaSolver(OneStepSolver):
    r"""Solves :math:`\partial_t u = L u + N(u)` on a periodic box, all of it explicitly.

    Space as in `SpectralSolver`. Time: the pair of Dormand and Prince, fifth order with an estimate of fourth
    order, six evaluations a step. **Step control** (`time_step=None`) is by a PI controller, step by step and
    sample by sample (`EmbeddedControl`), so nothing is solved twice and a fast event gets short steps where
    it is. Choose it for problems that are not stiff: advection, waves and shallow water on moderate grids,
    where steps follow the solution and not the grid.

    Args:
        time_step: Longest step h (time), or None for step control.
        tolerance: Largest sum of the estimated relative L2 errors of the steps in an output interval, at
            least 1e-12. The error is mostly smaller, as the estimate is that of the lower order.
        max_steps: Most steps an interval under step control.
        pad_products: Form products on a finer grid instead of cutting waves, see `FourierSpace`.

    Raises:
        ValueError: A setting is out of its range.

    Good values: Step control.

    Failure mode: Stiff linear parts: the step is stable up to :math:`h\,|L| = 3.3` only, for diffusion on 256
    points a thousand times less than the solution asks for; step control then ends with
    `SolveStatus.STEP_LIMIT` and says so. A solution that ceases to exist ends with `SolveStatus.BLOW_UP` at
    its time.

    References:
        | J. R. Dormand, P. J. Prince, 1980, A family of embedded Runge-Kutta formulae,
        | doi:10.1016/0771-050X(80)90013-3
        | K. Gustafsson, 1991, Control theoretic techniques for stepsize selection in explicit Runge-Kutta
        | methods, doi:10.1145/210232.210242
    """

    time_order: ClassVar[int] = 5

    def make_step(self, trajectory: SpectralTrajectory, time_step: float) -> Step:
        """The scheme of fifth order for one length of step."""
        tableau = DORMAND_PRINCE

        def step(state: Tensor, time: float, _samples: Tensor) -> Tensor:
            slopes: list[Tensor] = []
            # The last stage is the result; its slope serves the estimate only.
            for row, node in zip(tableau.stages, tableau.nodes, strict=True):
                stage = state + time_step * combination(row, slopes) if slopes else state
                if len(slopes) + 1 < len(tableau.stages):
                    slopes.append(explicit_slope(trajectory, stage, time + node * time_step))
            return stage

        return step

    def control(self, trajectory: SpectralTrajectory) -> EmbeddedControl:
        """PI control with the embedded pair."""
        return EmbeddedControl(
            trajectory,
            DORMAND_PRINCE,
            partial(self.make_step, trajectory),
            tolerance=self.tolerance,
            max_steps=self.max_steps,
        )
