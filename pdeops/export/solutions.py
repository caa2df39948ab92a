"""Pictures of one field: what a solver gave, at one time or over time, on a grid or a mesh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import NonUniformImage

from pdeops.domains import Field, Grid
from pdeops.export.figure_file import COLOURS, save_figure
from pdeops.export.panels import ColourScale, draw_map, name_with_unit
from pdeops.export.planes import middle_plane

PANEL = 2.4  # inches
MAX_CHANNELS = 6
Colour = str | tuple[float, float, float, float]
PLANES = ("y, z", "x, z", "x, y")


def draw_field(
    field: Field, path: str | Path, *, sample: int = 0, num_frames: int = 5, channel: str | None = None
) -> Path:
    """Draw one sample of a field, a row of panels a channel.

    In one dimension: curves; with times also the whole evolution, time running upwards. In two dimensions:
    maps, with times one for each of a few times on one colour scale. In three dimensions: the planes
    through the middle, with times the middle plane of the last axis. Meshes are drawn with their triangles.

    Args:
        field: Values on a grid or mesh.
        path: The picture, ``.png``.
        sample: Which sample of the batch.
        num_frames: At most so many times, evenly chosen, the first and the last included.
        channel: Name of the only channel to draw; the first six by default.

    Returns:
        The file written.

    Raises:
        ValueError: There is no such channel.

    Example:
        >>> draw_field(solution, "pressure.png")  # doctest: +SKIP
    """
    shown = one_sample(field, sample, channel)
    if shown.domain.dimension == 1:
        figure = _curves(shown, num_frames)
    elif shown.times is not None:
        figure = _frames(shown if shown.domain.dimension == 2 else middle_plane(shown), num_frames)
    else:
        figure = _maps(shown)
    for axes in figure.axes:
        axes.tick_params(labelsize=7)
    return save_figure(figure, path)


def one_sample(field: Field, sample: int, channel: str | None) -> Field:
    """One sample in double precision on the CPU, of one channel or of the first few.

    Args:
        field: The field.
        sample: Number of the sample.
        channel: Name of the channel, or None.

    Returns:
        A field with a batch of one.
    """
    channels = field.channels[:MAX_CHANNELS] if channel is None else (channel,)
    chosen = field.select(*channels).sample(sample)
    return replace(chosen, values=chosen.values.detach().cpu().double())


def chosen_frames(num_times: int, num_frames: int) -> list[int]:
    """Numbers of at most so many frames, evenly chosen, the first and the last included."""
    count = min(num_frames, num_times)
    return sorted({round(i * (num_times - 1) / max(1, count - 1)) for i in range(count)})


def draw_curve(axes: Axes, values: numpy.ndarray, field: Field, *, colour: Colour, label: str = "") -> None:
    """Draw a curve over the one coordinate of a domain, from its lowest to its highest point.

    Args:
        axes: Where to draw.
        values: One value a point.
        field: Whose domain it is; the period of a periodic axis is closed.
        colour: Of the line.
        label: For a legend.
    """
    points, values = _in_order(values, field)
    axes.plot(points, values, color=colour, lw=1.4, label=label)


def _in_order(values: numpy.ndarray, field: Field) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Points from left to right, the period closed, and the values (..., points) there."""
    points = field.domain.points[:, 0].numpy()
    order = numpy.argsort(points)
    points, values = points[order], values[..., order]
    if isinstance(field.domain, Grid) and field.domain.is_periodic:
        points = numpy.append(points, field.domain.axes[0].upper)
        values = numpy.concatenate([values, values[..., :1]], axis=-1)
    return points, values


def coordinate_name(field: Field) -> str:
    """Name of the first coordinate."""
    return field.domain.axes[0].name if isinstance(field.domain, Grid) else "x"


def _label(field: Field, number: int) -> str:
    return name_with_unit(field.channels[number], field.units[number])


