"""What there is to choose from: the files of the packaged configuration."""

from __future__ import annotations

from importlib.resources import files


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
