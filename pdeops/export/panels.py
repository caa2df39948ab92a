"""One panel of a picture: a field in one or two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.tri import Triangulation
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Mesh
from pdeops.export.planes import middle_plane

Array = numpy.ndarray


@dataclass(frozen=True)
class ColourScale:
    """A colour map with its range, shared by panels that are compared.

    Args:
        lower: Value of the lowest colour.
        upper: Value of the highest colour.
        colours: Name of the colour map.
    """

    lower: float
    upper: float
    colours: str

    @classmethod
    def of(cls, *arrays: Array, colours: str = "RdBu_r") -> ColourScale:
        """Choose a scale: symmetric and diverging for signed values, sequential for values of one sign.

        Args:
            *arrays: All values that share the scale.
            colours: Diverging map for signed values.

        Returns:
            The scale. Values that are not finite are left out of it.
        """
        finite = numpy.concatenate([array[numpy.isfinite(array)].ravel() for array in arrays])
        lower, upper = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        span = upper - lower
        # A positive field with a little noise below zero stays a positive field.
        if lower < -0.05 * span and upper > 0.05 * span:
            bound = max(-lower, upper)
            return cls(-bound, bound, colours)
        if span == 0:
            lower, upper = lower - 0.5, upper + 0.5
        return cls(lower, upper, "viridis")

    @classmethod
    def of_error(cls, *arrays: Array) -> ColourScale:
        """Choose a diverging scale that is symmetric about zero, for differences."""
        bound = max((float(numpy.nanmax(numpy.abs(array))) for array in arrays), default=0.0) or 1e-16
        return cls(-bound, bound, "PuOr_r")

    @property
    def mappable(self) -> ScalarMappable:
        """What a colour bar is drawn from."""
        return ScalarMappable(Normalize(self.lower, self.upper), matplotlib.colormaps[self.colours])


def draw_map(axes: Axes, values: Tensor, domain: Domain, scale: ColourScale) -> None:
    """Draw a field in two dimensions; of three, the middle plane of the last axis.

    Args:
        axes: Where to draw.
        values: Shape ``domain.shape``.
        domain: Grid or mesh in two or three dimensions.
        scale: Colours.

    Raises:
        ValueError: The domain cannot be drawn as a map.
    """
    norm = Normalize(scale.lower, scale.upper)
    colours = matplotlib.colormaps[scale.colours]
    array = values.detach().cpu().double().numpy()
    if isinstance(domain, Mesh) and domain.dimension == 3:
        plane = middle_plane(Field(values[None, None], domain, ("values",)))
        domain, array = plane.domain, plane.values[0, 0].detach().cpu().double().numpy()
    if isinstance(domain, Mesh):
        if domain.dimension != 2:
            raise ValueError(
                f"picture: expected a mesh in 2 or 3 dimensions, got {domain.dimension}; try write_vtk"
            )
        points = domain.points.numpy()
        triangles = Triangulation(points[:, 0], points[:, 1], domain.simplices.numpy())
        axes.tripcolor(triangles, array, cmap=colours, norm=norm, shading="gouraud")
        # Where a field vanishes at the boundary its colour is that of the paper.
        axes.add_collection(LineCollection(list(outline(domain)), colors="0.4", linewidths=0.6))
        axes.set_aspect("equal")
        axes.set_frame_on(False)
    else:
        if domain.dimension == 3:
            array = array[:, :, domain.shape[2] // 2]
        first, second = domain.axes[:2]
        if AxisKind.CHEBYSHEV in (first.kind, second.kind):
            axes.pcolormesh(
                first.points.numpy(),
                second.points.numpy(),
                array.T,
                cmap=colours,
                norm=norm,
                shading="gouraud",
            )
        else:
            extent = (first.lower, first.upper, second.lower, second.upper)
            axes.imshow(
                array.T, origin="lower", extent=extent, cmap=colours, norm=norm, interpolation="bilinear"
            )
        axes.set_aspect("equal" if 0.3 < first.length / second.length < 3.4 else "auto")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)


def outline(mesh: Mesh) -> Array:
    """End points of the edges that only one triangle has: (edges, 2, 2)."""
    corners = mesh.simplices.numpy()
    edges = numpy.sort(
        numpy.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1
    )
    unique, counts = numpy.unique(edges, axis=0, return_counts=True)
    return mesh.points.numpy()[unique[counts == 1]]


def name_with_unit(name: str, unit: str) -> str:
    """Name of a channel for a label: ``pressure [Pa]``; dimensionless ones go without unit."""
    words = name.replace("_", " ")
    return words if unit in ("", "1") else f"{words} [{unit}]"
