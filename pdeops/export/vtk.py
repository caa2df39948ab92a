"""Fields as VTK files that ParaView opens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy
import torch

from pdeops.domains import Domain, Field, Grid, to_pyvista
from pdeops.export.closing import close_period

if TYPE_CHECKING:
    import pyvista

# Written into every file, so that a later run may replace what an earlier one wrote and nothing else.
MARK_KEY = "pdeops_export"
GENERATOR = "pdeops.export"


def write_vtk(
    fields: Field | Mapping[str, Field], path: str | Path, *, sample: int = 0, close_periods: bool = True
) -> Path:
    """Write one sample of one or several fields on the same domain.

    A field without times becomes one file: ``.vti`` on uniform grids, ``.vtr`` on grids with a Chebyshev
    axis, ``.vtu`` on meshes. A field with times becomes ``<stem>.pvd``, which lists the times, and one file
    a time in the folder ``<stem>`` beside it.

    Arrays are called by their channel (``vorticity``), with several fields by field and channel
    (``prediction vorticity``), and carry the unit where there is one (``pressure [Pa]``). Channels
    ``velocity_x``, ``velocity_y`` (and ``velocity_z`` in three dimensions) of one unit are the components of
    one vector array ``velocity``. Numbers are written exactly, in the precision of the field.

    Args:
        fields: A field, or fields by name, for example prediction, truth and error.
        path: Where to write; the suffix is replaced by the right one.
        sample: Which sample of the batch.
        close_periods: Repeat the first plane of a periodic axis at its other end, so that the picture shows
            the whole period; otherwise it would lack one cell. The grid in the file then has one point more
            on that axis and is no longer the one computed on.

    Returns:
        The file written, ``.pvd`` for a time series.

    Raises:
        ValueError: The fields differ in domain or times, share array names, or there is no such sample.
        FileExistsError: The file or folder exists and was not written by this function.

    Example:
        >>> write_vtk({"prediction": prediction, "truth": truth}, "run/prediction/sample_0")  # doctest: +SKIP
    """
    named = {"": fields} if isinstance(fields, Field) else dict(fields)
    _check(named, sample)
    first = next(iter(named.values()))
    base = Path(path)
    base = base.with_suffix("") if base.suffix in (".vti", ".vtr", ".vtu", ".pvd") else base
    base.parent.mkdir(parents=True, exist_ok=True)
    if first.times is None:
        return _write_dataset(_dataset(named, sample, close_periods), base)
    return _write_series(named, base, sample, close_periods)


def _check(named: Mapping[str, Field], sample: int) -> None:
    if not named:
        raise ValueError("write_vtk: expected at least one field, got none")
    first = next(iter(named.values()))
    for name, field in named.items():
        if field.domain is not first.domain and field.domain != first.domain:
            raise ValueError(
                f"write_vtk: field {name!r}: expected the domain of the first field, got another; "
                "try Field.resample"
            )
        if (field.times is None) != (first.times is None) or (
            field.times is not None
            and first.times is not None
            and not torch.equal(field.times.cpu().double(), first.times.cpu().double())
        ):
            raise ValueError(
                f"write_vtk: field {name!r}: expected the times of the first field, got {field.times}"
            )
        if not -field.batch_size <= sample < field.batch_size:
            raise ValueError(f"write_vtk: sample: expected a number below {field.batch_size}, got {sample}")
    names = [array for name, field in named.items() for array, _ in _arrays(name, field)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"write_vtk: expected different array names, got {repeated} more than once")


def _arrays(name: str, field: Field) -> list[tuple[str, list[int]]]:
    """Names of the arrays of a field, each with the channels that are its components."""
    directions = "xyz"[: field.domain.dimension] if field.domain.dimension > 1 else ""
    arrays, done = [], set()
    for number, channel in enumerate(field.channels):
        base, numbers = channel.rpartition("_")[0], [number]
        parts = [f"{base}_{letter}" for letter in directions]
        if base and channel in parts and set(parts) <= set(field.channels):
            components = [field.channels.index(part) for part in parts]
            if len({field.units[i] for i in components}) == 1:
                channel, numbers = base, components
        if number not in done:
            done.update(numbers)
            words, unit = f"{name} {channel}".strip(), field.units[number]
            arrays.append((words if unit in ("", "1") else f"{words} [{unit}]", numbers))
    return arrays


def _dataset(named: Mapping[str, Field], sample: int, close_periods: bool) -> pyvista.DataSet:
    """Data set with the arrays of fields without times."""
    domain = next(iter(named.values())).domain
    closed = close_period(domain) if close_periods and isinstance(domain, Grid) else domain
    dataset = to_pyvista(closed)
    for name, field in named.items():
        values = field.values[sample].detach().cpu()
        if values.dtype in (torch.float16, torch.bfloat16):
            values = values.float()  # VTK has no half precision
        for array_name, channels in _arrays(name, field):
            columns = [_flattened(values[channel].numpy(), closed) for channel in channels]
            # A vector has three components in VTK, whatever the dimension.
            columns += [numpy.zeros_like(columns[0])] * (3 - len(columns)) if len(columns) > 1 else []
            dataset.point_data[array_name] = numpy.stack(columns, axis=1) if len(columns) > 1 else columns[0]
    dataset.field_data[MARK_KEY] = [GENERATOR]
    return dataset


def _flattened(array: numpy.ndarray, domain: Domain) -> numpy.ndarray:
    """Values in the order of VTK, periodic axes closed where the domain is."""
    if isinstance(domain, Grid):
        ends = [(0, more - less) for more, less in zip(domain.shape, array.shape, strict=True)]
        array = numpy.pad(array, ends, mode="wrap")
    return array.flatten(order="F")


def _suffix(dataset: pyvista.DataSet) -> str:
    return {"ImageData": ".vti", "RectilinearGrid": ".vtr", "UnstructuredGrid": ".vtu"}[
        type(dataset).__name__
    ]


def _write_dataset(dataset: pyvista.DataSet, base: Path) -> Path:
    path = base.with_name(base.name + _suffix(dataset))
    if path.exists() and not _is_ours(path):
        raise FileExistsError(f"write_vtk: expected a new file or one of ours, got {path}; try another name")
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    dataset.save(partial)
    partial.replace(path)
    return path


def _write_series(named: Mapping[str, Field], base: Path, sample: int, close_periods: bool) -> Path:
    times = next(iter(named.values())).times
    if times is None:
        raise ValueError("write_vtk: expected fields with times for a series")
    path = base.with_name(base.name + ".pvd")
    folder = base
    for existing in (path, *(folder.iterdir() if folder.is_dir() else ())):
        if existing.exists() and not _is_ours(existing):
            raise FileExistsError(
                f"write_vtk: expected a new file or one of ours, got {existing}; try another name"
            )
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(
            f"write_vtk: expected a folder or nothing, got the file {folder}; try another name"
        )
    partial = base.with_name(f".{base.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    root = ElementTree.Element("VTKFile", type="Collection", version="0.1", generator=GENERATOR)
    collection = ElementTree.SubElement(root, "Collection")
    digits = len(str(len(times) - 1))
    for frame, time in enumerate(times.tolist()):
        snapshots = {name: field.snapshot(frame) for name, field in named.items()}
        dataset = _dataset(snapshots, sample, close_periods)
        file = f"{frame:0{digits}d}{_suffix(dataset)}"
        dataset.save(partial / file)
        ElementTree.SubElement(
            collection, "DataSet", timestep=repr(time), group="", part="0", file=f"{folder.name}/{file}"
        )
    ElementTree.indent(root)
    listing = path.with_name(f".{path.name}.partial")
    ElementTree.ElementTree(root).write(listing, xml_declaration=True, encoding="utf-8")
    # The list is taken away first and put back last: at no moment does it name files that are not there.
    path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    listing.replace(path)
    return path


def _is_ours(path: Path) -> bool:
    """Whether this function wrote a file: field data, and with it our mark, stand at the beginning."""
    mark = MARK_KEY if path.suffix != ".pvd" else GENERATOR
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return mark.encode() in file.read(65536)
