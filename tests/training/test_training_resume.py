"""Interrupted runs go on as if nothing had happened; two processes train like one."""

import csv
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from heat_training import make_data, make_file, make_module, make_trainer

from pdeops.training import find_checkpoint, read_checkpoint, read_metrics

PROGRAM = Path(__file__).with_name("heat_training.py")
ROOT = Path(__file__).parents[2]
SCHEDULERS = {
    "cosine a step": (partial(torch.optim.lr_scheduler.CosineAnnealingLR), "step"),
    "halved an epoch": (partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5), "epoch"),
}


@pytest.fixture
def file(tmp_path):
    return make_file(tmp_path / "heat.h5")


def start(file, run, *options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(file), str(run), *options],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def curve(run):
    """Everything in the learning curve but the times."""
    with (run / "metrics.csv").open() as stream:
        return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in csv.DictReader(stream)]


def weights(run):
    return read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]


def train(file, run, max_epochs, scheduler, *, resume=None, num_workers=0):
    data = make_data(file, num_workers=num_workers)
    factory, interval = SCHEDULERS[scheduler]
    if interval == "step":  # the length of the whole training, also in the run that is cut short
        factory = partial(factory, T_max=12)
    module = make_module(data, scheduler=factory, interval=interval, dropout=0.3)
    trainer = make_trainer(run, max_epochs=max_epochs)
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_four_epochs_equal_two_and_two_more_bit_for_bit(file, tmp_path, scheduler):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(file, whole, 4, scheduler)
    train(file, parts, 2, scheduler)
    torch.rand(17)  # whatever happened to the random numbers in between
    train(file, parts, 4, scheduler, resume=find_checkpoint(parts))
    assert curve(parts) == curve(whole)
    assert [row["epoch"] for row in curve(whole)] == ["0", "1", "2", "3"]
    for name, value in weights(whole).items():
        assert torch.equal(weights(parts)[name], value), name


@pytest.mark.slow
def test_loaders_with_processes_resume_in_the_order_of_their_epoch(file, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    scheduler = next(iter(SCHEDULERS))
    train(file, whole, 3, scheduler, num_workers=1)
    train(file, parts, 2, scheduler, num_workers=1)
    train(file, parts, 3, scheduler, num_workers=1, resume=find_checkpoint(parts))
    assert curve(parts) == curve(whole)


def test_a_run_folder_that_moved_keeps_its_best_score(file, tmp_path):
    train(file, tmp_path / "run", 2, "halved an epoch")
    moved = (tmp_path / "run").rename(tmp_path / "elsewhere")
    before = (moved / "checkpoints" / "best.ckpt").read_bytes()
    data = make_data(file)
    module = make_module(data, lr=10.0)  # from here on it can only get worse
    trainer = make_trainer(moved, max_epochs=3)
    checkpoint = read_checkpoint(find_checkpoint(moved))
    for group in checkpoint["optimizer_states"][0]["param_groups"]:
        group["lr"] = 10.0
    torch.save(checkpoint, moved / "checkpoints" / "last.ckpt")
    trainer.fit(module, datamodule=data, ckpt_path=find_checkpoint(moved), weights_only=True)
    assert (moved / "checkpoints" / "best.ckpt").read_bytes() == before
    rows = read_metrics(moved / "metrics.csv")
    assert rows[2]["validation/relative_l2"] > rows[1]["validation/relative_l2"]
    assert trainer.checkpoint_callback.best_score == min(row["validation/relative_l2"] for row in rows)


def test_a_checkpoint_that_was_cut_short_is_named(file, tmp_path):
    train(file, tmp_path / "run", 1, "halved an epoch")
    path = find_checkpoint(tmp_path / "run")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"last\.ckpt: expected a whole checkpoint"):
        read_checkpoint(path)


def test_a_folder_without_checkpoint_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint in this run folder"):
        find_checkpoint(tmp_path)


@pytest.mark.slow
def test_a_killed_run_leaves_a_whole_checkpoint_and_goes_on_as_if_nothing_happened(file, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start(file, killed, "--epochs", "3000")
    last = killed / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 60
    while not last.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    checkpoint = read_checkpoint(last)
    first = checkpoint["epoch"] + 1
    assert first > 0

    # As many epochs again as were trained, with and without the interruption; the cosine ends at 3000.
    data = make_data(file)
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=3 * 3000)
    for run, resume in ((whole, None), (killed, last)):
        module = make_module(data, scheduler=cosine, interval="step")
        trainer = make_trainer(run, max_epochs=first + 2)
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    assert curve(killed) == curve(whole)
    assert [int(row["epoch"]) for row in curve(killed)] == list(range(first + 2))


