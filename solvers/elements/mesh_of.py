"""Meshes of the domains that finite elements accept."""

from __future__ import annotations

from importlib.util import find_spec

from pdeops.domains import AxisKind, Domain, Grid, Mesh, check_mesh, grid_mesh


def why_no_mesh(domain: Domain) -> str | None:
    """Why finite elements cannot use a domain, or None if they can.

    Args:
        domain: A mesh, or a grid.

    Returns:
        The reason in words.
    """
    if find_spec("skfem") is None:
        return "expected scikit-fem, got none installed; try pip install 'pdeops[fem]'"
    if isinstance(domain, Grid):
        for axis in domain.axes:
            if axis.kind not in (AxisKind.NODES, AxisKind.CHEBYSHEV):
                return f"expected a mesh or axes of nodes, got {axis.kind} for {axis.name!r}"
    return None


def mesh_of(domain: Domain) -> Mesh:
    """The mesh itself, checked, or the cells of a grid cut into simplices, points in the same order.

    Args:
        domain: A mesh, or a grid of nodes.

    Returns:
        The mesh.

    Raises:
        ValueError: See `pdeops.domains.check_mesh`.
    """
    if isinstance(domain, Grid):
        return grid_mesh(domain)
    check_mesh(domain)
    return domain
