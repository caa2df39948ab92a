"""Each mistake gets one clear answer and exit code 2, before any data is made."""

import h5py
import numpy
import pytest
import torch

from pdeops.cli import run_folder
from pdeops.cli.errors import UserError
from pdeops.cli.main import VERBS
from solvers import SpectralSolver
from solvers.solver import SolverError


def refused(outcome, *phrases):
    """The answer is an error without a traceback that holds all phrases."""
    assert outcome.code == 2, outcome.out + outcome.err
    assert outcome.err.count("error: ") == 1
    assert "Traceback" not in outcome.err
    for phrase in phrases:
        assert phrase in outcome.err


@pytest.mark.parametrize(
    ("words", "phrases"),
    [
        (
            ["problem=navir_stokes"],
            ["no problem 'navir_stokes'", "did you mean 'navier_stokes'", "--config-dir"],
        ),
        (["model=fnoo"], ["no model 'fnoo'", "did you mean 'fno'"]),
        (["model=fno", "model.widht=3"], ["no key 'model.widht'", "did you mean 'model.width'"]),
        (["model=fno", "optimizer.learning_rate=1"], ["no key 'optimizer.learning_rate'", "lr"]),
        (["model=fno", "lr=1"], ["no key 'lr'", "optimizer.lr"]),
        (["problme=burgers"], ["no key 'problme'", "did you mean 'problem'"]),
        (["model=fno", "problem.viscosity=-1"], ["viscosity", "positive", "got -1"]),
        (["model=fno", "problem.viscosity=thick"], ["viscosity", "number", "thick"]),
        (["model=fno", "data.resolution=[0,0]"], ["resolution", "[0, 0]"]),
        (["model=fno", "data.resolution=[64]"], ["resolution", "2 positive numbers", "[64]"]),
        (["model=fno", "data.num_train=many"], ["data.num_train: expected a whole number", "many"]),
        (["model=fno", "data.num_train=0"], ["data.num_train: expected at least 1, got 0"]),
        (["model=fno", "data.num_test=0"], ["data.num_test: expected at least 1, got 0"]),
        (["model=fno", "data.batch_size=0"], ["data.batch_size: expected at least 1, got 0"]),
        (["model=fno", "data.batch_size=2.5"], ["data.batch_size: expected a whole number, got 2.5"]),
        (["model=fno", "data.window.stride=100"], ["'data.window' does not work", "at stride 100"]),
        (["model=fno", "data.final_time=-1"], ["data.final_time", "-1"]),
        (["model=fno", "data.final_time=0"], ["final_time > 0"]),
        (["model=fno", "trainer.max_epochs=0"], ["trainer.max_epochs: expected at least 1, got 0"]),
        (["model=fno", "trainer.max_epochs=abc"], ["trainer.max_epochs: expected a whole number, got abc"]),
        (["model=fno", "trainer.precision=12"], ["'trainer' does not work", "12"]),
        (["model=fno", "optimizer.lr=abc"], ["optimizer.lr: expected a number", "abc"]),
        (["model=fno", "optimizer.lr=-1"], ["optimizer.lr: expected a number of at least 0, got -1"]),
        (["model=fno", "scheduler.factory.pct_start=7"], ["'scheduler' does not work", "pct_start"]),
        (["model=fno", "seed=-1"], ["seed: expected at least 0, got -1"]),
        (["model=fno", "seed=abc"], ["seed: expected a whole number, got abc"]),
        (["model=fno", "model.width=-4"], ["'model' does not work", "model.width=-4"]),
        (
            ["model=fno", "model.modes=40", "data.resolution=[16,16]"],
            ["configuration of 'model' does not work", "modes"],
        ),
        (["model=fno", "model.width=wide"], ["FNO", "wide"]),
        (["model=fno", "loss=frequency_l2"], ["spectral coefficients", "loss=relative_l2"]),
        (["model=fno", "data.path=nothing.h5"], ["nothing.h5", "no such file"]),
        (["resume=nowhere"], ["no run folder nowhere"]),
    ],
)
def test_train_refuses(pdeops, words, phrases):
    refused(pdeops("train", *words), *phrases)
    # Nor is there a run folder with nothing in it.
    assert not list(pdeops.folder.glob("runs/*/*/*"))
    assert not (pdeops.folder / "datasets").exists() or not list((pdeops.folder / "datasets").iterdir())


@pytest.mark.parametrize("name", ["mine.txt", "mine.npz", "mine"])
def test_own_data_of_another_kind_is_named_and_kept(pdeops, name):
    path = pdeops.folder / name
    if path.suffix:
        path.write_text("words")
    else:
        path.mkdir()
    outcome = pdeops("train", *pdeops.small_fno, f"data.path={name}")
    refused(outcome, f"data.path={name}: expected an HDF5", "import_arrays")
    assert "delet" not in outcome.err
    assert path.exists()


