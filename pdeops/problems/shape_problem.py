"""Problems whose input is the shape of their domain."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import sympy
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field, Grid, Mesh, grid_mesh
from pdeops.problems.problem import Problem
from pdeops.problems.variable import Variable
from pdeops.problems.vector_problem import VectorProblem

POSITIONS = (Variable("position_x", latex="X"), Variable("position_y", latex="Y"))


@dataclass(frozen=True, kw_only=True)
class ShapeProblem(Problem):
    r"""Steady problems in the plane on domains that differ from sample to sample.

    A shape :math:`\Omega` is the image of a reference domain :math:`\hat\Omega` that all samples share:
    :math:`\Omega = X(\hat\Omega)`. The inputs are the coordinates of the images of the reference points, the
    outputs are given at the same points, all of them fields on the reference domain. So a data set has one
    domain, whatever its shapes are; the equation, the inner problem `equation`, holds on the image.

    Norms and errors of these fields weigh the points as the reference domain does, not by the areas of the
    image; published data sets of this kind weigh all points equally.

    A subclass states `equation`, `observables`, `default_domain` and `sample_inputs`.
    """

    steady: ClassVar[bool] = True
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = POSITIONS

    @property
    @abstractmethod
    def equation(self) -> VectorProblem:
        """The inner problem, posed on the image; its body force is zero."""

    @property
    @abstractmethod
    def observables(self) -> Mapping[str, sympy.Expr]:
        """Each output as an expression in the unknowns of `equation` and their first derivatives."""

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """What each output is, unless it is an unknown itself; then the inner equations without a force.

        Numbers of the inner problem that this problem leaves as they are stand there as such.
        """
        means = [
            sympy.Eq(self.function(name), expression, evaluate=False)
            for name, expression in self.observables.items()
            if expression != self.function(name)
        ]
        return tuple(map(self._stated, (*means, *self.equation.equations)))

    @property
    def boundary_conditions(self) -> Mapping[str, sympy.Eq]:
        """Conditions of the inner problem, by part of the image's boundary."""
        return {part: self._stated(item) for part, item in self.equation.boundary_conditions.items()}

    def _stated(self, equation: sympy.Eq) -> sympy.Eq:
        """An inner equation without a force; inner numbers that are none of this problem are put in."""
        inner = self.equation
        known = dict.fromkeys(inner.force, sympy.Integer(0))
        for name in inner.numbers.keys() - self.numbers.keys():
            known[inner.symbol(name)] = sympy.nsimplify(inner.numbers[name], rational=True)
        return sympy.Eq(equation.lhs.subs(known), equation.rhs.subs(known), evaluate=False)

    def image(self, inputs: Mapping[str, Field], sample: int = 0) -> Mesh:
        """The shape of a sample.

        Args:
            inputs: Positions of the reference points.
            sample: Number of the sample.

        Returns:
            A mesh of the shape, with the points in the order of the reference domain and its named parts.

        Raises:
            ValueError: A cell has no area.
        """
        reference = reference_mesh(inputs[POSITIONS[0].name].domain)
        columns = [inputs[variable.name].values[sample, 0].flatten() for variable in POSITIONS]
        points = reference.points.new_empty(reference.points.shape)
        for column, values in enumerate(columns):
            points[:, column] = values.detach().cpu().double()
        return Mesh(points, reference.simplices, reference.boundaries)

    def auxiliary_values(self, solution: Field) -> dict[str, Tensor]:
        """Not known from the outputs: there is no residual on the reference domain.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"{self.name}: expected a field on the image, where the equation holds, got one on the reference "
            "domain; try to solve the inner problem `equation` on `image`"
        )


def reference_mesh(domain: Domain) -> Mesh:
    """The cells of a reference domain: of a grid of nodes, cut into triangles, or the mesh itself."""
    return _mesh_of_grid(domain) if isinstance(domain, Grid) else domain


def position_fields(domain: Domain, positions: Float64[Tensor, "batch *shape two"]) -> dict[str, Field]:
    """Inputs of a shape problem.

    Args:
        domain: The reference domain.
        positions: Images of its points, shape (batch, *domain.shape, 2).

    Returns:
        One field a coordinate, by name.
    """
    return {
        variable.name: Field(values[:, None].contiguous(), domain, (variable.name,))
        for variable, values in zip(POSITIONS, positions.unbind(-1), strict=True)
    }


@lru_cache(maxsize=8)
def _mesh_of_grid(grid: Grid) -> Mesh:
    return grid_mesh(grid)
