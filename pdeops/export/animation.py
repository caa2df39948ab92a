"""Fields over time as moving pictures."""

from __future__ import annotations

from pathlib import Path

from matplotlib.animation import PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pdeops.domains import Field
from pdeops.export.figure_file import COLOURS
from pdeops.export.panels import ColourScale, draw_map, name_with_unit
from pdeops.export.planes import middle_plane
from pdeops.export.solutions import chosen_frames, coordinate_name, draw_curve, one_sample

DOTS_PER_INCH = 90
MARGIN = 0.05


def animate(
    field: Field,
    path: str | Path,
    *,
    sample: int = 0,
    channel: str | None = None,
    frames_per_second: int = 12,
    max_frames: int = 100,
) -> Path:
    """Write one sample of a field over time as an animated GIF, a panel a channel.

    Axes and colours stay the same over all frames. In three dimensions the middle plane of the last axis is
    shown.

    Args:
        field: With times, on a grid or mesh.
        path: The file; its suffix becomes ``.gif``.
        sample: Which sample of the batch.
        channel: Name of the only channel to draw; the first six by default.
        frames_per_second: Speed.
        max_frames: More frames than this are thinned out evenly.

    Returns:
        The file written.

    Raises:
        ValueError: The field has no times, or there is no such channel.

    Good values: 40 frames and more look smooth.

    Example:
        >>> animate(solution, "allen_cahn.gif")  # doctest: +SKIP
    """
    if field.times is None:
        raise ValueError("animation: expected a field with times, got one without; try draw_field")
    path = Path(path).with_suffix(".gif")
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = one_sample(field, sample, channel)
    if shown.domain.dimension == 3:
        shown = middle_plane(shown)
    columns = len(shown.channels)
    width = 4.0 if shown.domain.dimension == 1 else 3.4
    figure = Figure(figsize=(width * columns, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, columns, squeeze=False)[0]
    scales = [ColourScale.of(shown.values[0, :, number].numpy()) for number in range(columns)]
    if shown.domain.dimension > 1:
        for axes, scale in zip(panels, scales, strict=True):
            figure.colorbar(scale.mappable, ax=axes, shrink=0.85).ax.tick_params(labelsize=7)
    partial = path.with_name(f".{path.stem}.partial.gif")
    writer = PillowWriter(fps=frames_per_second)
    with writer.saving(figure, str(partial), dpi=DOTS_PER_INCH):
        for number, frame in enumerate(chosen_frames(len(field.times), max_frames)):
            _draw(figure, shown, frame, scales)
            if number == 0:
                # Placed once: a layout of its own for every frame would make the picture tremble.
                figure.canvas.draw()
                figure.set_layout_engine("none")
            writer.grab_frame()
    partial.replace(path)
    return path


def _draw(figure: Figure, field: Field, frame: int, scales: list[ColourScale]) -> None:
    for number, scale in enumerate(scales):
        axes = figure.axes[number]
        axes.clear()
        values = field.values[0, frame, number]
        label = name_with_unit(field.channels[number], field.units[number])
        if field.domain.dimension == 1:
            draw_curve(axes, values.numpy(), field, colour=COLOURS[0])
            room = MARGIN * (scale.upper - scale.lower)
            axes.set_ylim(scale.lower - room, scale.upper + room)
            axes.set_xlabel(coordinate_name(field), fontsize=9)
            axes.set_ylabel(label, fontsize=9)
            axes.tick_params(labelsize=7)
        else:
            draw_map(axes, values, field.domain, scale)
            axes.set_xlabel(label, fontsize=9)
        if field.times is not None:
            # A fixed number of digits keeps the title where it is.
            digits = max(0, 3 - len(str(int(abs(field.times[-1].item())))))
            axes.set_title(f"t = {field.times[frame].item():.{digits}f}", fontsize=9)
