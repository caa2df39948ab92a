"""Making a data set: seeded, in parallel, and able to go on after a kill at any moment."""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from pdeops.data.batch_files import BatchFiles
from pdeops.data.parallel_solving import solve_all
from pdeops.data.recipe import Recipe, ReferenceSolver
from pdeops.data.schema import StoreError
from pdeops.data.store import Store
from pdeops.data.writing import atomic_file, create_dataset, write_batch
from pdeops.domains import Domain
from pdeops.problems import Problem


def generate(
    problem: Problem,
    solver: ReferenceSolver,
    domain: Domain,
    times: Sequence[float] | Tensor | None,
    num_samples: int,
    seed: int,
    path: str | Path,
    *,
    num_validation: int = 0,
    num_test: int = 0,
    solver_domain: Domain | None = None,
    solver_batch_size: int = 16,
    dtype: str = "float32",
    device: str = "cpu",
    num_workers: int | None = 0,
    progress: bool = True,
) -> Path:
    """Solve a problem for many inputs and store the pairs; see `Recipe` for the settings of the numbers.

    Args:
        problem: The problem.
        solver: The solver.
        domain: Grid or mesh of the stored fields.
        times: Times of the stored frames; None for a steady problem.
        num_samples: Number of samples of all splits.
        seed: Seed of the inputs.
        path: The HDF5 file to make.
        num_validation: Number of validation samples.
        num_test: Number of test samples.
        solver_domain: Finer grid or mesh to solve on.
        solver_batch_size: Number of samples solved at once.
        dtype: Type of the stored numbers.
        device: Where the solver works.
        num_workers: See `generate_from`.
        progress: Whether to show a progress bar.

    Returns:
        The file.

    Raises:
        ValueError: A setting is out of range.
        Exception: What `generate_from` raises.

    Example:
        >>> from pdeops.data import generate  # doctest: +SKIP
        >>> generate(problem, solver, domain, [0.0, 1.0], 100, 0, "datasets/mine.h5", num_test=20)
    """
    recipe = Recipe(
        problem=problem,
        solver=solver,
        domain=domain,
        times=None if times is None else tuple(float(time) for time in times),
        num_samples=num_samples,
        seed=seed,
        num_validation=num_validation,
        num_test=num_test,
        solver_domain=solver_domain,
        solver_batch_size=solver_batch_size,
        dtype=dtype,
        device=device,
    )
    return generate_from(recipe, path, num_workers=num_workers, progress=progress)


def generate_from(
    recipe: Recipe, path: str | Path, *, num_workers: int | None = 0, progress: bool = True
) -> Path:
    """Make the data set of a recipe, unless it is there already.

    Batches go to a folder ``<path>.partial-<key>``; when all are there they are merged into one file that is
    moved into place. Run it again after a kill and it solves what is missing. A second process that wants
    the same file waits for the first.

    Args:
        recipe: The recipe.
        path: The HDF5 file to make.
        num_workers: Number of processes: 0 works in this one, None takes one a processor. Each computes
            on one thread, so that the numbers do not depend on how many there are. More than 0 needs the
            usual ``if __name__ == "__main__":`` in a script.
        progress: Whether to show a progress bar.

    Returns:
        The file.

    Raises:
        FileExistsError: The file holds another data set.
        ValueError: The device is not there.
        PermissionError: The folder cannot be written.
        OSError: There is not enough space.
        FloatingPointError: The solver gave NaN or infinity.
        RuntimeError: The solver failed, or a worker died.
        StoreError: The file is there and damaged.

    Failure mode: While merging, batches and result are both on the disk: it takes twice the final size.
    """
    path = Path(path)
    batches = BatchFiles(path.with_name(f"{path.name}.partial-{recipe.key[:8]}"), recipe)
    if _is_made(path, recipe) and not batches.folder.exists():
        return path
    _require_device(recipe.device)
    _require_writable(path.parent)
    with _locked(path.with_name(f"{path.name}.lock"), progress):
        _remove_leftovers(path)
        if not _is_made(path, recipe):
            batches.folder.mkdir(exist_ok=True)
            missing = batches.missing()
            _require_space(path.parent, recipe, len(missing))
            with _progress_bar(recipe, len(missing), progress) as advance:
                for batch in solve_all(batches, missing, num_workers):
                    advance(len(recipe.batch_samples(batch)))
            _merge(batches, path)
        batches.remove()
    return path


def _is_made(path: Path, recipe: Recipe) -> bool:
    if not path.exists():
        return False
    with Store.open(path) as store:
        if store.metadata.key != recipe.key:
            raise FileExistsError(
                f"{path}: expected no file or the data set {recipe.key[:16]}, got "
                f"{store.metadata.problem or 'data'} "
                f"{store.metadata.key[:16]} made with other settings; try another path or delete it"
            )
    return True


def _remove_leftovers(path: Path) -> None:
    """Remove half-merged files of killed processes; only the holder of the lock writes any."""
    for leftover in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        leftover.unlink(missing_ok=True)


def _require_device(device: str) -> None:
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"generation: expected a CUDA device for {device!r}, got none; try device='cpu'")


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"{folder}: expected a folder that can be written, got {error}; try another path, for "
            "example one in your home folder"
        ) from error


def _require_space(folder: Path, recipe: Recipe, num_missing: int) -> None:
    needed = int(recipe.num_bytes * (1 + num_missing / recipe.num_batches))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder}: expected {needed / 1e9:.3g} GB of free space (batches and result), got "
            f"{free / 1e9:.3g} GB; try another path, fewer samples, frames or points, or dtype float32"
        )


@contextmanager
def _locked(path: Path, progress: bool) -> Iterator[None]:
    """Hold a lock that the operating system drops when the process ends, however it ends."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress:
            print(f"{path}: another process is making this data set; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _progress_bar(recipe: Recipe, num_missing: int, shown: bool) -> Iterator:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    done = recipe.num_samples - min(num_missing * recipe.solver_batch_size, recipe.num_samples)
    with Progress(*columns, disable=not shown) as bar:
        task = bar.add_task(f"generating {recipe.problem.name}", total=recipe.num_samples, completed=done)
        yield lambda count: bar.advance(task, count)


def _merge(batches: BatchFiles, path: Path) -> None:
    """Copy all batches into one file and move it into place."""
    recipe = batches.recipe
    layouts = batches.read(0).layouts
    inputs = {name.removeprefix("inputs/"): layout for name, layout in layouts.items() if name != "outputs"}
    with atomic_file(path) as file:
        create_dataset(
            file,
            recipe.metadata,
            inputs,
            layouts["outputs"],
            split=recipe.split,
            num_batches=recipe.num_batches,
            dtype=recipe.dtype,
        )
        for batch in range(recipe.num_batches):
            solved = batches.read(batch)
            if solved.layouts != layouts:
                raise StoreError(f"{batches.path(batch)}: expected the fields of batch 0, got other ones")
            values = {name: solved.values[f"inputs/{name}"] for name in inputs}
            write_batch(
                file, recipe.batch_samples(batch).start, values, solved.values["outputs"], batch=batch
            )
