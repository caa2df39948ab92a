"""Models compared: seeds, budget, one table, and a comparison that goes on after a kill."""

import csv
import json
import math
from concurrent.futures import Future

import pytest
import torch
from hydra import initialize_config_module

from pdeops.cli import comparison_budget, comparison_runs
from pdeops.cli import train as training
from pdeops.cli.compare import prepare_arguments
from pdeops.cli.comparison_budget import Pilot, passes_over_data, training_length
from pdeops.cli.comparison_runs import plan
from pdeops.cli.errors import UserError
from pdeops.training import RunCheckpoints, read_metrics
from pdeops.training.memory import PeakMemory

SMALL = (
    "problem=darcy",
    "data.resolution=[12,12]",
    "data.num_train=8",
    "data.num_validation=2",
    "data.num_test=2",
    "data.batch_size=4",
    "data.generation_workers=0",
    "data.progress=false",
    "trainer.max_epochs=2",
    "classical_samples=0",
    "model.width=4",
    "model.num_layers=1",
)
FOLDER = "hydra.run.dir=comparison"
MODES = "model.modes=3"
TIMES = ("seconds", "memory", "classical")


class Here:
    """In the place of a pool: the pilot runs in this process, which is quicker to start."""

    def __init__(self, *arguments):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        pass

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


@pytest.fixture
def compare(pdeops, monkeypatch):
    monkeypatch.setattr(comparison_budget, "ProcessPoolExecutor", Here)

    def run(*words):
        return pdeops("compare", *words)

    run.folder = pdeops.folder / "comparison"
    return run


def rows_of(folder, kind="model"):
    with (folder / "comparison.csv").open() as file:
        return {row["name"]: row for row in csv.DictReader(file) if row["kind"] == kind}


def without_times(row):
    return {key: value for key, value in row.items() if not key.startswith(TIMES)}


def errors_of(folder, model):
    paths = sorted(folder.glob(f"{model}/seed_*/result.json"))
    return [json.loads(path.read_text())["relative_l2"] for path in paths]


def test_seeds_change_the_weights_on_one_data_set_and_the_table_has_their_spread(compare):
    outcome = compare(*SMALL, "model=[fno,ffno]", MODES, "seeds=[3,5]", "classical_samples=2", FOLDER)
    assert outcome.code == 0, outcome.err
    assert "model ffno, seed 3 (2 of 4)" in outcome.out
    assert len(list((compare.folder.parent / "datasets").glob("*.h5"))) == 1
    rows = rows_of(compare.folder)
    for model in ("fno", "ffno"):
        errors = errors_of(compare.folder, model)
        assert errors[0] != errors[1]
        assert float(rows[model]["relative_l2"]) == pytest.approx(sum(errors) / 2)
        assert float(rows[model]["relative_l2_deviation"]) == pytest.approx(
            abs(errors[0] - errors[1]) / 2**0.5
        )
        assert float(rows[model]["epochs"]) == 2
    assert list(rows) == sorted(rows, key=lambda name: float(rows[name]["relative_l2"]))
    assert float(rows_of(compare.folder, "trivial")["(zero)"]["relative_l2"]) == pytest.approx(1)
    # Solving on the grid of the data is as good as any model.
    solves = rows_of(compare.folder, "classical")
    assert float(rows["fno"]["classical_seconds_per_sample"]) in [
        float(solve["seconds_per_sample"]) for solve in solves.values()
    ]
    # The Markdown has the same rows in the same order.
    lines = (compare.folder / "comparison.md").read_text().split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [line[0] for line in cells[2:4]] == list(rows)
    assert {len(line) for line in cells} == {len(cells[0])}
    found = float(cells[2][2].split(" ± ")[0])
    assert found == pytest.approx(float(rows[cells[2][0]]["relative_l2"]), abs=5e-5)
    assert (compare.folder / "comparison.png").stat().st_size > 1000


class Killed(BaseException):
    """As sudden as a signal: nothing handles it."""


def killed_in_the_second_run(monkeypatch):
    """Killed after the first epoch of the second run."""
    write, count = RunCheckpoints._write, []

    def interrupt(self, trainer, name):
        write(self, trainer, name)
        count.extend([1] if name == "last.ckpt" else [])
        if len(count) == 3:
            raise Killed

    monkeypatch.setattr(RunCheckpoints, "_write", interrupt)


def killed_before_its_test(monkeypatch):
    """Killed when the second run is trained and not yet tested."""
    test, count = training.test, []

    def interrupt(*arguments):
        count.append(1)
        if len(count) == 2:
            raise Killed
        return test(*arguments)

    monkeypatch.setattr(training, "test", interrupt)