def test_answers_are_short(pdeops):
    # The configuration is not printed after what is wrong with it.
    outcome = pdeops("train", "model=fno", "data.resolution=[0,0]")
    assert len(outcome.err.splitlines()) <= 2


def test_loss_that_is_not_finite_is_explained(pdeops):
    words = [*pdeops.tiny, *pdeops.small_fno, "optimizer.lr=1e38", "trainer.max_epochs=3"]
    refused(pdeops("train", *words), "loss: expected a finite number", "try a smaller learning rate")


def test_solver_that_fails_is_explained(pdeops, monkeypatch):
    def fail(*_):
        raise SolverError("the step became too small")

    monkeypatch.setattr(SpectralSolver, "solve", fail)
    outcome = pdeops("train", *pdeops.tiny, *pdeops.small_fno)
    refused(outcome, "the data could not be made", "the step became too small")


def test_unknown_verb(pdeops):
    refused(pdeops("trian"), "no verb 'trian'", "did you mean 'train'")


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["evaluate"], "run: expected a value, got none; try run=..."),
        (["evaluate", "run=foreign"], "there is no run folder foreign"),
        (["predict", "run=nowhere", "input=a.npz"], "output: expected a value, got none"),
        (["train", "navier_stokes"], "expected KEY=VALUE, got 'navier_stokes'; try problem=navier_stokes"),
        (["train", "--modle=t1"], "there is no flag '--modle'; settings have no dashes: try modle=t1"),
    ],
)
def test_malformed_words_get_one_line(pdeops, words, phrase):
    outcome = pdeops(*words)
    refused(outcome, phrase)
    assert len(outcome.err.splitlines()) == 1


def test_help_names_every_verb(pdeops):
    outcome = pdeops("--help")
    assert outcome.code == 0
    assert len(VERBS) == 7
    for verb in VERBS:
        assert f"\n  {verb} " in outcome.out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_its_own_examples(pdeops, verb):
    outcome = pdeops(verb, "--help")
    assert outcome.code == 0
    assert f"\n  pdeops {verb} " in outcome.out
    assert "powered by Hydra" not in outcome.out
    # Groups that nobody picks from are kept out of sight.
    assert "\nfolders:" not in outcome.out
    assert "\npaths: default" not in outcome.out
    assert "solver/settings:" not in outcome.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_missing_gpu(pdeops):
    refused(pdeops("train", "model=fno", "trainer=gpu"), "expected a CUDA device", "trainer=default")


def test_output_that_is_a_file(pdeops):
    (pdeops.folder / "runs").write_text("not a folder")
    refused(pdeops("train", *pdeops.tiny, *pdeops.small_fno), "runs")


def test_data_folder_that_is_a_file(pdeops):
    (pdeops.folder / "datasets").write_text("not a folder")
    refused(pdeops("train", *pdeops.tiny, *pdeops.small_fno), "cannot write to datasets", "paths.data=FOLDER")


def test_full_disk(tmp_path, monkeypatch):
    usage = run_folder.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda _: usage._replace(free=10 * 2**20))
    with pytest.raises(UserError, match="is full: expected 64 MiB free, got 10 MiB"):
        run_folder.check_writable(tmp_path)


def test_folder_with_something_in_it_is_never_overwritten(pdeops):
    kept = pdeops.folder / "mine" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("words")
    refused(
        pdeops("train", *pdeops.tiny, *pdeops.small_fno, "hydra.run.dir=mine"),
        "mine is not empty",
        "resume=mine",
    )
    assert kept.read_text() == "words"
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("damage", ["garbage", "foreign", "truncated"])
def test_damaged_data_is_named(pdeops, damage):
    path = pdeops.folder / "mine.h5"
    with h5py.File(path, "w") as file:
        file["a"] = numpy.arange(10_000)
    if damage == "garbage":
        path.write_bytes(b"\x00\x01" * 1000)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    refused(pdeops("train", *pdeops.small_fno, f"data.path={path}"), "mine.h5", "expected")


def test_debugging_shows_the_traceback(pdeops, monkeypatch):
    monkeypatch.setenv("PDEOPS_DEBUG", "1")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(Exception, match="positive"):
        pdeops("train", "model=fno", "problem.viscosity=-1")


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_run_that_is_missing_or_none(pdeops, verb):
    more = ["input=a.npz", "output=b.h5"] if verb == "predict" else []
    refused(pdeops(verb, *more), "run")
    refused(pdeops(verb, "run=nowhere", *more), "no run folder nowhere")
    (pdeops.folder / "empty").mkdir()
    refused(pdeops(verb, "run=empty", *more), "empty is no run folder")


def test_nothing_to_compare(pdeops):
    refused(pdeops("compare"), "nothing to compare", "models=[...]")
    refused(pdeops("compare", "models=[fno,f_fno]"), "no model 'f_fno'", "did you mean 'ffno'")
