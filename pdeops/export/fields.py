"""Pictures of predictions beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.export.figure_file import PREDICTION_COLOUR, TRUTH_COLOUR, save_figure
from pdeops.export.images import on_image
from pdeops.export.panels import ColourScale, draw_map, name_with_unit
from pdeops.export.solutions import coordinate_name, draw_evolution

PANEL = 2.3  # inches


def draw_comparison(
    prediction: Field,
    truth: Field,
    path: str | Path,
    *,
    inputs: Field | None = None,
    images: Sequence[Domain] | None = None,
    num_samples: int = 3,
    channel: str | None = None,
) -> Path:
    """Draw some samples: input, truth, prediction and error; the last frame of fields with times.

    Truth and prediction share one colour scale a row, diverging and centred at zero for signed fields; the
    error has its own. In one dimension they are curves. The relative L2 error of the sample is written above
    its error.

    Args:
        prediction: What the surrogate gave.
        truth: What it should have given; same domain and channels.
        path: The picture, ``.png``.
        inputs: Fields it started from, of which the first channel is shown; None to leave them out.
        images: Where each sample lies in space, see `on_image`; the domain of the truth by default.
        num_samples: The first samples of the batch, one a row.
        channel: Name of the channel to draw; the first one by default.

    Returns:
        The file written.

    Raises:
        ValueError: There is no such channel, or the domains differ.
    """
    time = "" if truth.times is None else f", t = {truth.times[-1].item():.4g}"
    prediction, truth = _one_frame(prediction, channel), _one_frame(truth, channel)
    _same_domain(prediction, truth)
    label = name_with_unit(truth.channels[0], truth.units[0]) + time
    rows = min(num_samples, truth.batch_size)
    images = [truth.domain] * rows if images is None else images
    if truth.domain.dimension == 1:
        return _comparison_of_curves(prediction, truth, path, inputs, images[:rows], label)
    columns = 4 if inputs is not None else 3
    figure = Figure(figsize=((PANEL + 0.45) * columns, PANEL * rows + 0.35), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    errors = prediction.relative_error(truth)
    for row in range(rows):
        image = images[row]
        expected = on_image(truth, image).values[row, 0]
        got = on_image(prediction, image).values[row, 0]
        error = got - expected
        scale = ColourScale.of(_array(expected), _array(got))
        shown = [(f"true {label}", expected, scale), ("prediction", got, scale)]
        shown.append(("error", error, ColourScale.of_error(_array(error))))
        titles = [title if row == 0 else "" for title, _, _ in shown]
        titles[-1] = (
            f"error, relative $L^2$ {in_words(float(errors[row]))}"
            if row == 0
            else f"{in_words(float(errors[row]))}"
        )
        offset = columns - 3
        if inputs is not None:
            given = _one_frame(inputs, None)
            if given.domain is truth.domain or given.domain == truth.domain:
                given = on_image(given, image)
            _draw_input(figure, panels[row, 0], given, row)
            if row == 0:
                words = name_with_unit(given.channels[0], given.units[0])
                panels[row, 0].set_title(f"input {words}", fontsize=9)
        for column, ((_, values, colours), title) in enumerate(zip(shown, titles, strict=True)):
            axes = panels[row, column + offset]
            draw_map(axes, values, image, colours)
            axes.set_title(title, fontsize=9)
        figure.colorbar(scale.mappable, ax=panels[row, offset + 1], shrink=0.9)
        figure.colorbar(shown[-1][2].mappable, ax=panels[row, offset + 2], shrink=0.9)
    _small_ticks(figure)
    return save_figure(figure, path)


def draw_rollout(
    prediction: Field,
    truth: Field,
    path: str | Path,
    *,
    sample: int = 0,
    num_frames: int = 5,
    channel: str | None = None,
) -> Path:
    """Draw one sample over time: truth, prediction and error in rows, times in columns.

    In one dimension each is one map, time running upwards.

    Args:
        prediction: With times.
        truth: With the same times, domain and channels.
        path: The picture, ``.png``.
        sample: Which sample of the batch.
        num_frames: At most so many times, evenly chosen, the first and the last included.
        channel: Name of the channel to draw; the first one by default.

    Returns:
        The file written.

    Raises:
        ValueError: The fields have no times, or differ in domain.
    """
    if truth.times is None or prediction.times is None:
        raise ValueError(
            "rollout picture: expected fields with times, got fields without; try draw_comparison"
        )
    _same_domain(prediction, truth)
    name = channel or truth.channels[0]
    expected, got = truth.select(name).sample(sample), prediction.select(name).sample(sample)
    if truth.domain.dimension == 1:
        return save_figure(_evolutions(got, expected), path)
    last = len(truth.times) - 1
    columns = min(num_frames, last + 1)
    frames = sorted({round(i * last / max(1, columns - 1)) for i in range(columns)})
    figure = Figure(figsize=(PANEL * 0.85 * len(frames) + 1.0, PANEL * 0.85 * 3 + 0.4), layout="constrained")
    panels = figure.subplots(3, len(frames), squeeze=False)
    error = got.values - expected.values
    scale = ColourScale.of(_array(expected.values), _array(got.values[:, frames]))
    error_scale = ColourScale.of_error(_array(error[:, frames]))
    for column, frame in enumerate(frames):
        for row, (values, colours) in enumerate(
            [(expected.values, scale), (got.values, scale), (error, error_scale)]
        ):
            draw_map(panels[row, column], values[0, frame, 0], truth.domain, colours)
        relative = got.snapshot(frame).relative_error(expected.snapshot(frame)).item()
        panels[0, column].set_title(f"t = {truth.times[frame].item():.4g}", fontsize=9)
        panels[2, column].set_xlabel(f"{in_words(float(relative))}", fontsize=9)
    for row, words in enumerate(
        [f"true {name_with_unit(name, truth.select(name).units[0])}", "prediction", "error"]
    ):
        panels[row, 0].set_ylabel(words, fontsize=9)
    figure.colorbar(scale.mappable, ax=panels[:2].ravel().tolist(), shrink=0.8, aspect=30)
    figure.colorbar(error_scale.mappable, ax=panels[2].ravel().tolist(), shrink=0.9, aspect=14)
    _small_ticks(figure)
    return save_figure(figure, path)


def _comparison_of_curves(
    prediction: Field,
    truth: Field,
    path: str | Path,
    inputs: Field | None,
    images: Sequence[Domain],
    label: str,
) -> Path:
    """One column a sample: the input, truth and prediction, and their difference, each on its own scale."""
    rows = len(images)
    heights = [2.2, 1.0] if inputs is None else [1.2, 2.2, 1.0]
    figure = Figure(figsize=(3.1 * rows + 0.4, 1.15 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), rows, squeeze=False, height_ratios=heights)
    errors = prediction.relative_error(truth)
    given = None if inputs is None else _one_frame(inputs, None)
    for column in range(rows):
        above, below = panels[-2:, column]
        points = images[column].points[:, 0].numpy()
        if given is not None:
            _draw_input(figure, panels[0, column], given, column)
        # An input on another domain has coordinates of its own.
        aligned = panels[:, column] if given is None or given.domain == truth.domain else panels[-2:, column]
        for axes in aligned[:-1]:
            axes.sharex(below)
            axes.tick_params(labelbottom=False)
            axes.set_xlabel("")
        expected, got = _array(truth.values[column, 0]), _array(prediction.values[column, 0])
        above.plot(points, expected, color=TRUTH_COLOUR, lw=1.6, label="truth")
        above.plot(points, got, color=PREDICTION_COLOUR, lw=1.4, ls="--", label="prediction")
        below.plot(points, got - expected, color=PREDICTION_COLOUR, lw=1.1)
        below.axhline(0, color="0.6", lw=0.6)
        panels[0, column].set_title(f"relative $L^2$ error {in_words(float(errors[column]))}", fontsize=9)
        below.set_xlabel(coordinate_name(truth), fontsize=9)
    if given is not None:
        panels[0, 0].set_ylabel(f"input\n{name_with_unit(given.channels[0], given.units[0])}", fontsize=8)
    panels[-2, 0].set_ylabel(label, fontsize=9)
    panels[-1, 0].set_ylabel("error", fontsize=9)
    panels[-2, 0].legend(fontsize=7, frameon=False)
    for axes in panels[-2:].ravel():
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0)
    _small_ticks(figure)
    return save_figure(figure, path)


def _draw_input(figure: Figure, axes: Axes, given: Field, sample: int) -> None:
    """A curve or a map, as the input's own domain has it, which need not be that of the outputs."""
    values = given.values[sample, 0]
    if given.domain.dimension > 1:
        scale = ColourScale.of(_array(values))
        draw_map(axes, values, given.domain, scale)
        figure.colorbar(scale.mappable, ax=axes, shrink=0.9)
        return
    axes.plot(given.domain.points[:, 0].numpy(), _array(values), color="0.5", lw=1.3)
    axes.set_xlabel(coordinate_name(given), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0)


