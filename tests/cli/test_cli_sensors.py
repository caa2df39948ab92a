"""Errors with inputs at other points, from the command line to the files."""

import json
import sys
from pathlib import Path

import pytest

from pdeops.cli.assembly import build_problem
from pdeops.cli.run_folder import read_config
from pdeops.data import Store
from pdeops.data.recipe import sample_seeds
from pdeops.domains import Grid, disk_mesh, l_shape_mesh, resampled_mesh
from pdeops.training import load

KINDS = ("half", "double", "random", "graded")
TINY = (
    "data.num_train=4",
    "data.num_validation=2",
    "data.num_test=3",
    "data.normalise=none",
    "data.generation_workers=0",
    "data.progress=false",
    "trainer=fast",
    "num_pictures=0",
)


@pytest.fixture
def train(pdeops, monkeypatch):
    """Train the operator that can be worked out by hand; the run folder."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])

    def run(*words):
        outcome = pdeops("train", "--config-dir", str(options(pdeops.folder)), "model=average", *TINY, *words)
        assert outcome.code == 0, outcome.err
        return max(pdeops.folder.glob("runs/*/*/*"))

    return run


def options(folder):
    """A folder of one's own with the model."""
    path = folder / "own" / "model" / "average.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# @package _global_\nmodel:\n  _target_: average_operator.Average\n  _partial_: true\n")
    return folder / "own"


def answers_by_hand(run, domain, coordinates):
    """What the operator says of the test inputs given on a domain, at other points."""
    config, operator = read_config(run), load(run).operator
    inputs = build_problem(config).sample_inputs(domain, sample_seeds(0, range(3)))
    first, weights = next(iter(inputs.values())).values[:, 0], domain.quadrature_weights
    means = (first * weights).flatten(1).sum(1) / weights.sum()
    slope = (coordinates @ operator.slope.detach().double())[:, 0]
    return operator.factor.item() * means[:, None] + slope


def error_by_hand(folder, run, domain):
    """Mean relative error of these answers at the points of the data."""
    (path,) = folder.glob("datasets/*.h5")
    with Store.open(path) as store:
        truth = store.read_outputs(store.split("test"))
    coordinates, values = truth.domain.points, truth.values.double()
    if truth.times is not None:
        # One window, from time 0 to the other frame; points of one frame have no time.
        values = values[:, 1]
    values, weights = values.flatten(1), truth.domain.quadrature_weights.flatten()
    wrong = (values - answers_by_hand(run, domain, coordinates)).square() @ weights
    return (wrong / (values.square() @ weights)).sqrt().mean().item()


@pytest.mark.parametrize(
    ("words", "domain"),
    [
        (("problem=darcy_lshape", "domain.num_refinements=3", "data.solver_refinement=0"), l_shape_mesh(3)),
        (("problem=darcy", "data.resolution=[15,18]"), Grid.box((15, 18), "cells")),
    ],
    ids=["mesh", "grid"],
)
def test_inputs_are_drawn_anew_and_answers_compared_at_the_points_of_the_data(pdeops, train, words, domain):
    run = train(*words)
    outcome = pdeops("evaluate", f"run={run}", "sensors=[half,double,random,graded]")
    assert outcome.code == 0, outcome.err
    name = "x".join(map(str, domain.shape))
    result = json.loads((run / f"evaluation_{name}.json").read_text())
    assert result["relative_l2"] == pytest.approx(error_by_hand(pdeops.folder, run, domain), rel=1e-5)
    assert tuple(result["sensors"]) == KINDS
    for kind, row in result["sensors"].items():
        mesh = resampled_mesh(domain, kind, 0)
        assert row["num_points"] == mesh.num_points
        expected = error_by_hand(pdeops.folder, run, mesh)
        assert row["relative_l2"] == pytest.approx(expected, rel=1e-5)
        assert f"{mesh.num_points} ({kind})" in outcome.out
        assert row["relative_l2"] != result["relative_l2"]


def test_shapes_are_placed_at_other_points_of_the_reference_domain(pdeops, train):
    run = train("problem=elasticity", "data.resolution=[24,4]")
    assert pdeops("evaluate", f"run={run}", "sensors=[double]").code == 0
    result = json.loads((run / "evaluation_96.json").read_text())
    assert result["sensors"]["double"]["num_points"] == 192
    domain = build_problem(read_config(run)).default_domain((24, 4))
    mesh = resampled_mesh(domain, "double", 0)
    expected = error_by_hand(pdeops.folder, run, mesh)
    assert result["sensors"]["double"]["relative_l2"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sensors=[coarse]",), "sensors: expected some of half, double, random, graded, got coarse"),
        (("sensors=[half]", "resolution=[8,8]"), "sensors: expected resolution=null, got [8, 8]"),
    ],
)
def test_mistakes_are_named(pdeops, train, words, message):
    run = train("problem=darcy", "data.resolution=[12,12]")
    outcome = pdeops("evaluate", f"run={run}", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_models_that_are_bound_to_their_points_are_refused(pdeops, train):
    run = train("problem=darcy", "data.resolution=[12,12]", "model._target_=average_operator.BoundAverage")
    outcome = pdeops("evaluate", f"run={run}", "sensors=[half]")
    assert outcome.code == 2
    assert "BoundAverage, which does not read other points than those of training" in outcome.err


def test_models_on_grids_are_refused(trained):
    pdeops, run, _ = trained
    outcome = pdeops("evaluate", f"run={run}", "sensors=[half]")
    assert outcome.code == 2
    assert "FNO, which does not answer at any points and reads grids only" in outcome.err


def test_later_frames_of_trajectories_cannot_be_drawn(pdeops, train):
    settings = ("problem=heat", "data.resolution=[12,12]")
    outcome = pdeops("evaluate", f"run={train(*settings)}", "sensors=[half]")
    assert outcome.code == 2
    assert "got later frames; try a run with data.window.starts=first" in outcome.err


def test_states_at_the_start_are_drawn_at_other_points(pdeops, train):
    words = ("problem=heat", "solver=finite_element_evolution", "domain=disk", "domain.num_refinements=3")
    times = ("data.final_time=0.1", "data.num_frames=2", "solver.time_step=0.05", "data.window.starts=first")
    run = train(*words, *times)
    outcome = pdeops("evaluate", f"run={run}", "sensors=[random]")
    assert outcome.code == 0, outcome.err
    domain = disk_mesh(3)
    mesh = resampled_mesh(domain, "random", 0)
    result = json.loads((run / f"evaluation_{domain.num_points}.json").read_text())
    expected = error_by_hand(pdeops.folder, run, mesh)
    assert result["sensors"]["random"]["relative_l2"] == pytest.approx(expected, rel=1e-5)
