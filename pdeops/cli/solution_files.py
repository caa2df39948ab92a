"""What ``pdeops solve`` leaves behind: a data set, files for ParaView, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy
import torch

from pdeops.data import ReferenceSolver
from pdeops.data.recipe import import_path, initial_inputs
from pdeops.data.schema import FieldLayout, Metadata
from pdeops.data.writing import atomic_file, create_dataset, stored_values, write_batch
from pdeops.domains import Field
from pdeops.export import animate, draw_field, on_image, write_vtk
from pdeops.problems import Problem

TEST_SPLIT = 2


def write_fields(
    path: Path,
    problem: Problem,
    solver: ReferenceSolver,
    inputs: Mapping[str, Field],
    solution: Field,
    seed: int,
) -> Path:
    """Write inputs and solution in double precision, in the layout of our data sets.

    Args:
        path: The HDF5 file; ``pdeops.data.Store`` and ``pdeops.data.read_arrays`` read it, and so does
            ``pdeops predict``.
        problem: The problem that was solved.
        solver: The solver.
        inputs: Inputs by name.
        solution: The outputs.
        seed: Seed of the inputs, or -1.

    Returns:
        The file.
    """
    metadata = Metadata(
        problem=problem.name,
        problem_parameters=dict(problem.parameters),
        solver=import_path(solver),
        solver_settings=dict(solver.settings),
        seed=seed,
        initial_inputs=initial_inputs(problem),
    )
    split = numpy.full(solution.batch_size, TEST_SPLIT, dtype=numpy.uint8)
    layouts = {name: FieldLayout.of(field) for name, field in inputs.items()}
    with atomic_file(path) as file:
        output = FieldLayout.of(solution)
        create_dataset(file, metadata, layouts, output, split=split, num_batches=1, dtype="float64")
        values = {name: stored_values(field, "float64") for name, field in inputs.items()}
        write_batch(file, 0, values, stored_values(solution, "float64"), batch=0)
    return path


def write_paraview(
    base: Path,
    problem: Problem,
    inputs: Mapping[str, Field],
    solution: Field,
    exact: Field | None,
    sample: int,
) -> Path:
    """Write one sample as VTK, with the inputs of a steady problem, the error and the deviation where known.

    Args:
        base: Name without suffix.
        problem: The problem that was solved.
        inputs: Inputs by name, on the domain of the solution.
        solution: The outputs.
        exact: What they should be, or None.
        sample: Number of the sample.

    Returns:
        The file written.
    """
    shown = solution
    if solution.times is None:
        given = list(inputs.values())
        values = [field.values.to(solution.values) for field in given]
        shown = Field(
            torch.cat([solution.values, *values], dim=1),
            solution.domain,
            solution.channels + tuple(name for field in given for name in field.channels),
            solution.units + tuple(unit for field in given for unit in field.units),
        )
    fields = {"": shown}
    if exact is not None:
        fields["exact"] = exact
        fields["error"] = replace(exact, values=solution.values - exact.values.to(solution.values))
    deviation = getattr(solution, "standard_deviation", None)
    if deviation is not None:
        fields["standard_deviation"] = deviation
    image = problem.image(inputs, sample)
    return write_vtk({name: on_image(field, image) for name, field in fields.items()}, base, sample=sample)


def draw_solution(
    folder: Path,
    problem: Problem,
    inputs: Mapping[str, Field],
    solution: Field,
    exact: Field | None,
    sample: int,
) -> list[Path]:
    """Draw one sample where it lies: the solution, moving where there is a time, coefficients, and the error.

    Args:
        folder: Where the pictures go.
        problem: The problem that was solved.
        inputs: Inputs by name.
        solution: The outputs.
        exact: What they should be, or None.
        sample: Number of the sample.

    Returns:
        The files written.
    """
    image = problem.image(inputs, sample)
    deviation = getattr(solution, "standard_deviation", None)
    solution = on_image(solution, image)
    pictures = [draw_field(solution, folder / "solution.png", sample=sample)]
    if solution.times is not None and len(solution.times) > 1:
        pictures.append(animate(solution, folder / "solution.gif", sample=sample))
    if solution.times is None:
        pictures += [
            draw_field(on_image(field, image), folder / f"{name}.png", sample=sample)
            for name, field in inputs.items()
        ]
    if exact is not None:
        exact = on_image(exact, image)
        names = tuple(f"error of {name}" for name in exact.channels)
        error = replace(exact, values=solution.values - exact.values.to(solution.values), channels=names)
        pictures.append(draw_field(error, folder / "error.png", sample=sample))
    if deviation is not None:
        named = replace(deviation, channels=tuple(f"deviation of {name}" for name in deviation.channels))
        path = folder / "standard_deviation.png"
        pictures.append(draw_field(on_image(named, image), path, sample=sample))
    return pictures
