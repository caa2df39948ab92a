"""The flux through a face between two states."""

from __future__ import annotations

from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

Speeds = tuple[Float[Tensor, "batch *faces"], Float[Tensor, "batch *faces"]]
"""Lowest and highest speed of a wave in a state."""


class NumericalFlux(StrEnum):
    r"""Approximate Riemann solvers that need no more than the speeds of the fastest waves.

    `HLL` lets one constant state grow between the slowest and the fastest wave; where all waves go one way it
    is the upwind flux. `RUSANOV` (local Lax-Friedrichs) takes both speeds as large as the larger one: it is
    the more diffusive of the two.

    Failure mode: Both smear contacts and shear layers, which move between the two waves.

    References:
        | A. Harten, P. D. Lax, B. van Leer, 1983, On upstream differencing and Godunov-type schemes,
        | doi:10.1137/1025002; estimates of the speeds: S. F. Davis, 1988, doi:10.1137/0909030
    """

    HLL = "hll"
    RUSANOV = "rusanov"

    def through(
        self,
        states: tuple[Float[Tensor, "batch channels *faces"], Float[Tensor, "batch channels *faces"]],
        fluxes: tuple[Float[Tensor, "batch channels *faces"], Float[Tensor, "batch channels *faces"]],
        speeds: tuple[Speeds, Speeds],
    ) -> Float[Tensor, "batch channels *faces"]:
        """Flux through each face.

        Args:
            states: States on the lower and on the upper side.
            fluxes: The exact fluxes of these states.
            speeds: Lowest and highest speed in each of these states.

        Returns:
            The numerical flux.
        """
        slowest = torch.minimum(speeds[0][0], speeds[1][0])
        fastest = torch.maximum(speeds[0][1], speeds[1][1])
        if self is NumericalFlux.RUSANOV:
            fastest = torch.maximum(fastest, -slowest)
            slowest = -fastest
        slowest, fastest = slowest.clamp(max=0)[:, None], fastest.clamp(min=0)[:, None]
        width = fastest - slowest
        is_still = width == 0
        jump = states[1] - states[0]
        moving = (fastest * fluxes[0] - slowest * fluxes[1] + slowest * fastest * jump) / torch.where(
            is_still, 1.0, width
        )
        return torch.where(is_still, (fluxes[0] + fluxes[1]) / 2, moving)
