"""``pdeops solve``: numbers, files and words."""

import json

import h5py
import numpy
import pytest
import pyvista
import sympy
import torch
from PIL import Image

from pdeops.cli.judging import residual_of, terms_of
from pdeops.cli.posing import misfit, packaged_solver
from pdeops.data import Store, read_arrays
from pdeops.domains import Grid
from pdeops.problems import Burgers1D, Darcy2D, NavierStokes2D

SMALL = ("final_time=0.5", "num_frames=5")


def solved(pdeops, *words):
    """Solve and return the result and the run folder."""
    before = set(pdeops.folder.glob("runs/*/*/*"))
    outcome = pdeops("solve", *words)
    assert outcome.code == 0, outcome.err
    (run,) = set(pdeops.folder.glob("runs/*/*/*")) - before
    return json.loads((run / "result.json").read_text()), run, outcome


def test_an_evolution_leaves_fields_vtk_pictures_and_a_table(pdeops):
    result, run, outcome = solved(pdeops, "problem=burgers", "exact=cole_hopf", "resolution=[64]", *SMALL)
    assert result["status"] == "converged"
    assert result["error"]["relative_l2"] < 1e-6
    assert f"{result['error']['relative_l2']:.2e} in L2" in outcome.out
    assert {path.name for path in run.iterdir() if not path.name.startswith(".")} == {
        "config.yaml", "result.json", "result.md", "solution.h5", "solution", "solution.pvd",
        "solution.png", "solution.gif", "error.png",
    }  # fmt: skip
    with Store.open(run / "solution.h5") as store:
        stored = store.read_outputs([0])
        initial = store.read_inputs([0])["initial_velocity"]
    assert stored.times.tolist() == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.5])
    assert torch.equal(stored.values[:, 0], initial.values)
    reader = pyvista.PVDReader(run / "solution.pvd")
    assert reader.time_values == stored.times.tolist()
    reader.set_active_time_value(0.5)
    arrays = reader.read()[0].point_data
    (name,) = [name for name in arrays if name.startswith("velocity")]
    numpy.testing.assert_array_equal(arrays[name][:-1], stored.values[0, -1, 0])
    with Image.open(run / "solution.gif") as movie:
        assert movie.n_frames == 5


def test_a_steady_problem_has_its_coefficients_beside_the_solution(pdeops):
    result, run, _ = solved(pdeops, "problem=darcy", "exact=smooth", "resolution=[64,64]")
    finer, _, _ = solved(pdeops, "problem=darcy", "exact=smooth", "resolution=[128,128]", "pictures=false")
    # The declared second order, and a residual that falls like the error.
    assert result["error"]["relative_l2"] / finer["error"]["relative_l2"] == pytest.approx(4, rel=0.05)
    assert result["residual"] / finer["residual"] == pytest.approx(4, rel=0.2)
    assert result["discrete_residual"] < 1e-10
    dataset = pyvista.read(run / "solution.vti")
    names = {name.split(" [")[0] for name in dataset.point_data}
    assert {"pressure", "permeability", "exact pressure", "error pressure"} == names
    assert {"solution.png", "permeability.png", "error.png"} <= {path.name for path in run.iterdir()}


def test_the_fields_are_those_of_the_data_set_with_the_same_seed(pdeops):
    solver = ("solver.time_step=0.05",)
    _, run, _ = solved(
        pdeops, "problem=navier_stokes", "resolution=[16,16]", "batch=2", "final_time=1", "num_frames=3",
        "pictures=false", *solver,
    )  # fmt: skip
    pdeops(
        "generate", "problem=navier_stokes", "data.resolution=[16,16]", "data.final_time=1",
        "data.num_frames=3", "data.num_train=0", "data.num_validation=0", "data.num_test=2",
        "data.generation_workers=0", "data.progress=false", "data.dtype=float64", *solver,
    )  # fmt: skip
    (generated,) = (pdeops.folder / "datasets").glob("*.h5")
    ours, theirs = read_arrays(run / "solution.h5"), read_arrays(generated)
    for name in ("inputs/initial_vorticity/values", "outputs/values"):
        numpy.testing.assert_array_equal(ours[name], theirs[name])


def test_an_input_file_for_predict_is_what_solve_writes(pdeops):
    _, run, _ = solved(pdeops, "problem=darcy", "resolution=[16,16]", "pictures=false")
    with h5py.File(run / "solution.h5") as file:
        assert file["inputs/permeability/values"].shape == (1, 1, 16, 16)
        assert file.attrs["seed"] == 0


