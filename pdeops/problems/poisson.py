"""Poisson's equation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Rational, cos, exp, pi, sin

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import Dirichlet, Neumann, Robin
from pdeops.problems.elliptic import EllipticProblem
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.manufactured import ConditionKinds, conditions_of, source_of
from pdeops.problems.random_fields import NeumannRandomField, Sampler
from pdeops.problems.variable import Variable

SMOOTH_SOURCE = NeumannRandomField(scale=100.0, smoothness=3.0, inverse_length=5.0, max_wavenumber=32)


@dataclass(frozen=True, kw_only=True)
class Poisson(EllipticProblem):
    r"""Potential of a source, in a box or on a mesh, in one, two or three dimensions.

    .. math:: -\Delta u = f \text{ in } \Omega, \qquad \text{by default } u = 0 \text{ on the boundary}

    Maps the source to the potential. All quantities are dimensionless.

    Args:
        dimension: Number of space dimensions.
        sampler: Distribution of the source f.
        boundary: Conditions by boundary part.

    Good values: Any; `solvers.FastPoissonSolver` takes milliseconds for a million points of a box.

    Failure mode: On an all-periodic box or with Neumann conditions alone the source has to balance the
        fluxes, and u is defined up to a constant: solvers refuse what does not balance and give mean zero.
        At re-entrant corners (L-shape) the gradient is infinite and every order drops.

    Source: L. C. Evans (2010), Partial Differential Equations, section 2.2, doi:10.1090/gsm/019.
    """

    name: ClassVar[str] = "poisson"
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("source", latex="f"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("potential", latex="u"),)

    dimension: int = 2
    sampler: Sampler = SMOOTH_SOURCE

    @property
    def source(self) -> sympy.Expr:
        """The input."""
        return self.function("source")

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit box, both ends included."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw sources; see `Problem.sample_inputs`."""
        self.check_domain(domain)
        values = self.sampler.sample(domain, seeds)
        return {"source": Field(values[:, None], domain, ("source",))}

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Solutions on the unit box, and on domains of any shape.

        - ``eigenfunction``: :math:`\prod \sin \pi x_i`, zero on the unit box.
        - ``smooth``: :math:`e^{x/2} \cos(x + 2y + z/2)`, with its values on the boundary of any domain.
        - ``mixed``: the same with a Robin, a Neumann and otherwise Dirichlet parts of a box.
        - ``disk`` (two dimensions): :math:`(1 - x^2 - y^2) / 4`, source one; zero on the unit circle.
        """
        axes = self.space_symbols
        bubble = math.prod(sin(pi * x) for x in axes)
        phase = sum(c * x for c, x in zip((1, 2, Rational(1, 2)), axes, strict=False))
        smooth = exp(axes[0] / 2) * cos(phase)
        kinds = {"x_lower": Robin, "x_upper": Neumann, "default": Dirichlet}
        solutions = {
            "eigenfunction": self._manufactured(bubble, {"default": Dirichlet}, "an eigenfunction"),
            "smooth": self._manufactured(smooth, {"default": Dirichlet}, "smooth, with its boundary values"),
            "mixed": self._manufactured(smooth, kinds, "smooth, with three kinds of conditions"),
        }
        if self.dimension == 2:
            disk = (1 - sum(x**2 for x in axes)) / 4
            solutions["disk"] = self._manufactured(disk, {"default": Dirichlet}, "a paraboloid, source one")
        return solutions

    def _manufactured(self, solution: sympy.Expr, kinds: ConditionKinds, description: str) -> ExactSolution:
        problem = replace(self, boundary=conditions_of(solution, self.diffusion, kinds))
        source = source_of(
            solution, self.diffusion, self.reaction.subs(self.unknown, solution), self.space_symbols
        )
        return ExactSolution(problem, {"source": source, "potential": solution}, description)
