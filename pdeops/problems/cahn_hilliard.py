"""Cahn-Hilliard equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Rational, sqrt, tanh

from pdeops.domains import Domain, Field, Grid
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import bilaplacian, laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = SmoothRandomField(deviation=0.1, correlation_length=0.05)


@dataclass(frozen=True, kw_only=True)
class CahnHilliard(SemilinearProblem):
    r"""Separation of a mixture into two phases, each keeping its mass.

    .. math:: \partial_t u = M \Delta (u^3 - u - \varepsilon^2 \Delta u)

    Maps the initial concentration difference to the one at later times. All quantities are dimensionless. The
    standard box is the unit torus; any other periodic box will do. The mean of u is constant, and the energy
    :math:`\int \frac{\varepsilon^2}{2} |\nabla u|^2 + \frac14 (1 - u^2)^2` falls. Small waves on a mixture of
    mean m grow at the rate :math:`M k^2 (1 - 3 m^2 - \varepsilon^2 k^2)`.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        mobility: Mobility :math:`M > 0`.
        interface_width: Width :math:`\varepsilon > 0` of the interfaces.
        sampler: Distribution of the initial concentration difference.

    Good values: ``interface_width=0.02`` on 128 points an axis (relative error 1e-4 at time 0.02) or 256
        (1e-8). Times are in units of :math:`\varepsilon^2 / M`: phases part at about 40 of them, 0.02 by
        default, and coarsen afterwards.

    Failure mode: A grid spacing above the interface width pins the interfaces, and spectral solutions ring.

    Source: Cahn and Hilliard (1958), doi:10.1063/1.1744102.
    """

    name: ClassVar[str] = "cahn_hilliard"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_concentration", latex="u_0"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("concentration", latex="u"),)

    dimension: int = 2
    mobility: float = parameter(1.0, symbol="M", positive=True)
    interface_width: float = parameter(0.02, symbol=r"\varepsilon", positive=True)
    sampler: Sampler = DEFAULT_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The flux follows the gradient of the chemical potential."""
        u, coordinates = self.function("concentration"), self.space_symbols
        potential = laplacian(u**3, coordinates) - laplacian(u, coordinates)
        surface = self.symbol("interface_width") ** 2 * bilaplacian(u, coordinates)
        flow = self.symbol("mobility") * (potential - surface)
        return (Eq(Derivative(u, self.time_symbol), flow, evaluate=False),)

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The unit torus."""
        return Grid.periodic(shape)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial concentration differences; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"initial_concentration": Field(values[:, None], domain, ("initial_concentration",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""``interfaces``: two flat interfaces at rest, at width 0.01.

        :math:`u = \tanh\frac{x - 1/4}{\sqrt 2 \varepsilon} - \tanh\frac{x - 3/4}{\sqrt 2 \varepsilon} - 1`;
        on the unit torus the two do not feel each other to rounding.
        """
        x = self.space_symbols[0]
        steepness = 1 / (sqrt(2) * self.symbol("interface_width"))
        quarter, images = Rational(1, 4), [x - Rational(1, 2) - image for image in (-1, 0, 1)]
        walls = [tanh(steepness * (y + quarter)) - tanh(steepness * (y - quarter)) for y in images]
        profile = Add(*walls) - 1
        problem = replace(self, interface_width=0.01)
        return {
            "interfaces": evolving_solution(
                problem, {"concentration": profile}, "two flat interfaces at rest"
            )
        }
