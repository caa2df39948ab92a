"""Figures without global state, and how they reach the disk."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DOTS_PER_INCH = 150
# Prediction, truth and everything else, told apart by the colour blind as well (Okabe and Ito, 2008).
TRUTH_COLOUR = "#222222"
PREDICTION_COLOUR = "#D55E00"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, whole or not at all.

    Args:
        figure: The figure, which belongs to no window and no global list.
        path: Where to write; the suffix becomes ``.png``.

    Returns:
        The file written.
    """
    path = Path(path).with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial.png")
    FigureCanvasAgg(figure)
    figure.savefig(partial, dpi=DOTS_PER_INCH, facecolor="white")
    partial.replace(path)
    return path
