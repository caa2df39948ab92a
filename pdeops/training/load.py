"""Bring a trained operator back, in a new process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pdeops.data import Normaliser
from pdeops.problems import Problem
from pdeops.training.artefact import ARTEFACT_KEY, Artefact
from pdeops.training.checkpoints import BEST, LAST, find_checkpoint, read_checkpoint
from pdeops.training.operator_target import build_operator
from pdeops.training.surrogate import Surrogate


def load(
    run_folder: str | Path,
    *,
    checkpoint: str | None = None,
    problem: Problem | None = None,
    device: torch.device | str = "cpu",
) -> Surrogate:
    """Load the operator of a run folder.

    The folder may have moved, and nothing but its checkpoint is read: no configuration, no data set. Nothing
    is unpickled, and only operators are built by name (`build_operator`), so a checkpoint of somebody else
    runs no code of its own.

    Args:
        run_folder: What the training printed; or the path of a checkpoint.
        checkpoint: ``"best.ckpt"`` or ``"last.ckpt"``; by default the best by validation, or else the last.
        problem: The problem that it must have been trained for; None to take any.
        device: Where it predicts.

    Returns:
        The surrogate, ready to predict.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: The checkpoint is damaged, was written by something else, or belongs to another model or
            problem.

    Example:
        >>> surrogate = pdeops.load("runs/navier_stokes/t1/20260101-120000")  # doctest: +SKIP
        >>> surrogate.predict({"vorticity": initial}).norm()  # doctest: +SKIP
    """
    path = Path(run_folder)
    if not path.is_file():
        path = _choose(path, checkpoint)
    contents = read_checkpoint(path)
    if not contents.get(ARTEFACT_KEY):
        raise ValueError(
            f"checkpoint {path}: expected one written by pdeops with a description of its operator, "
            f"got the entries {sorted(contents)}"
        )
    artefact = Artefact.from_dict(contents[ARTEFACT_KEY])
    if problem is not None:
        _require_problem(artefact, problem, path)
    weights: Mapping[str, Tensor] = contents["state_dict"]
    operator = build_operator(
        artefact.operator,
        in_channels=len(artefact.input_channels),
        out_channels=artefact.out_channels,
        domain=artefact.input_domain,
        output=artefact.output,
    )
    _load_weights(operator, _below(weights, "operator"), path)
    return Surrogate(
        operator.to(device).eval(),
        artefact,
        input_normaliser=_normaliser(weights, "input_normaliser", device),
        output_normaliser=_normaliser(weights, "output_normaliser", device),
    )


def _choose(run_folder: Path, name: str | None) -> Path:
    if name is not None:
        return find_checkpoint(run_folder, name)
    best = run_folder / "checkpoints" / BEST
    return best if best.is_file() else find_checkpoint(run_folder, LAST)


def _require_problem(artefact: Artefact, problem: Problem, path: Path) -> None:
    expected, got = dict(problem.parameters), artefact.parameters
    if artefact.problem != problem.name:
        raise ValueError(f"checkpoint {path}: expected problem {problem.name!r}, got {artefact.problem!r}")
    different = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
    if different:
        raise ValueError(
            f"checkpoint {path}: expected {problem.name} with "
            f"{ {name: expected.get(name) for name in different} }, "
            f"got { {name: got.get(name) for name in different} }"
        )


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in weights.items()
        if name.startswith(f"{prefix}.")
    }


def _load_weights(operator: torch.nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    expected = {name: tuple(value.shape) for name, value in operator.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in weights.items()}
    different = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
    if different:
        name = different[0]
        raise ValueError(
            f"checkpoint {path}: expected the weights of {type(operator).__name__}, {name} of shape "
            f"{expected.get(name, 'none')}, got {got.get(name, 'none')} ({len(different)} differ); "
            "it belongs to another model or version"
        )
    # The stored precision is that of the training.
    dtype = next((value.dtype for value in weights.values() if value.is_floating_point()), torch.float32)
    operator.to(dtype)
    operator.load_state_dict(weights)


def _normaliser(weights: Mapping[str, Tensor], name: str, device: torch.device | str) -> Normaliser | None:
    state: dict[str, Any] = _below(weights, name)
    return Normaliser(state["mean"], state["deviation"]).to(device) if state else None