@pytest.mark.slow
def test_two_processes_train_like_one_with_the_same_global_batch(tmp_path):
    # The 12 training samples are one global batch, so their order does not matter; the 3 for validation and
    # the 5 to test do not divide evenly among two processes.
    file = make_file(tmp_path / "heat.h5", num_samples=20)
    runs = {"one": ("1", "12"), "two": ("2", "6")}
    for name, (devices, batch_size) in runs.items():
        arguments = ("--epochs", "3", "--devices", devices, "--batch-size", batch_size)
        process = start(file, tmp_path / name, *arguments)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    one, two = (curve(tmp_path / name) for name in runs)
    assert len(one) == len(two) == 3
    for expected, got in zip(one, two, strict=True):
        assert {k: float(v) for k, v in got.items()} == pytest.approx(
            {k: float(v) for k, v in expected.items()}, rel=1e-5
        )
    results = [json.loads((tmp_path / name / "test.json").read_text()) for name in runs]
    for name in results[0].keys() - {"time/inference_per_sample"}:
        assert results[1][name] == pytest.approx(results[0][name], rel=1e-5), name
    contents = sorted(path.name for path in (tmp_path / "two").iterdir() if path.suffix != ".txt")
    assert contents == ["checkpoints", "metrics.csv", "test.json"]


def finish(process):
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors


def samples(run, rank):
    """The samples that a process trained on, a list a batch."""
    return [json.loads(line) for line in (run / f"samples_{rank}.txt").read_text().splitlines()]


@pytest.mark.slow
def test_complex_parameters_train_in_two_processes_as_in_one(tmp_path):
    file = make_file(tmp_path / "heat.h5", num_samples=20)
    for name, devices, batch_size in (("one", "1", "12"), ("two", "2", "6")):
        options = ("--epochs", "3", "--devices", devices, "--batch-size", batch_size, "--model", "complex")
        finish(start(file, tmp_path / name, *options))
    one, two = (read_metrics(tmp_path / name / "metrics.csv") for name in ("one", "two"))
    assert any(value.is_complex() for value in weights(tmp_path / "two").values())
    assert one[2]["train/loss"] < one[0]["train/loss"]
    assert [row["train/loss"] for row in two] == pytest.approx([row["train/loss"] for row in one], rel=1e-5)


@pytest.mark.slow
def test_compiled_training_has_the_losses_of_the_plain_one(file, tmp_path):
    # In a process of its own: the compiler does not go through the type checks of the tests.
    for name, words in (("plain", ()), ("compiled", ("--compile",))):
        finish(start(file, tmp_path / name, "--model", "t1", *words))
    plain, compiled = (read_metrics(tmp_path / name / "metrics.csv") for name in ("plain", "compiled"))
    assert len(plain) == len(compiled) == 2
    assert plain[1]["train/loss"] < plain[0]["train/loss"]
    for name in ("train/loss", "validation/relative_l2"):
        assert [row[name] for row in compiled] == pytest.approx([row[name] for row in plain], rel=1e-5)


@pytest.mark.slow
def test_two_processes_resume_with_the_samples_of_an_uninterrupted_run(tmp_path):
    file = make_file(tmp_path / "heat.h5", num_samples=20)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = ("--devices", "2", "--batch-size", "2", "--num-steps", "12")
    finish(start(file, whole, "--epochs", "4", *options))
    finish(start(file, parts, "--epochs", "2", *options))
    finish(start(file, parts, "--epochs", "4", "--resume", str(find_checkpoint(parts)), *options))
    assert curve(parts) == curve(whole)
    assert len(curve(whole)) == 4
    for rank in range(2):
        assert samples(parts, rank) == samples(whole, rank)
    # 12 training samples: 3 batches of 2 in each process and epoch, each sample once.
    training = make_data(file).dataset("train")
    everything = sorted(training[list(range(12))].inputs.values[:, 0, 0].tolist())
    orders = []
    for epoch in range(4):
        batches = [batch for rank in range(2) for batch in samples(whole, rank)[3 * epoch : 3 * epoch + 3]]
        assert [len(batch) for batch in batches] == [2] * 6
        assert sorted(itertools.chain(*batches)) == everything
        orders.append(batches)
    assert all(first != second for first, second in itertools.combinations(orders, 2))
