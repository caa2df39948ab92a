"""Meshes inside HDF5 files."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy
import torch
from torch import Tensor

from pdeops.domains import Mesh

POINTS, SIMPLICES, BOUNDARIES = "mesh/points", "mesh/simplices", "mesh/boundaries"


def write_mesh_group(group: h5py.Group, mesh: Mesh) -> None:
    """Write the entries ``mesh/points``, ``mesh/simplices`` and ``mesh/boundaries/<name>``, with checksums.

    Args:
        group: Where.
        mesh: The mesh.
    """
    entries = {POINTS: mesh.points, SIMPLICES: mesh.simplices}
    entries |= {f"{BOUNDARIES}/{name}": facets for name, facets in mesh.boundaries.items()}
    for name, tensor in entries.items():
        array = tensor.numpy()
        # HDF5 has no chunks of size 0, and without chunks no checksums.
        options = {"chunks": array.shape, "fletcher32": True} if array.size else {}
        group.create_dataset(name, data=array, **options)


def read_mesh_group(group: h5py.Group) -> Mesh:
    """Read a mesh back, bit for bit.

    Args:
        group: Where `write_mesh_group` wrote it.

    Returns:
        The mesh.

    Raises:
        KeyError: An entry is missing.
        OSError: A checksum fails.
        ValueError: What is there is no mesh.
    """
    parts = group.get(BOUNDARIES, {})
    boundaries = {name: _integers(parts[name]) for name in parts}
    points = torch.from_numpy(group[POINTS][()].astype(numpy.float64))
    return Mesh(points, _integers(group[SIMPLICES]), boundaries)


def shared_mesh(mesh: Mesh, known: Sequence[Mesh]) -> Mesh:
    """The mesh among those known that is the same, or this one: meshes are compared by identity.

    Args:
        mesh: A mesh.
        known: Meshes that were read before.

    Returns:
        One of them where points, simplices and boundary parts are equal.
    """
    return next((other for other in known if _same(mesh, other)), mesh)


def _integers(dataset: h5py.Dataset) -> Tensor:
    return torch.from_numpy(dataset[()].astype(numpy.int64))


def _same(first: Mesh, second: Mesh) -> bool:
    return (
        torch.equal(first.points, second.points)
        and torch.equal(first.simplices, second.simplices)
        and first.boundaries.keys() == second.boundaries.keys()
        and all(torch.equal(facets, second.boundaries[name]) for name, facets in first.boundaries.items())
    )
