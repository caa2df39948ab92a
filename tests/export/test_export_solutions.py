"""Pictures and animations of one field, on every kind of domain."""

import math

import numpy
import pytest
import pyvista
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread
from PIL import Image

from pdeops.domains import Field, Grid, Mesh
from pdeops.export import animate, draw_field, middle_plane, write_vtk
from pdeops.export.panels import outline
from pdeops.export.solutions import chosen_frames, draw_curve

TIMES = torch.linspace(0.0, 1.0, 7).double()


def box_mesh(dimension, num_points=5):
    """The unit box, cut into simplices by VTK."""
    shape = [num_points] * dimension + [1] * (3 - dimension)
    image = pyvista.ImageData(dimensions=shape, spacing=[1 / (num_points - 1)] * 3)
    if dimension == 1:
        corners = torch.arange(num_points)
        return Mesh(
            torch.linspace(0, 1, num_points).double()[:, None],
            torch.stack([corners[:-1], corners[1:]], dim=1),
        )
    cut = image.to_tetrahedra() if dimension == 3 else image.cast_to_unstructured_grid().triangulate()
    points = torch.from_numpy(numpy.asarray(cut.points, dtype=numpy.float64)[:, :dimension].copy())
    (cells,) = cut.cells_dict.values()
    return Mesh(points, torch.from_numpy(cells.astype(numpy.int64)))


def linear(domain, *, channels=("pressure",), times=None):
    """x + 2 y + 3 z, growing in time and from channel to channel."""
    slope = torch.arange(1.0, domain.dimension + 1).double()
    values = (domain.points @ slope).reshape(domain.shape)
    stacked = torch.stack([values + number for number in range(len(channels))])
    units = ("m/s",) * len(channels)
    if times is None:
        return Field(torch.stack([stacked, -stacked]), domain, channels, units)
    frames = torch.stack([stacked + time for time in times])
    return Field(torch.stack([frames, -frames]), domain, channels, units, times)


DOMAINS = {
    "interval": Grid.periodic((16,)),
    "chebyshev": Grid.box((9, 8), "chebyshev"),
    "box": Grid.box((6, 5, 4), "cells"),
    "segments": box_mesh(1),
    "triangles": box_mesh(2),
    "tetrahedra": box_mesh(3),
}


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("times", [None, TIMES])
def test_every_domain_gives_a_picture(tmp_path, name, times):
    field = linear(DOMAINS[name], channels=("pressure", "density"), times=times)
    path = draw_field(field, tmp_path / "solution", sample=1)
    picture = imread(path)
    assert min(picture.shape[:2]) > 250
    assert picture[..., :3].std() > 0.01
    assert [file.name for file in tmp_path.iterdir()] == ["solution.png"]


@pytest.mark.parametrize("name", DOMAINS)
def test_animations_show_every_frame_and_move(tmp_path, name):
    path = animate(linear(DOMAINS[name], times=TIMES), tmp_path / "solution.gif", frames_per_second=10)
    with Image.open(path) as movie:
        assert movie.n_frames == len(TIMES)
        assert movie.info["duration"] == 100
        pictures = []
        for frame in (0, 3, 6):
            movie.seek(frame)
            pictures.append(numpy.asarray(movie.convert("L"), dtype=float))
    # Later frames are further away: the field moves in one direction.
    near, far = (numpy.abs(pictures[0] - other).mean() for other in pictures[1:])
    assert 0 < near < far
    assert [file.name for file in tmp_path.iterdir()] == ["solution.gif"]


def test_long_series_are_thinned_out_with_their_ends():
    assert chosen_frames(1000, 5) == [0, 250, 500, 749, 999]
    assert chosen_frames(3, 5) == [0, 1, 2]
    assert chosen_frames(1, 5) == [0]


