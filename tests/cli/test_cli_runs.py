"""Train, continue, evaluate and predict, from the command line to the files."""

import csv
import json
import re

import h5py
import numpy
import pytest
import pyvista
import torch
from omegaconf import OmegaConf

import pdeops as library
from pdeops.data import Store, import_arrays
from pdeops.domains import Field, Grid


def rows_of(path):
    """Rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_train_writes_a_whole_run_folder(trained):
    _, run, outcome = trained
    result = json.loads((run / "result.json").read_text())
    assert OmegaConf.load(run / "config.yaml").model.width == 8
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert len(rows_of(run / "metrics.csv")) == result["num_epochs"] == 2
    assert {path.name for path in (run / "pictures").iterdir()} == {
        "comparison.png",
        "error_over_time.png",
        "learning_curve.png",
        "rollout.png",
        "spectrum.png",
    }
    assert result["trivial_relative_l2"]["zero"] == pytest.approx(1.0)
    # Pasteable: the table is Markdown, and says what the file says.
    assert re.search(rf"\| relative L2 error +\| {result['relative_l2']:.4f} +\|", outcome.out)
    assert f"runs/navier_stokes/fno/{run.name}" in outcome.out


def test_reported_error_is_that_of_the_loaded_surrogate(trained):
    pdeops, run, _ = trained
    result = json.loads((run / "result.json").read_text())
    (path,) = (pdeops.folder / "datasets").glob("*.h5")
    with Store.open(path) as store:
        frames = store.read_outputs(store.split("test"))
    errors = []
    for start in range(4):  # five frames, each to the next
        state = frames.snapshot(start)
        prediction = library.load(run).predict({"vorticity": state}).snapshot(0)
        errors.append(
            prediction.to(dtype=torch.float64).relative_error(
                frames.snapshot(start + 1).to(dtype=torch.float64)
            )
        )
    assert result["relative_l2"] == pytest.approx(torch.cat(errors).mean().item(), rel=1e-5)


def arrays_of(image):
    """Arrays of a VTK image by their names without units."""
    return {name.split()[0]: numpy.asarray(image[name]) for name in image.array_names}


def test_vtk_of_a_run_holds_the_whole_trajectory(trained):
    _, run, _ = trained
    reader = pyvista.get_reader(str(run / "prediction" / "trajectory_0.pvd"))
    # Five stored frames from 0 to 2.
    numpy.testing.assert_allclose(reader.time_values, [0.0, 0.5, 1.0, 1.5, 2.0])
    distances = []
    for time in reader.time_values:
        reader.set_active_time_value(time)
        values = arrays_of(reader.read()[0])
        numpy.testing.assert_allclose(values["prediction"] - values["truth"], values["error"], atol=1e-12)
        distances.append(numpy.abs(values["error"]).max())
    # The first frame is given, the others are predicted.
    assert distances[0] == 0
    assert min(distances[1:]) > 0


def test_resume_goes_on_where_the_run_was(trained):
    pdeops, run, _ = trained
    before = (run / "metrics.csv").read_text().splitlines()
    assert pdeops("train", f"resume={run}", "trainer.max_epochs=4").code == 0
    rows = rows_of(run / "metrics.csv")
    assert [int(float(row["epoch"])) for row in rows] == [0, 1, 2, 3]
    assert float(rows[1]["validation/relative_l2"]) == float(before[2].split(",")[-1])
    assert json.loads((run / "result.json").read_text())["num_epochs"] == 4
    assert len(list((run.parent).iterdir())) == 1


def test_resumed_run_equals_an_uninterrupted_one(pdeops):
    _, whole = pdeops.train(*pdeops.small_fno, "scheduler=none", "trainer.max_epochs=3")
    _, halves = pdeops.train(*pdeops.small_fno, "scheduler=none", "trainer.max_epochs=1")
    assert pdeops("train", f"resume={halves}", "trainer.max_epochs=3").code == 0
    weights = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (whole, halves)
    ]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_resume_refuses_a_finished_run_and_another_model(trained):
    pdeops, run, _ = trained
    finished = pdeops("train", f"resume={run}")
    assert finished.code == 2
    assert "all 2 epochs are done" in finished.err
    kept = {path.name: path.read_bytes() for path in (run / ".hydra").iterdir()}
    other = pdeops("train", f"resume={run}", "trainer.max_epochs=4", "model.width=4")
    assert other.code == 2
    assert "expected the 'model' of that run with model.width=8, got 4" in other.err
    assert {path.name: path.read_bytes() for path in (run / ".hydra").iterdir()} == kept
    # What was refused leaves no trace, and what is accepted is kept for the next time.
    assert pdeops("train", f"resume={run}", "trainer.max_epochs=3", "num_pictures=0").code == 0
    finished = pdeops("train", f"resume={run}")
    assert finished.code == 2
    assert "all 3 epochs are done" in finished.err


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("problem._target_", "os.mkdir"),
        ("problem._target_", "subprocess.Popen"),
        ("solver._target_", "pdeops.cli.run_folder.os.mkdir"),
        ("data.window._target_", "pdeops.cli.run_folder.shutil.rmtree"),
    ],
)
def test_run_folder_of_somebody_else_runs_nothing_of_theirs(trained, key, target):
    pdeops, run, _ = trained
    config = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(config, key, target)
    OmegaConf.save(config, run / "config.yaml")
    for words in (["evaluate", f"run={run}"], ["compare", f"runs=[{run}]"]):
        outcome = pdeops(*words)
        assert outcome.code == 2
        assert f"expected a class of pdeops or solvers, got '{target}'" in outcome.err


def test_checkpoint_of_another_model_is_named(trained):
    pdeops, run, _ = trained
    path = run / "checkpoints" / "best.ckpt"
    contents = torch.load(path, weights_only=True)
    contents["pdeops"]["operator"]["width"] = 4
    torch.save(contents, path)
    outcome = pdeops("evaluate", f"run={run}")
    assert outcome.code == 2
    assert "belongs to another model" in outcome.err


def test_same_seed_same_result_and_another_seed_another(pdeops):
    errors = []
    for seed in (0, 0, 1):
        _, run = pdeops.train(*pdeops.small_fno, f"seed={seed}", "num_pictures=0")
        errors.append(json.loads((run / "result.json").read_text())["relative_l2"])
    assert errors[0] == errors[1] != errors[2]


def test_evaluate_agrees_with_training_and_runs_on_a_finer_grid(trained):
    pdeops, run, _ = trained
    trained_error = json.loads((run / "result.json").read_text())["relative_l2"]
    assert pdeops("evaluate", f"run={run}").code == 0
    same = json.loads((run / "evaluation_16x16.json").read_text())
    assert same["relative_l2"] == pytest.approx(trained_error, rel=1e-5)
    assert pdeops("evaluate", f"run={run}", "resolution=[32,32]").code == 0
    finer = json.loads((run / "evaluation_32x32.json").read_text())
    assert finer["num_pairs"] == same["num_pairs"] == 8
    kept = sorted((pdeops.folder / "datasets").iterdir())
    coarser = pdeops("evaluate", f"run={run}", "resolution=[4,4]")
    assert coarser.code == 2
    assert "resolution=[4, 4]" in coarser.err
    assert "try a finer resolution" in coarser.err
    assert sorted((pdeops.folder / "datasets").iterdir()) == kept
    # The same instances on a finer grid: a persistent operator's error hardly moves.
    assert finer["relative_l2"] == pytest.approx(same["relative_l2"], rel=0.02)


def test_a_run_on_a_file_of_ones_own_tells_the_numbers_of_the_file(pdeops):
    values = numpy.random.default_rng(0).random((12, 16, 16))
    import_arrays(
        pdeops.folder / "mine.h5",
        {"permeability": values},
        values,
        Grid.box((16, 16)),
        num_validation=3,
        num_test=2,
    )
    words = ("problem=darcy", "trainer=fast", "num_pictures=0", "data.path=mine.h5", "hydra.run.dir=mine")
    outcome = pdeops("train", *words, *pdeops.small_fno)
    assert outcome.code == 0, outcome.err
    result = json.loads((pdeops.folder / "mine" / "result.json").read_text())
    assert (result["num_train"], result["num_test"], result["resolution"]) == (7, 2, [16, 16])
    assert "16 x 16, 2 held-out instances" in outcome.out


def test_predict_writes_what_the_surrogate_says(trained):
    pdeops, run, _ = trained
    inputs = numpy.random.default_rng(0).standard_normal((3, 16, 16))
    numpy.savez(pdeops.folder / "fields.npz", vorticity=inputs)
    assert pdeops("predict", f"run={run}", "input=fields.npz", "output=out.h5").code == 0
    surrogate = library.load(run)
    field = Field(torch.from_numpy(inputs[:, None]), surrogate.artefact.input_domain, ("vorticity",))
    expected = surrogate.predict(field).values.flatten().double().numpy()
    with h5py.File(pdeops.folder / "out.h5") as file:
        numpy.testing.assert_allclose(file["vorticity"][()].flatten(), expected, rtol=1e-6, atol=1e-7)
        assert file["vorticity"].shape[0] == 3
    assert pdeops("predict", f"run={run}", "input=fields.npz", "output=out.pvd", "sample=2").code == 0
    image = pyvista.get_reader(str(pdeops.folder / "out.pvd")).read()[0]
    # Periodic axes are closed in pictures: one point more an axis.
    assert image.dimensions[:2] == (17, 17)
    again = pdeops("predict", f"run={run}", "input=fields.npz", "output=out.h5")
    assert again.code == 2
    assert "not overwritten" in again.err


@pytest.mark.parametrize(
    ("arrays", "phrase"),
    [
        ({"vortcity": numpy.zeros((2, 16, 16))}, "did you mean 'vortcity'"),
        ({"vorticity": numpy.zeros(16)}, "of shape (16,)"),
        ({"vorticity": numpy.full((2, 16, 16), numpy.nan)}, "finite"),
    ],
)
def test_predict_names_what_is_wrong_with_the_inputs(trained, arrays, phrase):
    pdeops, run, _ = trained
    numpy.savez(pdeops.folder / "fields.npz", **arrays)
    outcome = pdeops("predict", f"run={run}", "input=fields.npz", "output=out.h5")
    assert outcome.code == 2
    assert phrase in outcome.err


def test_sweep_makes_a_folder_a_job(pdeops):
    assert pdeops("train", "-m", *pdeops.tiny, *pdeops.small_fno, "num_pictures=0", "seed=0,1").code == 0
    (sweep,) = (pdeops.folder / "runs" / "sweeps").iterdir()
    results = [json.loads(path.read_text()) for path in sorted(sweep.glob("*/result.json"))]
    assert [result["seed"] for result in results] == [0, 1]
    assert results[0]["relative_l2"] != results[1]["relative_l2"]


def test_generate_makes_the_file_that_training_then_finds(pdeops):
    data = [word for word in pdeops.tiny if not word.startswith("trainer")]
    assert pdeops("generate", *data).code == 0
    (path,) = (pdeops.folder / "datasets").glob("*.h5")
    written = path.stat().st_mtime_ns
    pdeops.train(*pdeops.small_fno, "num_pictures=0")
    assert [entry.name for entry in (pdeops.folder / "datasets").glob("*.h5")] == [path.name]
    assert path.stat().st_mtime_ns == written


def test_list_shows_what_is_there(pdeops):
    outcome = pdeops("list", "group=problem")
    assert outcome.code == 0
    for name in ("burgers", "darcy", "navier_stokes"):
        assert f"| {name}" in outcome.out
