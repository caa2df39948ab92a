"""The HDF5 layout of a data set: names, attributes, and what a file must hold to be one.

::

    /                       attributes: format, format_version, library_version, key, problem,
                            problem_parameters, solver, solver_settings, seed, settings, initial_inputs
    /inputs/<name>/values   (samples, channels, *shape)
    /outputs/values         (samples, channels, *shape) or (samples, time, channels, *shape)
    /.../coordinates/<axis> the points of each axis, on a grid
    /.../mesh/points        (points, dimension), on a mesh; also mesh/simplices, mesh/boundaries/<name>
    /outputs/times          (time,), where there is a time
    /split                  (samples,) 0 train, 1 validation, 2 test
    /complete               (batches,) which of the batches it was generated in are whole

One HDF5 chunk is one sample, so one sample is one read, and each chunk carries a Fletcher-32 checksum.
Dictionaries are JSON; nothing is ever pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import h5py
import numpy
import torch

from pdeops.data.stored_meshes import read_mesh_group, shared_domain, write_mesh_group
from pdeops.domains import Domain, Field, Grid

FORMAT = "pdeops-dataset"
FORMAT_VERSION = 1
SPLITS = ("train", "validation", "test")


class StoreError(ValueError):
    """A file is not a whole data set of this library; the message names the file and what to try."""


def library_version() -> str:
    """Return the installed version of pdeops, or ``"unknown"`` for a checkout that is not installed."""
    try:
        return version("pdeops")
    except PackageNotFoundError:
        return "unknown"


def write_text(attributes: h5py.AttributeManager, name: str, text: str) -> None:
    """Write a text attribute of fixed length: unlike those of variable length it is under a checksum."""
    encoded = text.encode()
    attributes.create(name, encoded, dtype=h5py.string_dtype("utf-8", max(len(encoded), 1)))


def read_text(attributes: Mapping[str, Any], name: str) -> str:
    """Read a text attribute; text of variable length, as other programs write it, is read as well."""
    value = attributes[name]
    return value.decode() if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class FieldLayout:
    """What one stored field is, apart from its values.

    Args:
        domain: Grid or mesh of the values.
        channels: Channel names.
        units: Channel units.
        times: Times of the frames, or None.
    """

    domain: Domain
    channels: tuple[str, ...]
    units: tuple[str, ...]
    times: tuple[float, ...] | None = None

    @classmethod
    def of(cls, field: Field) -> FieldLayout:
        """Return the layout of a field."""
        times = None if field.times is None else tuple(field.times.tolist())
        return cls(field.domain, field.channels, field.units, times)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: ([time,] channels, *shape)."""
        frames = () if self.times is None else (len(self.times),)
        return (*frames, len(self.channels), *self.domain.shape)

    def field(self, values: numpy.ndarray) -> Field:
        """Wrap values of shape (samples, *sample_shape) as a field."""
        times = None if self.times is None else torch.tensor(self.times, dtype=torch.float64)
        return Field(torch.from_numpy(values), self.domain, self.channels, self.units, times)

    def create(self, group: h5py.Group, num_samples: int, dtype: str) -> h5py.Dataset:
        """Create the dataset ``values`` of a field, with coordinates, in an empty group."""
        values = group.create_dataset(
            "values",
            shape=(num_samples, *self.sample_shape),
            dtype=dtype,
            chunks=(1, *self.sample_shape),
            fletcher32=True,
        )
        names = ["sample", *(() if self.times is None else ("time",)), "channel"]
        axes = self.domain.axes if isinstance(self.domain, Grid) else ()
        for dimension, name in enumerate([*names, *([axis.name for axis in axes] or ["point"])]):
            values.dims[dimension].label = name
        for axis in axes:
            points = axis.points.numpy()
            group.create_dataset(
                f"coordinates/{axis.name}", data=points, chunks=points.shape, fletcher32=True
            )
        if isinstance(self.domain, Grid):
            description: dict[str, Any] = self.domain.to_dict()
        else:
            write_mesh_group(group, self.domain)
            description = {"mesh": {"dimension": self.domain.dimension}}
        if self.times is not None:
            times = numpy.array(self.times)
            group.create_dataset("times", data=times, chunks=times.shape, fletcher32=True)
        write_text(group.attrs, "domain", json.dumps(description))
        write_text(group.attrs, "channels", json.dumps(self.channels))
        write_text(group.attrs, "units", json.dumps(self.units))
        return values

    @classmethod
    def read(cls, group: h5py.Group) -> FieldLayout:
        """Read the layout back from a group.

        Raises:
            StoreError: An attribute is missing or does not fit the values.
        """
        where = f"{group.file.filename}: {group.name.removeprefix('/')}"
        try:
            times = tuple(group["times"][()].tolist()) if "times" in group else None
            description = json.loads(read_text(group.attrs, "domain"))
            domain = read_mesh_group(group) if "mesh" in description else Grid.from_dict(description)
            channels, units = (
                tuple(json.loads(read_text(group.attrs, name))) for name in ("channels", "units")
            )
            layout = cls(domain, channels, units, times)
            shape, dtype = group["values"].shape, group["values"].dtype
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise StoreError(
                f"{where}: expected values with the attributes domain, channels and units, got {error}; "
                "try generating the file again"
            ) from error
        if shape[1:] != layout.sample_shape or dtype.kind != "f":
            raise StoreError(
                f"{where}: expected floating-point values of shape (samples, "
                f"{', '.join(map(str, layout.sample_shape))}), got {dtype} of shape {shape}; "
                "try generating the file again"
            )
        return layout


