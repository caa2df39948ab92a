"""VTK files read back by pyvista hold the same numbers."""

import numpy
import pytest
import pyvista
import torch

from pdeops.domains import Field, Grid, Mesh
from pdeops.export import write_vtk

SQUARE = Mesh(
    torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64),
    torch.tensor([[0, 1, 2], [0, 2, 3]]),
)


def field_on(domain, *, times=None, channels=("vorticity",), units=("1/s",), dtype=torch.float64):
    torch.manual_seed(0)
    frames = () if times is None else (len(times),)
    values = torch.randn(2, *frames, len(channels), *domain.shape, dtype=dtype)
    return Field(values, domain, channels, units, times)


def on_points(array):
    """The order of VTK: the first axis fastest."""
    return array.numpy().flatten(order="F")


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 4, 3)])
@pytest.mark.parametrize(("kind", "suffix"), [("nodes", ".vti"), ("cells", ".vti"), ("chebyshev", ".vtr")])
def test_a_field_on_a_grid_is_read_back_exactly(tmp_path, shape, kind, suffix):
    grid = Grid.box(shape, kind, upper=(2.0, 1.0, 3.0)[: len(shape)])
    field = field_on(grid)
    path = write_vtk(field, tmp_path / "solution.vti", sample=1)
    assert path == tmp_path / f"solution{suffix}"
    dataset = pyvista.read(path)
    numpy.testing.assert_array_equal(dataset.point_data["vorticity [1/s]"], on_points(field.values[1, 0]))
    points = numpy.stack([on_points(coordinate) for coordinate in grid.coordinates], axis=1)
    numpy.testing.assert_allclose(
        numpy.asarray(dataset.points)[:, : len(shape)], points, rtol=1e-6, atol=1e-7
    )


def test_a_field_on_a_mesh_is_read_back_exactly(tmp_path):
    field = field_on(SQUARE, channels=("u", "v"), units=("m", "1"))
    dataset = pyvista.read(write_vtk(field, tmp_path / "mesh"))
    assert isinstance(dataset, pyvista.UnstructuredGrid)
    numpy.testing.assert_array_equal(dataset.point_data["u [m]"], field.values[0, 0].numpy())
    numpy.testing.assert_array_equal(dataset.point_data["v"], field.values[0, 1].numpy())
    numpy.testing.assert_array_equal(numpy.asarray(dataset.points)[:, :2], SQUARE.points.numpy())
    numpy.testing.assert_array_equal(dataset.cells_dict[pyvista.CellType.TRIANGLE], SQUARE.simplices.numpy())


def test_a_periodic_grid_shows_its_whole_period(tmp_path):
    grid = Grid.periodic((4, 3), lengths=(2.0, 3.0))
    field = field_on(grid)
    dataset = pyvista.read(write_vtk(field, tmp_path / "torus"))
    assert dataset.dimensions == (5, 4, 1)
    assert dataset.bounds[:4] == (0.0, 2.0, 0.0, 3.0)
    array = dataset.point_data["vorticity [1/s]"].reshape(5, 4, order="F")
    expected = field.values[0, 0].numpy()
    numpy.testing.assert_array_equal(array[:4, :3], expected)
    numpy.testing.assert_array_equal(array[4, :3], expected[0])
    numpy.testing.assert_array_equal(array[:4, 3], expected[:, 0])
    bare = pyvista.read(write_vtk(field, tmp_path / "bare", close_periods=False))
    assert bare.dimensions == (4, 3, 1)


@pytest.mark.parametrize("domain", [Grid.periodic((4, 6)), Grid.box((4, 6), "chebyshev"), SQUARE])
def test_a_time_series_of_several_fields_is_read_back_exactly(tmp_path, domain):
    times = torch.tensor([0.0, 0.1, 1 / 3, 2.0], dtype=torch.float64)
    truth = field_on(domain, times=times, dtype=torch.float32)
    prediction = Field(truth.values * 1.5, domain, truth.channels, truth.units, times)
    fields = {"prediction": prediction, "truth": truth}
    path = write_vtk(fields, tmp_path / "run" / "sample_0.pvd", sample=1, close_periods=False)
    assert path == tmp_path / "run" / "sample_0.pvd"
    reader = pyvista.PVDReader(path)
    assert reader.time_values == times.tolist()
    for frame, time in enumerate(times.tolist()):
        reader.set_active_time_value(time)
        dataset = reader.read()[0]
        for name, field in fields.items():
            array = dataset.point_data[f"{name} vorticity [1/s]"]
            assert array.dtype == numpy.float32
            numpy.testing.assert_array_equal(array, on_points(field.values[1, frame, 0]))
    assert sorted(file.name for file in path.parent.iterdir()) == ["sample_0", "sample_0.pvd"]


def test_a_shorter_series_replaces_a_longer_one(tmp_path):
    grid = Grid.periodic((4,))
    for num_frames in (12, 2):
        times = torch.arange(num_frames).double()
        path = write_vtk(field_on(grid, times=times), tmp_path / "series")
    assert len(pyvista.PVDReader(path).time_values) == 2
    assert len(list((tmp_path / "series").iterdir())) == 2


def test_files_of_others_are_left_alone(tmp_path):
    grid = Grid.periodic((4, 4))
    foreign = tmp_path / "mine.vti"
    pyvista.ImageData(dimensions=(2, 2, 2)).save(foreign)
    before = foreign.read_bytes()
    with pytest.raises(FileExistsError, match=r"mine\.vti"):
        write_vtk(field_on(grid), foreign)
    assert foreign.read_bytes() == before
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        write_vtk(field_on(grid, times=torch.zeros(1).double()), tmp_path / "series")
    assert (tmp_path / "series" / "thesis.txt").read_text() == "years of work"


def test_fields_that_do_not_belong_together_are_refused(tmp_path):
    field, other = field_on(Grid.periodic((4,))), field_on(Grid.periodic((8,)))
    with pytest.raises(ValueError, match="domain of the first field"):
        write_vtk({"a": field, "b": other}, tmp_path / "a")
    with pytest.raises(ValueError, match="below 2, got 2"):
        write_vtk(field, tmp_path / "a", sample=2)
    with pytest.raises(ValueError, match="times of the first field"):
        write_vtk({"a": field, "b": field_on(field.domain, times=torch.zeros(1).double())}, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
