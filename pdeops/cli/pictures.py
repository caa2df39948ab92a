"""Pictures and VTK files of what a run predicts for held-out inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from pdeops.cli.trajectories import predict_trajectories
from pdeops.data import FieldDataset, PDEDataModule
from pdeops.data.stored_meshes import same_domain
from pdeops.domains import Domain, Field, Grid
from pdeops.export import (
    draw_comparison,
    draw_error_over_time,
    draw_learning_curve,
    draw_rollout,
    draw_spectrum,
    on_image,
    write_vtk,
)
from pdeops.problems import Problem
from pdeops.training import Artefact, Surrogate, load, read_metrics

SPECTRUM_SAMPLES = 16


def write_pictures(run: Path, data: PDEDataModule, problem: Problem, num_samples: int) -> None:
    """Draw the learning curve, predictions beside the truth and their spectra; write VTK files.

    Args:
        run: A run folder with a checkpoint; the prediction is made by loading it.
        data: Data module that was set up.
        problem: Knows where each sample lies.
        num_samples: Number of test pairs to show; 0 for none.
    """
    pictures = run / "pictures"
    metrics = run / "metrics.csv"
    if num_samples > 0 and metrics.is_file():
        draw_learning_curve(read_metrics(metrics), pictures / "learning_curve.png")
    dataset = data.dataset("test")
    if num_samples < 1 or not len(dataset):
        return
    surrogate = load(run)
    # Spread over the test set: neighbouring pairs are windows of one trajectory.
    count = min(max(num_samples, SPECTRUM_SAMPLES), len(dataset))
    inputs, truth = read_pairs(dataset, torch.linspace(0, len(dataset) - 1, count).long().tolist())
    prediction = double(predict(surrogate, inputs, truth))
    inputs, truth = double(inputs), double(truth)
    images = [place(problem, inputs, truth, sample) for sample in range(count)]
    draw_comparison(
        with_times(prediction, surrogate.artefact),
        with_times(truth, surrogate.artefact),
        pictures / "comparison.png",
        inputs=inputs,
        images=images,
        num_samples=num_samples,
    )
    if isinstance(truth.domain, Grid) and truth.domain.is_periodic:
        draw_spectrum({"truth": truth, surrogate_name(run): prediction}, pictures / "spectrum.png")
    trajectories = predict_trajectories(surrogate, data, SPECTRUM_SAMPLES)
    if trajectories is None:
        for sample in range(min(num_samples, count)):
            path = run / "prediction" / f"sample_{sample}"
            write_prediction(path, prediction, truth, sample, inputs, image=images[sample])
        return
    rolled, frames = trajectories
    draw_error_over_time(rolled, frames, pictures / "error_over_time.png")
    draw_rollout(rolled, frames, pictures / "rollout.png")
    for sample in range(min(num_samples, frames.batch_size)):
        write_prediction(run / "prediction" / f"trajectory_{sample}", rolled, frames, sample)


def read_pairs(dataset: FieldDataset, indices: list[int]) -> tuple[Field, Field]:
    """Inputs and targets of some pairs.

    Raises:
        ValueError: The data has no targets.
    """
    batch = dataset[indices]
    if batch.targets is None:
        raise ValueError("expected data with targets to compare with, got inputs only")
    return batch.inputs, batch.targets


def predict(surrogate: Surrogate, inputs: Field, like: Field) -> Field:
    """Predict, under the channel names of the targets."""
    # A data set numbers the frames in its names; they are in the model's order.
    inputs = replace(inputs, channels=surrogate.artefact.input_channels)
    values = surrogate.predict(inputs).values
    return Field(values.reshape(like.values.shape), like.domain, like.channels, like.units)


def with_times(field: Field, artefact: Artefact) -> Field:
    """Frames that are folded into the channels as frames; a field without time, or of one frame, as it is."""
    window, names = artefact.window, artefact.variables
    if window is None or window.output_frames < 2:
        return field
    times = torch.tensor(window.output_times(artefact.time_step or 1.0, window.output_frames)).double()
    values = field.values.unflatten(1, (window.output_frames, -1))
    return Field(values, field.domain, names, artefact.units_of(names), times)


def double(field: Field) -> Field:
    """The field in double precision on the CPU, detached."""
    return field.to("cpu", torch.float64)


def surrogate_name(run: Path) -> str:
    """How a run is called in a legend."""
    return run.parent.name or "prediction"


def place(problem: Problem, inputs: Field, outputs: Field, sample: int) -> Domain:
    """Where the outputs of a sample are shown: the problem's image of it, or their own domain.

    Args:
        problem: The problem.
        inputs: All input channels.
        outputs: What is shown; a problem places its inputs, so outputs on another domain stay there.
        sample: Number of the sample.

    Returns:
        The domain to show it on.
    """
    if not same_domain(inputs.domain, outputs.domain):
        return outputs.domain
    image = problem.image({name: inputs.select(name) for name in inputs.channels}, sample)
    return outputs.domain if image is inputs.domain else image


def write_prediction(
    path: Path,
    prediction: Field,
    truth: Field,
    sample: int,
    inputs: Field | None = None,
    *,
    image: Domain | None = None,
) -> None:
    """Write prediction, truth and error of one sample, and the inputs where they share the domain."""
    error = replace(truth, values=prediction.values - truth.values)
    fields = {"prediction": prediction, "truth": truth, "error": error}
    if inputs is not None and inputs.domain == truth.domain:
        fields["input"] = inputs
    if image is not None:
        fields = {name: on_image(field, image) for name, field in fields.items()}
    write_vtk(fields, path, sample=sample)
