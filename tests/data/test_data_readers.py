import h5py
import numpy
import pytest
import scipy.io

from pdeops.data import PDEDataModule, Store, StoreError, Window, import_arrays, read_arrays
from pdeops.domains import Grid

COEFFICIENT = numpy.arange(4 * 5 * 3, dtype=float).reshape(4, 5, 3)
SOLUTION = numpy.sqrt(COEFFICIENT)


def write_npz(path):
    numpy.savez(path, coeff=COEFFICIENT, sol=SOLUTION)


def write_mat(path):
    scipy.io.savemat(path, {"coeff": COEFFICIENT, "sol": SOLUTION, "comment": "made elsewhere"})


def write_mat_73(path):
    # MATLAB writes version 7.3 as HDF5 after a header of 512 bytes, axes reversed.
    with h5py.File(path, "w", userblock_size=512) as file:
        file["coeff"], file["sol"] = COEFFICIENT.T, SOLUTION.T
        file["#refs#/a"] = numpy.zeros(3)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file["coeff"], file["sol"] = COEFFICIENT, SOLUTION


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npz", write_npz),
        ("a.mat", write_mat),
        ("b.mat", write_mat_73),
        ("a.h5", write_hdf5),
        ("a.hdf5", write_hdf5),
    ],
)
def test_all_formats_give_the_same_arrays(tmp_path, name, write):
    write(tmp_path / name)
    arrays = read_arrays(tmp_path / name)
    assert sorted(arrays) == ["coeff", "sol"]
    numpy.testing.assert_array_equal(arrays["coeff"], COEFFICIENT)
    numpy.testing.assert_array_equal(read_arrays(tmp_path / name, ["sol"])["sol"], SOLUTION)


def test_npy_holds_one_array(tmp_path):
    numpy.save(tmp_path / "a.npy", SOLUTION)
    numpy.testing.assert_array_equal(read_arrays(tmp_path / "a.npy")["array"], SOLUTION)


def test_nothing_is_unpickled(tmp_path):
    numpy.save(tmp_path / "a.npy", numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(StoreError, match=r"a.npy: expected a readable .npy file of plain numeric arrays"):
        read_arrays(tmp_path / "a.npy")


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_arrays(tmp_path / "a.npz")
    (tmp_path / "a.txt").write_text("1 2 3")
    with pytest.raises(ValueError, match=r"expected one of .npz, .* got '.txt'"):
        read_arrays(tmp_path / "a.txt")
    for suffix in ("npz", "npy", "mat", "h5"):
        (tmp_path / f"a.{suffix}").write_bytes(b"damaged" * 40)
        with pytest.raises(StoreError, match=f"a.{suffix}: expected a readable"):
            read_arrays(tmp_path / f"a.{suffix}")
    write_npz(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"expected arrays among \['coeff', 'sol'\], got \['x'\]"):
        read_arrays(tmp_path / "a.npz", ["x"])


def test_imported_arrays_are_a_data_set(tmp_path):
    path = import_arrays(
        tmp_path / "mine.h5",
        {"permeability": COEFFICIENT},
        SOLUTION,
        Grid.box((5, 3)),
        output_channels=("pressure",),
        num_validation=1,
        num_test=1,
        problem="darcy",
        dtype="float64",
    )
    with Store.open(path) as store:
        numpy.testing.assert_array_equal(
            store.read_inputs(range(4))["permeability"].values[:, 0], COEFFICIENT
        )
        numpy.testing.assert_array_equal(store.read_outputs([2]).values[0, 0], SOLUTION[2])
        splits = [store.split(name).tolist() for name in ("train", "validation", "test")]
        assert splits == [[0, 1], [2], [3]], "published sets hold out their last samples"
        assert store.metadata.problem == "darcy"
        assert store.metadata.seed == -1
    with pytest.raises(FileExistsError, match="expected no file there"):
        import_arrays(path, {"permeability": COEFFICIENT}, SOLUTION, Grid.box((5, 3)))


def test_imported_trajectories(tmp_path):
    frames = numpy.random.default_rng(0).random((2, 3, 8))
    path = import_arrays(
        tmp_path / "mine.h5",
        {"initial_velocity": frames[:, 0]},
        frames,
        Grid.periodic((8,)),
        times=[0.0, 0.5, 1.0],
        output_channels=("velocity",),
    )
    with Store.open(path) as store:
        outputs = store.read_outputs([0, 1])
        assert store.metadata.initial_inputs == ("initial_velocity",)
    numpy.testing.assert_allclose(outputs.values[:, :, 0], frames, rtol=1e-6)
    assert outputs.times.tolist() == [0.0, 0.5, 1.0]


def test_trajectories_alone_are_enough_to_train_on(tmp_path):
    frames = numpy.random.default_rng(0).random((4, 3, 8))
    path = import_arrays(tmp_path / "mine.h5", {}, frames, Grid.periodic((8,)), times=[0.0, 0.5, 1.0])
    data = PDEDataModule(path=path, batch_size=8)
    data.setup()
    assert data.window == Window()
    batch = data.dataset("train")[list(range(8))]
    numpy.testing.assert_array_equal(batch.inputs.values.reshape(4, 2, 8), frames[:, :2].astype("f4"))
    numpy.testing.assert_array_equal(batch.targets.values.reshape(4, 2, 8), frames[:, 1:].astype("f4"))


def test_wrong_imports_name_the_axis_and_leave_no_file(tmp_path):
    path = tmp_path / "mine.h5"
    for inputs, outputs, settings, message in (
        ({"a": COEFFICIENT}, SOLUTION[:3], {}, r"a: .*got 4 instead of 3 along axis 0 \(samples\)"),
        ({"a": COEFFICIENT}, SOLUTION.transpose(0, 2, 1), {}, r"outputs: .*along axis 2 \(x\)"),
        ({"a": COEFFICIENT}, SOLUTION, {"num_test": 5}, "at most 4 samples held out"),
        ({"a": COEFFICIENT}, SOLUTION, {"output_channels": ("u", "v")}, "as many channels as the names"),
    ):
        with pytest.raises(ValueError, match=message):
            import_arrays(path, inputs, outputs, Grid.box((5, 3)), **settings)
    assert list(tmp_path.iterdir()) == []
