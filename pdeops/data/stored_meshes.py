"""Meshes inside HDF5 files, and telling that two of them are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor

from pdeops.domains import Domain, Grid, Mesh

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


def same_domain(first: Domain, second: Domain) -> bool:
    """Whether two domains are the same: meshes compare by identity, and one read twice is two objects.

    Args:
        first: Grid or mesh.
        second: Grid or mesh.

    Returns:
        For meshes, whether points, simplices and boundary parts are equal to the last bit.
    """
    if isinstance(first, Mesh) and isinstance(second, Mesh):
        return first is second or _same(first, second)
    return first == second


def shared_domain(domain: Domain, known: Sequence[Domain]) -> Domain:
    """The domain among those known that is the same, or this one, so that identity tells meshes apart again.

    Args:
        domain: Grid or mesh.
        known: Domains that were met before.

    Returns:
        One of them where there is one.
    """
    return next((other for other in known if same_domain(domain, other)), domain)


def domain_settings(domain: Domain) -> dict[str, Any]:
    """Plain description of a domain for the key of a data set: a grid in full, a mesh by its digest.

    Args:
        domain: Grid or mesh.

    Returns:
        Plain containers; equal for domains that are the same, and for no others.
    """
    if isinstance(domain, Grid):
        return domain.to_dict()
    digest = hashlib.sha256()
    parts = sorted(domain.boundaries.items())
    for name, tensor in (("points", domain.points), ("simplices", domain.simplices), *parts):
        digest.update(f"{name}{tuple(tensor.shape)}".encode() + tensor.contiguous().numpy().tobytes())
    size = {"dimension": domain.dimension, "points": domain.num_points, "cells": len(domain.simplices)}
    return {"mesh": digest.hexdigest(), **size}


def _integers(dataset: h5py.Dataset) -> Tensor:
    return torch.from_numpy(dataset[()].astype(numpy.int64))


def _same(first: Mesh, second: Mesh) -> bool:
    return (
        torch.equal(first.points, second.points)
        and torch.equal(first.simplices, second.simplices)
        and first.boundaries.keys() == second.boundaries.keys()
        and all(torch.equal(facets, second.boundaries[name]) for name, facets in first.boundaries.items())
    )
