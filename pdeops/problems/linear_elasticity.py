"""Small deformations of an elastic body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, pi, sin

from pdeops.domains import AxisKind, Grid
from pdeops.problems.boundary_condition import DEFAULT, BoundaryConditions, Dirichlet, Neumann
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.parameter import parameter
from pdeops.problems.parameterised import SPACE
from pdeops.problems.variable import Variable
from pdeops.problems.vector_problem import CLAMPED, VectorProblem

FORCES = tuple(Variable(f"force_{name}", latex=f"b_{name}") for name in SPACE)
DISPLACEMENTS = tuple(Variable(f"displacement_{name}", latex=f"u_{name}") for name in SPACE)


@dataclass(frozen=True, kw_only=True)
class LinearElasticity(VectorProblem):
    r"""Displacement of an elastic body under a body force, in plane strain or in three dimensions.

    .. math:: -\nabla \cdot \sigma = b, \qquad
              \sigma = \lambda (\nabla \cdot u) I + \mu (\nabla u + \nabla u^T)

    with :math:`\lambda = E \nu / ((1 + \nu)(1 - 2\nu))` and :math:`\mu = E / (2 (1 + \nu))`. Maps the body
    force to the displacement. All quantities are dimensionless.

    Each component has conditions of its own, `Dirichlet` for the displacement and `Neumann` for the traction
    :math:`\sigma n`. A clamped side has Dirichlet in all components, a loaded or free one Neumann in all; a
    roller on a side along an axis has Dirichlet in the normal component and Neumann in the others::

        LinearElasticity(
            boundary_x={"x_lower": Dirichlet(), "x_upper": Neumann(flux="0.1"), "default": Neumann()},
            boundary_y={"y_lower": Dirichlet(), "default": Neumann()},
        )

    Args:
        dimension: 2 (plane strain: nothing moves along z) or 3.
        youngs_modulus: Young's modulus :math:`E > 0`.
        poisson_ratio: Poisson's ratio :math:`\nu`, above -1 and below 1/2.
        sampler: Distribution of each component of the body force.
        boundary_x: Conditions of the x component by boundary part; clamped by default.
        boundary_y: Conditions of the y component.
        boundary_z: Conditions of the z component, in three dimensions.

    Raises:
        ValueError: Poisson's ratio or the dimension is out of range.

    Good values: ``poisson_ratio=0.3``, quadratic elements with 16 cells a side.

    Failure mode: As :math:`\nu` nears 1/2 the material cannot be compressed and linear elements lock: they
        answer with far too small a displacement on every mesh that is not very fine: of a tube under pressure
        with 24 cells across, 0.1 % off at 0.3, 11 % at 0.499 and 31 % at 0.4999. Quadratic elements do not
        (0.02 % at 0.4999). Conditions that leave the body free to move make the matrix singular.

    Source: S. P. Timoshenko, J. N. Goodier (1970), Theory of Elasticity. Locking: I. Babuska,
    M. Suri (1992), Locking effects in the finite element approximation of elasticity problems,
    doi:10.1007/BF01396238.
    """

    name: ClassVar[str] = "linear_elasticity"
    inputs: ClassVar[tuple[Variable, ...]] = FORCES[:2]
    outputs: ClassVar[tuple[Variable, ...]] = DISPLACEMENTS[:2]

    dimension: int = 2
    youngs_modulus: float = parameter(1.0, symbol="E", positive=True)
    poisson_ratio: float = parameter(0.3, symbol=r"\nu")

    def __post_init__(self) -> None:
        """Check the parameters; in three dimensions there is one more input and output."""
        if self.dimension not in (2, 3):
            raise ValueError(f"dimension: expected 2 or 3, got {self.dimension!r}; try 2")
        object.__setattr__(self, "inputs", FORCES[: self.dimension])
        object.__setattr__(self, "outputs", DISPLACEMENTS[: self.dimension])
        super().__post_init__()
        if not -1 < self.poisson_ratio < 0.5:
            raise ValueError(
                f"poisson_ratio: expected a number above -1 and below 0.5, got {self.poisson_ratio}; try 0.3"
            )

    @property
    def lame_coefficients(self) -> tuple[sympy.Expr, sympy.Expr]:
        r"""The coefficients :math:`\lambda` and :math:`\mu`."""
        modulus, ratio = self.symbol("youngs_modulus"), self.symbol("poisson_ratio")
        return modulus * ratio / ((1 + ratio) * (1 - 2 * ratio)), modulus / (2 * (1 + ratio))

    @property
    def lame_values(self) -> tuple[float, float]:
        r"""The numbers :math:`\lambda` and :math:`\mu`."""
        modulus, ratio = self.youngs_modulus, self.poisson_ratio
        return modulus * ratio / ((1 + ratio) * (1 - 2 * ratio)), modulus / (2 * (1 + ratio))

    @property
    def stress(self) -> sympy.Matrix:
        """Hooke's law."""
        first, second = self.lame_coefficients
        strain = self.strain()
        return first * strain.trace() * sympy.eye(self.dimension) + 2 * second * strain

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Balance of forces along each axis."""
        stress = self.stress
        return tuple(
            Eq(
                -sum(Derivative(stress[i, j], x) for j, x in enumerate(self.space_symbols)),
                self.force[i],
                evaluate=False,
            )
            for i in range(self.dimension)
        )

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit box."""
        return Grid.box(shape, AxisKind.NODES)

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Two solutions on the unit box.

        - ``clamped``: products of sines with another wave in each component, clamped on all sides, with the
          body force made for them.
        - ``uniaxial``: a tension :math:`T = E/10` on the side ``"x_upper"`` between rollers and free sides.
          Displacements are linear, so elements of every degree give them to rounding (the patch test).
        """
        coordinates = self.space_symbols
        waves = [
            sympy.Mul(*(sin((1 + (i == j)) * pi * x) for j, x in enumerate(coordinates)))
            for i in range(self.dimension)
        ]
        clamped = replace(self, boundary_x=CLAMPED, boundary_y=CLAMPED, boundary_z=CLAMPED)
        return {
            "clamped": ExactSolution(clamped, self._balanced(waves), "products of sines, clamped"),
            "uniaxial": ExactSolution(
                replace(
                    self,
                    boundary_x=BoundaryConditions(
                        {
                            "x_lower": Dirichlet(),
                            "x_upper": Neumann(flux="youngs_modulus/10"),
                            DEFAULT: Neumann(),
                        }
                    ),
                    boundary_y=BoundaryConditions({"y_lower": Dirichlet(), DEFAULT: Neumann()}),
                    boundary_z=BoundaryConditions({"z_lower": Dirichlet(), DEFAULT: Neumann()})
                    if self.dimension == 3
                    else CLAMPED,
                ),
                self._balanced(self._stretched()),
                "a bar under tension: linear displacements",
            ),
        }

    def _stretched(self) -> list[sympy.Expr]:
        ratio, tension = self.symbol("poisson_ratio"), sympy.Rational(1, 10)
        along, across = (1 - ratio**2, ratio * (1 + ratio)) if self.dimension == 2 else (sympy.S(1), ratio)
        first, *others = self.space_symbols
        return [along * tension * first, *(-across * tension * x for x in others)]

    def _balanced(self, displacement: list[sympy.Expr]) -> dict[str, sympy.Expr]:
        """A displacement and the body force that holds it."""
        replacements = dict(zip(self.vector, displacement, strict=True))
        forces = [equation.lhs.subs(replacements).doit() for equation in self.equations]
        names = [variable.name for variable in (*self.inputs, *self.outputs)]
        return dict(zip(names, [*forces, *displacement], strict=True))