@pytest.mark.parametrize("kill", [killed_in_the_second_run, killed_before_its_test])
def test_comparison_goes_on_after_a_kill_to_the_same_table(compare, kill):
    words = (*SMALL, MODES, "model=[fno]", "seeds=[0,1,2]")
    assert compare(*words, "hydra.run.dir=whole").code == 0
    with pytest.MonkeyPatch.context() as patch:
        kill(patch)
        with pytest.raises(Killed):
            compare(*words, FOLDER)
    assert rows_of(compare.folder)["fno"]["num_seeds"] == "1"
    first = compare.folder / "fno" / "seed_0" / "result.json"
    written = first.stat().st_mtime_ns
    outcome = compare("resume=comparison")
    assert outcome.code == 0, outcome.err
    assert first.stat().st_mtime_ns == written
    whole = rows_of(compare.folder.parent / "whole")["fno"]
    assert without_times(rows_of(compare.folder)["fno"]) == without_times(whole)
    assert whole["num_seeds"] == "3"
    # The time of a run that was continued is that of both parts.
    result = json.loads((compare.folder / "fno" / "seed_1" / "result.json").read_text())
    assert result["seconds_per_step"] > 0
    assert result["seconds_training"] > 0


def test_a_model_that_fails_does_not_lose_the_others(compare, monkeypatch):
    train = comparison_runs.train

    def fail(config):
        if "FFNO" in config.model._target_ and config.seed == 1:
            raise RuntimeError("no memory left")
        return train(config)

    monkeypatch.setattr(comparison_runs, "train", fail)
    outcome = compare(*SMALL, MODES, "model=[ffno,fno]", "seeds=[0,1]", FOLDER)
    assert outcome.code == 1
    rows = rows_of(compare.folder)
    assert rows["fno"]["num_seeds"] == "2"
    assert rows["ffno"]["num_seeds"] == "1"
    assert "failed with seed 1: RuntimeError: no memory left" in rows["ffno"]["note"]
    assert "failed with seed 1" in (compare.folder / "comparison.md").read_text()
    assert "no memory left" in (compare.folder / "ffno" / "seed_1" / "failure.txt").read_text()
    # What failed is tried again.
    monkeypatch.setattr(comparison_runs, "train", train)
    assert compare("resume=comparison").code == 0
    assert rows_of(compare.folder)["ffno"]["num_seeds"] == "2"


