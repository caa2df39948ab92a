"""Fourier pseudo-spectral solver with fourth-order exponential time stepping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from solvers.spectral.etdrk4 import ETDRK4Coefficients, etdrk4_step
from solvers.spectral.march import Step
from solvers.spectral.one_step_solver import OneStepSolver
from solvers.spectral.spectral_trajectory import SpectralTrajectory


@dataclass(frozen=True, kw_only=True)
class SpectralSolver(OneStepSolver):
    r"""Solves :math:`\partial_t u = L u + N(u)` on a periodic box: Navier-Stokes, Burgers and the like.

    Space: trigonometric polynomials, quadratic terms free of aliasing (`FourierSpace`). Time: ETDRK4, which
    integrates :math:`L` exactly, so diffusion sets no limit on the step (`ETDRK4Coefficients`). Output times
    are met exactly: each interval between two of them is cut into equal steps.

    **Fixed step** (`time_step` given): every interval is cut into the fewest equal steps not longer than
    `time_step`. There is no error estimate.

    **Step control** (`time_step=None`): for every output interval and every sample on its own, :math:`n` and
    :math:`2n` steps are compared, and :math:`n` is doubled until the estimate
    :math:`\|u_{2n} - u_n\| / (15 \|u_{2n}\|)` is at most `tolerance`; :math:`u_{2n}` is kept. The next
    interval starts from the :math:`n` that was accepted, or half of it where that should do. As a sample's
    steps follow from that sample alone, its solution does not depend on the batch it is solved in, and data
    generated in chunks is the same whatever their size. The price is one and a half to
    two times the work of the accepted steps alone.

    Args:
        time_step: Longest step h (time), or None for step control. Good values: 0.1 for Navier-Stokes with
            viscosity 1e-3 and the benchmark's initial vorticity (relative error 6e-7 at t = 1), a fifth of
            the eddy turnover time in general.
        tolerance: Largest estimated relative L2 error in time an output interval, at least 1e-12. It bounds
            what is made in one interval, not what chaos makes of it later; nor does it see the error of the
            grid.
        max_steps: Most steps an interval under step control.
        pad_products: Form products on a grid of 3/2 as many points, so that all waves of the grid take part
            in the nonlinear term (31 instead of 21 of a 64-point axis): more exact for solutions that the
            grid hardly resolves, for up to twice the work in two dimensions.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: On a grid that does not resolve the smallest scales, energy piles up in the last kept waves
    and the solution rings; step control then asks for ever more steps and ends with `SolveStatus.STEP_LIMIT`,
    a fixed step with `SolveStatus.BLOW_UP` or, worse, with a smooth-looking wrong field. Compare two grids.

    References:
        | A.-K. Kassam, L. N. Trefethen, 2005, Fourth-order time-stepping for stiff PDEs,
        | doi:10.1137/S1064827502410633
    """

    time_order: ClassVar[int] = 4

    def make_step(self, trajectory: SpectralTrajectory, time_step: float) -> Step:
        """ETDRK4 with its coefficients for one length of step."""
        linear = trajectory.linear
        coefficients = ETDRK4Coefficients.build(
            linear.symbol, time_step, is_coupled=linear.is_coupled
        ).to_complex()

        def step(state: Tensor, time: float, _samples: Tensor) -> Tensor:
            later = (
                partial(trajectory.nonlinear, time=time + time_step / 2),
                partial(trajectory.nonlinear, time=time + time_step),
            )
            return etdrk4_step(state, coefficients, partial(trajectory.nonlinear, time=time), later)

        return step
