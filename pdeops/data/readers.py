"""Data that other programs made: read their arrays, and store them in our layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy
import scipy.io
from torch import Tensor

from pdeops.data.array_checks import as_channels, as_frames
from pdeops.data.schema import FieldLayout, Metadata, StoreError
from pdeops.data.writing import atomic_file, create_dataset, write_batch
from pdeops.domains import Domain


def read_arrays(path: str | Path, names: Sequence[str] | None = None) -> dict[str, numpy.ndarray]:
    """Read named arrays from a NumPy, HDF5 or MATLAB file. Nothing is unpickled.

    Args:
        path: ``.npz``, ``.npy`` (its one array is called ``"array"``), ``.h5``/``.hdf5`` or ``.mat`` (any
            version; axes in the order that MATLAB shows).
        names: Which arrays; all numeric ones by default. HDF5 names may be paths, ``"group/data"``.

    Returns:
        Arrays by name.

    Raises:
        FileNotFoundError: There is no such file.
        StoreError: The file cannot be read.
        ValueError: The suffix is unknown or an array is missing.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a file with arrays, got no such file")
    readers = {
        ".npz": _read_npz,
        ".npy": _read_npy,
        ".h5": _read_hdf5,
        ".hdf5": _read_hdf5,
        ".mat": _read_mat,
    }
    if path.suffix not in readers:
        raise ValueError(
            f"{path}: expected one of {', '.join(readers)}, got {path.suffix!r}; try converting it"
        )
    try:
        arrays = readers[path.suffix](path)
    except Exception as error:
        raise StoreError(
            f"{path}: expected a readable {path.suffix} file of plain numeric arrays, got {error}; "
            "try writing it again, without Python objects"
        ) from error
    missing = [name for name in names or () if name not in arrays]
    if missing:
        raise ValueError(f"{path}: expected arrays among {sorted(arrays)}, got {missing}")
    return {name: arrays[name] for name in names} if names is not None else arrays


def import_arrays(
    destination: str | Path,
    inputs: Mapping[str, numpy.ndarray | Tensor],
    outputs: numpy.ndarray | Tensor,
    domain: Domain,
    *,
    times: Sequence[float] | None = None,
    output_channels: Sequence[str] = ("output",),
    output_domain: Domain | None = None,
    num_validation: int = 0,
    num_test: int = 0,
    problem: str = "",
    dtype: str = "float32",
) -> Path:
    """Store arrays as a data set, to train on by ``PDEDataModule(path=...)``.

    Args:
        destination: The HDF5 file to make.
        inputs: Arrays by name, each (samples, channels, *domain.shape), or without the channels for one.
        outputs: Shape (samples, [times,] channels, *output_domain.shape), or without the channels.
        domain: Grid or mesh of the inputs.
        times: Times of the frames, or None for a steady problem.
        output_channels: Names of the output channels. Inputs called ``initial_<output>`` are the state at
            time 0.
        output_domain: Grid or mesh of the outputs; that of the inputs by default.
        num_validation: Number of validation samples, before the test samples.
        num_test: Number of test samples, the last ones, as published data sets have it.
        problem: Name of the problem that the data belongs to, or empty.
        dtype: Stored type, ``"float32"`` or ``"float64"``.

    Returns:
        The file.

    Raises:
        FileExistsError: The file is there.
        ValueError: A shape does not fit; the message names the array and the axis.

    Example:
        >>> arrays = read_arrays("darcy.mat", ["coeff", "sol"])  # doctest: +SKIP
        >>> inputs, grid = {"permeability": arrays["coeff"]}, Grid.box((421, 421))  # doctest: +SKIP
        >>> import_arrays("datasets/mine.h5", inputs, arrays["sol"], grid, num_test=200)  # doctest: +SKIP
    """
    destination = Path(destination)
    if destination.exists():
        raise FileExistsError(
            f"{destination}: expected no file there, got one; try another name or delete it"
        )
    output_domain = output_domain or domain
    if times is None:
        targets = as_channels("outputs", outputs, output_domain)
    else:
        targets = as_frames("outputs", outputs, len(times), output_domain)
    num_samples = len(targets)
    channels = tuple(output_channels)
    if targets.shape[-len(output_domain.shape) - 1] != len(channels):
        raise ValueError(
            f"outputs: expected as many channels as the names {channels}, got shape {tuple(targets.shape)}"
        )
    if num_validation + num_test > num_samples or min(num_validation, num_test) < 0:
        raise ValueError(
            f"import: expected at most {num_samples} samples held out, got {num_validation} and {num_test}"
        )
    values = {
        name: as_channels(name, array, domain, num_samples=num_samples) for name, array in inputs.items()
    }
    layouts = {}
    for name, array in values.items():
        names = (name,) if array.shape[1] == 1 else tuple(f"{name}_{i}" for i in range(array.shape[1]))
        layouts[name] = FieldLayout(domain, names, ("1",) * len(names))
    layout = FieldLayout(
        output_domain, channels, ("1",) * len(channels), None if times is None else tuple(map(float, times))
    )
    split = numpy.zeros(num_samples, dtype=numpy.uint8)
    split[num_samples - num_test - num_validation :] = 1
    split[num_samples - num_test :] = 2
    initial = tuple(f"initial_{channel}" for channel in channels)
    known = times is not None and set(values).issuperset(initial)
    metadata = Metadata(problem=problem, initial_inputs=initial if known else ())
    destination.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(destination) as file:
        create_dataset(file, metadata, layouts, layout, split=split, num_batches=1, dtype=dtype)
        stored = {name: array.numpy().astype(dtype) for name, array in values.items()}
        write_batch(file, 0, stored, targets.numpy().astype(dtype), batch=0)
    return destination


def _read_npz(path: Path) -> dict[str, numpy.ndarray]:
    with numpy.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_npy(path: Path) -> dict[str, numpy.ndarray]:
    return {"array": numpy.load(path, allow_pickle=False)}


def _read_hdf5(path: Path) -> dict[str, numpy.ndarray]:
    arrays: dict[str, numpy.ndarray] = {}

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and item.ndim:
            arrays[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(collect)
    return arrays


def _read_mat(path: Path) -> dict[str, numpy.ndarray]:
    if h5py.is_hdf5(path):
        # Version 7.3 is HDF5 with the axes in MATLAB's column-major order.
        return {name: array.T for name, array in _read_hdf5(path).items() if not name.startswith("#")}
    arrays = scipy.io.loadmat(path)
    return {
        name: array
        for name, array in arrays.items()
        if isinstance(array, numpy.ndarray) and array.dtype.kind in "fiub"
    }
