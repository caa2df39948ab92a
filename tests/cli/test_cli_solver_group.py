"""The group `solver`: the problem's choice, the command line's choice, and nothing left over of the other."""

import inspect
from importlib.resources import files

import pytest
from hydra import compose, initialize_config_module
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf, open_dict

from pdeops.cli import assembly
from pdeops.cli.errors import UserError
from pdeops.cli.options import options
from pdeops.cli.trusted_targets import is_trusted


def composed(*overrides, verb="generate"):
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        return compose(verb, overrides=list(overrides))


def read(*parts):
    return OmegaConf.load(files("pdeops.conf").joinpath(*parts))


@pytest.mark.parametrize("name", options("solver"))
def test_solver_files_show_every_option_with_its_default(name):
    node = read("solver", f"{name}.yaml")
    fields = inspect.signature(get_class(node._target_)).parameters
    assert {key: value for key, value in node.items() if key != "_target_"} == {
        key: parameter.default for key, parameter in fields.items()
    }


@pytest.mark.parametrize("name", options("solver"))
def test_a_solver_of_the_command_line_replaces_that_of_the_problem(name):
    assert composed("problem=burgers", f"solver={name}").solver == read("solver", f"{name}.yaml")


@pytest.mark.parametrize("problem", options("problem"))
def test_problems_name_their_solver_in_one_line(problem):
    node = read("problem", f"{problem}.yaml")
    assert "solver" not in node, "settings belong to conf/solver/settings/PROBLEM_SOLVER.yaml"
    config = composed(f"problem={problem}")
    (default,) = [entry for entry in node.defaults if "override /solver" in entry]
    chosen = read("solver", f"{default['override /solver']}.yaml")
    assert config.solver._target_ == chosen._target_
    assert set(config.solver) == set(chosen)
    assert instantiate(config.solver).settings["solver"] == get_class(chosen._target_).__name__


def test_settings_of_a_pair_apply_to_this_pair_alone_and_give_way_to_the_command_line():
    assert composed().solver.time_step == 0.05
    assert composed("problem=burgers").solver.time_step is None
    assert composed("solver=crank_nicolson_euler").solver.time_step == 1e-4
    assert composed("solver.time_step=0.1").solver.time_step == 0.1


@pytest.mark.parametrize("pair", options("solver/settings"))
def test_settings_belong_to_a_pair_that_is_there(pair):
    names = {f"{problem}_{solver}" for problem in options("problem") for solver in options("solver")}
    assert pair in names


def test_the_identity_of_data_depends_on_the_solver_and_its_settings():
    configs = (composed(), composed("solver.time_step=0.1"), composed("solver=crank_nicolson_euler"))
    keys = [assembly.build_recipe(config, assembly.build_problem(config)).key for config in configs]
    assert len(set(keys)) == 3


def test_a_problem_without_a_solver_asks_for_one():
    config = composed()
    with open_dict(config):
        del config["solver"]
    with pytest.raises(UserError, match=r"NavierStokes2D comes without a solver; .*etdrk4"):
        assembly.build_recipe(config, assembly.build_problem(config))


def test_run_folders_of_the_first_release_still_name_solvers_that_are_there():
    for target, settings in (
        ("solvers.FiniteVolumeDarcy", {"face_mean": "harmonic", "tolerance": 1e-10, "max_iterations": 200}),
        ("solvers.SpectralSolver", {"time_step": 0.05, "tolerance": 1e-8, "pad_products": False}),
    ):
        assert is_trusted(target)
        built = instantiate({"_target_": target, **settings})
        assert settings.items() <= built.settings.items()
