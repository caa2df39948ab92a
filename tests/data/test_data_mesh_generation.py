"""Data sets that are made on a mesh: key, workers, kills, restriction and the elements' numbers."""

import itertools

import pytest
import torch
from mesh_example import DiskPoisson, HalfOfSource

from pdeops.data import PDEDataModule, Recipe, Store, generate_from, restrict
from pdeops.data.batch_files import BatchFiles, solve_batch
from pdeops.data.stored_meshes import domain_settings, same_domain
from pdeops.domains import Field, Grid, Mesh, box_mesh, disk_mesh, refine_mesh
from solvers import FiniteElementSolver


def recipe(**changes):
    settings = {
        "problem": DiskPoisson(),
        "solver": HalfOfSource(),
        "domain": disk_mesh(2),
        "times": None,
        "num_samples": 7,
        "seed": 3,
        "num_validation": 1,
        "num_test": 2,
        "solver_batch_size": 3,
        "dtype": "float64",
    }
    return Recipe(**{**settings, **changes})


def test_a_data_set_is_made_on_a_mesh_and_read_back(tmp_path):
    path = generate_from(recipe(), tmp_path / "disk.h5", progress=False)
    with Store.open(path) as store:
        outputs, source = store.read_outputs(range(7)), store.read_inputs(range(7))["source"]
        assert store.metadata.settings["domain"]["points"] == disk_mesh(2).num_points
    assert torch.equal(outputs.values, source.values / 2)
    assert outputs.domain is source.domain
    assert same_domain(outputs.domain, disk_mesh(2))


def test_one_object_serves_all_splits_and_batches(tmp_path):
    data = PDEDataModule(recipe(), tmp_path, batch_size=2, progress=False)
    data.prepare_data()
    data.setup()
    batches = [batch for split in ("train", "test") for batch in [data.dataset(split)[[0, 1]]]]
    assert {id(field.domain) for batch in batches for field in (batch.inputs, batch.targets)} == {
        id(data.input_domain)
    }


def test_batches_of_a_loader_process_get_the_mesh_of_this_one(tmp_path):
    data = PDEDataModule(recipe(), tmp_path, batch_size=2, num_workers=1, progress=False)
    data.prepare_data()
    data.setup()
    sent = next(iter(data.train_dataloader()))
    assert sent.inputs.domain is not data.input_domain
    assert same_domain(sent.inputs.domain, data.input_domain)
    batch = data.on_before_batch_transfer(sent, 0)
    assert batch.inputs.domain is batch.targets.domain is data.input_domain
    assert torch.equal(batch.inputs.values, sent.inputs.values)


def test_key_follows_points_cells_and_boundary_names():
    mesh = box_mesh((2, 2))
    moved = mesh.points.clone()
    moved[4, 0] += 1e-12
    meshes = [
        mesh,
        Mesh(moved, mesh.simplices, mesh.boundaries),
        Mesh(mesh.points, mesh.simplices.flip(0), mesh.boundaries),
        Mesh(mesh.points, mesh.simplices, {f"{name}_": part for name, part in mesh.boundaries.items()}),
        Mesh(mesh.points, mesh.simplices),
    ]
    assert len({str(domain_settings(item)) for item in meshes}) == len(meshes)
    assert domain_settings(box_mesh((2, 2))) == domain_settings(mesh)
    assert [same_domain(mesh, item) for item in meshes] == [True, False, False, False, False]
    assert recipe(domain=disk_mesh(2)).key == recipe().key != recipe(domain=disk_mesh(1)).key


def test_finished_batches_of_a_killed_generation_are_taken(tmp_path):
    whole = generate_from(recipe(), tmp_path / "whole.h5", progress=False)
    # What a killed process leaves: one batch of three, in the folder of the key.
    path = tmp_path / "killed.h5"
    batches = BatchFiles(path.with_name(f"{path.name}.partial-{recipe().key[:8]}"), recipe())
    batches.folder.mkdir()
    batches.write(1, solve_batch(recipe(), 1))
    assert batches.missing() == [0, 2]
    generate_from(recipe(), path, progress=False)
    with Store.open(whole) as first, Store.open(path) as second:
        assert torch.equal(first.read_outputs(range(7)).values, second.read_outputs(range(7)).values)


def test_workers_make_the_same_bits_with_elements(tmp_path):
    settings = {"solver": FiniteElementSolver(), "num_samples": 4, "solver_batch_size": 2}
    paths = [
        generate_from(recipe(**settings), tmp_path / f"{n}.h5", num_workers=n, progress=False) for n in (0, 2)
    ]
    values = []
    for path in paths:
        with Store.open(path) as store:
            values.append(store.read_outputs(range(4)).values)
    assert torch.equal(*values)


@pytest.mark.parametrize("mesh", [disk_mesh(1), box_mesh((3, 2)), box_mesh((2, 2, 2)), box_mesh((4,))])
def test_shared_points_of_refined_meshes_keep_their_values(mesh):
    def function(points):
        return torch.sin(3 * points).prod(dim=1) + points[:, 0]

    fine = refine_mesh(mesh, 2)
    # Not in the order of the coarse mesh.
    order = torch.randperm(fine.num_points, generator=torch.Generator().manual_seed(1))
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    shuffled = Mesh(fine.points[order], place[fine.simplices])
    field = Field(function(shuffled.points).expand(2, 1, -1), shuffled, ("u",))
    coarse = restrict(field, mesh)
    assert coarse.domain is mesh
    torch.testing.assert_close(coarse.values[1, 0], function(mesh.points), rtol=0, atol=1e-12)


def test_the_solver_may_work_on_a_finer_mesh(tmp_path):
    fine = disk_mesh(3)
    path = generate_from(recipe(solver_domain=fine), tmp_path / "fine.h5", progress=False)
    with Store.open(path) as store:
        outputs, source = store.read_outputs(range(7)), store.read_inputs(range(7))["source"]
    assert outputs.domain.num_points == disk_mesh(2).num_points
    assert torch.equal(outputs.values, source.values / 2)
    # Samples are drawn on the fine mesh.
    assert recipe(solver_domain=fine).key != recipe().key


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({"domain": box_mesh((2, 2)), "solver_domain": box_mesh((3, 3))}, "one without 5 of them"),
        ({"domain": disk_mesh(1), "solver_domain": Grid.box((9, 9))}, "two grids or two meshes"),
        ({"domain": box_mesh((2, 2, 2))}, "got a mesh in 3 dimensions"),
    ],
)
def test_domains_that_do_not_fit_are_refused_before_any_computing(domains, message):
    with pytest.raises(ValueError, match=message):
        recipe(**domains)


def test_elements_on_the_disk_give_the_paraboloid():
    # -Laplace u = 1, u = 0 on the circle: u = (1 - r^2) / 4. Elements hold it, the polygon does not.
    class One:
        def sample(self, domain, seeds):
            return torch.ones(len(seeds), domain.num_points, dtype=torch.float64)

    errors = []
    for refinements in (2, 3, 4):
        mesh = disk_mesh(refinements)
        solved = solve_batch(
            recipe(problem=DiskPoisson(sampler=One()), domain=mesh, solver=FiniteElementSolver()), 0
        )
        exact = (1 - mesh.points.square().sum(dim=1)) / 4
        field = Field(torch.from_numpy(solved.values["outputs"]), mesh, ("potential",))
        truth = Field(exact.expand(3, 1, -1), mesh, ("potential",))
        errors.append(field.relative_error(truth).max().item())
    rates = [first / second for first, second in itertools.pairwise(errors)]
    assert all(3.5 < rate < 4.5 for rate in rates), "second order in the edge, from the polygon"
