"""Grids and meshes, and fields on them."""

from pdeops.domains.axis import Axis, AxisKind
from pdeops.domains.boundary import BoundaryPart
from pdeops.domains.derivative import derivative, differentiation_matrix
from pdeops.domains.field import Domain, Field
from pdeops.domains.grid import Grid
from pdeops.domains.interpolation import interpolation_matrix, resampling_matrix
from pdeops.domains.mesh import Mesh
from pdeops.domains.norms import NormKind, integrate, relative_norm, squared_norm
from pdeops.domains.pyvista_datasets import from_pyvista, read_mesh, to_pyvista, write_mesh

__all__ = [
    "Axis",
    "AxisKind",
    "BoundaryPart",
    "Domain",
    "Field",
    "Grid",
    "Mesh",
    "NormKind",
    "derivative",
    "differentiation_matrix",
    "from_pyvista",
    "integrate",
    "interpolation_matrix",
    "read_mesh",
    "relative_norm",
    "resampling_matrix",
    "squared_norm",
    "to_pyvista",
    "write_mesh",
]
