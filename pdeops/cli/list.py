"""``pdeops list``: the problems, solvers, domains, models and experiments that are there."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from pdeops.cli.errors import UserError, guard, job
from pdeops.cli.options import options
from pdeops.cli.result import print_table
from pdeops.cli.suggestions import did_you_mean

GROUPS = ("problem", "solver", "domain", "model", "experiment")


@hydra.main(version_base="1.3", config_path="pkg://pdeops.conf", config_name="list")
def task(config: DictConfig) -> None:
    """Print one table a group."""
    with job("list"):
        if config.group is not None and config.group not in GROUPS:
            raise UserError(f"there is no group '{config.group}'; {did_you_mean(str(config.group), GROUPS)}")
    for group in GROUPS if config.group is None else (config.group,):
        print_table((group, "what it is"), list(options(group).items()))


def main() -> None:
    """Run the verb."""
    guard(task, "list")


if __name__ == "__main__":
    main()
