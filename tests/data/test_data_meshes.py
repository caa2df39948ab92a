"""Data sets on meshes: stored, read back bit for bit, and cut into training pairs."""

import h5py
import numpy
import pytest
import torch

from pdeops.data import FieldDataset, PDEDataModule, Store, StoreError, Window, import_arrays
from pdeops.data.samples import StoreSamples
from pdeops.domains import Mesh

POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]]).double()
TRIANGLES = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
SIDES = {"bottom": torch.tensor([[0, 1]]), "rest": torch.tensor([[1, 2], [2, 3], [3, 0]])}
SQUARE = Mesh(POINTS, TRIANGLES, SIDES)
TIMES = (0.0, 0.5, 1.0, 1.5)


@pytest.fixture
def steady(tmp_path):
    """Five steady samples on a mesh of five points, with their arrays."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(5, 5, generator=generator).double()
    path = import_arrays(
        tmp_path / "steady.h5",
        {"source": source},
        2 * source,
        SQUARE,
        output_channels=("potential",),
        num_test=1,
        dtype="float64",
    )
    return path, source


def test_values_and_mesh_are_read_back_bit_for_bit(steady):
    path, source = steady
    with Store.open(path) as store:
        outputs, inputs = store.read_outputs(range(5)), store.read_inputs(range(5))["source"]
    assert torch.equal(outputs.values[:, 0], 2 * source)
    assert torch.equal(inputs.values[:, 0], source)
    mesh = outputs.domain
    assert torch.equal(mesh.points, POINTS)
    assert torch.equal(mesh.simplices, TRIANGLES)
    assert {name: facets.tolist() for name, facets in mesh.boundaries.items()} == {
        name: facets.tolist() for name, facets in SIDES.items()
    }
    # One mesh for all fields, so that they can be compared and stacked.
    assert inputs.domain is mesh


def test_other_meshes_stay_apart(tmp_path):
    finer = Mesh(POINTS / 2, TRIANGLES)
    path = import_arrays(
        tmp_path / "two.h5", {"source": numpy.ones((2, 5))}, numpy.ones((2, 5)), SQUARE, output_domain=finer
    )
    with Store.open(path) as store:
        domains = [layout.domain for layout in store.layouts.values()]
    assert domains[0] is not domains[1]
    assert domains[1].volume == pytest.approx(domains[0].volume / 4)
    assert domains[1].boundaries == {}


def test_steady_pairs_come_in_batches_with_their_mesh(steady):
    path, source = steady
    data = PDEDataModule(path=path, batch_size=2, normalise="none")
    data.prepare_data()
    data.setup()
    batch = data.dataset("train")[[0, 2]]
    assert batch.inputs.domain is batch.targets.domain
    torch.testing.assert_close(batch.targets.values, 2 * source[[0, 2], None].float(), rtol=0, atol=0)
    assert data.input_domain.num_points == 5


def test_trajectories_on_a_mesh_are_cut_into_windows(tmp_path):
    frames = torch.arange(2 * 4 * 5).reshape(2, 4, 5).double()
    path = import_arrays(tmp_path / "heat.h5", {}, frames, SQUARE, times=TIMES, output_channels=("heat",))
    window = Window(input_frames=1, output_frames=1, stride=2)
    with Store.open(path) as store:
        dataset = FieldDataset(StoreSamples(store, range(2)), window)
        batch = dataset[list(range(len(dataset)))]
    assert len(dataset) == 4
    assert torch.equal(batch.targets.values - batch.inputs.values, torch.full((4, 1, 5), 10.0))


def test_a_coarser_grid_is_refused_on_a_mesh(steady):
    path, _ = steady
    data = PDEDataModule(path=path, shape=(3,))
    data.prepare_data()
    with pytest.raises(ValueError, match="expected data on a grid, got data on a mesh"):
        data.setup()


def test_a_file_without_its_mesh_is_named(steady):
    path, _ = steady
    with h5py.File(path, "r+") as file:
        del file["outputs/mesh/simplices"]
    with pytest.raises(StoreError, match=r"steady\.h5: outputs"):
        Store.open(path)
