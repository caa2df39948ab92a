"""Reading data sets: one validated HDF5 file, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy

from pdeops.data.schema import SPLITS, FieldLayout, Metadata, StoreError, share_domains
from pdeops.domains import Field


class Store:
    """A data set on disk, opened by `Store.open`, which validates it.

    Values are read when asked for; each read verifies the checksums and that every value is finite. A
    store can be pickled (it takes its path along and opens the file again), and closes itself as a context.

    Example:
        >>> from pdeops.data import Store
        >>> with Store.open("datasets/darcy.h5") as store:  # doctest: +SKIP
        ...     pressure = store.read_outputs(store.split("test")[:4])
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            self.metadata = Metadata.read(self._file)
            self._validate()
        except StoreError:
            self._file.close()
            raise
        except (OSError, KeyError, AttributeError, RuntimeError, ValueError, TypeError) as error:
            # What HDF5 raises on damaged metadata depends on where the damage is.
            self._file.close()
            raise self._error("readable groups, attributes and shapes", str(error)) from error

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open and validate a data set.

        Args:
            path: The file.

        Returns:
            The store.

        Raises:
            FileNotFoundError: There is no such file.
            StoreError: The file is damaged, of another format or version, or not complete.
        """
        return cls(path)

    def _validate(self) -> None:
        """Read all layouts and check what can be checked without reading the values."""
        for name in ("inputs", "outputs", "split", "complete"):
            if name not in self._file:
                raise self._error(f"the entry {name!r}", "a file without it")
        names = tuple(self._file["inputs"])
        layouts = {f"inputs/{name}": FieldLayout.read(self._file[f"inputs/{name}"]) for name in names}
        layouts["outputs"] = FieldLayout.read(self._file["outputs"])
        layouts = share_domains(layouts)
        self._codes = self._file["split"][()]
        complete = self._file["complete"][()]
        self.layouts = layouts
        self.input_names = names
        if self._codes.ndim != 1 or not numpy.isin(self._codes, range(len(SPLITS))).all():
            raise self._error("a split of 0 (train), 1 (validation), 2 (test) a sample", "other entries")
        if not complete.all():
            raise self._error("complete batches only", f"{(~complete.astype(bool)).sum()} unfinished ones")
        for name in layouts:
            values = self._file[f"{name}/values"]
            if values.shape[0] != self.num_samples:
                raise self._error(f"{self.num_samples} samples in {name}, as in split", f"{values.shape[0]}")
            # A chunk that was never written reads as zeros, which no later check could tell from data.
            written = values.id.get_num_chunks() * values.chunks[0] if values.chunks else values.shape[0]
            if written < self.num_samples:
                raise self._error(f"{self.num_samples} written samples in {name}", f"{written}")

    def _error(self, expected: str, found: str) -> StoreError:
        return StoreError(
            f"{self.path}: expected {expected}, got {found}; the file is damaged or unfinished: "
            "try deleting it and generating it again"
        )

    @property
    def num_samples(self) -> int:
        """Number of samples of all splits."""
        return len(self._codes)

    @property
    def num_values(self) -> int:
        """Numbers of all samples."""
        return sum(self._file[f"{name}/values"].size for name in self.layouts)

    def split(self, name: str) -> numpy.ndarray:
        """Return the ascending sample numbers of a split.

        Args:
            name: ``"train"``, ``"validation"`` or ``"test"``.

        Returns:
            Sample numbers.

        Raises:
            ValueError: There is no such split.
        """
        if name not in SPLITS:
            raise ValueError(f"split: expected one of {SPLITS}, got {name!r}")
        return numpy.flatnonzero(self._codes == SPLITS.index(name))

    def read_inputs(self, samples: Sequence[int] | numpy.ndarray) -> dict[str, Field]:
        """Read the input fields of some samples, by name."""
        return {name: self._field(f"inputs/{name}", samples) for name in self.input_names}

    def read_outputs(self, samples: Sequence[int] | numpy.ndarray) -> Field:
        """Read the output field of some samples."""
        return self._field("outputs", samples)

    def _field(self, name: str, samples: Sequence[int] | numpy.ndarray) -> Field:
        return self.layouts[name].field(self.read(name, samples))

    def read(self, name: str, samples: Sequence[int] | numpy.ndarray) -> numpy.ndarray:
        """Read values as an array.

        Args:
            name: ``"outputs"`` or ``"inputs/<name>"``.
            samples: Sample numbers in any order; repeated ones are read once.

        Returns:
            Values, shape (len(samples), *sample_shape), in the dtype of the file.

        Raises:
            StoreError: A checksum fails or a value is not finite; the message names the sample.
        """
        dataset = self._file[f"{name}/values"]
        unique, inverse = numpy.unique(numpy.asarray(samples, dtype=numpy.int64), return_inverse=True)
        values = numpy.empty((len(unique), *dataset.shape[1:]), dataset.dtype)
        # Neighbouring samples are read in one call: selecting rows by a list is slow in HDF5.
        breaks = numpy.flatnonzero(numpy.diff(unique) != 1) + 1
        for run in numpy.split(numpy.arange(len(unique)), breaks):
            if len(run):
                self._read_run(name, dataset, values[run[0] : run[-1] + 1], int(unique[run[0]]))
        return values if numpy.array_equal(inverse, numpy.arange(len(unique))) else values[inverse]

    def _read_run(self, name: str, dataset: h5py.Dataset, out: numpy.ndarray, start: int) -> None:
        """Read consecutive samples into an array; find the sample that is damaged, if one is."""
        try:
            dataset.read_direct(out, numpy.s_[start : start + len(out)])
        except (OSError, RuntimeError) as error:
            for offset in range(len(out)) if len(out) > 1 else ():
                self._read_run(name, dataset, out[offset : offset + 1], start + offset)
            raise self._error(f"sample {start} of {name} with a valid checksum", f"{error}") from error
        if not numpy.isfinite(out).all():
            finite = numpy.isfinite(out).reshape(len(out), -1).all(axis=1)
            bad = start + int(numpy.argmin(finite))
            raise self._error(f"finite values in sample {bad} of {name}", "NaN or infinity")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._file = _open(self.path)


def _open(path: Path) -> h5py.File:
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a data set, got no such file; try pdeops generate")
    try:
        # Read-only media and network file systems often refuse HDF5's own lock, which readers do not need.
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        raise StoreError(
            f"{path}: expected an HDF5 file, got {path.stat().st_size} bytes that HDF5 refuses ({error}); "
            "the file is truncated, damaged or something else: try deleting it and generating it again"
        ) from error
