"""Fields as VTK files and pictures."""

from pdeops.export.closing import close_period
from pdeops.export.curves import draw_error_over_time, draw_learning_curve, draw_spectrum
from pdeops.export.fields import draw_comparison, draw_rollout
from pdeops.export.vtk import write_vtk

__all__ = [
    "close_period",
    "draw_comparison",
    "draw_error_over_time",
    "draw_learning_curve",
    "draw_rollout",
    "draw_spectrum",
    "write_vtk",
]
