import h5py
import lightning
import numpy
import pytest
import torch
from heat_example import HeatEquation, HeatSolver
from lightning.pytorch.utilities import move_data_to_device

from pdeops.data import PDEDataModule, Window, generate_from, import_arrays
from pdeops.domains import Grid


@pytest.fixture
def module(heat_recipe, tmp_path):
    """Build a data module of heat data, set up."""

    def build(recipe=None, **settings):
        settings = {"batch_size": 4, "progress": False, **settings}
        data = PDEDataModule(recipe or heat_recipe(), tmp_path, **settings)
        data.prepare_data()
        data.setup()
        return data

    return build


def values_of(data, name):
    with h5py.File(data.path) as file:
        return torch.from_numpy(file[name][()])


def test_windows_of_each_split_come_from_its_trajectories_only(module):
    data = module(window=Window(input_frames=2, output_frames=1))
    frames = values_of(data, "outputs/values")
    ranges = {"test": range(3), "validation": range(3, 5), "train": range(5, 11)}
    for split, samples in ranges.items():
        batch = data.dataset(split)[list(range(len(data.dataset(split))))]
        pairs = [(sample, start) for sample in samples for start in (0, 1)]
        assert torch.equal(batch.inputs.values, torch.stack([frames[i, s : s + 2, 0] for i, s in pairs]))
        assert torch.equal(batch.targets.values, torch.stack([frames[i, s + 2] for i, s in pairs]))
    assert (data.in_channels, data.out_channels) == (2, 1)
    assert data.input_domain == data.output_domain == Grid.periodic((16,))
    assert isinstance(data.problem, HeatEquation)


def test_the_initial_state_is_the_first_frame_when_frames_start_later(heat_recipe, module):
    data = module(heat_recipe(times=(0.3,)), window=Window())
    inputs, outputs = (
        values_of(data, name) for name in ("inputs/initial_temperature/values", "outputs/values")
    )
    batch = data.dataset("train")[list(range(6))]
    assert torch.equal(batch.inputs.values, inputs[5:])
    assert torch.equal(batch.targets.values, outputs[5:, 0])
    assert batch.inputs.channels == batch.targets.channels == ("temperature",)


def test_frames_a_call_set_the_output_channels(module):
    data = module(window=Window(output_frames=2, frames_per_call=1))
    assert data.out_channels == 1
    assert data.output_normaliser.num_channels == 1
    assert next(iter(data.train_dataloader())).targets.values.shape == (4, 2, 16)


def test_normalisers_know_the_training_split_only_and_tie_frames(module):
    window = Window(input_frames=2, output_frames=1)
    data = module(window=window)
    frames = values_of(data, "outputs/values")[5:].double()
    seen = torch.cat([frames[:, 0:2], frames[:, 1:3]])
    targets = frames[:, 2:4]
    for normaliser, values in ((data.input_normaliser, seen), (data.output_normaliser, targets)):
        numpy.testing.assert_allclose(normaliser.deviation, float(values.std(correction=0)), rtol=1e-6)
        numpy.testing.assert_allclose(normaliser.mean, float(values.mean()), atol=1e-7)
    assert data.input_normaliser.num_channels == 2
    everything = values_of(data, "outputs/values").double()
    assert abs(float(everything[:, :3].std(correction=0)) - float(data.input_normaliser.deviation[0])) > 1e-3


