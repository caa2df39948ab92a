"""``pdeops list``: the problems, models and experiments that are there."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from pdeops.cli.errors import UserError, guard, job
from pdeops.cli.options import options
from pdeops.cli.suggestions import did_you_mean

GROUPS = ("problem", "model", "experiment")


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="list")
def task(config: DictConfig) -> None:
    """Print one table a group."""
    with job("list"):
        if config.group is not None and config.group not in GROUPS:
            raise UserError(f"there is no group '{config.group}'; {did_you_mean(str(config.group), GROUPS)}")
    for group in GROUPS if config.group is None else (config.group,):
        table = Table(box=box.MARKDOWN)
        table.add_column(group, no_wrap=True)
        table.add_column("what it is")
        for name, description in options(group).items():
            table.add_row(name, description)
        Console().print(table)


def main() -> None:
    """Run the verb."""
    guard(task, "list")


if __name__ == "__main__":
    main()
