"""Held-out trajectories beside what a run makes of their first frames."""

from __future__ import annotations

from dataclasses import replace

import torch

from pdeops.data import PDEDataModule, Window
from pdeops.domains import Field
from pdeops.training import Surrogate


def predict_trajectories(
    surrogate: Surrogate, data: PDEDataModule, num_samples: int
) -> tuple[Field, Field] | None:
    """Roll a model out over whole test trajectories, from the first frames that its window takes.

    Args:
        surrogate: The model.
        data: Data module that was set up.
        num_samples: How many of the test trajectories.

    Returns:
        Prediction and truth at the same times; the given first frames are the first of both, but where a
        model needs more than past frames only what one prediction gives. None where there is no time, or
        only one frame to show.
    """
    window, store = data.window, data.store
    if window is None or store is None:
        return None
    if surrogate.artefact.static_channels:
        return _first_windows(surrogate, data, window, num_samples)
    stored = store.read_outputs(store.split("test")[:num_samples])
    if stored.times is None or stored.domain != data.output_domain:
        return None
    truth = replace(
        stored,
        values=stored.values[:, window.first_frame :: window.stride].double(),
        times=stored.times[window.first_frame :: window.stride].double(),
    )
    values, times, given = truth.values, truth.times, window.input_frames
    if times is None or len(times) <= given:
        return None
    start = replace(truth, values=values[:, :given], times=times[:given])
    rolled = surrogate.rollout(start, len(times) - given)
    prediction = replace(truth, values=torch.cat([values[:, :given], rolled.values.cpu().double()], dim=1))
    return prediction, truth


def _first_windows(
    surrogate: Surrogate, data: PDEDataModule, window: Window, num_samples: int
) -> tuple[Field, Field] | None:
    """Prediction and truth of the first window of some test trajectories."""
    dataset = data.dataset("test")
    layout = dataset.samples.layout
    if window.output_frames < 2 or not len(dataset):
        return None
    starts = len(window.first_frames(layout.num_frames))
    batch = dataset[range(0, min(num_samples * starts, len(dataset)), starts)]
    if batch.targets is None:
        return None
    inputs = replace(batch.inputs, channels=surrogate.artefact.input_channels)
    prediction = surrogate.predict(inputs).to("cpu", torch.float64)
    frames = batch.targets.values.double().unflatten(1, (window.output_frames, -1))
    return prediction, replace(prediction, values=frames, domain=prediction.domain)
