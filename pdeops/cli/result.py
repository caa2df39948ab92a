"""What a run found: numbers, ``result.json`` and a table that can be pasted."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from pdeops import __version__
from pdeops.cli.instance_result import instance_rows, is_instance_result
from pdeops.data import PDEDataModule
from pdeops.training import SupervisedOperator

TRIVIAL = ("zero", "training_mean", "persistence")


def describe_result(
    config: DictConfig,
    module: SupervisedOperator,
    data: PDEDataModule,
    metrics: Mapping[str, float],
    seconds: Mapping[str, float],
    trainer: Trainer,
) -> dict[str, Any]:
    """Collect the numbers of a run.

    Args:
        config: Its configuration.
        module: The trained module.
        data: What it was trained and tested on; a file of one's own has other numbers than the configuration.
        metrics: What training logged last, and what the test logged.
        seconds: Wall time of ``data`` and ``training``.
        trainer: Knows the number of epochs and steps.

    Returns:
        Plain containers.
    """
    errors = {name: metrics.get(f"test/{name}_relative_l2") for name in TRIVIAL}
    return {
        "problem": config.problem._target_.rpartition(".")[2],
        "model": config.model._target_.rpartition(".")[2],
        "resolution": list(module.operator.domain.shape),
        "sees": data_seen(config, data),
        "relative_l2": metrics["test/relative_l2"],
        "relative_h1": metrics["test/relative_h1"],
        "trivial_relative_l2": {name: error for name, error in errors.items() if error is not None},
        "num_parameters": count_parameters(module),
        **{f"num_{split}": data.dataset(split).samples.num_samples for split in ("train", "test")},
        "num_epochs": trainer.current_epoch,
        "num_steps": trainer.global_step,
        "seconds_data": seconds["data"],
        "seconds_training": seconds["training"],
        "seconds_per_step": metrics.get("time/train_step"),
        "seconds_per_sample": metrics.get("time/inference_per_sample"),
        "seed": config.seed,
        "data_seed": config.data.seed,
        "device": device_name(module.device),
        "num_threads": torch.get_num_threads(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {
        "pdeops": __version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "lightning": version("lightning"),
    }


def data_seen(config: DictConfig, data: PDEDataModule) -> str:
    """What the model was trained on, in words."""
    count = data.dataset("train").samples.num_samples
    solved = config.data.path is not None or config.data.get("solve_training", True)
    return f"{count} instances with solutions" if solved else f"equations and inputs of {count} instances"


def count_parameters(module: torch.nn.Module) -> int:
    """Number of trained real numbers; a complex entry counts twice."""
    return sum(
        parameter.numel() * (2 if parameter.is_complex() else 1)
        for parameter in module.parameters()
        if parameter.requires_grad
    )


def device_name(device: torch.device) -> str:
    """Name of the device as a reader knows it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def write_result(result: Mapping[str, Any], run: Path) -> None:
    """Write ``result.json`` and ``result.md``, each in one step."""
    for name, text in (
        ("result.json", json.dumps(result, indent=2) + "\n"),
        ("result.md", markdown(result_rows(result))),
    ):
        write_whole(run / name, text)


def write_whole(path: Path, text: str) -> None:
    """Write a text file in one step: a reader, or a kill, finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


def result_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of the table: what, and how much."""
    if is_instance_result(result):
        return instance_rows(result)
    resolution = " x ".join(map(str, result["resolution"]))
    rows = [
        ("problem", f"{result['problem']}, {resolution}, {result['num_test']} held-out instances"),
        ("model", f"{result['model']}, {result['num_parameters']:,} parameters"),
        ("relative L2 error", f"{result['relative_l2']:.4f}"),
        ("relative H1 error", f"{result['relative_h1']:.4f}"),
    ]
    names = {"zero": "zero", "training_mean": "mean of the training set", "persistence": "persistence"}
    rows += [
        (f"L2 of {names[name]}", f"{error:.4f}") for name, error in result["trivial_relative_l2"].items()
    ]
    rows += [
        ("data", f"{result['seconds_data']:.1f} s"),
        ("training", f"{result['seconds_training']:.1f} s, {result['num_epochs']} epochs"),
    ]
    if result["seconds_per_step"] is not None:
        rows.append(("training step", f"{1e3 * result['seconds_per_step']:.2f} ms"))
    if result["seconds_per_sample"] is not None:
        rows.append(("inference", f"{1e3 * result['seconds_per_sample']:.3f} ms a sample"))
    rows.append(("device", f"{result['device']}, {result['num_threads']} threads, seed {result['seed']}"))
    return rows


def markdown(rows: list[tuple[str, str]]) -> str:
    """Quantities and their values as a Markdown table."""
    return markdown_table(("quantity", "value"), rows)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headings and entries as a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def print_result(result: Mapping[str, Any], run: Path) -> None:
    """Print the table; it can be pasted into Markdown as it is."""
    print_table(("quantity", "value"), [*result_rows(result), ("run folder", shorten(run))])


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> None:
    """Print a table that can be pasted into Markdown as it is.

    Args:
        columns: Headings.
        rows: Entries.
        numbers: Whether all columns but the first are aligned to the right.
    """
    table = Table(box=box.MARKDOWN)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if numbers and index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # As wide as it needs: a line that wraps is no Markdown.
    width = Console(width=10_000).measure(table).maximum
    Console(width=width).print(table)


def shorten(path: Path) -> str:
    """The path from here, where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
