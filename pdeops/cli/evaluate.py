"""``pdeops evaluate``: the error of a trained run on held-out data, at its own or at another resolution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import hydra
import torch
from omegaconf import DictConfig, OmegaConf

from pdeops.cli import assembly
from pdeops.cli.domains import build_domain, has_mesh
from pdeops.cli.errors import UserError, guard, job, section
from pdeops.cli.measuring import measure
from pdeops.cli.result import print_table
from pdeops.cli.run_folder import check_surrogate, check_writable, read_config
from pdeops.cli.sensors import check_sensors, measure_sensors
from pdeops.data import FieldDataset, Store, StoreSamples
from pdeops.domains import Field, SamplingKind
from pdeops.training import Surrogate, load

COLUMNS = ("relative L2", "relative H1", "pairs", "ms a sample", "run folder")


def evaluate(
    run: Path,
    resolution: Sequence[int] | None,
    device: str,
    data_folder: Path,
    sensors: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure a run on its test instances.

    The test instances are those of the training: the same seeds, so the same functions, on any grid.

    Args:
        run: A run folder.
        resolution: Points an axis; None for the run's own.
        device: ``auto``, ``cpu`` or ``cuda``.
        data_folder: Where data is kept.
        sensors: Other sets of points to give the inputs at, see `pdeops.domains.resampled_mesh`.

    Returns:
        Plain containers with the errors and the time of a sample.

    Raises:
        UserError: The folder is no run, the run has no test data, or its model is bound to its points.
    """
    check_surrogate(run)
    config = read_config(run)
    config.paths.data = str(data_folder)
    surrogate = load(run, device=choose_device(device))
    if resolution is not None and has_mesh(config):
        raise UserError(
            f"resolution: expected null for a run on a mesh of one's own, which has one resolution only, "
            f"got {list(resolution)}"
        )
    if resolution is not None and config.data.path is None:
        check_resolution(surrogate, config, resolution)
    if sensors and resolution is not None:
        raise UserError(f"sensors: expected resolution=null, got {list(resolution)}")
    if sensors:
        check_sensors(surrogate, config, sensors)
    dataset = read_test_data(config, resolution)
    result = {
        "run": str(run),
        "resolution": list(dataset.output_domain.shape),
        "num_pairs": len(dataset),
        **measure(surrogate, dataset, config.data.batch_size),
    }
    if sensors:
        result["sensors"] = measure_sensors(surrogate, config, dataset, cast(Sequence[SamplingKind], sensors))
    return result


def check_resolution(surrogate: Surrogate, config: DictConfig, resolution: Sequence[int]) -> None:
    """Raise a UserError when the model does not work at a resolution, before any data is made for it."""
    with section("resolution"):
        domain = build_domain(assembly.build_problem(config), resolution)
    channels = surrogate.artefact.input_channels
    zeros = torch.zeros(1, len(channels), *domain.shape, dtype=torch.float64)
    try:
        surrogate.predict(Field(zeros, domain, channels))
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("; try")[0]
        carries_over = surrogate.operator.capabilities.changes_resolution
        hint = "a finer resolution" if carries_over else f"resolution={list(config.data.resolution)}"
        raise UserError(f"resolution={list(resolution)}: {reason}; try {hint}") from error


def read_test_data(config: DictConfig, resolution: Sequence[int] | None) -> FieldDataset:
    """Read the test split of a run; at another resolution, generate those instances there first."""
    window = assembly.build_window(config)
    if config.data.path is None:
        own = list(config.data.resolution)
        if resolution is not None and list(resolution) != own:
            # Test samples come first in a recipe, so these are the same instances without the others.
            config = OmegaConf.merge(config, {"data": {"num_train": 0, "num_validation": 0}})  # type: ignore[assignment]
            config.data.resolution = list(resolution)
            if config.data.solver_resolution is not None:
                config.data.solver_resolution = [
                    refined(*counts)
                    for counts in zip(resolution, own, config.data.solver_resolution, strict=True)
                ]
        recipe = assembly.build_recipe(config, assembly.build_problem(config))
        data = assembly.build_data(config, recipe)
        check_writable(Path(config.paths.data))
        assembly.generate_data(data)
        path = data.path
    elif resolution is not None:
        raise UserError(
            "resolution: expected null for a run on a file of one's own, which has one resolution only"
        )
    else:
        path = Path(config.data.path)
    store = Store.open(path)
    if not len(store.split("test")):
        raise UserError(f"{path}: expected test samples, got none; train with data.num_test above 0")
    return FieldDataset(StoreSamples(store, store.split("test"), None).in_memory(), window)


def refined(count: int, own: int, finer: int) -> int:
    """Points of the solver's axis, as much finer than ``count`` points as ``finer`` is than ``own``."""
    if finer % own and own > 1 and (finer - 1) % (own - 1) == 0:
        # Axes with points at both ends nest by their intervals.
        return (count - 1) * ((finer - 1) // (own - 1)) + 1
    return round(count * finer / own)


def choose_device(name: str) -> str:
    """The device to work on.

    Raises:
        UserError: It is unknown or not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"device: expected auto, cpu or cuda, got '{name}'")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: expected a CUDA device, got none; try device=cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="evaluate")
def task(config: DictConfig) -> float:
    """Run one job of Hydra."""
    with job("evaluate"):
        result = evaluate(
            Path(config.run),
            config.resolution,
            config.device,
            Path(config.paths.data),
            config.sensors or (),
        )
    resolution = "x".join(map(str, result["resolution"]))
    (Path(config.run) / f"evaluation_{resolution}.json").write_text(json.dumps(result, indent=2) + "\n")
    rows = {resolution: result}
    rows |= {f"{row['num_points']} ({kind})": row for kind, row in result.get("sensors", {}).items()}
    print_table(
        ("inputs at" if "sensors" in result else "resolution", *COLUMNS),
        [
            (
                points,
                f"{row['relative_l2']:.4f}",
                f"{row['relative_h1']:.4f}",
                str(result["num_pairs"]),
                f"{1e3 * row['seconds_per_sample']:.3f}",
                result["run"],
            )
            for points, row in rows.items()
        ],
    )
    return float(result["relative_l2"])


def main() -> None:
    """Run the verb."""
    guard(task, "evaluate")


if __name__ == "__main__":
    main()
