"""``pdeops generate``: make the data of a problem with its classical solver."""

from __future__ import annotations

import time
from pathlib import Path

import hydra
from omegaconf import DictConfig

from pdeops.cli import assembly
from pdeops.cli.checks import SPLIT_SIZES, WHOLE, check_numbers
from pdeops.cli.errors import guard, job
from pdeops.cli.result import shorten
from pdeops.cli.run_folder import check_writable


def generate(config: DictConfig) -> Path:
    """Make a data set unless it is there.

    Args:
        config: The composed configuration ``generate``.

    Returns:
        The HDF5 file.

    Raises:
        UserError: Something in the configuration cannot work.
    """
    check_numbers(config, {**WHOLE, **dict.fromkeys(SPLIT_SIZES, 0)})
    problem = assembly.build_problem(config)
    recipe = assembly.build_recipe(config, problem)
    check_writable(Path(config.paths.data))
    data = assembly.build_data(config, recipe)
    assembly.generate_data(data)
    return data.path


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="generate")
def task(config: DictConfig) -> None:
    """Run one job of Hydra."""
    started = time.perf_counter()
    with job("generate"):
        path = generate(config)
    size = path.stat().st_size / 2**20
    print(f"{shorten(path)}: {size:.1f} MiB, {time.perf_counter() - started:.1f} s")


def main() -> None:
    """Run the verb."""
    guard(task, "generate")


if __name__ == "__main__":
    main()
