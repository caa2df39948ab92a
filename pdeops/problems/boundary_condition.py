"""Conditions on the parts of a boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pdeops.domains import Domain

DEFAULT = "default"
"""The key of the condition for all parts that are not named."""


@dataclass(frozen=True, kw_only=True)
class Dirichlet:
    """Given values: u = g.

    Args:
        value: Formula of g in the coordinates and the problem's numbers, in the unit of u.
    """

    value: str = "0"


@dataclass(frozen=True, kw_only=True)
class Neumann:
    r"""Given flux: :math:`a \, \partial u / \partial n = g`, a the coefficient of diffusion, n outward.

    Args:
        flux: Formula of g in the coordinates and the problem's numbers, in the unit of a u over length.
    """

    flux: str = "0"


@dataclass(frozen=True, kw_only=True)
class Robin:
    r"""Flux in proportion to the value: :math:`a \, \partial u / \partial n + \alpha u = g`.

    Args:
        coefficient: Formula of :math:`\alpha \ge 0` in the coordinates and the problem's numbers.
        value: Formula of g.
    """

    coefficient: str = "1"
    value: str = "0"


BoundaryCondition = Dirichlet | Neumann | Robin


class BoundaryConditions(Mapping[str, BoundaryCondition]):
    """One condition a boundary part; frozen and hashable.

    Args:
        parts: Conditions by name of the part (``"x_lower"`` on a box, the names of the facets on a mesh);
            ``"default"`` holds for all parts that are not named.

    Raises:
        TypeError: A condition is none of `Dirichlet`, `Neumann`, `Robin`.

    Example:
        >>> BoundaryConditions({"x_lower": Dirichlet(value="y"), "default": Neumann()})["x_lower"].value
        'y'
    """

    def __init__(self, parts: Mapping[str, BoundaryCondition]) -> None:
        """Copy the conditions, so that nobody changes them later."""
        for name, condition in parts.items():
            if not isinstance(condition, BoundaryCondition):
                raise TypeError(
                    f"boundary condition on {name!r}: expected Dirichlet, Neumann or Robin, got "
                    f"{condition!r}; try Dirichlet(value='0')"
                )
        self._parts = dict(parts)

    def __getitem__(self, name: str) -> BoundaryCondition:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __hash__(self) -> int:
        return hash(frozenset(self._parts.items()))

    def __repr__(self) -> str:
        return f"BoundaryConditions({self._parts!r})"

    def on(self, domain: Domain) -> dict[str, BoundaryCondition]:
        """The condition of every part of a domain's boundary.

        Args:
            domain: Grid or mesh.

        Returns:
            Conditions by part, in the order of ``domain.boundary_names``.

        Raises:
            ValueError: A condition names a part that is not there, or a part is left without a condition.
        """
        names = domain.boundary_names
        unknown = [name for name in self if name not in names and name != DEFAULT]
        if unknown:
            raise ValueError(
                f"boundary conditions: expected parts among {list(names)} or {DEFAULT!r}, got {unknown}"
            )
        missing = [name for name in names if name not in self]
        if missing and DEFAULT not in self:
            raise ValueError(
                f"boundary conditions: expected one for every part of {list(names)}, got none for {missing}; "
                f"try {DEFAULT!r}"
            )
        return {name: self[name] if name in self else self[DEFAULT] for name in names}
