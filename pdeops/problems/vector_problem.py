"""Problems for a vector field, with one boundary condition a component."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
)
from pdeops.problems.parameterised import SPACE
from pdeops.problems.problem import Problem
from pdeops.problems.random_fields import Sampler
from pdeops.problems.smooth_random_field import SmoothRandomField

CLAMPED = BoundaryConditions({DEFAULT: Dirichlet()})
SMOOTH_FORCE = SmoothRandomField()


@dataclass(frozen=True, kw_only=True)
class VectorProblem(Problem):
    r"""Steady problems for a vector :math:`u` under a body force :math:`b`, with a stress :math:`\sigma(u)`.

    Each component has boundary conditions of its own, so a part may hold one component and leave another:
    `Dirichlet` gives the component :math:`u_i`, `Neumann` the component :math:`(\sigma n)_i` of the traction.

    Args:
        sampler: Distribution of each component of the body force.
        boundary_x: Conditions of the x component by boundary part.
        boundary_y: Conditions of the y component.
        boundary_z: Conditions of the z component, in three dimensions.

    Raises:
        TypeError: A condition is neither Dirichlet nor Neumann.
    """

    steady: ClassVar[bool] = True
    allows_meshes: ClassVar[bool] = True
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.NODES, AxisKind.CHEBYSHEV)

    sampler: Sampler = SMOOTH_FORCE
    boundary_x: Mapping[str, BoundaryCondition] = field(default=CLAMPED)
    boundary_y: Mapping[str, BoundaryCondition] = field(default=CLAMPED)
    boundary_z: Mapping[str, BoundaryCondition] = field(default=CLAMPED)

    def __post_init__(self) -> None:
        """Check the conditions of each component, and all that `Problem` checks."""
        super().__post_init__()
        for name in ("boundary_x", "boundary_y", "boundary_z"):
            conditions = getattr(self, name)
            if not isinstance(conditions, BoundaryConditions):
                conditions = BoundaryConditions(conditions)
                object.__setattr__(self, name, conditions)
            for part, condition in conditions.items():
                if not isinstance(condition, Dirichlet | Neumann):
                    raise TypeError(
                        f"{name} on {part!r}: expected Dirichlet or Neumann, got {condition!r}; try Neumann()"
                    )
                for text in vars(condition).values():
                    try:
                        self.parse(text)
                    except (TypeError, ValueError) as error:
                        raise type(error)(f"{name} on {part!r}: {error}") from None

    @property
    def vector(self) -> tuple[sympy.Expr, ...]:
        """Components of the unknown vector: the first outputs."""
        return tuple(self.function(variable.name) for variable in self.outputs[: self.dimension])

    @property
    def force(self) -> tuple[sympy.Expr, ...]:
        """Components of the body force: the inputs."""
        return tuple(self.function(variable.name) for variable in self.inputs)

    @property
    @abstractmethod
    def stress(self) -> sympy.Matrix:
        """Stress tensor of the unknowns."""

    @property
    def component_boundaries(self) -> tuple[BoundaryConditions, ...]:
        """Conditions of each component."""
        return tuple(
            BoundaryConditions(getattr(self, f"boundary_{name}")) for name in SPACE[: self.dimension]
        )

    @property
    def boundary_conditions(self) -> Mapping[str, sympy.Eq]:
        """One equation between vectors a part: a row holds a component of u, or of the traction."""
        traction = self.stress * sympy.Matrix(self.normal_symbols)
        names = [name for conditions in self.component_boundaries for name in conditions if name != DEFAULT]
        result = {}
        for part in (*dict.fromkeys(names), DEFAULT):
            rows: list[tuple[sympy.Expr, sympy.Expr]] = []
            for number, conditions in enumerate(self.component_boundaries):
                condition = conditions.get(part, conditions.get(DEFAULT))
                if condition is not None:
                    rows.append(self._sides(condition, self.vector[number], traction[number]))
            if len(rows) == self.dimension:
                left, right = (sympy.Matrix(side) for side in zip(*rows, strict=True))
                result[part] = sympy.Eq(left, right, evaluate=False)
        return result

    def _sides(
        self, condition: BoundaryCondition, value: sympy.Expr, traction: sympy.Expr
    ) -> tuple[sympy.Expr, sympy.Expr]:
        if isinstance(condition, Dirichlet):
            return value, self.parse(condition.value)
        return traction, self.parse(vars(condition)["flux"])

    def component_conditions(self, domain: Domain) -> tuple[dict[str, BoundaryCondition], ...]:
        """The condition of every part of a domain's boundary, for each component.

        Args:
            domain: Grid or mesh.

        Returns:
            Conditions by part.

        Raises:
            ValueError: A part is not known, or left without a condition.
        """
        return tuple(conditions.on(domain) for conditions in self.component_boundaries)

    def check_domain(self, domain: Domain) -> Domain:
        """Check that the problem can be posed on a domain, see `Problem.check_domain`."""
        super().check_domain(domain)
        self.component_conditions(domain)
        return domain

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw body forces, components independent of one another; see `Problem.sample_inputs`."""
        self.check_domain(domain)
        result = {}
        for number, variable in enumerate(self.inputs):
            # Different for all components and samples, whatever the other seeds are.
            own = [self.dimension * seed + number for seed in seeds]
            values: Float64[Tensor, "batch *shape"] = self.sampler.sample(domain, own)
            result[variable.name] = Field(values[:, None], domain, (variable.name,), (variable.unit,))
        return result

    def strain(self) -> sympy.Matrix:
        """Symmetric gradient of the vector."""
        gradient = sympy.Matrix([[sympy.Derivative(u, x) for x in self.space_symbols] for u in self.vector])
        return (gradient + gradient.T) / 2