def test_changed_held_out_data_does_not_change_the_normalisers(module, tmp_path):
    data = module(window=Window())
    path = tmp_path / "changed.h5"
    path.write_bytes(data.path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["outputs/values"][:5] *= 100.0
    changed = PDEDataModule(path=path, window=Window())
    changed.setup()
    assert torch.equal(changed.input_normaliser.deviation, data.input_normaliser.deviation)
    assert torch.equal(changed.output_normaliser.mean, data.output_normaliser.mean)


@pytest.mark.parametrize(
    ("normalise", "fitted"), [("inputs", (True, False)), ("outputs", (False, True)), ("none", (False, False))]
)
def test_normalisation_can_be_switched_off(module, normalise, fitted):
    data = module(window=Window(), normalise=normalise)
    for normaliser, expected in zip((data.input_normaliser, data.output_normaliser), fitted, strict=True):
        assert (normaliser.deviation.item() != 1.0) == expected


@pytest.mark.parametrize("num_workers", [0, 1])
def test_reading_from_the_file_gives_the_same_batches_as_memory(module, num_workers):
    window = Window(input_frames=2, output_frames=1)
    memory, lazy = module(window=window), module(window=window, memory_limit=0.0, num_workers=num_workers)
    assert type(memory.dataset("train").samples).__name__ == "MemorySamples"
    assert type(lazy.dataset("train").samples).__name__ == "StoreSamples"
    pairs = zip(memory.train_dataloader(), lazy.train_dataloader(), strict=True)
    for first, second in pairs:
        assert torch.equal(first.inputs.values, second.inputs.values)
        assert torch.equal(first.targets.values, second.targets.values)
    assert torch.equal(memory.input_normaliser.mean, lazy.input_normaliser.mean)


@pytest.mark.parametrize("memory_limit", [0.0, 1e9])
def test_training_on_a_coarser_grid(module, memory_limit):
    # Three waves fit on 8 points, so truncation and subsampling are the same.
    data = module(window=Window(), shape=(8,), memory_limit=memory_limit)
    frames = values_of(data, "outputs/values")[5:, :, :, ::2]
    assert data.input_domain == Grid.periodic((8,))
    batch = data.dataset("train")[[0, 4]]
    expected = torch.stack([frames[0, 0], frames[1, 1]])
    torch.testing.assert_close(batch.inputs.values, expected, rtol=0, atol=2e-6)


def test_generation_happens_once_for_one_recipe(module, monkeypatch):
    first = module(window=Window())
    monkeypatch.setattr(HeatSolver, "solve", lambda *_: pytest.fail("solved again"))
    assert module(window=Window()).path == first.path


def test_steady_problems_take_inputs_to_outputs_on_grids_of_their_own(tmp_path):
    rng = numpy.random.default_rng(0)
    permeability, pressure = rng.random((9, 6, 4)), rng.random((9, 1, 5, 3))
    path = import_arrays(
        tmp_path / "mine.h5",
        {"permeability": permeability, "source": 2 * permeability},
        pressure,
        Grid.box((6, 4), "cells"),
        output_channels=("pressure",),
        output_domain=Grid.box((5, 3)),
        num_validation=2,
        num_test=3,
    )
    data = PDEDataModule(path=path)
    data.prepare_data()
    data.setup()
    assert (data.in_channels, data.out_channels) == (2, 1)
    assert (data.input_domain.shape, data.output_domain.shape) == ((6, 4), (5, 3))
    assert data.window is None
    assert data.problem is None
    batch = next(iter(data.test_dataloader()))
    numpy.testing.assert_allclose(batch.inputs.values[:, 1], 2 * permeability[6:], rtol=1e-6)
    numpy.testing.assert_allclose(batch.targets.values, pressure[6:], rtol=1e-6)


def test_empty_splits_have_no_loader(heat_recipe, module):
    data = module(heat_recipe(num_validation=0, num_test=0), window=Window())
    assert data.val_dataloader() == data.test_dataloader() == []


def test_wrong_use(heat_recipe, module, tmp_path):
    with pytest.raises(ValueError, match="expected a recipe or a path, got neither"):
        PDEDataModule()
    with pytest.raises(ValueError, match="batch_size: expected at least 1"):
        PDEDataModule(heat_recipe(), batch_size=0)
    with pytest.raises(ValueError, match="'both', 'inputs'"):
        PDEDataModule(heat_recipe(), normalise="all")
    with pytest.raises(RuntimeError, match=r"expected setup\(\) first"):
        _ = PDEDataModule(heat_recipe(), tmp_path).in_channels
    with pytest.raises(ValueError, match="expected training samples, got none"):
        module(heat_recipe(num_samples=5, num_validation=2, num_test=3), window=Window())
    path = generate_from(heat_recipe(), tmp_path / "heat.h5", progress=False)
    other = PDEDataModule(heat_recipe(problem=HeatEquation(diffusivity=0.5)), path=path)
    with pytest.raises(ValueError, match=r"expected data of heat with \{'diffusivity': 0.5\}"):
        other.setup()
    with pytest.raises(FileNotFoundError, match="expected a data set"):
        PDEDataModule(path=tmp_path / "nothing.h5").setup()


class Recorder(lightning.LightningModule):
    """A linear model that notes the samples it sees."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, batch_index):
        self.seen.append(batch.inputs.values[:, 0, 1].tolist())
        return (self.factor * batch.inputs.values - batch.targets.values).square().mean()

    def validation_step(self, batch, batch_index):
        self.validated = batch.batch_size

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(data, epochs, checkpoint=None):
    model = Recorder()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint)
    return model, trainer


def test_a_resumed_training_sees_the_batches_of_an_uninterrupted_one(heat_recipe, tmp_path):
    def data():
        return PDEDataModule(heat_recipe(), tmp_path, window=Window(), batch_size=5, seed=2, progress=False)

    whole, _ = fit(data(), 4)
    first, trainer = fit(data(), 2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    second, _ = fit(data(), 4, tmp_path / "half.ckpt")
    assert len(whole.seen) == 4 * 4
    assert first.seen + second.seen == whole.seen
    assert whole.seen[:4] != whole.seen[4:8]
    assert torch.equal(second.factor, whole.factor)
    assert whole.validated > 0


def test_lightning_moves_batches(module):
    batch = next(iter(module(window=Window()).train_dataloader()))
    moved = move_data_to_device(batch, torch.device("meta"))
    assert moved.inputs.values.device.type == "meta"


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_every_precision_of_lightning_takes_the_batches(heat_recipe, tmp_path, precision):
    data = PDEDataModule(heat_recipe(), tmp_path, window=Window(), batch_size=8, progress=False)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        precision=precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Recorder()
    trainer.fit(model, datamodule=data)
    assert model.factor.item() != 0.0
