"""Every option of every group composes, and what it names can be built."""

import re
from itertools import product
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.utils import get_class, instantiate

from pdeops.cli import assembly, instance
from pdeops.cli.domains import make_mesh
from pdeops.cli.errors import UserError
from pdeops.cli.options import options
from pdeops.data import PDEDataModule, Window, import_arrays
from pdeops.data.stored_meshes import same_domain
from pdeops.domains import Grid, Mesh

ROOT = Path(__file__).parents[2]
GROUPS = ("optimizer", "scheduler", "trainer", "callbacks", "logger", "loss")


def composed(*overrides, verb="train", run=None):
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        return compose(verb, overrides=[*overrides, f"paths.run={run or 'unused'}"])


# Every problem with a model that needs a grid and one that does not; every model on problems of all kinds.
KINDS = ("burgers", "darcy", "navier_stokes_3d", "elasticity", "pipe", "antiderivative", "diffusion_reaction")
PAIRS = {*product(options("problem"), ("t1", "deeponet")), *product(KINDS, options("model"))}


@pytest.mark.parametrize(("problem", "model"), sorted(PAIRS))
def test_every_model_starts_on_every_problem_or_says_why_not(problem, model):
    config = composed(f"problem={problem}", f"model={model}")
    stated = assembly.build_problem(config)
    recipe = assembly.build_recipe(config, stated)
    # Several files may state one problem: darcy, darcy_rough.
    assert problem.startswith(recipe.problem.name)
    assert recipe.num_samples == config.data.num_train + config.data.num_validation + config.data.num_test
    if config.get("domain") is not None:
        assert same_domain(recipe.domain, make_mesh(config.domain))
    else:
        # Two numbers make a mesh of many points; on a grid they are its shape.
        assert recipe.domain == stated.default_domain(tuple(config.data.resolution))
    if instance.is_instance(config):
        model = instantiate(config.model)
        reason = model.misfit(stated, recipe.domain)
        if reason is not None:
            with pytest.raises(UserError, match=re.escape(reason)):
                instance.check_instance(config)
            return
        instance.check_instance(config)
        return
    factory = assembly.build_factory(config)
    if isinstance(recipe.domain, Mesh) and get_class(config.model._target_).capabilities.needs_grid:
        words = "on a mesh of .* points, .* cells: expected a grid, got a mesh; models that fit: .*lsm, "
        with pytest.raises(UserError, match=words):
            assembly.check_fit(config, factory, recipe.domain)
        return
    assembly.check_fit(config, factory, recipe.domain)
    operator = factory(1, 1, recipe.domain)
    assert type(operator) is get_class(config.model._target_)
    assert (assembly.build_window(config) is None) == stated.steady


@pytest.mark.parametrize("model", options("model"))
def test_model_files_show_every_option_of_the_constructor(model):
    # A key that is not in the file cannot be set on the command line.
    import inspect

    node = composed(f"model={model}").model
    parameters = inspect.signature(get_class(node._target_).__init__).parameters.values()
    keyword_only = {item.name for item in parameters if item.kind is item.KEYWORD_ONLY}
    assert keyword_only == {key for key in node if not key.startswith("_")}


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group in GROUPS for name in options(group) if name != "tensorboard"]
)
def test_options_compose_and_name_classes_that_exist(group, name):
    config = composed(f"{group}={name}")
    targets = re.findall(r"_target_': '([\w.]+)'", str(config[group]))
    assert targets or name == "none"
    for target in targets:
        assert isinstance(get_class(target), type)


def test_trainer_gets_exactly_the_callbacks_that_are_switched_on(tmp_path):
    config = composed("callbacks.timing=null", "trainer=fast", run=tmp_path)
    trainer = assembly.build_trainer(config, tmp_path)
    names = {type(callback).__name__ for callback in trainer.callbacks}
    assert {"RunCheckpoints", "MetricsFile", "EpochSeed"} <= names
    assert not {"Timing", "ModelCheckpoint"} & names
    assert trainer.max_epochs == 2


@pytest.mark.parametrize("name", [name for name in options("experiment") if name.startswith("benchmark_")])
def test_every_model_of_a_benchmark_fits_and_the_experiment_serves_train_too(name):
    config = composed(f"experiment={name}")
    assert config.budget.seconds == 60
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    for model in config.models:
        config = composed(f"experiment={name}", f"model={model}")
        assembly.check_fit(config, assembly.build_factory(config), recipe.domain)


@pytest.mark.parametrize(
    "experiment",
    [name for name in options("experiment") if not name.startswith(("benchmark_", "deeponet_", "pi_"))],
)
def test_experiments_carry_the_published_settings(experiment):
    config = composed(f"experiment={experiment}")
    assert config.trainer.max_epochs == (501 if experiment == "lsm_darcy" else 500)
    assert config.data.num_train == (1280 if experiment == "mgno_darcy_rough" else 1000)
    if experiment.startswith(("fno_", "t1_")):
        assert config.optimizer.lr == pytest.approx(1e-3)
        assert config.scheduler.factory.gamma == 0.5
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    assembly.check_fit(config, assembly.build_factory(config), recipe.domain)


@pytest.mark.parametrize("problem", ["darcy_rough", "darcy_multiscale"])
def test_media_are_solved_three_times_finer_at_any_resolution(problem):
    config = composed(f"problem={problem}", "data.resolution=[20,12]")
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    assert (recipe.domain.shape, recipe.solver_grid.shape) == ((20, 12), (60, 36))