def test_seconds_become_steps_and_the_schedule_ends_with_them(compare, monkeypatch):
    monkeypatch.setattr(comparison_budget, "measure", lambda settings, threads: Pilot(0.5, 1.0, 8))
    words = [word for word in SMALL if not word.startswith("trainer")]
    outcome = compare(*words, MODES, "model=fno", "seeds=[0]", "budget=seconds", "budget.seconds=20", FOLDER)
    assert outcome.code == 0, outcome.err
    run = compare.folder / "fno" / "seed_0"
    assert json.loads((run / "result.json").read_text())["num_steps"] == 40
    # 8 pairs, 4 a step: 2 steps see them all.
    assert float(rows_of(compare.folder)["fno"]["epochs"]) == 20
    rates = [row["learning_rate"] for row in read_metrics(run / "metrics.csv")]
    # A cosine that falls over 36 of 40 steps, before the last of them; it ends with the training.
    assert rates[-1] == pytest.approx(2e-8 + 5e-3 * (1 - math.cos(math.pi / 36)) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("seconds", "step", "num_pairs"),
    [(90.0, 3e-3, 1000), (60.0, 0.15, 1000), (60.0, 2.0, 200), (7.0, 0.011, 17)],
)
def test_length_of_training_fills_the_time(seconds, step, num_pairs):
    num_epochs, num_batches = training_length(seconds, Pilot(step, 0.0, num_pairs), 16)
    whole = -(-num_pairs // 16)
    assert num_epochs >= 20
    assert 1 <= num_batches <= whole
    # Half an epoch, or half a batch in each epoch, is lost or gained at most.
    slack = max(whole, num_epochs) / 2 * step
    assert num_epochs * num_batches * step == pytest.approx(seconds, abs=slack)
    passes = passes_over_data(num_epochs, num_batches, num_pairs, 16)
    assert passes == pytest.approx(num_epochs * num_batches / whole)


def test_operator_that_keeps_to_its_grid_has_a_footnote_at_other_resolutions(compare):
    words = [word for word in SMALL if not word.startswith("model.")]
    words += ["model.width=8", "model.depth=1"]
    outcome = compare(*words, "model=[unet]", "seeds=[0]", "resolutions=[24]", FOLDER)
    assert outcome.code == 0, outcome.err
    row = rows_of(compare.folder)["unet"]
    assert row["relative_l2_at_24x24"] == ""
    assert "does not carry over to other resolutions" in row["note"]
    # It names the one that works, not a finer one.
    trained = json.loads((compare.folder / "unet" / "seed_0" / "result.json").read_text())["resolution"]
    assert f"try resolution={trained};" in row["note"]
    text = (compare.folder / "comparison.md").read_text()
    assert "L2 at 24 x 24" in text
    assert "– [" in text


def test_other_resolution_of_an_operator_that_carries_over(compare):
    outcome = compare(*SMALL, MODES, "model=[fno]", "seeds=[0]", "resolutions=[24]", FOLDER)
    assert outcome.code == 0, outcome.err
    evaluated = json.loads((compare.folder / "fno/seed_0/evaluation_24x24.json").read_text())
    assert float(rows_of(compare.folder)["fno"]["relative_l2_at_24x24"]) == evaluated["relative_l2"]


def test_finished_runs_are_collected_and_other_data_is_refused(compare):
    assert compare(*SMALL, MODES, "model=[fno]", "seeds=[0]", FOLDER).code == 0
    words = (*SMALL, MODES, "model=[ffno]", "seeds=[0]", "runs=[comparison/fno/seed_0]")
    assert compare(*words, "hydra.run.dir=second").code == 0
    rows = rows_of(compare.folder.parent / "second")
    assert set(rows) == {"ffno", "fno/seed_0"}
    assert float(rows["fno/seed_0"]["relative_l2"]) == errors_of(compare.folder, "fno")[0]
    refused = compare(*words, "problem.forcing='2'", "hydra.run.dir=third")
    assert refused.code == 2
    assert "same problem on the same data" in refused.err


@pytest.mark.parametrize(
    ("words", "phrases"),
    [
        (["model=[fno,f_fno]"], ["no model 'f_fno'", "did you mean 'ffno'"]),
        (["model=fnoo"], ["no model 'fnoo'", "did you mean 'fno'"]),
        (["model=[fno,fno]"], ["models: expected each one once"]),
        (["model=[fno]", "seed=3"], ["seed: expected a list", "seeds=[0,1]"]),
        (["model=[fno]", "seeds=[a]"], ["seeds: expected a list of whole numbers", "[0,1,2]"]),
        (
            ["model=[fno]", "budget=seconds", "budget.seconds=-1"],
            ["budget.seconds: expected a number above 0"],
        ),
        (
            ["model=[fno]", "budget=seconds", "budget.seconds=null"],
            ["budget=seconds: expected budget.seconds, got null", "try budget.seconds=90"],
        ),
        (["model=[fno]", "budget=second"], ["no budget 'second'", "did you mean 'seconds'"]),
        (["experiment=benchmark_darcy", "budget=epochs"], ["try budget.seconds=null"]),
        (["problem=darcy", "model=[fno]", "resolutions=[[8]]"], ["resolution", "2 positive numbers"]),
        (["problem=darcy", "model=[fno]", "trainer.devices=2"], ["trainer.devices: expected 1 for compare"]),
        (["resume=nowhere"], ["resume=nowhere: expected the folder of a comparison"]),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(compare, words, phrases):
    outcome = compare(*words)
    assert outcome.code == 2, outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    for phrase in phrases:
        assert phrase in outcome.err
    assert not (compare.folder.parent / "datasets").exists() or not list(
        compare.folder.parent.glob("datasets/*")
    )


def test_resumed_comparison_takes_no_other_settings(tmp_path):
    recorded = tmp_path / ".hydra" / "overrides.yaml"
    recorded.parent.mkdir()
    recorded.write_text("- problem=darcy\n- models=[fno]\n")
    words = prepare_arguments([f"resume={tmp_path}"])
    assert words[:2] == ["problem=darcy", "models=[fno]"]
    with pytest.raises(UserError, match="expected no other settings"):
        prepare_arguments([f"resume={tmp_path}", "seeds=[7]"])


@pytest.mark.parametrize(
    ("words", "losses"),
    [
        ([], ["RelativeL2", "FrequencyRelativeL2"]),
        (["loss=relative_h1"], ["RelativeH1", "RelativeH1"]),
        (["experiment=benchmark_darcy_h1"], ["RelativeH1", "RelativeH1"]),
    ],
)
def test_t1_brings_its_loss_unless_the_comparison_has_one(tmp_path, words, losses):
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        runs = plan(["fno", "t1"], [0], ["problem=darcy", "models=[fno,t1]", *words], tmp_path)
    assert [run.config.loss._target_.rpartition(".")[2] for run in runs] == losses


def test_peak_memory_is_that_of_the_tensors_made_since():
    peak = PeakMemory("cpu")
    values = torch.ones(50, 1_000_000)
    del values
    assert peak.megabytes == pytest.approx(200, abs=10)
