"""Build an operator from the plain description in a checkpoint, and nothing but an operator."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from pdeops.domains import Domain
from pdeops.operators import Operator, OutputPoints, QueryOperator


def build_operator(
    description: Mapping[str, Any],
    *,
    in_channels: int,
    out_channels: int,
    domain: Domain,
    output: OutputPoints | None = None,
) -> Operator:
    """Build an untrained operator.

    A checkpoint may come from somebody else, so what it names is not run blindly: modules of pdeops and of
    torch.nn are imported, others only count when the user has imported them already. The operator must be a
    subclass of `Operator`, and parts of it subclasses of ``torch.nn.Module``. No function is ever called by
    name, and nothing is unpickled.

    Args:
        description: ``_target_`` and the keyword options of its constructor, as in ``conf/model``.
        in_channels: Input channels.
        out_channels: Output channels.
        domain: The training domain.
        output: Where a `QueryOperator` answers.

    Returns:
        The operator, with random weights.

    Raises:
        ValueError: The target is no operator, cannot be found, or does not take the options.
    """
    target, options = _split(description)
    kind = find_class(target, Operator)
    try:
        if issubclass(kind, QueryOperator):
            options["output"] = output
        return cast(Operator, kind(in_channels, out_channels, domain, **options))
    except TypeError as error:
        raise ValueError(
            f"operator {target}: expected options of its constructor, got {sorted(options)}: {error}; "
            "the checkpoint may belong to another version"
        ) from error


def find_class(target: str, parent: type) -> type:
    """Find a class by its dotted name, under the rules of `build_operator`.

    Args:
        target: For example ``"pdeops.operators.T1"``.
        parent: What the class must derive from.

    Returns:
        The class.

    Raises:
        ValueError: There is none, or it is something else.
    """
    module_name, _, name = target.rpartition(".")
    trusted = f"{module_name}.".startswith(("pdeops.", "torch.nn."))
    if not trusted and module_name not in sys.modules:
        raise ValueError(
            f"checkpoint: expected a class of pdeops, got {target!r}; if it is yours and you trust it, "
            f"import {module_name or target} first"
        )
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"checkpoint: expected an installed {parent.__name__}, got {target!r}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, parent)):
        raise ValueError(f"checkpoint: expected a subclass of {parent.__name__}, got {target!r}")
    return found


def _split(description: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if not isinstance(description.get("_target_"), str):
        raise ValueError(f"checkpoint: expected an operator with a _target_, got {dict(description)}")
    options = {
        name: _part(value) for name, value in description.items() if name not in ("_target_", "_partial_")
    }
    return description["_target_"], options


def _part(value: Any) -> Any:
    """Build parts that have a target of their own, such as an activation."""
    if isinstance(value, Mapping) and "_target_" in value:
        target, options = _split(value)
        kind = find_class(target, nn.Module)
        return functools.partial(kind, **options) if value.get("_partial_") else kind(**options)
    if isinstance(value, Mapping):
        return {name: _part(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_part(entry) for entry in value]
    return value
