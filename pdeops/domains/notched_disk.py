"""A disk with a notch."""

from __future__ import annotations

import itertools
import math

import numpy
import torch

from pdeops.domains.mesh import Mesh


def notched_disk_mesh(
    num_rings: int = 16, *, radius: float = 1.0, notch_angle: float = math.pi / 3, notch_depth: float = 0.7
) -> Mesh:
    r"""A disk around the origin without a wedge on the side of the positive x axis.

    The wedge opens from its tip at :math:`(r - d, 0)` to the two points of the circle at the angles
    :math:`\pm \alpha / 2`. Rings of points around the tip end on the circle; the quarter points of the circle
    are among them, so the bounding box is the same for every number of rings.

    Args:
        num_rings: Number n of rings around the tip; a mesh of 2n rings has all points of one of n.
        radius: Radius r.
        notch_angle: Angle :math:`\alpha` of the circle that is missing (radian), less than pi.
        notch_depth: Depth d: from the circle to the tip.

    Returns:
        A mesh of about 3n^2 points with the parts ``"circle"`` and ``"notch"`` (its two sides). The boundary
        is a polygon with corners on the circle.

    Raises:
        ValueError: There is no ring, the radius or angle is out of range, or the tip lies outside of the
            disk or not behind the opening.

    Good values: 18 rings, 1045 points.

    Failure mode: The gradient of a solution is infinite at the tip, a corner of more than pi; and the polygon
    is off the circle by the square of the edge.
    """
    half = notch_angle / 2
    if num_rings < 1:
        raise ValueError(f"notched_disk_mesh: expected 1 ring or more, got {num_rings}; try 16")
    if not radius > 0 or not 0 < notch_angle < math.pi:
        raise ValueError(
            "notched_disk_mesh: expected a positive radius and an angle of the notch between 0 and pi, got "
            f"{radius} and {notch_angle}; try 1.0 and pi/3"
        )
    shallowest = radius * (1 - math.cos(half))
    if not shallowest < notch_depth < 2 * radius:
        raise ValueError(
            f"notched_disk_mesh: expected a notch deeper than {shallowest:g}, where the chord of its opening "
            f"lies, and less deep than {2 * radius:g}, got {notch_depth}; try {0.7 * radius:g}"
        )
    angles = _sector_angles(half)
    num_sectors = len(angles) - 1
    tip = numpy.array([radius - notch_depth, 0.0])
    rings = [tip[None]]
    for ring in range(1, num_rings + 1):
        turn = numpy.interp(
            numpy.arange(ring * num_sectors + 1) / ring, numpy.arange(num_sectors + 1), angles
        )
        circle = radius * numpy.stack([numpy.cos(turn), numpy.sin(turn)], axis=1)
        rings.append(tip + ring / num_rings * (circle - tip))
    first = [0, *itertools.accumulate(len(ring) for ring in rings)]
    simplices = [
        cell
        for ring in range(num_rings)
        for cell in _between(first[ring], first[ring + 1], ring, num_sectors)
    ]
    outer = numpy.arange(first[num_rings], first[num_rings + 1])
    sides = [numpy.array(first[:-1]), numpy.array([0, *(after - 1 for after in first[2:])])]
    boundaries = {
        "circle": numpy.stack([outer[:-1], outer[1:]], axis=1),
        "notch": numpy.concatenate([numpy.stack([side[:-1], side[1:]], axis=1) for side in sides]),
    }
    return Mesh(
        torch.from_numpy(numpy.concatenate(rings)),
        torch.from_numpy(numpy.array(simplices, dtype=numpy.int64)),
        {name: torch.from_numpy(facets.astype(numpy.int64)) for name, facets in boundaries.items()},
    )


def _sector_angles(half: float) -> numpy.ndarray:
    """Angles from one side of the notch to the other, about 60 degrees apart, quarter turns among them."""
    quarters = [half, math.pi / 2, math.pi]
    angles = [half]
    for start, end in itertools.pairwise(quarters):
        pieces = max(1, round((end - start) / (math.pi / 3)))
        angles.extend(numpy.linspace(start, end, pieces + 1)[1:])
    return numpy.array([*angles, *(2 * math.pi - angle for angle in reversed(angles[:-1]))])


def _between(inner: int, outer: int, ring: int, num_sectors: int) -> list[tuple[int, int, int]]:
    """Triangles between a ring and the next: in each sector one more that points inwards than outwards."""
    cells = []
    for sector in range(num_sectors):
        near, far = inner + sector * ring, outer + sector * (ring + 1)
        cells += [(near + step, far + step, far + step + 1) for step in range(ring + 1)]
        cells += [(near + step, far + step + 1, near + step + 1) for step in range(ring)]
    return cells
