"""The classical solver's curve of error against time, and what it takes for the error of a model."""

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from pdeops.cli import assembly, equal_error
from pdeops.cli.comparison_table import model_row, verdict
from pdeops.cli.equal_error import ClassicalCurve, ClassicalSolve

CURVE = ClassicalCurve(
    solves=[
        ClassicalSolve((64,), {}, 0.0, 8e-3),
        ClassicalSolve((64,), {"tolerance": 1e-4}, 1e-4, 4e-3),
        ClassicalSolve((32,), {}, 0.02, 2e-3),
        ClassicalSolve((32,), {"tolerance": 1e-4}, 0.021, 3e-3),
        ClassicalSolve((16,), {}, 0.2, 1e-3),
    ]
)


def configured(folder, *overrides):
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        return compose(
            "train",
            overrides=[
                *overrides, "data.num_train=1", "data.num_validation=0", "data.num_test=4",
                "data.progress=false", "data.generation_workers=0", "data.batch_size=4",
                f"paths.run={folder}", f"paths.data={folder}",
            ],
        )  # fmt: skip


def curve_of(folder, *overrides, num_samples=4):
    config = configured(folder, *overrides)
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    assembly.generate_data(assembly.build_data(config, recipe))
    return equal_error.measure(config, num_samples)


def errors_at(curve, settings):
    return {solve.resolution: solve.relative_l2 for solve in curve.solves if solve.settings == settings}


@pytest.mark.parametrize(
    ("error", "seconds"), [(1.0, 1e-3), (0.2, 1e-3), (0.1, 2e-3), (0.02, 2e-3), (0.019, 4e-3), (0.0, 8e-3)]
)
def test_cheapest_solve_that_is_as_good(error, seconds):
    assert CURVE.cheapest(error).seconds_per_sample == seconds


def test_no_solve_is_as_good():
    assert ClassicalCurve(solves=CURVE.solves[1:]).cheapest(1e-5) is None


def test_front_leaves_out_what_a_faster_solve_equals():
    assert [solve.seconds_per_sample for solve in CURVE.front] == [1e-3, 2e-3, 4e-3, 8e-3]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1e-3, "at 32: model 2 times faster"), (6e-3, "model 3 times slower")],
)
def test_the_table_says_who_wins(seconds, words):
    result = {
        "relative_l2": 0.05, "relative_h1": 0.1, "num_parameters": 7,
        "seconds_per_sample": seconds, "seconds_training": 1.0,
    }  # fmt: skip
    row = model_row("fno", [result], failures={}, known={}, evaluations={}, curve=CURVE)
    assert row.numbers["classical_seconds_per_sample"] == 2e-3
    assert words in verdict(row)


def test_curve_survives_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(equal_error, "measure", lambda config, num_samples: CURVE)
    written = equal_error.read_or_measure(OmegaConf.create(), 4, tmp_path)
    monkeypatch.setattr(equal_error, "measure", None)
    assert equal_error.read_or_measure(OmegaConf.create(), 4, tmp_path) == written == CURVE


def test_burgers_on_coarser_grids_has_a_falling_error(tmp_path):
    settings = ("problem=burgers", "data.resolution=[32]", "solver.time_step=0.02")
    errors = errors_at(curve_of(tmp_path, *settings, num_samples=1), {})
    # Spectral: a halving gains more than any power of the spacing, down to single precision of the data.
    assert errors[(8,)] > errors[(16,)] > errors[(32,)]
    assert errors[(32,)] < 1e-6
    assert errors[(8,)] > 2**6 * errors[(16,)]


def test_darcy_on_coarser_grids_has_a_falling_error(tmp_path):
    curve = curve_of(tmp_path, "problem=darcy", "data.resolution=[32,32]")
    errors = errors_at(curve, {})
    ordered = [errors[size] for size in sorted(errors)]
    assert ordered == sorted(ordered, reverse=True)
    assert errors[(32, 32)] < 1e-6
    assert 0.005 < errors[(16, 16)] < 0.1
    # A tolerance of 1e-2 leaves an error of the linear system that the grid does not explain.
    assert errors_at(curve, {"tolerance": 1e-2})[(32, 32)] > 1e3 * errors[(32, 32)]


@pytest.mark.parametrize("input_frames", [1, 2])
def test_states_in_the_middle_of_a_trajectory_are_where_the_solver_starts(tmp_path, input_frames):
    """Solving on from a stored frame on the grid of the data gives the stored frames, to their rounding."""
    curve = curve_of(
        tmp_path, "problem=navier_stokes", "data.resolution=[16,16]", "data.final_time=3.0",
        "data.num_frames=4", "data.window.stride=1", f"data.window.input_frames={input_frames}",
        num_samples=2,
    )  # fmt: skip
    errors = errors_at(curve, {})
    assert errors[(16, 16)] < 1e-6
    assert errors[(8, 8)] > errors[(12, 12)] > errors[(16, 16)]
    # Fourth order in time: a quarter of the step, 4^4 times less error.
    steps = [errors_at(curve, {"time_step": step})[(16, 16)] for step in (1.0, 0.25)]
    assert steps[0] / steps[1] == pytest.approx(256, rel=0.5)


def test_reference_grid_that_is_finer_is_restricted_as_the_data_was(tmp_path):
    curve = curve_of(tmp_path, "problem=darcy", "data.resolution=[12,12]", "data.solver_resolution=[24,24]")
    errors = errors_at(curve, {})
    assert errors[(24, 24)] < 1e-6
    assert errors[(12, 12)] > 1e-3


def test_data_without_a_coarser_grid_says_why(tmp_path):
    assert "classical_samples=0" in curve_of(tmp_path, "problem=burgers", num_samples=0).missing
    config = configured(tmp_path, "problem=elasticity", "data.resolution=[16,3]")
    recipe = assembly.build_recipe(config, assembly.build_problem(config))
    assert "mesh" in equal_error.reason_for_none(config, recipe, 4)
