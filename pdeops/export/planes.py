"""The middle plane of a field in three dimensions, for pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy
import torch

from pdeops.domains import Field, Grid, Mesh, to_pyvista

# Share of the mesh's extent where it is cut: the middle, and another place where a hole is in the middle.
CUTS = (0.5, 0.31, 0.73)
SMALLEST_TRIANGLE = 1e-12


def middle_plane(field: Field, axis: int = 2) -> Field:
    """Cut a field in the middle.

    Args:
        field: On a grid or mesh in three dimensions.
        axis: Number of the coordinate that is constant on the plane.

    Returns:
        The field on a grid of the other two axes, or on the triangles that the plane cuts out of a mesh, by
        linear interpolation. On a grid the plane is the one of its points that is nearest to the middle.

    Raises:
        ValueError: The field does not live in three dimensions, or no plane that was tried meets the mesh.
    """
    domain = field.domain
    if domain.dimension != 3:
        raise ValueError(f"middle plane: expected three dimensions, got {domain.dimension}")
    if isinstance(domain, Grid):
        kept = Grid(tuple(item for number, item in enumerate(domain.axes) if number != axis))
        values = field.values.select(axis - 3, domain.shape[axis] // 2)
        return Field(values, kept, field.channels, field.units, field.times)
    return _cut(field, domain, axis)


def _cut(field: Field, mesh: Mesh, axis: int) -> Field:
    dataset = to_pyvista(mesh)
    dataset.point_data["values"] = field.values.flatten(end_dim=-2).detach().cpu().double().numpy().T
    lower, upper = mesh.points.min(dim=0).values, mesh.points.max(dim=0).values
    for share in CUTS:
        origin = (lower + share * (upper - lower)).tolist()
        plane = dataset.slice(normal=numpy.eye(3)[axis], origin=origin).triangulate()
        if plane.n_cells:
            break
    else:
        raise ValueError("middle plane: expected a plane that meets the mesh, got none; try write_vtk")
    points = torch.from_numpy(numpy.delete(numpy.asarray(plane.points, numpy.float64), axis, axis=1))
    triangles = torch.from_numpy(plane.faces.reshape(-1, 4)[:, 1:].astype(numpy.int64))
    edges = points[triangles[:, 1:]] - points[triangles[:, :1]]
    areas = torch.linalg.det(edges).abs()
    triangles = triangles[areas > SMALLEST_TRIANGLE * areas.max()]
    columns = numpy.asarray(plane.point_data["values"]).reshape(len(points), -1)
    values = torch.from_numpy(columns.T.copy()).reshape(*field.values.shape[:-1], len(points))
    return replace(field, values=values, domain=Mesh(points, triangles))
