"""Inputs without solutions: the same inputs, the same held-out samples, and nothing else is solved."""

from dataclasses import dataclass, replace

import pytest
import torch
from heat_example import HeatEquation, HeatSolver

from pdeops.data import PDEDataModule, Recipe, Store, Window
from pdeops.domains import Grid

ONE_CALL = Window(input_frames=1, output_frames=3, starts="first")
SOLVED = []


@dataclass(frozen=True)
class CountingSolver(HeatSolver):
    """Remembers how many samples it solved."""

    def solve(self, problem, inputs, domain, times):
        SOLVED.append(inputs["initial_temperature"].batch_size)
        return super().solve(problem, inputs, domain, times)


RECIPE = Recipe(
    problem=HeatEquation(),
    solver=CountingSolver(),
    domain=Grid.periodic((16,)),
    times=(0.0, 0.1, 0.2, 0.3),
    num_samples=11,
    seed=3,
    num_validation=2,
    num_test=3,
    solver_domain=Grid.periodic((32,)),
    solver_batch_size=4,
)


def make(folder, recipe=RECIPE, **options):
    options = {"window": ONE_CALL, "batch_size": 4, "normalise": "inputs", "progress": False, **options}
    data = PDEDataModule(recipe, folder, **options)
    data.prepare_data()
    data.setup()
    return data


def same(got, expected):
    """Equal up to single precision: the solver takes the state at time 0 through a transform."""
    return torch.allclose(got, expected, rtol=0, atol=1e-6) and expected.abs().max() > 0.5


def everything(data, split):
    return data.dataset(split)[list(range(len(data.dataset(split))))]


def test_inputs_are_those_of_the_solved_samples(tmp_path):
    solved, unsolved = make(tmp_path), make(tmp_path, solve_training=False)
    for split in ("train", "validation", "test"):
        expected, got = everything(solved, split), everything(unsolved, split)
        assert same(got.inputs.values, expected.inputs.values)
        assert got.inputs.channels == expected.inputs.channels
        if split == "train":
            assert got.targets is None
            assert got.inputs.batch_size == 6
        else:
            assert same(got.targets.values, expected.targets.values)
    for name in ("mean", "deviation"):
        expected = getattr(solved.input_normaliser, name)
        assert getattr(unsolved.input_normaliser, name).item() == pytest.approx(expected.item(), abs=1e-6)
    assert unsolved.output_normaliser.deviation.tolist() == [1, 1, 1]
    for name in ("in_channels", "out_channels", "input_domain", "output_domain", "time_step"):
        assert getattr(unsolved, name) == getattr(solved, name)


def test_only_held_out_samples_are_solved(tmp_path):
    SOLVED.clear()
    data = make(tmp_path, solve_training=False)
    assert sum(SOLVED) == 5
    with Store.open(data.path) as store:
        assert store.num_samples == 5


def test_the_state_at_time_zero_is_the_input_where_frames_start_later(tmp_path):
    recipe = replace(RECIPE, times=(0.1, 0.2, 0.3))
    solved, unsolved = make(tmp_path, recipe), make(tmp_path, recipe, solve_training=False)
    expected = everything(solved, "train").inputs.values
    assert same(everything(unsolved, "train").inputs.values, expected)


def test_a_coarser_grid_has_the_same_functions(tmp_path):
    options = {"shape": (8,)}
    solved, unsolved = make(tmp_path, **options), make(tmp_path, solve_training=False, **options)
    expected = everything(solved, "train").inputs.values
    assert same(everything(unsolved, "train").inputs.values, expected)


def test_batches_of_a_loader_have_no_targets(tmp_path):
    data = make(tmp_path, solve_training=False)
    batches = [data.on_before_batch_transfer(batch, 0) for batch in data.train_dataloader()]
    assert [batch.targets for batch in batches] == [None, None]
    assert sum(batch.batch_size for batch in batches) == 6


def test_wrong_use(tmp_path):
    with pytest.raises(ValueError, match="normalise: expected 'inputs' or 'none' without solutions"):
        make(tmp_path, solve_training=False, normalise="both")
    with pytest.raises(ValueError, match="expected samples to solve for validation or test, got none"):
        make(tmp_path, replace(RECIPE, num_test=0, num_validation=0), solve_training=False)
    window = Window(input_frames=2, output_frames=2, starts="first")
    with pytest.raises(ValueError, match="expected a window that starts from the state at time 0"):
        make(tmp_path, solve_training=False, window=window)
