"""Models fitted to one instance: errors, coverage, files, comparisons, and what is refused."""

import csv
import json
import math

import h5py
import numpy
import pytest
import pyvista
import torch

from pdeops.cli.instance_result import coverage_of
from pdeops.domains import Field, Grid
from pdeops.instances import InstanceTraining

# Ten waves on 60 points.
WAVES = (
    "problem=poisson_high_frequency",
    "problem.solution='sin(20*pi*x)'",
    "data.resolution=[60]",
)
# One dimension: each wave of the solution decays at a rate of its own, so five functions do.
HEAT = (
    "problem=heat",
    "problem.dimension=1",
    "data.resolution=[32]",
    "data.num_frames=17",
    "model=functional_tucker",
    "model.starts=1",
    "model.sweeps=40",
    "training.fraction=0.5",
)
NOISE = 0.01
FOLDER = "hydra.run.dir=run"


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def arrays_of(path):
    image = pyvista.read(path)
    names = [name for name in image.array_names if not name.startswith("pdeops_")]
    return {name.split()[0]: numpy.asarray(image[name]) for name in names}


@pytest.fixture
def run(pdeops):
    return pdeops.folder / "run"


def test_gaussian_process_solves_a_wave_to_many_digits_and_leaves_what_it_knows(pdeops, run):
    outcome = pdeops("train", *WAVES, "model=gp_hm", FOLDER)
    assert outcome.code == 0, outcome.err
    result = result_of(run)
    assert result["relative_l2"] < 1e-6
    assert result["coverage"] > 0.9
    assert result["reference"] == "exact solution 'manufactured'"
    assert f"| {result['relative_l2']:.2e}" in outcome.out
    assert {path.name for path in (run / "pictures").iterdir()} == {
        "comparison.png",
        "standard_deviation.png",
    }

    x = numpy.linspace(0, 1, 60)
    truth = numpy.sin(20 * math.pi * x)
    found = arrays_of(run / "prediction" / "instance.vti")
    assert set(found) == {"mean", "standard_deviation", "truth", "error"}
    numpy.testing.assert_allclose(found["truth"], truth, atol=1e-12)
    numpy.testing.assert_allclose(found["mean"], truth, atol=1e-6)
    numpy.testing.assert_allclose(found["mean"] - found["truth"], found["error"], atol=1e-15)
    covered = numpy.abs(found["error"]) <= 1.959964 * found["standard_deviation"]
    assert covered.mean() == pytest.approx(result["coverage"])
    with h5py.File(run / "posterior.h5") as file:
        numpy.testing.assert_allclose(file["mean_potential"][0], found["mean"], atol=1e-15)

    for verb in (["evaluate"], ["predict", "input=a.npz", "output=b.h5"]):
        refused = pdeops(*verb, "run=run")
        assert refused.code == 2
        assert "expected a run of an operator, got a fit of one instance" in refused.err
    resumed = pdeops("train", "resume=run")
    assert resumed.code == 2
    assert "expected a checkpoint" in resumed.err


def test_functional_tucker_is_better_than_its_measurements(pdeops, run):
    outcome = pdeops("train", *HEAT, f"training.noise={NOISE}", FOLDER)
    assert outcome.code == 0, outcome.err
    result = result_of(run)
    # 272 values of noise 0.01 fix about a hundred free numbers: below the noise, not far below.
    assert NOISE / 20 < result["relative_l2"] < NOISE
    assert 0.8 < result["coverage"] <= 1
    assert "272 values (50 %)" in result["sees"]
    # Each frame is a file; the truth of the first one is the initial state of the first test instance.
    reader = pyvista.get_reader(str(run / "prediction" / "instance.pvd"))
    numpy.testing.assert_allclose(reader.time_values, numpy.linspace(0, 1, 17))
    with h5py.File(run / "posterior.h5") as file:
        mean, truth = (file[f"{name}_temperature"][0] for name in ("mean", "truth"))
        deviation = file["standard_deviation_temperature"][0]
    assert numpy.linalg.norm(mean - truth) / numpy.linalg.norm(truth) == pytest.approx(result["relative_l2"])
    assert (numpy.abs(mean - truth) <= 1.959964 * deviation).mean() == pytest.approx(result["coverage"])
    # The heat that is there stays there.
    numpy.testing.assert_allclose(truth.mean(axis=1), truth[0].mean(), atol=1e-10)


def test_measurements_have_the_noise_and_the_share_that_were_asked_for():
    grid = Grid.periodic((200,))
    times = torch.linspace(0, 1, 100, dtype=torch.float64)
    values = 3 * torch.sin(2 * math.pi * (grid.axes[0].points + times[:, None]))
    field = Field(values[None, :, None].expand(1, 100, 2, 200), grid, ("a", "b"), times=times)
    found = InstanceTraining(fraction=0.25, noise=0.1, seed=4).measure(field)
    assert list(found) == ["a", "b"]
    for item in found.values():
        assert item.points.shape == (5000, 2)
        noise = item.values - 3 * torch.sin(2 * math.pi * item.points.sum(dim=1))
        # A tenth of 3 / sqrt(2), with 5000 draws known to 1 %.
        assert noise.std().item() == pytest.approx(0.3 / math.sqrt(2), rel=0.05)
    assert not torch.equal(found["a"].points, found["b"].points)


