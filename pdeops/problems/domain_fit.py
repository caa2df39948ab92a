"""Whether a domain is one that a problem can be posed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdeops.domains import Domain, Grid
from pdeops.problems.parameterised import SPACE

if TYPE_CHECKING:
    from pdeops.problems.problem import Problem


def why_unfit(problem: Problem, domain: Domain) -> str | None:
    """Say why a problem cannot be posed on a domain; conditions on the boundary are not looked at.

    Args:
        problem: The problem.
        domain: The domain.

    Returns:
        The reason, with what would fit, or None if it can.
    """
    shape = domain.shape if isinstance(domain, Grid) and domain.dimension == problem.dimension else None
    # The default domain may have ends, so two points an axis; the grid asked for may be periodic.
    shape = tuple(max(count, 2) for count in shape) if shape else (64,) * problem.dimension
    fitting = problem.default_domain(shape)
    axes = fitting.axes if isinstance(fitting, Grid) else ()
    names = [axis.name for axis in axes] or list(SPACE[: problem.dimension])
    kinds = " or ".join(problem.axis_kinds)
    if problem.box_is_fixed:
        places = [f"{axis.name} in [{axis.lower:g}, {axis.upper:g}]" for axis in axes]
    else:
        places = names
    expected = f"{problem.name}: expected a grid on {', '.join(places)} with {kinds} axes"
    expected += f" or a mesh in {problem.dimension} dimensions, got" if problem.allows_meshes else ", got"
    hint = f"; try {type(problem).__name__}.default_domain({shape})"
    if isinstance(domain, Grid):
        box = [(axis.lower, axis.upper) for axis in domain.axes]
        if (
            [axis.name for axis in domain.axes] != names
            or any(axis.kind not in problem.axis_kinds for axis in domain.axes)
            or (problem.box_is_fixed and box != [(axis.lower, axis.upper) for axis in axes])
        ):
            got = ", ".join(
                f"{axis.name} in [{axis.lower:g}, {axis.upper:g}] ({axis.kind})" for axis in domain.axes
            )
            return f"{expected} {got}{hint}"
    elif not problem.allows_meshes:
        return f"{expected} a {type(domain).__name__}{hint}"
    elif domain.dimension != problem.dimension:
        return f"{expected} a mesh in {domain.dimension} dimensions{hint}"
    return None
