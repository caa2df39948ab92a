"""Data, training, evaluation and prediction on meshes, from the command line to the files."""

import json
import sys
from pathlib import Path

import numpy
import pytest
import pyvista
import torch

from pdeops.cli.evaluate import refined
from pdeops.data import Store
from pdeops.domains import disk_mesh, from_pyvista

SETTINGS = (
    "problem=poisson",
    "solver=finite_element",
    "model=transolver",
    "model.width=16",
    "model.num_layers=1",
    "data.num_train=4",
    "data.num_validation=2",
    "data.num_test=3",
    "data.generation_workers=0",
    "data.progress=false",
    "trainer=fast",
)
DISK = ("domain=disk", "domain.num_refinements=1", "refinement=1")


@pytest.fixture
def train(pdeops):
    """Train tiny on a mesh; the run folder."""

    def run(*words):
        outcome = pdeops("train", *SETTINGS, *words)
        assert outcome.code == 0, outcome.err
        return max(pdeops.folder.glob("runs/*/*/*"))

    return run


def test_a_run_on_a_mesh_is_trained_evaluated_and_applied(pdeops, train):
    run = train(*DISK)
    result = json.loads((run / "result.json").read_text())
    # The disk of four triangles, cut in four twice: 41 points.
    assert result["resolution"] == [41]
    shown = pyvista.read(run / "prediction" / "sample_0.vtu")
    assert from_pyvista(shown).num_points == 41
    error = numpy.asarray(shown["prediction potential"]) - numpy.asarray(shown["truth potential"])
    numpy.testing.assert_allclose(error, numpy.asarray(shown["error potential"]), atol=1e-12)
    assert (run / "pictures" / "comparison.png").stat().st_size > 10_000

    assert pdeops("evaluate", f"run={run}").code == 0
    evaluation = json.loads((run / "evaluation_41.json").read_text())
    for kind in ("relative_l2", "relative_h1"):
        assert evaluation[kind] == pytest.approx(result[kind], rel=1e-5)
    refused = pdeops("evaluate", f"run={run}", "resolution=[8,8]")
    assert refused.code == 2
    assert "expected null for a run on a mesh" in refused.err

    (path,) = (pdeops.folder / "datasets").glob("*.h5")
    assert pdeops("predict", f"run={run}", f"input={path}", "output=all.npz").code == 0
    arrays = numpy.load(pdeops.folder / "all.npz")
    with Store.open(path) as store:
        truth = store.read_outputs([0])
    values = torch.from_numpy(arrays["potential"][:1, None])
    difference = numpy.asarray(shown["prediction potential"]) - values[0, 0].numpy()
    assert abs(difference).max() < 1e-6 * truth.values.abs().max().item()
    assert arrays["points"].shape == (41, 2)


def test_a_run_on_a_mesh_is_resumed_on_the_same_mesh_only(pdeops, train):
    run = train(*DISK, "scheduler=none", "num_pictures=0")
    other = pdeops("train", f"resume={run}", "trainer.max_epochs=3", "refinement=2")
    assert other.code == 2
    assert "expected the 'refinement' of that run with refinement=1, got 2" in other.err
    assert pdeops("train", f"resume={run}", "trainer.max_epochs=3", "num_pictures=0").code == 0
    assert json.loads((run / "result.json").read_text())["num_epochs"] == 3


def test_a_problem_with_a_mesh_of_its_own_is_shown_where_its_samples_lie(pdeops, train, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    words = (
        "problem._target_=mesh_problem.MovedDisk",
        "data.resolution=[8,8]",
        "data.solver_resolution=[16,16]",
    )
    run = train(*words)
    mesh = disk_mesh(2)
    (path,) = (pdeops.folder / "datasets").glob("moved_disk*.h5")
    with Store.open(path) as store:
        source = store.read_inputs([0])["source"].values[0, 0].double()
    # Solved on a finer disk, stored on the points of the coarse one, shown twice as large and moved.
    expected = 2 * mesh.points + source[0]
    shown = from_pyvista(pyvista.read(run / "prediction" / "sample_0.vtu"))
    torch.testing.assert_close(shown.points, expected, rtol=0, atol=1e-12)
    assert pdeops("predict", f"run={run}", f"input={path}", "output=one.vtu").code == 0
    predicted = from_pyvista(pyvista.read(pdeops.folder / "one.vtu"))
    torch.testing.assert_close(predicted.points, expected, rtol=0, atol=1e-12)
    # The picture of a mesh is a .vtu whatever was asked for, and another sample must not take its place.
    written = (pdeops.folder / "one.vtu").read_bytes()
    again = pdeops("predict", f"run={run}", f"input={path}", "output=one.pvd", "sample=1")
    assert again.code == 2
    assert "one.vtu exists and is not overwritten" in again.err
    assert (pdeops.folder / "one.vtu").read_bytes() == written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*DISK, "data.solver_resolution=[16,16]"), "data.solver_resolution: expected null on a mesh"),
        (("refinement=1",), "refinement: expected a mesh to refine, got a grid"),
        ((*DISK, "mesh=part.msh"), "mesh, domain: expected one of them, got both"),
        ((*DISK, "refinement=-1"), "refinement: expected a whole number of at least 0, got -1"),
        ((*DISK, "model=fno", "~model.num_layers", "~model.width"), "expected a grid, got a mesh"),
        ((*DISK, "solver=fast_poisson"), "the data could not be made"),
    ],
)
def test_mistakes_are_named(pdeops, words, message):
    outcome = pdeops("train", *SETTINGS, *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("count", "own", "finer", "expected"),
    [(128, 43, 129, 384), (43, 85, 421, 211), (11, 6, 11, 21), (32, 64, 256, 128), (5, 1, 3, 15)],
)
def test_the_solver_stays_as_much_finer_at_another_resolution(count, own, finer, expected):
    # Cells and waves nest by their numbers, points at both ends by the intervals between them.
    assert refined(count, own, finer) == expected