def test_coverage_of_normal_errors_is_the_level():
    generator = torch.Generator().manual_seed(0)
    grid = Grid.periodic((40_000,))
    truth = Field(torch.zeros(1, 1, 40_000, dtype=torch.float64), grid, ("u",))
    errors = torch.randn(1, 1, 40_000, generator=generator, dtype=torch.float64)
    ones = torch.ones_like(errors)
    deviation = Field(ones, grid, ("u",))
    assert coverage_of(Field(errors, grid, ("u",)), deviation, truth) == pytest.approx(0.95, abs=0.005)
    assert coverage_of(Field(2 * errors, grid, ("u",)), deviation, truth) == pytest.approx(0.673, abs=0.01)
    assert coverage_of(truth, None, truth) is None


def test_comparison_says_what_each_model_saw_and_what_a_classical_solver_takes(pdeops):
    outcome = pdeops(
        "compare",
        "problem=poisson_high_frequency_2d",
        "problem.solution='sin(2*pi*x)*sin(pi*y)'",
        "data.resolution=[24,24]",
        "models=[gp_hm,functional_tucker]",
        "seeds=[0]",
        "training.fraction=0.5",
        "solver=sparse_finite_difference",
        "hydra.run.dir=comparison",
    )
    assert outcome.code == 0, outcome.err
    with (pdeops.folder / "comparison" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    models = {row["name"]: row for row in rows if row["kind"] == "model"}
    assert float(models["gp_hm"]["relative_l2"]) < 1e-8
    assert 1e-4 < float(models["functional_tucker"]["relative_l2"]) < 0.01
    assert "sees: equations and inputs of one instance, no solution" in models["gp_hm"]["note"]
    assert "288 values (50 %)" in models["functional_tucker"]["note"]
    classical = sorted(
        (row for row in rows if row["kind"] == "classical" and row["relative_l2"]),
        key=lambda row: int(row["name"].split()[0]),
    )
    errors = [(int(row["name"].split()[0]), float(row["relative_l2"])) for row in classical]
    (coarse, large), (fine, small) = errors[0], errors[-1]
    # Second order or better, and no better than the fit of smooth waves.
    assert math.log(large / small) / math.log((fine - 1) / (coarse - 1)) > 1.7
    assert small > float(models["gp_hm"]["relative_l2"])


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["problem=darcy", "model=gp_hm"], ["GaussianProcessSolver does not fit Darcy", "got cells for"]),
        (
            ["problem=poisson_high_frequency", "model=functional_tucker"],
            ["two or more coordinates", "got x of"],
        ),
        (
            ["problem=heat", "model=functional_tucker", "model.ranks=[2,2]"],
            ["one each for t, x, y", "[2, 2]"],
        ),
        (
            ["problem=heat", "model=functional_tucker", "model.ranks=0"],
            ["'model'", "expected positive numbers"],
        ),
        (
            ["problem=heat", "model=functional_tucker", "training.fraction=0"],
            ["'training'", "(0, 1]", "got 0"],
        ),
        (
            ["problem=heat", "model=gp_hm", "training=supervised"],
            ["CollocationModel", "try training=instance"],
        ),
        (["problem=heat", "model=fno", "training=instance"], ["training=instance", "try model=gp_hm"]),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_words(pdeops, words, texts):
    outcome = pdeops("train", *words)
    assert outcome.code == 2
    for text in texts:
        assert text in outcome.err
    assert not list(pdeops.folder.glob("runs/*/*/*"))


def test_gaussian_process_in_time_leaves_frames_with_their_deviation(pdeops, run):
    settings = ("problem=heat", "problem.dimension=1", "data.resolution=[32]", "data.num_frames=5")
    outcome = pdeops("train", *settings, "model=gp_hm", FOLDER)
    assert outcome.code == 0, outcome.err
    result = result_of(run)
    assert result["model"] == "GaussianProcessSolver"
    # The same waves on twice the points, each by its own exponential.
    assert result["reference"] == "SpectralSolver on 64 points (periodic)"
    assert result["reference_change"] < 1e-12
    assert result["relative_l2"] < 1e-10
    assert result["coverage"] > 0.9
    with h5py.File(run / "posterior.h5") as file:
        assert file["standard_deviation_temperature"].shape == (1, 5, 32)
    frames = sorted((run / "prediction" / "instance").glob("*.vti"))
    assert len(frames) == 5
    first, last = arrays_of(frames[0]), arrays_of(frames[-1])
    assert set(first) == {"mean", "standard_deviation", "truth", "error"}
    assert numpy.linalg.norm(last["truth"]) < 0.9 * numpy.linalg.norm(first["truth"])


def test_solve_in_time_writes_the_deviation(pdeops, run):
    settings = ("problem=heat", "problem.dimension=1", "resolution=[32]", "final_time=0.5", "num_frames=3")
    outcome = pdeops("solve", *settings, "solver=gp_hm", FOLDER)
    assert outcome.code == 0, outcome.err
    frames = sorted((run / "solution").glob("*.vti"))
    assert len(frames) == 3
    assert "standard_deviation" in " ".join(pyvista.read(frames[-1]).array_names)
    assert list(run.rglob("standard_deviation.png"))
