"""Data of the problems that are shipped, made by their reference solvers."""

import hashlib

import pytest
import torch

from pdeops.data import PDEDataModule, Recipe, Store, Window, generate_from
from pdeops.domains import Grid
from pdeops.problems import Burgers1D, Darcy2D, NavierStokes2D
from solvers import FiniteVolumeMultigridSolver, SpectralSolver

SMALL = {"num_samples": 6, "seed": 1, "num_validation": 1, "num_test": 2, "solver_batch_size": 2}


def navier_stokes(**changes):
    settings = {
        "problem": NavierStokes2D(),
        "solver": SpectralSolver(time_step=0.1),
        "domain": NavierStokes2D.default_domain((16, 16)),
        "times": (0.0, 0.5, 1.0),
    }
    return Recipe(**{**SMALL, **settings, **changes})


def burgers():
    times, domain = (0.25, 0.5), Burgers1D.default_domain((64,))
    solver = SpectralSolver(tolerance=1e-6)
    return Recipe(**SMALL, problem=Burgers1D(), solver=solver, domain=domain, times=times)


def darcy():
    domain, finer = Darcy2D.default_domain((11, 11)), Darcy2D.default_domain((33, 33))
    solver = FiniteVolumeMultigridSolver()
    return Recipe(**SMALL, problem=Darcy2D(), solver=solver, domain=domain, times=None, solver_domain=finer)


def digest(path):
    with Store.open(path) as store:
        values = [store.read(name, range(6)).tobytes() for name in sorted(store.layouts)]
    return hashlib.sha256(b"".join(values)).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [burgers(), darcy()], ids=lambda r: r.problem.name)
def test_workers_do_not_change_a_bit(recipe, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        alone = generate_from(recipe, tmp_path / "alone.h5", progress=False)
    finally:
        torch.set_num_threads(threads)
    together = generate_from(recipe, tmp_path / "together.h5", num_workers=2, progress=False)
    assert digest(alone) == digest(together)


def test_stored_flow_conserves_mean_vorticity_and_starts_from_its_input(tmp_path):
    path = generate_from(navier_stokes(dtype="float64"), tmp_path / "flow.h5", progress=False)
    with Store.open(path) as store:
        inputs, outputs = store.read_inputs(range(6)), store.read_outputs(range(6))
    assert outputs.values.mean(dim=(-2, -1)).abs().max() < 1e-13
    torch.testing.assert_close(outputs.values[:, 0], inputs["initial_vorticity"].values, rtol=0, atol=1e-13)


def test_permeability_keeps_its_two_values_on_the_stored_grid(tmp_path):
    path = generate_from(darcy(), tmp_path / "darcy.h5", progress=False)
    with Store.open(path) as store:
        permeability = store.read_inputs(range(6))["permeability"]
        pressure = store.read_outputs(range(6))
    assert set(permeability.values.unique().tolist()) == {3.0, 12.0}
    assert pressure.values.min() > 0, "the maximum principle"
    assert pressure.domain == Grid.box((11, 11), "cells")


def test_a_data_module_trains_on_each_problem(tmp_path):
    for recipe, window in ((navier_stokes(), Window()), (burgers(), Window(stride=2)), (darcy(), None)):
        data = PDEDataModule(recipe, tmp_path, window=window, batch_size=3, progress=False)
        data.prepare_data()
        data.setup()
        batch = next(iter(data.train_dataloader()))
        assert (data.in_channels, data.out_channels) == (1, 1)
        assert batch.inputs.domain == batch.targets.domain == recipe.domain
        normalised = data.output_normaliser(batch.targets.values)
        assert 0.2 < float(normalised.std()) < 5.0
        torch.testing.assert_close(data.output_normaliser.inverse(normalised), batch.targets.values)
