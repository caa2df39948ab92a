"""Grids and meshes, and fields on them."""

from pdeops.domains.axis import Axis, AxisKind
from pdeops.domains.boundary import BoundaryPart
from pdeops.domains.derivative import derivative, differentiation_matrix
from pdeops.domains.field import Domain, Field
from pdeops.domains.grid import Grid
from pdeops.domains.interpolation import interpolation_matrix, resampling_matrix
from pdeops.domains.mesh import Mesh
from pdeops.domains.mesh_checks import check_mesh, remove_orphan_points
from pdeops.domains.mesh_interpolation import interpolate_on_mesh
from pdeops.domains.meshes import (
    annulus_sector_mesh,
    box_mesh,
    disk_mesh,
    grid_mesh,
    l_shape_mesh,
    name_boundaries,
    refine_mesh,
    square_with_holes_mesh,
)
from pdeops.domains.norms import NormKind, integrate, relative_norm, squared_norm
from pdeops.domains.notched_disk import notched_disk_mesh
from pdeops.domains.point_location import locate_points
from pdeops.domains.pyvista_datasets import from_pyvista, read_mesh, to_pyvista, write_mesh
from pdeops.domains.resampled_mesh import SamplingKind, resampled_mesh
from pdeops.domains.scikit_fem import from_scikit_fem, import_scikit_fem, to_scikit_fem

__all__ = [
    "Axis",
    "AxisKind",
    "BoundaryPart",
    "Domain",
    "Field",
    "Grid",
    "Mesh",
    "NormKind",
    "SamplingKind",
    "annulus_sector_mesh",
    "box_mesh",
    "check_mesh",
    "derivative",
    "differentiation_matrix",
    "disk_mesh",
    "from_pyvista",
    "from_scikit_fem",
    "grid_mesh",
    "import_scikit_fem",
    "integrate",
    "interpolate_on_mesh",
    "interpolation_matrix",
    "l_shape_mesh",
    "locate_points",
    "name_boundaries",
    "notched_disk_mesh",
    "read_mesh",
    "refine_mesh",
    "relative_norm",
    "remove_orphan_points",
    "resampled_mesh",
    "resampling_matrix",
    "square_with_holes_mesh",
    "squared_norm",
    "to_pyvista",
    "to_scikit_fem",
    "write_mesh",
]
