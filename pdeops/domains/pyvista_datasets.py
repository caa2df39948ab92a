"""Domains as pyvista data sets and back, and mesh files through pyvista and meshio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch

from pdeops.domains.axis import Axis, AxisKind
from pdeops.domains.grid import Grid
from pdeops.domains.mesh import Mesh
from pdeops.domains.meshio_files import read_meshio, write_gmsh

if TYPE_CHECKING:
    import pyvista

# VTK knows neither axis kinds nor boundary names; these field-data entries carry them through a file.
GRID_KEY = "pdeops_grid"
BOUNDARY_PREFIX = "pdeops_boundary:"
VTK_SUFFIXES = (
    ".vtk",
    ".vtu",
    ".vtp",
    ".vti",
    ".vtr",
    ".vts",
    ".vtm",
    ".pvtu",
    ".vtkhdf",
    ".stl",
    ".ply",
    ".obj",
)
CELL_TYPES = {1: "LINE", 2: "TRIANGLE", 3: "TETRA"}


def to_pyvista(domain: Grid | Mesh) -> pyvista.DataSet:
    """Convert a domain to a pyvista data set with the same points.

    Args:
        domain: Uniform grids become ``ImageData``, grids with a Chebyshev axis ``RectilinearGrid``, meshes
            ``UnstructuredGrid``. VTK orders the first axis fastest: flatten values with ``order="F"``.

    Returns:
        The data set; `from_pyvista` gives the domain back exactly.
    """
    import pyvista  # importing VTK takes about a second, which only its users should pay

    if isinstance(domain, Mesh):
        points = numpy.zeros((domain.num_points, 3))
        points[:, : domain.dimension] = domain.points.numpy()
        cell_type = pyvista.CellType[CELL_TYPES[domain.dimension]]
        dataset = pyvista.UnstructuredGrid({cell_type: domain.simplices.numpy()}, points)
        for name, facets in domain.boundaries.items():
            dataset.field_data[BOUNDARY_PREFIX + name] = facets.numpy()
        dataset.field_data["pdeops_dimension"] = [domain.dimension]
        return dataset
    axes = list(domain.axes)
    if any(axis.kind is AxisKind.CHEBYSHEV for axis in axes):
        dataset = pyvista.RectilinearGrid(*(axis.points.numpy() for axis in axes))
    else:
        padding = 3 - len(axes)
        dataset = pyvista.ImageData(
            dimensions=[*domain.shape, *[1] * padding],
            spacing=[*(axis.spacing for axis in axes), *[1.0] * padding],
            origin=[*(axis.points[0].item() for axis in axes), *[0.0] * padding],
        )
    dataset.field_data[GRID_KEY] = [json.dumps(domain.to_dict())]
    return dataset


def from_pyvista(dataset: pyvista.DataSet) -> Grid | Mesh:
    """Convert a pyvista data set to a domain.

    Args:
        dataset: ``ImageData``, ``RectilinearGrid`` with uniform axes, or an unstructured or surface mesh;
            cells that are no simplices are triangulated. Data sets of other makers become grids of nodes.

    Returns:
        The domain. Its dimension is the number of coordinates that vary.

    Raises:
        ValueError: The data set is empty, or a rectilinear grid has uneven axes.
    """
    import pyvista

    if GRID_KEY in dataset.field_data:
        return Grid.from_dict(json.loads(str(dataset.field_data[GRID_KEY][0])))
    if dataset.n_points == 0:
        raise ValueError("from_pyvista: expected a data set with points, got an empty one")
    if isinstance(dataset, (pyvista.ImageData, pyvista.RectilinearGrid)):
        return _nodal_grid(dataset)
    return _mesh(dataset)


def read_mesh(path: str | Path) -> Mesh:
    """Read a mesh file: VTK formats through pyvista, all others (gmsh, ...) through meshio.

    Args:
        path: The file. Boundary parts of VTK files are those that `write_mesh` stored; those of other files
            are the named groups of facets (gmsh: physical names), without the points that no cell uses.

    Returns:
        The mesh.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: The file is no VTK file, and meshio is not installed.
        ValueError: The file holds a grid and no mesh, or a format that is not known.
    """
    import pyvista

    if not Path(path).is_file():
        raise FileNotFoundError(f"mesh file: expected an existing file, got {path}")
    if Path(path).suffix.lower() not in VTK_SUFFIXES:
        return read_meshio(path)
    domain = from_pyvista(pyvista.read(path))
    if not isinstance(domain, Mesh):
        raise ValueError(f"mesh file {path}: expected a mesh, got a grid of shape {domain.shape}")
    return domain


def write_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh with its named boundary parts as a VTK file (``.vtu``) or a gmsh file (``.msh``).

    Args:
        mesh: The mesh.
        path: The file, which must not exist yet.

    Raises:
        FileExistsError: The file exists.
        ImportError: A gmsh file is wanted, and meshio is not installed.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"mesh file: expected a new name, got {path}, which exists; try another")
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    if path.suffix.lower() == ".msh":
        write_gmsh(mesh, partial)
    else:
        to_pyvista(mesh).save(partial)
    partial.replace(path)


def _nodal_grid(dataset: pyvista.ImageData | pyvista.RectilinearGrid) -> Grid:
    axes = []
    for name in "xyz":
        points = numpy.unique(numpy.asarray(getattr(dataset, name), dtype=numpy.float64))
        if len(points) == 1:
            continue
        if not numpy.allclose(numpy.diff(points), (points[-1] - points[0]) / (len(points) - 1), rtol=1e-6):
            raise ValueError(
                f"from_pyvista: axis {name!r}: expected uniform points, got uneven ones; "
                "try dataset.cast_to_unstructured_grid()"
            )
        axes.append(Axis(name, points[0], points[-1], len(points), AxisKind.NODES))
    return Grid(tuple(axes))


def _mesh(dataset: pyvista.DataSet) -> Mesh:
    points = numpy.asarray(dataset.points, dtype=numpy.float64)
    if "pdeops_dimension" in dataset.field_data:
        dimension = int(dataset.field_data["pdeops_dimension"][0])
    else:
        # A planar mesh comes with a constant third coordinate.
        dimension = max(1, 3 - int(numpy.ptp(points[:, 2]) == 0) - int(numpy.ptp(points[:, 1:]) == 0))
    simplices = dataset.cast_to_unstructured_grid()
    by_type: dict[int, Any] = {int(number): cells for number, cells in simplices.cells_dict.items()}
    wanted = {1: 3, 2: 5, 3: 10}[dimension]  # VTK numbers of line, triangle and tetrahedron
    if wanted not in by_type:
        simplices = simplices.triangulate()
        by_type = {int(number): cells for number, cells in simplices.cells_dict.items()}
    if wanted not in by_type:
        raise ValueError(
            f"from_pyvista: expected cells of dimension {dimension}, got types {sorted(by_type)}"
        )
    boundaries = {
        name.removeprefix(BOUNDARY_PREFIX): torch.from_numpy(
            numpy.asarray(dataset.field_data[name], dtype=numpy.int64)
        )
        for name in dataset.field_data
        if name.startswith(BOUNDARY_PREFIX)
    }
    boundaries = {name: facets.reshape(-1, dimension) for name, facets in boundaries.items()}
    return Mesh(
        torch.from_numpy(points[:, :dimension].copy()),
        torch.from_numpy(by_type[wanted].astype(numpy.int64)),
        boundaries,
    )
