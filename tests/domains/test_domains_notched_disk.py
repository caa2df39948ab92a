"""The disk with a notch: its area, sides and cells."""

import itertools
import math

import pytest
import torch
from scipy.spatial import cKDTree

from pdeops.domains import check_mesh, notched_disk_mesh


def area_of(radius, angle, depth):
    """A disk without a sector, but for the two triangles between its middle and the sides of the notch."""
    half = angle / 2
    return math.pi * radius**2 - half * radius**2 + (radius - depth) * radius * math.sin(half)


@pytest.mark.parametrize(
    ("radius", "angle", "depth"), [(1.0, math.pi / 3, 0.7), (2.0, 1.0, 2.5), (1.0, 3.0, 1.0)]
)
def test_area_and_length_converge_at_second_order(radius, angle, depth):
    areas, lengths = [], []
    tip, opening = radius - depth, (radius * math.cos(angle / 2), radius * math.sin(angle / 2))
    for rings in (8, 16, 32):
        mesh = notched_disk_mesh(rings, radius=radius, notch_angle=angle, notch_depth=depth)
        check_mesh(mesh)
        areas.append(area_of(radius, angle, depth) - mesh.volume)
        lengths.append(
            (2 * math.pi - angle) * radius - mesh.boundary("circle").quadrature_weights.sum().item()
        )
        notch = mesh.boundary("notch").quadrature_weights.sum().item()
        assert notch == pytest.approx(2 * math.hypot(opening[0] - tip, opening[1]))
        circle = mesh.points[mesh.boundaries["circle"].flatten()].norm(dim=1)
        torch.testing.assert_close(circle, torch.full_like(circle, radius))
        box = mesh.points.amin(dim=0).tolist() + mesh.points.amax(dim=0).tolist()
        assert box == pytest.approx([-radius, -radius, opening[0], radius], abs=1e-15)
    for errors in (areas, lengths):
        assert min(errors) > 0
        orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
        assert orders == pytest.approx([2, 2], abs=0.05)


def test_cells_are_well_shaped_and_rings_nest():
    mesh, finer = notched_disk_mesh(18), notched_disk_mesh(36)
    corners = mesh.points[mesh.simplices]
    edges = [corners[:, (i + 1) % 3] - corners[:, i] for i in range(3)]
    cosines = [
        -(edges[i] * edges[i - 1]).sum(1) / edges[i].norm(dim=1) / edges[i - 1].norm(dim=1) for i in range(3)
    ]
    assert math.degrees(torch.arccos(torch.stack(cosines)).min()) > 25
    # Rings nest: a coarse solution can be compared with a fine one at its own points.
    assert cKDTree(finer.points).query(mesh.points)[0].max() < 1e-14
    # Six sectors between the sides: 1 + sum of (6 i + 1).
    assert mesh.num_points == 1 + 18 + 6 * 18 * 19 // 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_rings": 0}, "1 ring or more"),
        ({"radius": -1.0}, "positive radius"),
        ({"notch_angle": 3.5}, "between 0 and pi"),
        ({"notch_depth": 0.1}, "deeper than 0.13"),
        ({"notch_depth": 2.0}, "less deep than 2"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        notched_disk_mesh(**settings)
