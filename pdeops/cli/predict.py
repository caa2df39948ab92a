"""``pdeops predict``: apply a trained run to fields from a file."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import hydra
import numpy
import torch
from omegaconf import DictConfig

from pdeops.cli.assembly import build_problem
from pdeops.cli.errors import UserError, guard, job
from pdeops.cli.evaluate import choose_device
from pdeops.cli.pictures import double, place
from pdeops.cli.result import shorten
from pdeops.cli.run_folder import check_surrogate, check_writable, read_config
from pdeops.cli.suggestions import did_you_mean
from pdeops.domains import Domain, Field, Grid
from pdeops.export import on_image, write_vtk
from pdeops.training import load

ARRAYS = (".h5", ".hdf5", ".npz")
PICTURES = (".pvd", ".vti", ".vtr", ".vtu")


def predict(run: Path, source: Path, target: Path, sample: int, device: str) -> Path:
    """Read inputs, predict, write.

    Args:
        run: A run folder.
        source: HDF5 or npz file with one array an input channel, or one array of all.
        target: ``.h5`` or ``.npz`` for arrays, ``.pvd``, ``.vti``, ``.vtr`` or ``.vtu`` for ParaView.
        sample: The sample that a VTK file shows.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The file written.

    Raises:
        UserError: A file is missing, damaged or holds something else; the target exists.
    """
    check_surrogate(run)
    if target.suffix not in ARRAYS + PICTURES:
        raise UserError(
            f"output={target}: expected a name that ends in one of {', '.join(ARRAYS + PICTURES)}"
        )
    # A picture gets the suffix of its kind of domain.
    names = [target.with_suffix(suffix) for suffix in PICTURES] if target.suffix in PICTURES else [target]
    for name in names:
        if name.exists():
            raise UserError(f"output={target}: {name} exists and is not overwritten; expected a new name")
    arrays = read_file(source)
    surrogate = load(run, device=choose_device(device))
    inputs = make_inputs(arrays, surrogate.artefact.input_channels, surrogate.artefact.input_domain, source)
    prediction = double(surrogate.predict(inputs))
    check_writable(target.absolute().parent)
    if target.suffix in ARRAYS:
        return write_arrays(prediction, target)
    if not 0 <= sample < prediction.batch_size:
        raise UserError(f"sample: expected 0 to {prediction.batch_size - 1}, got {sample}")
    image = place(build_problem(read_config(run)), inputs, prediction, sample)
    return write_vtk(on_image(prediction, image), target, sample=sample)


def read_file(path: Path) -> dict[str, numpy.ndarray]:
    """Read all arrays of a file; those of one of our data sets by the names of its inputs.

    Raises:
        UserError: The file is missing, damaged or of another format.
    """
    if not path.is_file():
        raise UserError(f"input={path}: there is no such file; expected HDF5 (.h5) or NumPy (.npz)")
    try:
        if path.suffix == ".npz":
            with numpy.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        with h5py.File(path, "r") as file:
            if "inputs" in file:
                return {name: file[f"inputs/{name}/values"][()] for name in file["inputs"]}
            return {name: node[()] for name, node in file.items() if isinstance(node, h5py.Dataset)}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"input={path}: expected a whole HDF5 or npz file of numbers, got one that does not read: {error}"
        ) from error


def make_inputs(
    arrays: dict[str, numpy.ndarray], channels: tuple[str, ...], domain: Domain, source: Path
) -> Field:
    """Stack the arrays in the order of the channels; a grid of another size is that of the arrays.

    Raises:
        UserError: An array is missing, has the wrong number of axes, or holds NaN.
    """
    arrays = rename(arrays, channels)
    missing = [name for name in channels if name not in arrays]
    if missing:
        raise UserError(
            f"input={source}: expected the arrays {', '.join(channels)}, got no '{missing[0]}'; "
            f"{did_you_mean(missing[0], arrays)}"
        )
    dimension = len(domain.shape)
    columns = []
    for name in channels:
        values = arrays[name]
        if values.dtype.kind not in "fiu" or values.ndim not in (dimension, dimension + 1, dimension + 2):
            raise UserError(
                f"input={source}: '{name}': expected numbers of shape "
                f"(samples, {', '.join('n' * dimension)}), got {values.dtype} of shape {values.shape}"
            )
        if not numpy.isfinite(values).all():
            raise UserError(f"input={source}: '{name}': expected finite numbers, got NaN or infinity")
        columns.append(
            torch.from_numpy(values.reshape(-1, 1, *values.shape[-dimension:]).astype(numpy.float64))
        )
    shapes = {tuple(column.shape) for column in columns}
    if len(shapes) > 1:
        raise UserError(f"input={source}: expected arrays of one shape, got {sorted(shapes)}")
    shape = columns[0].shape[2:]
    return Field(
        torch.cat(columns, dim=1), domain.with_shape(shape) if isinstance(domain, Grid) else domain, channels
    )


def rename(arrays: dict[str, numpy.ndarray], channels: tuple[str, ...]) -> dict[str, numpy.ndarray]:
    """Take ``initial_<name>`` for ``<name>``: the state at time 0 is a state."""
    initial = {name: arrays[f"initial_{name}"] for name in channels if f"initial_{name}" in arrays}
    return {**initial, **arrays}


def write_arrays(field: Field, path: Path) -> Path:
    """Write one array a channel, shape (samples, *shape), and the coordinates of a grid, or a mesh."""
    arrays = {
        name: field.select(name).values.squeeze(-1 - len(field.domain.shape)).numpy()
        for name in field.channels
    }
    if isinstance(field.domain, Grid):
        arrays |= {axis.name: axis.points.numpy() for axis in field.domain.axes}
    else:
        arrays |= {"points": field.domain.points.numpy(), "simplices": field.domain.simplices.numpy()}
    if field.times is not None:
        arrays["times"] = field.times.cpu().numpy()
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    if path.suffix == ".npz":
        numpy.savez(partial, **arrays)  # type: ignore[arg-type]
    else:
        with h5py.File(partial, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    os.replace(partial, path)
    return path


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="predict")
def task(config: DictConfig) -> None:
    """Run one job of Hydra."""
    with job("predict"):
        path = predict(
            Path(config.run), Path(config.input), Path(config.output), config.sample, config.device
        )
    print(shorten(path.absolute()))


def main() -> None:
    """Run the verb."""
    guard(task, "predict")


if __name__ == "__main__":
    main()