def _evolutions(got: Field, expected: Field) -> Figure:
    """Maps of truth, prediction and error over space and time, side by side."""
    figure = Figure(figsize=(3 * (PANEL + 0.5), PANEL + 0.2), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    truth, prediction = _array(expected.values[0, :, 0]), _array(got.values[0, :, 0])
    scale, error = ColourScale.of(truth, prediction), prediction - truth
    error_scale = ColourScale.of_error(error)
    label = name_with_unit(expected.channels[0], expected.units[0])
    words = f"error, relative $L^2$ {in_words(got.relative_error(expected).item())}"
    draw_evolution(panels[0], truth, expected, scale)
    draw_evolution(panels[1], prediction, expected, scale)
    draw_evolution(panels[2], error, expected, error_scale)
    for axes, title in zip(panels, (f"true {label}", "prediction", words), strict=True):
        axes.set_title(title, fontsize=9)
    for axes in panels[1:]:
        axes.set_ylabel("")
    figure.colorbar(scale.mappable, ax=panels[1])
    figure.colorbar(error_scale.mappable, ax=panels[2])
    _small_ticks(figure)
    return figure


def _one_frame(field: Field, channel: str | None) -> Field:
    chosen = field.select(channel or field.channels[0])
    last = chosen if chosen.times is None else chosen.snapshot(-1)
    return replace(last, values=last.values.detach().cpu().double())


def _same_domain(prediction: Field, truth: Field) -> None:
    if prediction.domain is not truth.domain and prediction.domain != truth.domain:
        raise ValueError(
            "picture: expected prediction and truth on one domain, got two; try prediction.resample"
        )


def _array(values: Tensor) -> numpy.ndarray:
    return values.detach().cpu().double().numpy()


def _small_ticks(figure: Figure) -> None:
    for axes in figure.axes:
        axes.tick_params(labelsize=7)


def in_words(error: float) -> str:
    """A relative error in percent, or in powers of ten where percent would round it to nothing."""
    return f"{error:.2%}" if error >= 1e-4 else f"{error:.1e}"
