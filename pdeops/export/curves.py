"""Pictures of numbers: learning curve, energy spectrum, error over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pdeops.domains import Field, Grid
from pdeops.domains.spectrum import energy_spectrum, resolved_wavenumber
from pdeops.export.figure_file import COLOURS, PREDICTION_COLOUR, TRUTH_COLOUR, save_figure

# Below this share of the highest energy a spectrum in single precision shows roundoff and no physics.
ROUNDOFF = 1e-13


def draw_learning_curve(rows: Sequence[Mapping[str, float]], path: str | Path) -> Path:
    """Draw loss and validation error over epochs, logarithmically, the best epoch marked.

    Args:
        rows: One mapping an epoch, as read from ``metrics.csv``; names that an epoch lacks are skipped.
        path: The picture, ``.png``.

    Returns:
        The file written.

    Raises:
        ValueError: There is nothing to draw.
    """
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    labels = {
        "train/loss": "training loss",
        "validation/relative_l2": "validation, relative $L^2$",
        "validation/relative_h1": "validation, relative $H^1$",
    }
    for (name, label), colour in zip(labels.items(), COLOURS, strict=False):
        points = [(row["epoch"] + 1, row[name]) for row in rows if name in row and row[name] > 0]
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        axes.plot(epochs, values, color=colour, lw=1.5, label=label, marker="." if len(points) < 15 else "")
        if name == "validation/relative_l2":
            best = min(range(len(values)), key=values.__getitem__)
            axes.plot(epochs[best], values[best], "o", color=colour, ms=5, mfc="white", mew=1.4)
            axes.annotate(
                f"{values[best]:.3g}", (epochs[best], values[best]), (0, 8), textcoords="offset points",
                ha="center", fontsize=8, color=colour,
            )  # fmt: skip
    if not axes.lines:
        raise ValueError(
            f"learning curve: expected rows with some of {tuple(labels)}, got {len(rows)} rows without"
        )
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    # A loss need not be a relative error: a mean square, or what is left of an equation.
    axes.set_ylabel("loss and relative error")
    _finish(axes)
    return save_figure(figure, path)


def draw_spectrum(fields: Mapping[str, Field], path: str | Path) -> Path:
    """Draw the isotropic energy spectra of fields, mean over samples and channels; the last frame of each.

    Args:
        fields: Fields on periodic grids by the name in the legend; one called ``truth`` is drawn in black.
        path: The picture, ``.png``.

    Returns:
        The file written.

    Raises:
        ValueError: A field does not live on a periodic grid.
    """
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axes = figure.subplots()
    colours = iter(COLOURS[1:])
    highest = 0.0
    for name, field in fields.items():
        if not isinstance(field.domain, Grid):
            raise ValueError(f"spectrum: field {name!r}: expected a periodic grid, got a mesh")
        last = field if field.times is None else field.snapshot(-1)
        grid = field.domain
        wavenumbers, energies = energy_spectrum(last.values.detach(), grid)
        # Shells beyond the Nyquist wave are corners of the box of waves, incomplete and misleading.
        shown = slice(1, resolved_wavenumber(grid) + 1)
        mean = energies.flatten(end_dim=-2).mean(dim=0).cpu()
        highest = max(highest, float(mean[shown].max()))
        truth = name == "truth"
        axes.loglog(
            wavenumbers[shown].numpy(), mean[shown].clamp_min(torch.finfo(torch.float64).tiny).numpy(),
            color=TRUTH_COLOUR if truth else next(colours, "0.5"), lw=1.8 if truth else 1.5,
            ls="-" if truth else "--", label=name,
        )  # fmt: skip
    if highest > 0 and axes.get_ylim()[0] < ROUNDOFF * highest:
        axes.set_ylim(bottom=ROUNDOFF * highest)
    axes.set_xlabel("wavenumber $k$")
    axes.set_ylabel("energy $E(k)$")
    _finish(axes)
    return save_figure(figure, path)


def draw_error_over_time(prediction: Field, truth: Field, path: str | Path) -> Path:
    """Draw the relative L2 error of a rollout at each time: median and the range of the samples.

    Args:
        prediction: With times.
        truth: With the same times, domain and channels.
        path: The picture, ``.png``.

    Returns:
        The file written.

    Raises:
        ValueError: The fields have no times.
    """
    if truth.times is None or prediction.times is None:
        raise ValueError("error over time: expected fields with times, got fields without")
    times = truth.times.cpu().numpy()
    errors = torch.stack(
        [prediction.snapshot(i).relative_error(truth.snapshot(i)) for i in range(len(times))]
    ).detach().cpu().double()  # fmt: skip
    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axes = figure.subplots()
    middle = errors.median(dim=1).values.numpy()
    axes.plot(times, middle, color=PREDICTION_COLOUR, lw=1.6, marker=".", label="median")
    if errors.shape[1] > 1:
        lower, upper = errors.quantile(0.1, dim=1).numpy(), errors.quantile(0.9, dim=1).numpy()
        axes.fill_between(
            times, lower, upper, color=PREDICTION_COLOUR, alpha=0.18, lw=0, label="10 % to 90 %"
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time")
    axes.set_ylabel("relative $L^2$ error")
    _finish(axes)
    return save_figure(figure, path)


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, which="major", color="0.9", lw=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8)
    axes.tick_params(which="both", labelsize=8)
