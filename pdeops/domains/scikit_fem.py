"""Meshes as scikit-fem meshes and back."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy
import torch

from pdeops.domains.facets import facet_numbers
from pdeops.domains.mesh import Mesh


def import_scikit_fem() -> ModuleType:
    """Import scikit-fem, which is optional.

    Returns:
        The module ``skfem``.

    Raises:
        ImportError: It is not installed; the message names the extra to install.
    """
    try:
        import skfem
    except ImportError as error:
        raise ImportError(
            "finite elements: expected scikit-fem, got none installed; try pip install 'pdeops[fem]'"
        ) from error
    return skfem


def to_scikit_fem(mesh: Mesh) -> Any:
    """Convert a mesh to scikit-fem, with its named boundary parts.

    Args:
        mesh: Segments, triangles or tetrahedra.

    Returns:
        A ``MeshLine``, ``MeshTri`` or ``MeshTet`` with the same numbers of points and cells.

    Raises:
        ImportError: scikit-fem is not installed.
        ValueError: A boundary facet is no face of a cell.
    """
    skfem = import_scikit_fem()
    kind = (skfem.MeshLine, skfem.MeshTri, skfem.MeshTet)[mesh.dimension - 1]
    # Copies in C order, as scikit-fem asks for.
    converted = kind(
        numpy.ascontiguousarray(mesh.points.numpy().T), numpy.ascontiguousarray(mesh.simplices.numpy().T)
    )
    all_facets = converted.facets.reshape(mesh.dimension, -1).T
    parts = {
        name: facet_numbers(facets.numpy(), all_facets, mesh.num_points)
        for name, facets in mesh.boundaries.items()
    }
    return converted.with_boundaries(parts)


def from_scikit_fem(mesh: Any) -> Mesh:
    """Convert a scikit-fem mesh of linear simplices, with its named boundary parts.

    Args:
        mesh: A ``MeshLine``, ``MeshTri`` or ``MeshTet``.

    Returns:
        The mesh, with the same numbers of points and cells.
    """
    facets = mesh.facets.reshape(mesh.dim(), -1).T
    parts = {
        name: torch.from_numpy(facets[numpy.asarray(numbers)].astype(numpy.int64))
        for name, numbers in (mesh.boundaries or {}).items()
    }
    return Mesh(
        torch.from_numpy(mesh.p.T.astype(numpy.float64)),
        torch.from_numpy(mesh.t.T.astype(numpy.int64)),
        parts,
    )
