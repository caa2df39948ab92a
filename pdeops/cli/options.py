"""What there is to choose from: the files of the packaged configuration."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from importlib.resources import files

from omegaconf import OmegaConf

HELP_WIDTH = 100


def options(group: str) -> dict[str, str]:
    """Options of a group of the packaged configuration, with the comment that heads each file.

    Args:
        group: Such as ``"model"``.

    Returns:
        Descriptions by name, sorted.
    """
    folder = files("pdeops.conf") / group
    described = {}
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".yaml"):
            comments = [
                line[1:].strip()
                for line in entry.read_text().splitlines()
                if line.startswith("#") and "@package" not in line
            ]
            described[entry.name.removesuffix(".yaml")] = comments[0] if comments else ""
    return described


def names_of(group: str) -> str:
    """Options of a group in one line, or in several that are indented, for the help of a verb.

    Args:
        group: Such as ``"model"``.

    Returns:
        ``model: ffno, fno, t1``.
    """
    text = f"{group}: {', '.join(options(group))}"
    return textwrap.fill(text, HELP_WIDTH, subsequent_indent=" " * (len(group) + 2))


def finer(resolution: Sequence[int], ratio: int) -> list[int]:
    """Points of a grid of cells that is finer by a whole number, for ``data.solver_resolution``.

    Args:
        resolution: Points an axis that are stored.
        ratio: Cells of the finer grid in one of them along an axis; an odd one shares the centres.

    Returns:
        Points an axis to solve on, for whatever resolution the command line asks for.
    """
    return [ratio * count for count in resolution]


OmegaConf.register_new_resolver("pdeops.finer", finer, replace=True)
# In help texts, where a list written by hand would grow old: ${pdeops.options:model}.
OmegaConf.register_new_resolver("pdeops.options", names_of, replace=True)
