"""The picture of a comparison: error against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from pdeops.export.figure_file import COLOURS, TRUTH_COLOUR, save_figure

MARKERS = "osD^vP*X<>"


@dataclass(frozen=True)
class TimedError:
    """A model's error and what it took.

    Args:
        name: For the legend.
        error: Mean relative L2 error.
        deviation: Of the error over seeds.
        seconds_per_sample: Inference.
        seconds_training: Training.
    """

    name: str
    error: float
    deviation: float
    seconds_per_sample: float
    seconds_training: float


def draw_error_and_time(
    models: Sequence[TimedError],
    classical: Sequence[tuple[float, float]],
    trivial: float | None,
    path: str | Path,
) -> Path:
    """Draw errors against the time of a sample, beside a classical solver, and against the time of training.

    Args:
        models: A marker each, with a bar of the deviation up and down.
        classical: Seconds a sample and error of the classical solver, in the order of the line.
        trivial: Error of the best predictor that knows nothing; None to leave it out.
        path: The picture, ``.png``.

    Returns:
        The file written.
    """
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    inference, training = figure.subplots(1, 2, sharey=True)
    if classical:
        seconds, errors = zip(*classical, strict=True)
        inference.plot(
            [1e3 * second for second in seconds], errors, "-", color=TRUTH_COLOUR, lw=1.4, marker=".",
            label="classical solver",
        )  # fmt: skip
    for number, model in enumerate(models):
        marks(inference, model, 1e3 * model.seconds_per_sample, number)
        marks(training, model, model.seconds_training, number)
    for axes in (inference, training):
        if trivial is not None:
            axes.axhline(trivial, color="0.6", lw=1, ls=":", label="knows nothing")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.tick_params(labelsize=8)
        axes.grid(which="both", alpha=0.2, lw=0.5)
    # The classical solver goes on to rounding; the models are what is looked at.
    highest = max([model.error for model in models] + ([] if trivial is None else [trivial]))
    inference.set_ylim(0.2 * min(model.error for model in models), 2 * highest)
    # At equal training time all markers are above one another, and no tick would be between them.
    times = [model.seconds_training for model in models]
    training.set_xlim(min(times) / 2, 2 * max(times))
    inference.set_xlabel("ms a sample")
    inference.set_ylabel("relative $L^2$ error")
    training.set_xlabel("s of training")
    handles, labels = inference.get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, frameon=False, loc="outside right center")
    return save_figure(figure, path)


def marks(axes: Axes, model: TimedError, time: float, number: int) -> None:
    """Draw one model."""
    axes.errorbar(
        time, model.error, yerr=model.deviation, fmt=MARKERS[number % len(MARKERS)], ms=7, capsize=3,
        color=COLOURS[number % len(COLOURS)], label=model.name,
    )  # fmt: skip
