"""Training on equations, from the command line to the files."""

import json

import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate

from pdeops.cli import assembly
from pdeops.cli.options import options
from pdeops.data import Store
from pdeops.domains import Field
from pdeops.training import output_points

HEAT = (
    "problem=heat",
    "problem.dimension=1",
    "model=pi_deeponet",
    "data.resolution=[16]",
    "data.num_frames=5",
    "data.num_train=8",
    "data.num_validation=2",
    "data.num_test=3",
    "data.window.output_frames=4",
    "data.window.starts=first",
    "data.generation_workers=0",
    "data.progress=false",
    "model.branch=[8,8]",
    "model.trunk=[8,8]",
    "loss.num_points=20",
    "trainer=fast",
)


@pytest.fixture
def train(pdeops):
    """Train tiny; the run folder."""

    def run(*words):
        outcome = pdeops("train", *HEAT, *words)
        assert outcome.code == 0, outcome.err
        return max(pdeops.folder.glob("runs/*/*/*"))

    return run


def test_a_run_on_the_equations_is_trained_evaluated_and_continued(pdeops, train):
    run = train("scheduler=none")
    result = json.loads((run / "result.json").read_text())
    assert (result["num_train"], result["num_test"]) == (8, 3)
    assert set(result["trivial_relative_l2"]) == {"zero", "persistence"}
    assert (run / "pictures" / "comparison.png").stat().st_size > 10_000
    # Nothing but what is held out is solved.
    (path,) = (pdeops.folder / "datasets").glob("*.h5")
    with Store.open(path) as store:
        assert store.num_samples == 5
    assert pdeops("evaluate", f"run={run}").code == 0
    evaluation = json.loads((run / "evaluation_16.json").read_text())
    assert evaluation["relative_l2"] == pytest.approx(result["relative_l2"], rel=1e-5)

    assert pdeops("train", f"resume={run}", "trainer.max_epochs=3", "num_pictures=0").code == 0
    resumed = json.loads((run / "result.json").read_text())
    assert resumed["num_epochs"] == 3
    whole = train("scheduler=none", "trainer.max_epochs=3", "num_pictures=0")
    assert json.loads((whole / "result.json").read_text())["relative_l2"] == resumed["relative_l2"]


@pytest.mark.slow
def test_compare_puts_it_beside_a_supervised_model(pdeops):
    words = [word for word in HEAT if not word.startswith(("model", "loss"))]
    small = ("model.branch=[8,8]", "model.trunk=[8,8]", "classical_samples=0", "seeds=[0]")
    outcome = pdeops("compare", *words, *small, "models=[deeponet,pi_deeponet]")
    assert outcome.code == 0, outcome.err
    (folder,) = (path.parent for path in pdeops.folder.rglob("comparison.csv"))
    for model in ("deeponet", "pi_deeponet"):
        assert (folder / model / "seed_0" / "result.json").is_file(), outcome.out + outcome.err


@pytest.mark.parametrize("name", [name for name in options("experiment") if name.startswith("pi_")])
def test_experiments_meet_the_conditions_by_form(name):
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        config = compose("train", overrides=[f"experiment={name}", "paths.run=unused"])
    problem = assembly.build_problem(config)
    recipe = assembly.build_recipe(config, problem)
    factory = assembly.build_factory(config)
    assembly.check_fit(config, factory, recipe.domain)
    assembly.check_training(config, factory)
    window = assembly.build_window(config)
    output = output_points(recipe.domain, window, None if window is None else recipe.times[1])
    operator = factory(1, len(problem.outputs) * output.num_frames, recipe.domain, output)
    values = torch.randn(3, 1, *recipe.domain.shape)
    code = operator.encode(values)
    loss = instantiate(config.loss)

    def parts():
        return loss.parts(
            lambda points, orders: operator.derivatives(code, points, orders),
            {"source": Field(values, recipe.domain, ("source",))},
            None if window is None else 1.0,
            torch.Generator(),
        )

    assert set(parts()) == {"residual"}
    loss.weights = dict.fromkeys(loss.weights, 1.0)
    found = parts()
    assert found.pop("residual") > 1e-3
    assert found
    assert all(value.item() < 1e-12 for value in found.values())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("model=fno",), "an operator that answers at any point, got FNO; try model=pi_deeponet"),
        (("problem=navier_stokes",), "got the further unknowns ['stream_function']; try training=supervised"),
        (("problem=heat",), "a window of one call from the initial state to two frames or more"),
        (("problem=poisson", "loss.num_points=0"), "num_points: expected at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused_before_data_is_made(pdeops, words, reason):
    model = () if words[0].startswith("model") else ("model=pi_deeponet",)
    outcome = pdeops("train", *model, "training=physics_informed", *words)
    assert outcome.code == 2
    assert reason in " ".join(outcome.err.split())
    assert not list(pdeops.folder.rglob("*.h5"))
