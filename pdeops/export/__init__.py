"""Fields as VTK files, pictures and animations."""

from pdeops.export.animation import animate
from pdeops.export.closing import close_period
from pdeops.export.curves import draw_error_over_time, draw_learning_curve, draw_spectrum
from pdeops.export.error_and_time import TimedError, draw_error_and_time
from pdeops.export.fields import draw_comparison, draw_rollout
from pdeops.export.images import on_image
from pdeops.export.planes import middle_plane
from pdeops.export.solutions import draw_field
from pdeops.export.vtk import write_vtk

__all__ = [
    "TimedError",
    "animate",
    "close_period",
    "draw_comparison",
    "draw_error_and_time",
    "draw_error_over_time",
    "draw_field",
    "draw_learning_curve",
    "draw_rollout",
    "draw_spectrum",
    "middle_plane",
    "on_image",
    "write_vtk",
]