def share_domains(layouts: Mapping[str, FieldLayout], known: Sequence[Domain] = ()) -> dict[str, FieldLayout]:
    """The layouts with one object for each domain, however many fields lie on it.

    Args:
        layouts: Layouts by name.
        known: Domains to take first where they are the same.

    Returns:
        The same layouts; equal meshes are now identical.
    """
    met = list(known)
    result = {}
    for name, layout in layouts.items():
        domain = shared_domain(layout.domain, met)
        met.append(domain)
        result[name] = replace(layout, domain=domain)
    return result


@dataclass(frozen=True)
class Metadata:
    """Where the numbers of a data set come from.

    Args:
        problem: Name of the problem, empty for data from elsewhere.
        problem_parameters: Its parameters.
        solver: Import path of the solver's class, empty for data from elsewhere.
        solver_settings: Its settings.
        seed: Seed of the inputs, or -1 for data from elsewhere.
        key: Digest of `settings`, see `dataset_key`.
        settings: All settings that the numbers depend on.
        initial_inputs: Names of the inputs that are the state at time 0 and not coefficients.
        library_version: Version of pdeops that wrote the file.
    """

    problem: str = ""
    problem_parameters: dict[str, Any] | None = None
    solver: str = ""
    solver_settings: dict[str, Any] | None = None
    seed: int = -1
    key: str = ""
    settings: dict[str, Any] | None = None
    initial_inputs: tuple[str, ...] = ()
    library_version: str = ""

    def write(self, file: h5py.File) -> None:
        """Write the attributes of the root."""
        attributes = file.attrs
        write_text(attributes, "format", FORMAT)
        attributes["format_version"] = FORMAT_VERSION
        write_text(attributes, "library_version", self.library_version or library_version())
        for name in ("problem", "solver", "key"):
            write_text(attributes, name, getattr(self, name))
        attributes["seed"] = self.seed
        for name in ("problem_parameters", "solver_settings", "settings"):
            write_text(attributes, name, json.dumps(getattr(self, name) or {}, sort_keys=True))
        write_text(attributes, "initial_inputs", json.dumps(self.initial_inputs))

    @classmethod
    def read(cls, file: h5py.File) -> Metadata:
        """Read the attributes of the root back.

        Raises:
            StoreError: The file has another format or version, or an attribute is missing.
        """
        attributes = dict(file.attrs)
        found = read_text(attributes, "format") if "format" in attributes else None
        if found != FORMAT:
            raise StoreError(
                f"{file.filename}: expected an HDF5 file of format {FORMAT!r}, got format {found!r}; "
                "try pdeops.data.read_arrays and import_arrays for files that other programs made"
            )
        found = attributes.get("format_version")
        if found != FORMAT_VERSION:
            raise StoreError(
                f"{file.filename}: expected format version {FORMAT_VERSION}, got {found}; try "
                f"the release of pdeops that wrote it ({attributes.get('library_version')}), or "
                "generate it again"
            )
        missing = [item.name for item in fields(cls) if item.name not in attributes]
        if missing:
            raise StoreError(
                f"{file.filename}: expected the attributes of a data set, got none called "
                f"{', '.join(missing)}; try generating it again"
            )
        text = {name: read_text(attributes, name) for name in attributes}
        return cls(
            problem=text["problem"],
            problem_parameters=json.loads(text["problem_parameters"]),
            solver=text["solver"],
            solver_settings=json.loads(text["solver_settings"]),
            seed=int(attributes["seed"]),
            key=text["key"],
            settings=json.loads(text["settings"]),
            initial_inputs=tuple(json.loads(text["initial_inputs"])),
            library_version=text["library_version"],
        )
