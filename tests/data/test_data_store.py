import pickle

import h5py
import numpy
import pytest
from heat_example import HeatEquation

from pdeops.data import Store, StoreError, generate_from
from pdeops.domains import Grid


@pytest.fixture
def path(heat_recipe, tmp_path):
    return generate_from(heat_recipe(), tmp_path / "heat.h5", progress=False)


def damage(path, position, length=8):
    content = bytearray(path.read_bytes())
    for offset in range(position, position + length):
        content[offset] ^= 0xFF
    path.write_bytes(content)


def test_layout_is_readable_by_plain_hdf5(path):
    with h5py.File(path) as file:
        values = file["outputs/values"]
        assert values.shape == (11, 4, 1, 16)
        assert values.chunks == (1, 4, 1, 16), "one sample is one chunk"
        assert values.fletcher32
        assert [dimension.label for dimension in values.dims] == ["sample", "time", "channel", "x"]
        assert file["inputs/initial_temperature/values"].shape == (11, 1, 16)
        numpy.testing.assert_allclose(file["outputs/coordinates/x"], numpy.arange(16) / 16, rtol=1e-15)
        numpy.testing.assert_array_equal(file["outputs/times"], [0.0, 0.1, 0.2, 0.3])
        assert file.attrs["problem"] == b"heat"
        assert file.attrs["seed"] == 3
        assert file["complete"][()].all()
        assert file["complete"].shape == (3,)


def test_metadata_says_where_the_numbers_come_from(path):
    with Store.open(path) as store:
        assert store.metadata.problem_parameters == {"diffusivity": 0.02}
        assert store.metadata.solver == "heat_example.HeatSolver"
        assert store.metadata.solver_settings == {"solver": "heat"}
        assert store.metadata.settings["num_samples"] == 11
        assert store.layouts["outputs"].domain == Grid.periodic((16,))


def test_reading_keeps_the_order_asked_for(path):
    with h5py.File(path) as file:
        everything = file["outputs/values"][()]
    with Store.open(path) as store:
        for samples in ([5], [7, 2, 3, 2, 10], [], list(range(11)), [10, 0]):
            numpy.testing.assert_array_equal(store.read("outputs", samples), everything[samples])


def test_a_pickled_store_opens_the_file_again(path):
    with Store.open(path) as store:
        copy = pickle.loads(pickle.dumps(store))
        numpy.testing.assert_array_equal(copy.read("outputs", [4]), store.read("outputs", [4]))
        copy.close()


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"nowhere.h5: expected a data set"):
        Store.open("nowhere.h5")


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_not_hdf5(tmp_path, content):
    path = tmp_path / "strange.h5"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"strange.h5: expected an HDF5 file, got \d+ bytes.*try"):
        Store.open(path)


def test_truncated_at_any_length(path):
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(StoreError, match=r"heat.h5: expected .* got .*try"):
            Store.open(path)


@pytest.mark.parametrize("name", ["outputs", "inputs/initial_temperature"])
def test_one_flipped_bit_in_a_sample_is_found_and_named(path, name):
    with h5py.File(path) as file:
        chunk = file[f"{name}/values"].id.get_chunk_info_by_coord(
            (6, *[0] * (file[f"{name}/values"].ndim - 1))
        )
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + 9] ^= 1
    path.write_bytes(content)
    with Store.open(path) as store:
        store.read(name, [0, 1, 5, 7])
        with pytest.raises(StoreError, match=rf"expected sample 6 of {name} with a valid checksum"):
            store.read(name, range(11))


def test_damage_anywhere_is_never_silent(path):
    with Store.open(path) as store:
        reference = {name: store.read(name, range(11)) for name in store.layouts}
        metadata, layouts, split = store.metadata, store.layouts, store.split("train")
    whole = path.read_bytes()
    noticed = 0
    for position in range(0, len(whole), 41):
        path.write_bytes(whole)
        damage(path, position, 1)
        try:
            with Store.open(path) as store:
                values = {name: store.read(name, range(11)) for name in store.layouts}
                # What is read must be right: the damage was in unused bytes.
                for name, expected in reference.items():
                    numpy.testing.assert_array_equal(values[name], expected)
                numpy.testing.assert_array_equal(store.split("train"), split)
                assert store.metadata == metadata
                assert store.layouts == layouts
        except StoreError:
            noticed += 1
    assert noticed > 20


def test_nan_is_found_when_read(path):
    with h5py.File(path, "r+") as file:
        file["outputs/values"][4, 2, 0, 1] = numpy.nan
    with Store.open(path) as store:
        store.read("outputs", [3, 5])
        with pytest.raises(StoreError, match="finite values in sample 4 of outputs"):
            store.read("outputs", range(11))


def edit_foreign(file):
    del file.attrs["format"]


def edit_version(file):
    file.attrs["format_version"] = 99


def edit_attribute(file):
    del file.attrs["solver_settings"]


def edit_domain(file):
    file["outputs"].attrs["domain"] = "{broken"


def edit_split(file):
    file["split"][0] = 7


def edit_complete(file):
    file["complete"][1] = False


def edit_missing(file):
    del file["inputs"]


def edit_shape(file):
    del file["outputs/values"]
    file.create_dataset("outputs/values", data=numpy.zeros((11, 4, 1, 15), dtype="f4"))


def edit_count(file):
    del file["outputs/values"]
    file.create_dataset("outputs/values", data=numpy.zeros((10, 4, 1, 16), dtype="f4"))


def edit_dtype(file):
    del file["outputs/values"]
    file.create_dataset("outputs/values", data=numpy.zeros((11, 4, 1, 16), dtype="i4"))


def edit_unwritten(file):
    del file["outputs/values"]
    file.create_dataset("outputs/values", shape=(11, 4, 1, 16), dtype="f4", chunks=(1, 4, 1, 16))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_foreign, "expected an HDF5 file of format 'pdeops-dataset', got format None"),
        (edit_version, "expected format version 1, got 99"),
        (edit_attribute, "expected the attributes of a data set, got .*solver_settings"),
        (edit_domain, "outputs: expected values with the attributes"),
        (edit_split, r"expected a split of 0 \(train\)"),
        (edit_complete, "expected complete batches only, got 1 unfinished"),
        (edit_missing, "expected the entry 'inputs'"),
        (edit_shape, r"outputs: expected floating-point values of shape \(samples, 4, 1, 16\)"),
        (edit_count, "expected 11 samples in outputs, as in split, got 10"),
        (edit_dtype, "outputs: expected floating-point values"),
        (edit_unwritten, "expected 11 written samples in outputs, got 0"),
    ],
)
def test_each_fault_of_the_contents_has_its_message(path, edit, message):
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(StoreError, match=f"heat.h5: {message}"):
        Store.open(path)


def test_unknown_split(path):
    with Store.open(path) as store, pytest.raises(ValueError, match=r"expected one of .*'train'"):
        store.split("training")


def test_damaged_file_is_not_made_into_another_by_generation(heat_recipe, path):
    damage(path, 0)
    with pytest.raises(StoreError, match="try deleting it"):
        generate_from(heat_recipe(problem=HeatEquation()), path, progress=False)
