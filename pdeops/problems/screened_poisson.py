"""The screened Poisson equation: diffusion and decay in balance with a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import sympy

from pdeops.problems.parameter import parameter
from pdeops.problems.poisson import Poisson


@dataclass(frozen=True, kw_only=True)
class ScreenedPoisson(Poisson):
    r"""Concentration of what spreads and decays, in a box or on a mesh.

    .. math:: -\Delta u + k u = f

    Also known as linear reaction-diffusion, modified Helmholtz or Yukawa equation. Maps the source to the
    concentration (channel ``potential``). All quantities are dimensionless.

    Args:
        dimension: See `Poisson`.
        sampler: See `Poisson`.
        boundary: See `Poisson`; with decay, Neumann and periodic conditions alone are fine.
        decay: Rate :math:`k > 0`; sources are felt up to a distance of :math:`1 / \sqrt{k}`.

    Good values: ``decay`` from 1 to 1e4.

    Failure mode: Boundary layers have the width :math:`1 / \sqrt{k}`; a grid with less than three points
        across one is not resolved there.

    Source: A. Fetter, J. Walecka (2003), Theoretical Mechanics of Particles and Continua, chapter 7.
    """

    name: ClassVar[str] = "screened_poisson"

    decay: float = parameter(25.0, symbol="k", positive=True)

    @property
    def reaction(self) -> sympy.Expr:
        """Decay in proportion."""
        return self.symbol("decay") * self.unknown
