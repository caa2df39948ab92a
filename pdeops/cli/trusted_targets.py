"""What the configuration in a run folder may name to be built: it may come from somebody else."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pdeops.cli.errors import UserError
from pdeops.data import Window
from pdeops.problems import Problem

TRUSTED = ("pdeops.", "solvers.")
# The only parts of a stored configuration that are built again; models come from the checkpoint.
BUILT = ("problem", "solver", "data")


def check_targets(config: DictConfig, run: Path) -> None:
    """Refuse a stored configuration that would run anything but problems, solvers and windows.

    Classes of pdeops and solvers are allowed. Others count when the user has imported their module already,
    and when they are problems, windows or solvers. Nothing is called to find out.

    Args:
        config: The configuration of the run.
        run: Its folder.

    Raises:
        UserError: A ``_target_`` is something else.
    """
    for part in BUILT:
        if part in config:
            for target in find_targets(OmegaConf.to_container(config[part], resolve=True)):
                if not is_trusted(target):
                    raise UserError(
                        f"{run / 'config.yaml'}: {part}: expected a class of pdeops or solvers, got "
                        f"'{target}'; if it is yours and you trust it, import it before you call "
                        "pdeops.cli.main.main() from Python"
                    )


def find_targets(node: Any) -> Iterator[str]:
    """All values of ``_target_`` below a node."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from find_targets(child)


def is_trusted(target: str) -> bool:
    """Whether a dotted name is a class that may be built."""
    module, _, name = target.rpartition(".")
    if not f"{module}.".startswith(TRUSTED) and module not in sys.modules:
        return False
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return False
    if not isinstance(found, type):
        return False
    # A module of ours may have imported a class of somebody else.
    ours = f"{found.__module__}.".startswith(TRUSTED)
    return (
        ours
        or issubclass(found, (Problem, Window))
        or (hasattr(found, "solve") and hasattr(found, "settings"))
    )
