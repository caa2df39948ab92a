"""Implicit-explicit Runge-Kutta steps in Fourier space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from solvers.spectral.march import Step
from solvers.spectral.one_step_solver import OneStepSolver
from solvers.spectral.runge_kutta_tableau import ADDITIVE_EXPLICIT, ADDITIVE_IMPLICIT
from solvers.spectral.spectral_trajectory import SpectralTrajectory

GAMMA = ADDITIVE_IMPLICIT.stages[-1][-1]


@dataclass(frozen=True, kw_only=True)
class ImexRungeKuttaSolver(OneStepSolver):
    r"""Solves :math:`\partial_t u = L u + N(u)` on a periodic box: L implicitly, N explicitly.

    Space as in `SpectralSolver`. Time: the additive Runge-Kutta scheme ARK4(3)6L[2]SA of fourth order with
    six stages, L-stable and stiffly accurate in L. One division a wave (or one small inverse, where outputs
    are coupled linearly) serves all stages.

    Against `SpectralSolver`: coefficients of a new step length cost almost nothing, coupled ones included,
    and stiff waves relax to the slow manifold without losing order; but six evaluations of N a step instead
    of four, and waves that oscillate by L alone have an error. Choose it where N and L balance in stiff waves
    (forcing of fine structure, strong coupling), and to check the other.

    Args:
        time_step: Longest step h (time), or None for step control. Good values: as for `SpectralSolver`.
        tolerance: Largest estimated relative L2 error in time an output interval, at least 1e-12.
        max_steps: Most steps an interval under step control.
        pad_products: Form products on a finer grid instead of cutting waves, see `FourierSpace`.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: N explicit: the step is stable up to about :math:`h\,|u|\,k_{max} = 4`; beyond it ends with
    `SolveStatus.BLOW_UP`.

    References:
        | C. A. Kennedy, M. H. Carpenter, 2003, Additive Runge-Kutta schemes for
        | convection-diffusion-reaction equations, doi:10.1016/S0168-9274(02)00138-1
    """

    time_order: ClassVar[int] = 4

    def make_step(self, trajectory: SpectralTrajectory, time_step: float) -> Step:
        """The scheme with its stage solve for one length of step."""
        linear = trajectory.linear
        solve = linear.inverse(linear.plus_identity(-GAMMA * time_step))
        rate = time_step * linear.multipliers
        explicit, implicit = ADDITIVE_EXPLICIT, ADDITIVE_IMPLICIT

        def step(state: Tensor, time: float, _samples: Tensor) -> Tensor:
            stage = state
            slopes: list[Tensor] = []  # h N and h L of the stages
            stiff: list[Tensor] = []
            for index, (row, implicit_row) in enumerate(zip(explicit.stages, implicit.stages, strict=True)):
                if index:
                    stage = state.clone()
                    for weight, implicit_weight, slope, part in zip(
                        row, implicit_row, slopes, stiff, strict=False
                    ):
                        stage.add_(slope, alpha=weight).add_(part, alpha=implicit_weight)
                    stage = linear.apply(solve, stage)
                slopes.append(
                    time_step * trajectory.nonlinear(stage, time + explicit.nodes[index] * time_step)
                )
                if index + 1 < len(explicit.stages):
                    stiff.append(linear.apply(rate, stage))
            # Stiffly accurate: the last stage is the step of the implicit part, so that no large terms of L
            # cancel; the explicit part is brought to its weights.
            result = stage
            for index, slope in enumerate(slopes):
                change = explicit.weights[index] - (*explicit.stages[-1], 0.0)[index]
                result = result.add(slope, alpha=change)
            return result

        return step
