import hashlib
import math
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import h5py
import numpy
import pytest
import torch
from heat_example import HeatEquation, HeatSolver

from pdeops.data import Store, generate, generate_from
from pdeops.data.recipe import sample_seeds
from pdeops.domains import Grid


def digest(path):
    """Digest of all values of a data set."""
    result = hashlib.sha256()
    with h5py.File(path) as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in sorted(names):
            result.update(name.encode() + file[name][()].tobytes())
    return result.hexdigest()


def start_process(path, *, num_workers, seconds):
    root = Path(__file__).parents[2]
    search = os.pathsep.join([str(root), str(Path(__file__).parent)])
    command = [
        sys.executable,
        str(Path(__file__).parent / "generation_process.py"),
        path,
        num_workers,
        seconds,
    ]
    return subprocess.Popen([str(part) for part in command], env={**os.environ, "PYTHONPATH": search})


def test_generated_values_are_the_exact_solution_of_the_sampled_inputs(heat_recipe, tmp_path):
    recipe = heat_recipe(dtype="float64")
    path = generate_from(recipe, tmp_path / "heat.h5", progress=False)
    amplitudes = recipe.problem.amplitudes(sample_seeds(3, range(11)))
    waves = 2 * math.pi * torch.arange(1, 4).double()
    x, t = recipe.domain.axes[0].points, torch.tensor(recipe.times, dtype=torch.float64)
    decay = torch.exp(-recipe.problem.diffusivity * waves**2 * t[:, None])
    expected = torch.einsum("nk,tk,kx->ntx", amplitudes, decay, torch.sin(waves[:, None] * x))
    with Store.open(path) as store:
        outputs = store.read_outputs(range(11))
        inputs = store.read_inputs(range(11))
        assert store.metadata.key == recipe.key
        assert store.metadata.initial_inputs == ("initial_temperature",)
    torch.testing.assert_close(outputs.values[:, :, 0], expected, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(
        inputs["initial_temperature"].values[:, 0], expected[:, 0], rtol=1e-12, atol=1e-13
    )
    assert outputs.times.tolist() == list(recipe.times)


def test_single_precision_is_the_default_and_rounds_the_same_numbers(heat_recipe, tmp_path):
    double = generate_from(heat_recipe(dtype="float64"), tmp_path / "double.h5", progress=False)
    single = generate_from(heat_recipe(), tmp_path / "single.h5", progress=False)
    with Store.open(double) as first, Store.open(single) as second:
        expected = first.read("outputs", range(11)).astype(numpy.float32)
        numpy.testing.assert_array_equal(second.read("outputs", range(11)), expected)


def test_any_number_of_workers_gives_the_same_bits(heat_recipe, tmp_path):
    alone = generate_from(heat_recipe(), tmp_path / "alone.h5", num_workers=0, progress=False)
    together = generate_from(heat_recipe(), tmp_path / "together.h5", num_workers=2, progress=False)
    assert digest(alone) == digest(together)


def test_generation_with_a_bar_restores_the_threads_and_leaves_no_partial_files(heat_recipe, tmp_path):
    threads = torch.get_num_threads()
    generate_from(heat_recipe(), tmp_path / "heat.h5")
    assert torch.get_num_threads() == threads
    assert {path.suffix for path in tmp_path.iterdir()} <= {".h5", ".lock"}


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_generation_goes_on_to_the_same_bits(heat_recipe, tmp_path, num_workers):
    recipe, path = heat_recipe(), tmp_path / "killed.h5"
    process = start_process(path, num_workers=num_workers, seconds=0.8)
    folder = path.with_name(f"{path.name}.partial-{recipe.key[:8]}")
    deadline = time.monotonic() + 60
    while not list(folder.glob("batch-*.h5")):
        assert process.poll() is None, "the process ended before it wrote a batch"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = sorted(folder.glob("batch-*.h5"))
    assert 0 < len(first) < recipe.num_batches
    assert not path.exists()
    # A batch cut short by the kill must not count, whatever name it has.
    (folder / f"batch-{recipe.num_batches - 1:06d}.h5").write_bytes(first[0].read_bytes()[:3000])
    generate_from(recipe, path, progress=False)
    whole = generate_from(recipe, tmp_path / "whole.h5", progress=False)
    assert digest(path) == digest(whole)


def test_resuming_solves_only_what_is_missing(heat_recipe, tmp_path, monkeypatch):
    recipe, path = heat_recipe(), tmp_path / "heat.h5"
    solved = []
    solve = HeatSolver.solve

    def failing(self, problem, inputs, domain, times):
        if len(solved) == 2:
            raise KeyboardInterrupt
        solved.append(inputs["initial_temperature"].batch_size)
        return solve(self, problem, inputs, domain, times)

    monkeypatch.setattr(HeatSolver, "solve", failing)
    with pytest.raises(KeyboardInterrupt):
        generate_from(recipe, path, progress=False)
    assert solved == [4, 4]

    def counting(self, problem, inputs, domain, times):
        solved.append(inputs["initial_temperature"].batch_size)
        return solve(self, problem, inputs, domain, times)

    monkeypatch.setattr(HeatSolver, "solve", counting)
    generate_from(recipe, path, progress=False)
    assert solved == [4, 4, 3]
    generate_from(recipe, path, progress=False)
    assert solved == [4, 4, 3], "a finished file must not be made again"


@pytest.mark.slow
def test_two_generators_of_one_file_agree(heat_recipe, tmp_path):
    path = tmp_path / "shared.h5"
    processes = [start_process(path, num_workers=0, seconds=0.1) for _ in range(2)]
    assert [process.wait(timeout=90) for process in processes] == [0, 0]
    whole = generate_from(heat_recipe(), tmp_path / "whole.h5", progress=False)
    assert digest(path) == digest(whole)


def test_leftovers_of_a_process_killed_while_merging_are_cleared_away(heat_recipe, tmp_path):
    recipe, path = heat_recipe(), tmp_path / "heat.h5"
    (tmp_path / "heat.h5.host-1.tmp").write_bytes(b"half merged")
    (tmp_path / "other.h5.host-1.tmp").write_bytes(b"of another data set")
    generate_from(recipe, path, progress=False)
    # Killed after the move, before the batches were removed:
    folder = tmp_path / f"heat.h5.partial-{recipe.key[:8]}"
    folder.mkdir()
    (folder / "batch-000000.h5").write_bytes(b"")
    before = digest(path)
    generate_from(recipe, path, progress=False)
    assert digest(path) == before
    names = {entry.name for entry in tmp_path.iterdir()} - {"heat.h5.lock"}
    assert names == {"heat.h5", "other.h5.host-1.tmp"}


def test_not_finite_solution_names_sample_and_seed(heat_recipe, tmp_path):
    recipe = heat_recipe(num_samples=40, num_test=0)
    seeds = sample_seeds(3, range(40))
    largest = recipe.problem.sample_inputs(recipe.domain, seeds)["initial_temperature"].values.amax(
        dim=(1, 2)
    )
    bad = int(largest.argmax())
    threshold = float(largest.sort().values[-2:].mean())
    poisoned = heat_recipe(num_samples=40, num_test=0, solver=HeatSolver(poison=threshold))
    with pytest.raises(
        FloatingPointError, match=rf"sample {bad} \(data set seed 3, sample seed {seeds[bad]}\)"
    ):
        generate_from(poisoned, tmp_path / "heat.h5", progress=False)
    assert not (tmp_path / "heat.h5").exists()


def test_failing_solver_names_its_samples_also_from_a_worker(heat_recipe, tmp_path):
    # One channel too many in the diffusivity makes the solver raise.
    recipe = heat_recipe(problem=HeatEquation(diffusivity="wrong"))
    for num_workers in (0, 2):
        with pytest.raises(RuntimeError, match=r"samples 0 to 3 \(data set seed 3.*TypeError"):
            generate_from(recipe, tmp_path / "heat.h5", num_workers=num_workers, progress=False)


def test_unwritable_folder_is_found_before_computing(heat_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(HeatSolver, "solve", lambda *_: pytest.fail("solved before the check"))
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PermissionError, match="expected a folder that can be written"):
        generate_from(heat_recipe(), tmp_path / "file" / "heat.h5", progress=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_missing_device_is_found_before_computing(heat_recipe, tmp_path):
    with pytest.raises(ValueError, match="expected a CUDA device"):
        generate_from(heat_recipe(device="cuda"), tmp_path / "heat.h5", progress=False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_generation_on_the_gpu_agrees_to_rounding(heat_recipe, tmp_path):
    first = generate_from(heat_recipe(dtype="float64"), tmp_path / "cpu.h5", progress=False)
    second = generate_from(heat_recipe(dtype="float64", device="cuda"), tmp_path / "gpu.h5", progress=False)
    with Store.open(first) as here, Store.open(second) as there:
        numpy.testing.assert_allclose(
            there.read("outputs", range(11)), here.read("outputs", range(11)), atol=1e-12
        )


def test_full_disk_is_found_before_computing(heat_recipe, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("pdeops.data.generation.shutil.disk_usage", lambda _: usage(100, 99, 1))
    monkeypatch.setattr(HeatSolver, "solve", lambda *_: pytest.fail("solved before the check"))
    with pytest.raises(OSError, match="GB of free space"):
        generate_from(heat_recipe(), tmp_path / "heat.h5", progress=False)


def test_other_settings_do_not_overwrite_a_file(heat_recipe, tmp_path):
    path = generate_from(heat_recipe(), tmp_path / "heat.h5", progress=False)
    before = digest(path)
    with pytest.raises(FileExistsError, match="made with other settings"):
        generate_from(heat_recipe(seed=4), path, progress=False)
    assert digest(path) == before


def test_unpicklable_solver_is_explained(heat_recipe, tmp_path):
    class LocalSolver(HeatSolver):
        pass

    recipe = heat_recipe(solver=LocalSolver())
    with pytest.raises(TypeError, match="num_workers=0"):
        generate_from(recipe, tmp_path / "heat.h5", num_workers=2, progress=False)


def test_fine_solver_grid_gives_the_same_band_limited_solution(heat_recipe, tmp_path):
    coarse = generate_from(heat_recipe(dtype="float64"), tmp_path / "coarse.h5", progress=False)
    recipe = heat_recipe(dtype="float64", solver_domain=Grid.periodic((48,)))
    fine = generate_from(recipe, tmp_path / "fine.h5", progress=False)
    with Store.open(coarse) as first, Store.open(fine) as second:
        for name in ("outputs", "inputs/initial_temperature"):
            numpy.testing.assert_allclose(
                second.read(name, range(11)), first.read(name, range(11)), atol=1e-13
            )


def test_splits_are_disjoint_complete_and_keep_the_test_set_when_training_grows(heat_recipe, tmp_path):
    small = generate_from(heat_recipe(), tmp_path / "small.h5", progress=False)
    large = generate_from(heat_recipe(num_samples=17), tmp_path / "large.h5", progress=False)
    with Store.open(small) as store, Store.open(large) as other:
        parts = [store.split(name).tolist() for name in ("train", "validation", "test")]
        assert [len(part) for part in parts] == [6, 2, 3]
        assert sorted(sample for part in parts for sample in part) == list(range(11))
        numpy.testing.assert_array_equal(
            store.read("outputs", store.split("test")), other.read("outputs", other.split("test"))
        )


def test_generate_takes_tensors_of_times(tmp_path):
    path = generate(
        HeatEquation(),
        HeatSolver(),
        Grid.periodic((8,)),
        torch.tensor([0.0, 0.5]),
        2,
        0,
        tmp_path / "heat.h5",
        progress=False,
    )
    with Store.open(path) as store:
        assert store.layouts["outputs"].times == (0.0, 0.5)
