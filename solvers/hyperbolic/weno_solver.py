"""Fifth-order conservative differences for flows with shocks and fine structure between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pdeops.domains import Grid
from pdeops.problems.conservation_law import ConservationLaw
from solvers.hyperbolic.face_discretisation import FaceDiscretisation
from solvers.hyperbolic.hyperbolic_solver import HyperbolicSolver
from solvers.hyperbolic.runge_kutta import StrongStabilityPreserving, TenStages
from solvers.hyperbolic.weno_discretisation import WenoDiscretisation


@dataclass(frozen=True, kw_only=True)
class WenoSolver(HyperbolicSolver):
    r"""Solves :math:`\partial_t U + \nabla \cdot F(U) = D \Delta U + S` to fifth order, shocks included.

    Space: the flux is split between the slowest and the fastest wave of a
    stencil (upwind where all go one way), and each part reconstructed at the faces by
    WENO5-Z. In the form of Shu and Osher it is the flux that is reconstructed, from values at points, and
    not the solution from averages: so the scheme has order 5 for nonlinear laws in two and three dimensions
    too, without quadrature over faces, and values are plain values at the grid's points. Their sum is
    conserved to rounding. Diffusion: sixth-order differences. Time: fourth-order strong-stability-preserving
    steps, as long as stability allows, for each sample on its own; output times are met exactly.

    Order: 5 in space for smooth solutions, 4 in time; 1 in L1 with shocks, as for every scheme that captures
    them. Next to an open end or an inflow the order falls to that of the ghost cells, which are constant.

    Cost: five to ten times that of `FiniteVolumeSolver` a cell; it pays as soon as there is anything smooth.

    Args:
        courant: See `HyperbolicSolver`.
        time_step: See `HyperbolicSolver`.
        max_steps: See `HyperbolicSolver`.

    Raises:
        ValueError: A setting is out of its range.

    Good values: ``courant=0.2``: the error in time stays below that in space up to about 500 points a wave.

    Failure mode: Essentially non-oscillatory is not monotone: overshoots of a per cent at shocks may turn a
        thin layer negative, which stops the run; systems are reconstructed output by output, so strong
        shocks that cross ring a little. Take `FiniteVolumeSolver` there.

    References:
        | C.-W. Shu, S. Osher, 1989, Efficient implementation of essentially non-oscillatory shock-capturing
        | schemes II, doi:10.1016/0021-9991(89)90222-2; for the weights see `solvers.hyperbolic.weno`
    """

    time_order: ClassVar[float | None] = 4
    space_order: ClassVar[float | None] = 5
    method: ClassVar[StrongStabilityPreserving] = TenStages()
    ghost_width: ClassVar[int] = WenoDiscretisation.ghost_width

    courant: float = 0.2

    def discretisation(
        self, problem: ConservationLaw, grid: Grid, device: torch.device
    ) -> FaceDiscretisation:
        """See `HyperbolicSolver.discretisation`."""
        return WenoDiscretisation(problem, grid, device)
