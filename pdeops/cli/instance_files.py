"""Files of a fit of one instance: the posterior as arrays, pictures, and what ParaView opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from pdeops.cli.predict import write_arrays
from pdeops.data import Recipe
from pdeops.domains import Field
from pdeops.export import draw_comparison, draw_field, draw_rollout, on_image, write_vtk


def write_instance_files(
    run: Path,
    mean: Field,
    deviation: Field | None,
    truth: Field,
    recipe: Recipe,
    inputs: Mapping[str, Field],
    *,
    pictures: bool,
) -> None:
    """Write the posterior as arrays and, if pictures are wanted, as pictures and for ParaView.

    Args:
        run: The run folder; gets ``posterior.h5``, ``pictures`` and ``prediction/instance.*``.
        mean: Posterior mean.
        deviation: Posterior standard deviation, or None.
        truth: The reference.
        recipe: Knows the problem.
        inputs: Inputs by name, which say where the instance lies.
        pictures: Whether to draw, and to write VTK.
    """
    fields = {"mean": mean, "truth": truth, "error": replace(truth, values=mean.values - truth.values)}
    if deviation is not None:
        fields["standard_deviation"] = deviation
    names = tuple(f"{name}_{channel}" for name, field in fields.items() for channel in field.channels)
    values = torch.cat([field.values for field in fields.values()], dim=1 if truth.times is None else 2)
    write_arrays(Field(values, truth.domain, names, times=truth.times), run / "posterior.h5")
    if not pictures:
        return
    image = recipe.problem.image(inputs, 0)
    folder = run / "pictures"
    draw_comparison(mean, truth, folder / "comparison.png", images=[image], num_samples=1)
    if truth.times is not None:
        draw_rollout(mean, truth, folder / "rollout.png")
    if deviation is not None:
        named = replace(deviation, channels=tuple(f"deviation of {name}" for name in deviation.channels))
        draw_field(on_image(named, image), folder / "standard_deviation.png")
    write_vtk(
        {name: on_image(field, image) for name, field in fields.items()}, run / "prediction" / "instance"
    )
