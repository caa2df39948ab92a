"""The batches of a generation under way: one small checksummed file each, kept until the whole is made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy
import torch

from pdeops.data.recipe import Recipe, sample_seeds
from pdeops.data.restriction import restrict
from pdeops.data.schema import FieldLayout, Metadata, StoreError, share_domains
from pdeops.data.writing import atomic_file, stored_values


@dataclass(frozen=True)
class SolvedBatch:
    """Inputs and outputs of one batch, as stored."""

    layouts: dict[str, FieldLayout]
    values: dict[str, numpy.ndarray]


def solve_batch(recipe: Recipe, batch: int) -> SolvedBatch:
    """Sample the inputs of one batch, solve, and restrict to the stored grid.

    Args:
        recipe: The recipe.
        batch: Number of the batch.

    Returns:
        The fields ``inputs/<name>`` and ``outputs``.

    Raises:
        FloatingPointError: A value is not finite; the message names the sample and its seed.
        RuntimeError: The solver failed.
        ValueError: The solver's answer does not have the shape it should have.
    """
    samples = recipe.batch_samples(batch)
    seeds = sample_seeds(recipe.seed, samples)
    grid, device = recipe.solver_grid, torch.device(recipe.device)
    inputs = {
        name: field.to(device, torch.float64)
        for name, field in recipe.problem.sample_inputs(grid, seeds).items()
    }
    times = None if recipe.times is None else torch.tensor(recipe.times, dtype=torch.float64)
    try:
        solution = recipe.solver.solve(recipe.problem, inputs, grid, times)
    except Exception as error:
        # A plain exception with all in its text: those with arguments of their own cannot always be sent home
        # from a worker process.
        raise RuntimeError(
            f"generation of {recipe.problem.name}: samples {samples.start} to {samples.stop - 1} "
            f"(data set seed {recipe.seed}, sample seeds from {seeds[0]}): {type(error).__name__}: {error}"
        ) from error
    names = tuple(variable.name for variable in recipe.problem.outputs)
    frames = () if times is None else (len(times),)
    expected = (len(samples), *frames, len(solution.channels), *grid.shape)
    if tuple(solution.values.shape) != expected or (times is None) != (solution.times is None):
        raise ValueError(
            f"generation: expected {names} of shape {expected} from {type(recipe.solver).__name__}, "
            f"got {tuple(solution.values.shape)}; try a solver made for {recipe.problem.name}"
        )
    fields = {f"inputs/{name}": field for name, field in inputs.items()}
    fields["outputs"] = solution
    layouts, values = {}, {}
    for name, field in fields.items():
        stored = restrict(field, recipe.domain) if field.domain == grid else field
        layouts[name] = FieldLayout.of(stored)
        values[name] = stored_values(stored, recipe.dtype)
        _require_finite(recipe, name, values[name], samples, seeds)
    return SolvedBatch(layouts, values)


def _require_finite(
    recipe: Recipe, name: str, values: numpy.ndarray, samples: range, seeds: list[int]
) -> None:
    finite = numpy.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        bad = int(numpy.argmin(finite))
        raise FloatingPointError(
            f"generation of {recipe.problem.name}: expected finite values, got NaN or infinity in {name} of "
            f"sample {samples[bad]} (data set seed {recipe.seed}, sample seed {seeds[bad]}); try a "
            "smaller time "
            "step or a finer solver grid, or reproduce it alone with problem.sample_inputs(domain, "
            f"[{seeds[bad]}])"
        )


class BatchFiles:
    """The folder of finished batches next to the data set that they will become.

    A batch counts when its file has its final name; one killed halfway has another name and is ignored.

    Args:
        folder: The folder; its name holds the key, so recipes never mix.
        recipe: The recipe.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe

    def path(self, batch: int) -> Path:
        """Return the file of a batch."""
        return self.folder / f"batch-{batch:06d}.h5"

    def write(self, batch: int, solved: SolvedBatch) -> None:
        """Write a batch; it appears whole or not at all."""
        with atomic_file(self.path(batch)) as file:
            Metadata(key=self.recipe.key).write(file)
            for name, layout in solved.layouts.items():
                values = solved.values[name]
                layout.create(file.create_group(name), len(values), self.recipe.dtype)[...] = values

    def read(self, batch: int) -> SolvedBatch:
        """Read a batch back.

        Raises:
            StoreError: The file is missing, damaged, or of another recipe.
        """
        path = self.path(batch)
        try:
            with h5py.File(path, "r") as file:
                if Metadata.read(file).key != self.recipe.key:
                    raise StoreError(f"{path}: expected a batch of {self.recipe.key}, got another one")
                names = [f"inputs/{name}" for name in file["inputs"]] + ["outputs"]
                layouts = {name: FieldLayout.read(file[name]) for name in names}
                layouts = share_domains(layouts, (self.recipe.domain, self.recipe.solver_grid))
                values = {name: file[name]["values"][()] for name in names}
        except (OSError, KeyError, RuntimeError) as error:
            raise StoreError(
                f"{path}: expected a finished batch, got {error}; try generating again"
            ) from error
        if any(len(array) != len(self.recipe.batch_samples(batch)) for array in values.values()):
            raise StoreError(f"{path}: expected {len(self.recipe.batch_samples(batch))} samples, got others")
        return SolvedBatch(layouts, values)

    def missing(self) -> list[int]:
        """Return the batches still to be solved; damaged files are removed and count as missing."""
        missing = []
        for batch in range(self.recipe.num_batches):
            try:
                self.read(batch)
            except StoreError:
                self.path(batch).unlink(missing_ok=True)
                missing.append(batch)
        return missing

    def remove(self) -> None:
        """Remove the folder with all that is in it, if it is there."""
        if not self.folder.exists():
            return
        for entry in os.scandir(self.folder):
            Path(entry).unlink(missing_ok=True)
        self.folder.rmdir()