def _curves(field: Field, num_frames: int) -> Figure:
    rows, times = len(field.channels), field.times
    columns = 1 if times is None else 2
    figure = Figure(figsize=(4.2 * columns, 2.5 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        axes = panels[row, 0]
        axes.set_ylabel(_label(field, row), fontsize=9)
        axes.set_xlabel(coordinate_name(field), fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        if times is None:
            draw_curve(axes, field.values[0, row].numpy(), field, colour=COLOURS[0])
            continue
        frames = chosen_frames(len(times), num_frames)
        for position, frame in enumerate(frames):
            shade = matplotlib.colormaps["viridis"](0.9 * position / max(1, len(frames) - 1))
            label = f"t = {times[frame].item():.3g}"
            draw_curve(axes, field.values[0, frame, row].numpy(), field, colour=shade, label=label)
        if row == 0:
            axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        _evolution(figure, panels[row, 1], field, row)
    return figure


def draw_evolution(axes: Axes, values: numpy.ndarray, field: Field, scale: ColourScale) -> None:
    """Draw values over one coordinate and time as a map, space to the right, time upwards.

    Args:
        axes: Where to draw; switched off for fewer than two points or times.
        values: Shape (time, points).
        field: Whose domain and times they are; the period of a periodic axis is closed.
        scale: Colours.
    """
    times = field.times
    points, values = _in_order(values, field)
    if times is None or len(times) < 2 or len(points) < 2:
        axes.set_axis_off()
        return
    moments = times.cpu().numpy()
    # Shaded triangles thinner than a pixel would show as stripes.
    image = NonUniformImage(
        axes, interpolation="bilinear", cmap=scale.colours, norm=Normalize(scale.lower, scale.upper),
        extent=(points[0], points[-1], moments[0], moments[-1]),
    )  # fmt: skip
    image.set_data(points, moments, values)
    axes.add_image(image)
    axes.set_xlim(points[0], points[-1])
    axes.set_ylim(moments[0], moments[-1])
    axes.set_xlabel(coordinate_name(field), fontsize=9)
    axes.set_ylabel("time", fontsize=9)


def _evolution(figure: Figure, axes: Axes, field: Field, row: int) -> None:
    values = field.values[0, :, row].numpy()
    scale = ColourScale.of(values)
    draw_evolution(axes, values, field, scale)
    if axes.axison:
        figure.colorbar(scale.mappable, ax=axes)


def _maps(field: Field) -> Figure:
    """One map a channel; in three dimensions three, the planes through the middle."""
    planes = [field] if field.domain.dimension == 2 else [middle_plane(field, axis) for axis in range(3)]
    channels = len(field.channels)
    rows, columns = (channels, 3) if len(planes) == 3 else (-(-channels // 3), min(3, channels))
    figure = Figure(figsize=((PANEL + 0.8) * columns, (PANEL + 0.2) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.ravel()[channels * len(planes) :]:
        axes.set_axis_off()
    for number in range(channels):
        scale = ColourScale.of(*(plane.values[0, number].numpy() for plane in planes))
        for place, plane in enumerate(planes):
            axes = panels.ravel()[number * len(planes) + place]
            draw_map(axes, plane.values[0, number], plane.domain, scale)
            words = f"{_label(field, number)}" + (f" over {PLANES[place]}" if len(planes) == 3 else "")
            axes.set_title(words, fontsize=9)
            if place == len(planes) - 1:
                beside = panels.ravel()[number * len(planes) : (number + 1) * len(planes)].tolist()
                figure.colorbar(scale.mappable, ax=beside, shrink=0.9)
    return figure


def _frames(field: Field, num_frames: int) -> Figure:
    """Times in columns, channels in rows, one colour scale a row."""
    times = field.times if field.times is not None else torch.zeros(1)
    frames = chosen_frames(len(times), num_frames)
    rows, columns = len(field.channels), len(frames)
    figure = Figure(figsize=(PANEL * 0.9 * columns + 0.8, PANEL * rows + 0.2), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        scale = ColourScale.of(field.values[0, frames, row].numpy())
        for column, frame in enumerate(frames):
            draw_map(panels[row, column], field.values[0, frame, row], field.domain, scale)
            if row == 0:
                panels[row, column].set_title(f"t = {times[frame].item():.4g}", fontsize=9)
        panels[row, 0].set_ylabel(_label(field, row), fontsize=9)
        figure.colorbar(scale.mappable, ax=panels[row].tolist(), shrink=0.9, aspect=18)
    return figure
