from dataclasses import dataclass, fields

import numpy
import pytest
from heat_example import HeatEquation, HeatSolver

from pdeops.data import Recipe, dataset_key
from pdeops.data.recipe import initial_inputs, sample_seeds
from pdeops.domains import Grid

CHANGES = {
    "problem": HeatEquation(diffusivity=0.03),
    "solver": HeatSolver(poison=9.0),
    "domain": Grid.periodic((8,)),
    "times": (0.0, 0.1, 0.2, 0.31),
    "num_samples": 12,
    "seed": 4,
    "num_validation": 1,
    "num_test": 2,
    "solver_domain": Grid.periodic((32,)),
    "solver_batch_size": 5,
    "dtype": "float64",
    "device": "cuda",
}


def test_every_setting_has_a_change_here():
    assert {field.name for field in fields(Recipe)} == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_changes_the_key(heat_recipe, name):
    assert heat_recipe(**{name: CHANGES[name]}).key != heat_recipe().key


def test_kind_and_box_of_the_grid_change_the_key(heat_recipe):
    grids = [
        Grid.periodic((16,)),
        Grid.periodic((16,), lengths=(2.0,)),
        Grid.periodic((16,), names=("y",)),
        Grid.box((16,), "nodes"),
        Grid.box((16,), "cells"),
    ]

    class AnyDomain(HeatEquation):
        def check_domain(self, domain):
            pass

    assert len({heat_recipe(problem=AnyDomain(), domain=grid).key for grid in grids}) == len(grids)


def test_the_class_of_problem_and_solver_changes_the_key(heat_recipe):
    @dataclass(frozen=True)
    class OtherSolver(HeatSolver):
        pass

    @dataclass(frozen=True, kw_only=True)
    class OtherEquation(HeatEquation):
        pass

    keys = {
        heat_recipe().key,
        heat_recipe(solver=OtherSolver()).key,
        heat_recipe(problem=OtherEquation()).key,
    }
    assert len(keys) == 3


def test_equal_recipes_share_a_key_and_a_name(heat_recipe):
    first, second = heat_recipe(), heat_recipe(solver_domain=Grid.periodic((16,)))
    assert first.key == second.key
    assert first.file_name == f"heat-{first.key[:16]}.h5"


def test_key_ignores_the_order_of_entries_and_refuses_what_is_not_plain():
    assert dataset_key({"a": 1, "b": [2.5, None]}) == dataset_key({"b": [2.5, None], "a": 1})
    assert dataset_key({"a": 1}) != dataset_key({"a": 2})
    with pytest.raises(TypeError, match="try plain values"):
        dataset_key({"a": object()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        dataset_key({"a": float("nan")})


def test_key_is_the_same_in_every_release():
    # Raise GENERATION_VERSION instead of editing this digest: users' files are named after it.
    assert dataset_key({"seed": 0, "times": [0.0, 0.1]})[:16] == "a4d5fe2a1c35edea"


def test_seeds_depend_on_seed_and_sample_only():
    together = sample_seeds(5, range(100))
    assert together[40:60] == sample_seeds(5, range(40, 60))
    assert len({*together, *sample_seeds(6, range(100))}) == 200
    assert all(0 <= seed < 2**63 for seed in together)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_samples": 0}, "num_samples: expected at least 1"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"num_test": 12}, "expected at most num_samples = 11"),
        ({"dtype": "float16"}, "expected 'float32' or 'float64'"),
        ({"times": None}, "expected ascending times"),
        ({"times": (0.2, 0.1)}, "expected ascending times"),
        ({"times": (-0.1, 0.1)}, "expected ascending times"),
        ({"times": (0.0, float("inf"))}, "expected ascending times"),
        ({"domain": Grid.box((16,))}, "heat: expected a grid"),
        ({"solver_domain": Grid.periodic((4, 4))}, "heat: expected a grid"),
    ],
)
def test_wrong_settings_are_refused_before_any_computing(heat_recipe, changes, message):
    with pytest.raises(ValueError, match=message):
        heat_recipe(**changes)


def test_steady_problems_have_no_times(heat_recipe):
    class Steady(HeatEquation):
        steady = True

    with pytest.raises(ValueError, match="is steady: expected times None"):
        heat_recipe(problem=Steady())
    assert initial_inputs(Steady()) == ()
    assert initial_inputs(HeatEquation()) == ("initial_temperature",)


def test_size_counts_inputs_and_frames(heat_recipe):
    assert heat_recipe().num_bytes == 11 * (1 + 4) * 16 * 4
    numpy.testing.assert_array_equal(heat_recipe().split, [2, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0])
