"""Diffusion and reaction under a source, from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, Integer, exp, pi, sin, tan

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
)
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.gaussian_process import GaussianProcess
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.variable import Variable

DEFAULT_SAMPLER = GaussianProcess()


@dataclass(frozen=True, kw_only=True)
class DiffusionReaction(SemilinearProblem):
    r"""A substance that a source makes, that spreads and makes more of itself.

    .. math:: \partial_t s = D \partial_x^2 s + k s^2 + u(x), \qquad s(x, 0) = 0

    Maps the source u, a function of space, to the concentration s at all times. The state at time zero is
    zero, so it is no input. All quantities are dimensionless. The standard box is [0, 1]; any other will do.

    Args:
        diffusivity: Diffusivity :math:`D > 0`.
        reaction_rate: Rate :math:`k`: the reaction adds to the concentration where it is positive.
        sampler: Distribution of the source.
        boundary: Conditions at the ends; the coefficient of the normal derivative is D.

    Good values: ``diffusivity=0.01, reaction_rate=0.01`` to time 1 on 401 nodes with quadratic elements
        (relative error 1e-6), or on 101 Chebyshev points (below 1e-11).

    Failure mode: A source that is not zero at the ends breaks the condition at once: layers
        :math:`\sqrt{D t}` wide begin there at time zero, which uniform grids do not resolve at first. Under a
        source c the concentration leaves every bound at time :math:`\pi / (2 \sqrt{c k})` or later.

    Source: S. Wang, H. Wang, P. Perdikaris (2021), Learning the solution operator of parametric partial
    differential equations with physics-informed DeepONets, doi:10.1126/sciadv.abi8605. Its program has the
    other sign of k in its residual; this one agrees with the data and the paper.
    """

    name: ClassVar[str] = "diffusion_reaction"
    dimension: ClassVar[int] = 1
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source", latex="u"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("concentration", latex="s"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.NODES, AxisKind.CHEBYSHEV)
    allows_meshes: ClassVar[bool] = True

    diffusivity: float = parameter(0.01, symbol="D", positive=True)
    reaction_rate: float = parameter(0.01, symbol="k")
    sampler: Sampler = DEFAULT_SAMPLER
    boundary: Mapping[str, BoundaryCondition] = field(default=BoundaryConditions({DEFAULT: Dirichlet()}))

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Diffusion, reaction and source."""
        (x,) = self.space_symbols
        s = self.function("concentration")
        diffusion = self.symbol("diffusivity") * Derivative(s, (x, 2))
        reaction = self.symbol("reaction_rate") * s**2
        rate = Derivative(s, self.time_symbol)
        return (Eq(rate, diffusion + reaction + self.function("source"), evaluate=False),)

    @property
    def initial_inputs(self) -> tuple[str, ...]:
        """None: it starts from zero."""
        return ()

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The diffusivity."""
        return self.symbol("diffusivity")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit interval, both ends included."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw sources; see `Problem.sample_inputs`."""
        values = self.sampler.sample(self.check_domain(domain), seeds)
        return {"source": Field(values[:, None], domain, ("source",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on [0, 1].

        - ``relaxation``: :math:`(1 - e^{-\pi^2 D t}) / (\pi^2 D) \, \sin \pi x` under the source
          :math:`\sin \pi x`, without reaction.
        - ``runaway``: the uniform :math:`\sqrt{c / k} \tan \sqrt{c k} t` under the source c = 25, without
          flux at the ends, at a positive rate.
        """
        (x,), t = self.space_symbols, self.time_symbol
        decay = pi**2 * self.symbol("diffusivity")
        relaxation = (1 - exp(-decay * t)) / decay * sin(pi * x)
        rate, source = self.symbol("reaction_rate"), Integer(25)
        runaway = sympy.sqrt(source / rate) * tan(sympy.sqrt(source * rate) * t)
        still = replace(self, reaction_rate=0.0, boundary={DEFAULT: Dirichlet()})
        closed = replace(self, boundary={DEFAULT: Neumann()})
        solutions = {
            "relaxation": evolving_solution(
                still, {"source": sin(pi * x), "concentration": relaxation}, "a mode that fills up"
            )
        }
        if self.reaction_rate > 0:
            solutions["runaway"] = evolving_solution(
                closed, {"source": source, "concentration": runaway}, "uniform growth by itself"
            )
        return solutions
