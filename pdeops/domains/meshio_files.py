"""Mesh files of other programs (gmsh and the like) through meshio, with the names of boundary parts."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import torch

from pdeops.domains.mesh import Mesh
from pdeops.domains.mesh_checks import remove_orphan_points

CELLS = {1: "line", 2: "triangle", 3: "tetra"}
FACETS = {1: "vertex", 2: "line", 3: "triangle"}
PHYSICAL = "gmsh:physical"


def read_meshio(path: str | Path) -> Mesh:
    """Read a mesh file through meshio.

    Args:
        path: The file. Cells of the highest dimension make the mesh, named groups of facets (gmsh: physical
            groups) its boundary parts; a group without a name is called ``"part_<number>"``. Points that no
            cell uses, such as the centres of arcs, are left out.

    Returns:
        The mesh.

    Raises:
        ImportError: meshio is not installed.
        ValueError: The format is not known, or there are no segments, triangles or tetrahedra.
    """
    meshio = _import_meshio()
    try:
        raw = meshio.read(path)
    except (meshio.ReadError, SystemExit) as error:
        raise ValueError(
            f"mesh file {path}: expected a format that meshio reads, got an error: {error}"
        ) from None
    blocks = raw.cells_dict
    dimension = max((dim for dim, kind in CELLS.items() if kind in blocks), default=0)
    # Leaving quadrilaterals out would leave holes.
    if dimension == 0 or set(blocks) - {"vertex", *CELLS.values()}:
        raise ValueError(
            f"mesh file {path}: expected linear segments, triangles or tetrahedra, got {sorted(blocks)}; "
            "try gmsh with -order 1 and without recombination"
        )
    points = numpy.zeros((len(raw.points), 3))
    points[:, : raw.points.shape[1]] = raw.points
    if dimension < 3 and numpy.ptp(points[:, dimension:]) > 0:
        raise ValueError(
            f"mesh file {path}: expected a flat mesh of {CELLS[dimension]} cells, got one bent in space; "
            "try a mesh of volumes"
        )
    mesh = Mesh(
        torch.from_numpy(points[:, :dimension].copy()),
        torch.from_numpy(blocks[CELLS[dimension]].astype(numpy.int64)),
        _parts(raw, dimension),
    )
    return remove_orphan_points(mesh)


def write_gmsh(mesh: Mesh, path: str | Path) -> None:
    """Write a gmsh file (format 2.2, text) with boundary parts as physical groups.

    Args:
        mesh: The mesh.
        path: The file.

    Raises:
        ImportError: meshio is not installed.
    """
    meshio = _import_meshio()
    points = numpy.zeros((mesh.num_points, 3))
    points[:, : mesh.dimension] = mesh.points.numpy()
    cells: list[tuple[str, Any]] = [(CELLS[mesh.dimension], mesh.simplices.numpy())]
    names = {"domain": numpy.array([len(mesh.boundaries) + 1, mesh.dimension])}
    tags = [numpy.full(len(mesh.simplices), len(mesh.boundaries) + 1)]
    for number, (name, facets) in enumerate(mesh.boundaries.items(), start=1):
        cells.append((FACETS[mesh.dimension], facets.numpy()))
        tags.append(numpy.full(len(facets), number))
        names[name] = numpy.array([number, mesh.dimension - 1])
    data = {PHYSICAL: tags, "gmsh:geometrical": tags}
    meshio.Mesh(points, cells, cell_data=data, field_data=names).write(
        path, file_format="gmsh22", binary=False
    )


def _parts(raw: Any, dimension: int) -> dict[str, torch.Tensor]:
    """Named groups of facets: gmsh's physical groups, or else the cell sets of other formats."""
    kind = FACETS[dimension]
    if kind not in raw.cells_dict:
        return {}
    facets = raw.cells_dict[kind].astype(numpy.int64)
    groups: dict[str, numpy.ndarray] = {}
    if PHYSICAL in raw.cell_data_dict and kind in raw.cell_data_dict[PHYSICAL]:
        tags = raw.cell_data_dict[PHYSICAL][kind]
        names = {int(tag): name for name, (tag, dim) in raw.field_data.items() if int(dim) == dimension - 1}
        groups = {
            names.get(tag, f"part_{tag}"): numpy.flatnonzero(tags == tag)
            for tag in numpy.unique(tags).tolist()
            if tag != 0  # no group
        }
    else:
        for name, members in raw.cell_sets_dict.items():
            if kind in members and not name.startswith("gmsh:"):
                groups[name] = numpy.asarray(members[kind], dtype=numpy.int64)
    return {name: torch.from_numpy(facets[chosen]) for name, chosen in groups.items()}


def _import_meshio() -> ModuleType:
    try:
        import meshio
    except ImportError as error:
        raise ImportError(
            "mesh files other than VTK: expected meshio, got none installed; try pip install 'pdeops[fem]'"
        ) from error
    return meshio
