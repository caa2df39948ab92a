"""Writing data sets: into a temporary file, moved into place when whole."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy

from pdeops.data.schema import FieldLayout, Metadata
from pdeops.domains import Field


@contextmanager
def atomic_file(path: Path) -> Iterator[h5py.File]:
    """Open a new HDF5 file that appears under its name only when it is whole.

    The temporary name holds host and process number, so two writers never share a file.

    Args:
        path: Final name.

    Yields:
        The open file.
    """
    temporary = path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}.tmp")
    try:
        # Metadata of this format version has checksums, like the values; HDF5 1.10 (2016) and later read it.
        with h5py.File(temporary, "w", libver=("v110", "v110")) as file:
            yield file
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def create_dataset(
    file: h5py.File,
    metadata: Metadata,
    inputs: Mapping[str, FieldLayout],
    outputs: FieldLayout,
    *,
    split: numpy.ndarray,
    num_batches: int,
    dtype: str,
) -> None:
    """Create all entries of a data set, still without values.

    Args:
        file: An empty file.
        metadata: Where the numbers come from.
        inputs: Layout of each input field.
        outputs: Layout of the output field.
        split: Split code of each sample.
        num_batches: Number of batches that will be written.
        dtype: ``"float32"`` or ``"float64"``.
    """
    metadata.write(file)
    file.create_group("inputs")  # trajectories alone have none
    for name, layout in inputs.items():
        layout.create(file.create_group(f"inputs/{name}"), len(split), dtype)
    outputs.create(file.create_group("outputs"), len(split), dtype)
    file.create_dataset("split", data=split.astype(numpy.uint8), fletcher32=True, chunks=split.shape)
    complete = numpy.zeros(num_batches, dtype=bool)
    file.create_dataset("complete", data=complete, fletcher32=True, chunks=complete.shape)


def write_batch(
    file: h5py.File, start: int, inputs: Mapping[str, numpy.ndarray], outputs: numpy.ndarray, *, batch: int
) -> None:
    """Write the samples of one batch and mark it complete.

    Args:
        file: A file from `create_dataset`.
        start: Number of the first sample.
        inputs: Values of each input field.
        outputs: Values of the output field.
        batch: Number of the batch.
    """
    stop = start + len(outputs)
    for name, values in inputs.items():
        file[f"inputs/{name}/values"][start:stop] = values
    file["outputs/values"][start:stop] = outputs
    file["complete"][batch] = True


def stored_values(field: Field, dtype: str) -> numpy.ndarray:
    """Return the values of a field as an array of the stored dtype."""
    return field.values.detach().cpu().numpy().astype(dtype)