def test_a_steady_field_is_no_film(tmp_path):
    with pytest.raises(ValueError, match="try draw_field"):
        animate(linear(Grid.periodic((4,))), tmp_path / "solution")


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ["box", "tetrahedra"])
def test_the_middle_plane_of_a_linear_field_is_exact(name, axis):
    field = linear(DOMAINS[name], times=TIMES[:2])
    plane = middle_plane(field, axis)
    kept = [number for number in range(3) if number != axis]
    level = DOMAINS[name].axes[axis].points[DOMAINS[name].shape[axis] // 2] if name == "box" else 0.5
    slope = torch.arange(1.0, 4.0).double()
    expected = plane.domain.points @ slope[kept] + slope[axis] * level
    torch.testing.assert_close(
        plane.values[0, 0, 0].flatten(), expected.double(), rtol=0, atol=1e-6
    )  # VTK's points are single precision where it cuts
    assert plane.values[0, 1, 0].mean() - plane.values[0, 0, 0].mean() == pytest.approx(TIMES[1].item())
    assert plane.domain.volume == pytest.approx(1.0)


def test_curves_run_from_left_to_right_and_close_their_period():
    axes = Figure().subplots()
    mesh = Mesh(torch.tensor([[1.0], [0.0], [0.5]]).double(), torch.tensor([[1, 2], [2, 0]]))
    draw_curve(axes, numpy.array([3.0, 1.0, 2.0]), linear(mesh), colour="k")
    draw_curve(axes, numpy.array([1.0, 2.0]), linear(Grid.periodic((2,))), colour="k")
    for line, points in zip(axes.lines, ([1.0, 2.0, 3.0], [1.0, 2.0, 1.0]), strict=True):
        numpy.testing.assert_array_equal(line.get_xdata(), [0.0, 0.5, 1.0])
        numpy.testing.assert_array_equal(line.get_ydata(), points)


@pytest.mark.parametrize("name", ["chebyshev", "box", "triangles"])
def test_components_become_one_vector(tmp_path, name):
    domain = DOMAINS[name]
    components = tuple(f"velocity_{letter}" for letter in "xyz"[: domain.dimension])
    field = linear(domain, channels=("pressure", *components, "stress_xy"))
    dataset = pyvista.read(write_vtk(field, tmp_path / "flow"))
    assert sorted(dataset.point_data) == ["pressure [m/s]", "stress_xy [m/s]", "velocity [m/s]"]
    vectors = numpy.asarray(dataset.point_data["velocity [m/s]"])
    assert vectors.shape == (domain.num_points, 3)
    for number in range(3):
        expected = field.values[0, 1 + number].numpy().flatten(order="F") if number < domain.dimension else 0
        numpy.testing.assert_array_equal(vectors[:, number], expected)


def test_lone_components_and_those_of_different_units_stay_scalars(tmp_path):
    grid = Grid.periodic((4, 4))
    values = torch.rand(1, 4, 4, 4).double()
    field = Field(values, grid, ("u_x", "v_x", "v_y", "w_z"), ("1", "m", "s", "1"))
    assert sorted(pyvista.read(write_vtk(field, tmp_path / "a")).point_data) == [
        "u_x",
        "v_x [m]",
        "v_y [s]",
        "w_z",
    ]


def test_a_travelling_wave_opens_as_a_time_series(tmp_path):
    grid = Grid.periodic((16,))
    (x,) = grid.coordinates
    wave = torch.sin(2 * math.pi * (x - TIMES[:, None]))[None, :, None]
    reader = pyvista.PVDReader(write_vtk(Field(wave, grid, ("height",), times=TIMES), tmp_path / "wave.pvd"))
    assert reader.time_values == TIMES.tolist()
    reader.set_active_time_value(TIMES[2].item())
    read = reader.read()[0]
    expected = numpy.sin(2 * math.pi * (numpy.asarray(read.points)[:, 0] - TIMES[2].item()))
    numpy.testing.assert_allclose(read.point_data["height"], expected, atol=1e-6)


def test_the_outline_of_a_mesh_is_its_boundary():
    edges = outline(box_mesh(2, num_points=5))
    assert edges.shape == (16, 2, 2)
    # Unit square: every edge lies on a side, and together they have its length.
    assert numpy.linalg.norm(edges[:, 0] - edges[:, 1], axis=1).sum() == pytest.approx(4.0)
    middles = edges.mean(axis=1)
    assert numpy.minimum(middles, 1 - middles).min(axis=1) == pytest.approx(0.0)