def test_another_solver_changes_the_kind_of_grid_where_it_must(pdeops):
    own, _, _ = solved(pdeops, "problem=darcy", "exact=smooth", "resolution=[33,33]", "pictures=false")
    other, _, _ = solved(
        pdeops, "problem=darcy", "exact=smooth", "resolution=[33,33]", "solver=chebyshev", "pictures=false"
    )
    assert "cells" in own["where"]
    assert "chebyshev" in other["where"]
    assert other["error"]["relative_l2"] < 1e-6 < own["error"]["relative_l2"]


def test_a_mesh_is_solved_on_by_name_and_by_file(pdeops):
    common = ("problem=poisson", "solver=finite_element", "domain.num_refinements=2", "refinement=1")
    result, run, _ = solved(pdeops, *common, "domain=l_shape")
    assert result["domain"]["num_cells"] == 6 * 4**3
    assert "not defined on a mesh" in result["residual_words"]
    mesh = pyvista.read(run / "solution.vtu")
    assert mesh.n_cells == 6 * 4**3
    again, _, _ = solved(
        pdeops, "problem=poisson", "solver=finite_element", f"mesh={run / 'solution.vtu'}", "pictures=false"
    )
    assert again["domain"] == result["domain"]


def test_a_pair_that_does_not_fit_names_those_that_do(pdeops):
    outcome = pdeops("solve", "problem=darcy", "solver=etdrk4")
    assert outcome.code == 2
    assert "SpectralSolver does not fit Darcy2D on 43 x 43 points (cells)" in outcome.err
    assert "finite_volume_multigrid" in outcome.err.partition("solvers that fit:")[2]
    assert "etdrk4" not in outcome.err.partition("solvers that fit:")[2]
    assert not list(pdeops.folder.glob("runs/*/*/*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("problem=burgers", "exact=cole_hop"), "did you mean 'cole_hopf'"),
        (("problem=burgers", "data.num_frames=5"), "is for data sets; did you mean 'num_frames'"),
        (("problem=burgers", "resolution=[8,8]"), "expected 1 positive numbers of points"),
        (("problem=burgers", "refinement=1"), "expected a mesh to refine, got a grid"),
        (("problem=burgers", "domain=disk"), "burgers: expected a grid"),
        (("problem=burgers", "kind=round"), "round"),
        (("problem=burgers", "batch=0"), "batch: expected at least 1, got 0"),
        (("problem=burgers", "sample=1", "resolution=[32]", *SMALL), "sample: expected 0 to 0, got 1"),
        (("problem=burgers", "solver.time_step=-1"), "time_step"),
        (("problem=burgers", "mesh=nowhere.msh"), "nowhere.msh"),
        (("problem=shallow_water", "exact=shear_wave", "kind=cells"), "'shear_wave' does not meet"),
    ],
)  # fmt: skip
def test_mistakes_are_named(pdeops, words, message):
    outcome = pdeops("solve", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_failed_solve_is_diagnosed(pdeops):
    outcome = pdeops("solve", "problem=burgers", "resolution=[32]", "solver.max_steps=2", *SMALL)
    assert outcome.code == 2
    assert "SpectralSolver gave no solution: step_limit" in outcome.err


def test_the_residual_of_a_wrong_field_is_large_and_that_of_a_solution_small():
    exact = Burgers1D().exact_solutions()["cole_hopf"]
    problem, grid = exact.problem, Grid.periodic((64,))
    inputs = exact.inputs(grid)
    solver = packaged_solver("etdrk4")
    solution = solver.solve(problem, inputs, grid, torch.tensor([0.0, 0.5, 1.0]).double())
    residual, words = residual_of(problem, inputs, solution, solver)
    assert residual < 1e-8
    assert words == "relative to the largest term at t = 1"
    darcy = Darcy2D()
    exact = darcy.exact_solutions()["smooth"]
    box = darcy.default_domain((64, 64))
    true, _ = residual_of(exact.problem, exact.inputs(box), exact.solution(box), solver)
    wrong, words = residual_of(darcy, darcy.sample_inputs(box, [0]), exact.solution(box), solver)
    assert true < 1e-2
    assert wrong > 0.3
    assert "too rough" in words


def test_terms_of_an_equation_add_up_to_it():
    problem = NavierStokes2D()
    equation = problem.equations[0]
    assert sympy.expand(sum(terms_of(equation)) - (equation.lhs - equation.rhs)) == 0
    assert len(terms_of(equation)) >= 4


def test_misfits_are_words():
    assert misfit(Burgers1D(), packaged_solver("etdrk4"), Grid.periodic((16,))) is None
    assert "periodic" in misfit(Burgers1D(), packaged_solver("etdrk4"), Grid.box((16,), "nodes"))
