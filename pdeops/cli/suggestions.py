"""Nearest valid names for a misspelt option or key."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

MISSING_KEY = re.compile(r"[Kk]ey '(?P<key>[^']+)' (?:is not in struct|not in|is not)")
OVERRIDDEN = re.compile(r"Could not override '(?P<key>[^']+)'")
FULL_KEY = re.compile(r"full_key: (?P<key>\S+)")


def nearest(name: str, valid: Iterable[str], count: int = 3) -> list[str]:
    """The valid names closest to `name`, the best first; all names when none is close and they are few."""
    names = sorted(set(valid))
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5)
    return [by_lower[match] for match in close]


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A phrase such as ``did you mean 'width'? valid: modes, width``."""
    names = sorted(set(valid))
    close = nearest(name, names)
    hint = f"did you mean {' or '.join(repr(match) for match in close)}? " if close else ""
    return f"{hint}valid: {', '.join(names)}" if names else hint


def explain_composition(error: Exception, config_name: str) -> str:
    """Explain why Hydra could not put the configuration together.

    Args:
        error: What Hydra or OmegaConf raised.
        config_name: The primary configuration.

    Returns:
        A message with the nearest valid options or keys.
    """
    if isinstance(error, MissingMandatoryValue):
        key = str(error).splitlines()[0].rpartition(": ")[2]
        return f"{key}: expected a value, got none; try {key}=..."
    missing = find_cause(error, MissingConfigException)
    if (
        isinstance(missing, MissingConfigException)
        and missing.options is not None
        and missing.missing_cfg_file
    ):
        group, _, option = missing.missing_cfg_file.rpartition("/")
        return (
            f"there is no {group} '{option}'; {did_you_mean(option, missing.options)}\n"
            f"tip: your own goes into FOLDER/{group}/NAME.yaml and is found with --config-dir FOLDER"
        )
    text = "\n".join(filter(None, (str(error), str(error.__cause__ or ""))))
    found = OVERRIDDEN.search(text) or FULL_KEY.search(text) or MISSING_KEY.search(text)
    if found and MISSING_KEY.search(text):
        key = found["key"].lstrip("+~")
        return f"there is no key '{key}'; {suggest_key(key, config_name)}"
    return first_lines(text)


def suggest_key(key: str, config_name: str) -> str:
    """Nearest keys of the configuration that the other overrides of this command line compose."""
    keys = [name for name in known_keys(config_name, leave_out=key) if not name.endswith("_")]
    parent, _, leaf = key.rpartition(".")
    prefix = f"{parent}." if parent else ""
    siblings = {name[len(prefix) :].split(".")[0] for name in keys if name.startswith(prefix)}
    candidates = [name for name in keys if name.rpartition(".")[2] == leaf]
    candidates += [prefix + match for match in nearest(leaf, siblings)]
    candidates = candidates or nearest(key, keys)
    hint = f"did you mean {' or '.join(repr(name) for name in candidates[:3])}? " if candidates else ""
    where = f"'{parent}' has" if parent else "the configuration has"
    return f"{hint}{where}: {', '.join(sorted(siblings))}" if siblings else hint


def known_keys(config_name: str, leave_out: str) -> Iterator[str]:
    """Every dotted key of the configuration, composed without the override that failed."""
    overrides = [
        word for word in sys.argv[1:] if "=" in word and not word.startswith("-") and leave_out not in word
    ]
    GlobalHydra.instance().clear()
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        try:
            config = compose(config_name, overrides=overrides)
        except (HydraException, OmegaConfBaseException):  # a second mistake on the same line
            config = compose(config_name)
    container = OmegaConf.to_container(config, resolve=False)
    if isinstance(container, dict):
        yield from flatten(container)


def flatten(container: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys, inner nodes included."""
    for key, child in container.items():
        yield f"{prefix}{key}"
        if isinstance(child, dict):
            yield from flatten(child, f"{prefix}{key}.")


def find_cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The first error of `kind` along the chain of causes."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error


def first_lines(text: str, count: int = 6) -> str:
    """The beginning of a message, without Hydra's misleading advice to append a key with '+'."""
    lines = [line for line in text.splitlines() if line.strip() and "To append to your config" not in line]
    return "\n".join(lines[:count])