@pytest.mark.parametrize("problem", ["darcy_lshape", "darcy_notch"])
def test_a_mesh_is_stored_and_a_finer_one_solved_on(problem):
    config = composed(f"problem={problem}", "data.solver_refinement=2")
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    assert isinstance(recipe.solver_grid, Mesh)
    assert len(recipe.solver_grid.simplices) == 16 * len(recipe.domain.simplices)
    assert 800 <= recipe.domain.num_points <= 1200
    grid = composed("problem=darcy", "data.solver_refinement=1")
    with pytest.raises(UserError, match=r"data\.solver_refinement: expected 0 on a grid, got 1"):
        assembly.build_recipe(grid, assembly.build_problem(grid))


def test_times_run_evenly_from_zero_to_the_last():
    config = composed("problem=navier_stokes", "data.final_time=3.0", "data.num_frames=4")
    assert assembly.build_recipe(config, assembly.build_problem(config)).times == (0.0, 1.0, 2.0, 3.0)


def test_default_pairs_span_five_units_of_time():
    config = composed("problem=navier_stokes")
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    window = instantiate(config.data.window)
    (offset,) = window.output_offsets
    assert recipe.times[offset] == pytest.approx(5.0)


def test_seed_zero_counts():
    assert composed().seed == 0
    assert composed("seed=3").callbacks.epoch_seed.seed == 3


@pytest.mark.parametrize("group", ["problem", "model"])
def test_readme_names_every_option(group):
    text = (ROOT / "README.md").read_text()
    for name in options(group):
        assert f"`{group}={name}` |" in text, f"README.md has no `{group}={name}` in its table of {group}s"


@pytest.mark.parametrize(("model", "loss"), [("fno", "relative_h1"), ("t1", None), ("pi_deeponet", None)])
def test_a_loss_that_needs_whole_fields_is_refused_at_single_points(model, loss):
    words = [f"model={model}", "data.num_queries=5", *([f"loss={loss}"] if loss else [])]
    config = composed("problem=burgers", "data.window.output_frames=2", *words)
    with pytest.raises(UserError, match=r"data\.num_queries: expected a loss that takes values at points"):
        assembly.check_training(config, assembly.build_factory(config))


@pytest.mark.parametrize(
    ("times", "window", "fits"),
    [
        ((0.5, 1.0, 1.5, 2.0), {"input_frames": 1, "output_frames": 3}, True),
        ((0.5, 1.0, 2.0, 4.0), {"input_frames": 1, "output_frames": 3}, False),
        ((0.0, 0.5, 1.0, 1.5), {"input_frames": 0, "output_frames": 4}, True),
        ((0.0, 0.5, 1.0, 1.5), {"input_frames": 0, "output_frames": 2, "first_frame": 1, "stride": 2}, True),
        ((0.5, 1.0, 1.5, 2.0), {"input_frames": 0, "output_frames": 4}, False),
    ],
)
def test_a_model_is_told_the_times_of_the_data_or_refuses(tmp_path, times, window, fits):
    values = torch.zeros(2, len(times), 1, 8)
    path = import_arrays(
        tmp_path / "own.h5", {"source": torch.zeros(2, 1, 8)}, values, Grid.box((8,)), times=times, num_test=1
    )
    data = PDEDataModule(path=path, window=Window(starts="first", **window), normalise="none")
    data.setup()
    config = composed("problem=diffusion_reaction", "model=deeponet", "model.branch=[4]", "model.trunk=[4]")
    if not fits:
        with pytest.raises(UserError, match="expected frames at one spacing in time"):
            assembly.build_operator(config, assembly.build_factory(config), data)
        return
    operator = assembly.build_operator(config, assembly.build_factory(config), data)
    start = times[0] if window["input_frames"] else 0.0
    first = window.get("first_frame", window["input_frames"])
    expected = times[first :: window.get("stride", 1)][: window["output_frames"]]
    assert operator.output.times == pytest.approx([time - start for time in expected])


@pytest.mark.parametrize("words", [["model.factor=x*y"], ["model.lift=[x,y]"]])
def test_formulas_of_the_outputs_are_tried_on_their_domain_and_variables(words):
    config = composed("problem=darcy", "model=deeponet", *words)
    outputs = Grid.box((5, 4)), 2
    assembly.check_fit(config, assembly.build_factory(config), Grid.box((8,)), outputs)
    with pytest.raises(UserError, match=r"formula|lift"):
        assembly.check_fit(config, assembly.build_factory(config), Grid.box((8,)))


def test_a_model_that_answers_where_its_inputs_are_is_refused_for_outputs_elsewhere():
    config = composed("problem=darcy", "model=fno")
    with pytest.raises(
        UserError, match=r"got them on 5 x 4 points \(nodes\); models that fit: deeponet, mionet"
    ):
        assembly.check_fit(config, assembly.build_factory(config), Grid.box((8,)), (Grid.box((5, 4)), 1))


def test_a_trial_has_as_many_inputs_as_the_problem():
    config = composed("problem=driven_pendulum", "model=mionet", "model.linear=[1]")
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    outputs = assembly.training_outputs(config, recipe)
    assembly.check_fit(config, assembly.build_factory(config), recipe.domain, outputs)
    config.model.linear = [2]
    with pytest.raises(UserError, match="linear"):
        assembly.check_fit(config, assembly.build_factory(config), recipe.domain, outputs)
