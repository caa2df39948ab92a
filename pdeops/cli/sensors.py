"""Errors of a run when its inputs are given at other points than in training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

import torch
from omegaconf import DictConfig

from pdeops.cli import assembly
from pdeops.cli.errors import UserError, section
from pdeops.cli.measuring import measure
from pdeops.data import FieldDataset
from pdeops.data.recipe import sample_seeds
from pdeops.domains import Field, SamplingKind, resampled_mesh
from pdeops.training import Surrogate

MESH_SEED = 0
"""Of the points of each set."""


def measure_sensors(
    surrogate: Surrogate, config: DictConfig, dataset: FieldDataset, kinds: Sequence[SamplingKind]
) -> dict[str, dict[str, Any]]:
    """Draw the test inputs anew at other points, and predict at the points of the data.

    Args:
        surrogate: What predicts.
        config: Of the run.
        dataset: Its test pairs.
        kinds: Sets of points, see `pdeops.domains.resampled_mesh`.

    Returns:
        For each set its number of points, errors and time.

    Raises:
        UserError: The inputs cannot be drawn there.
    """
    problem, artefact = assembly.build_problem(config), surrogate.artefact
    # Test samples come first in a recipe, and each is one pair.
    seeds = sample_seeds(config.data.seed, range(len(dataset)))
    rows: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        with section("sensors"):
            mesh = resampled_mesh(artefact.input_domain, kind, MESH_SEED)
            drawn = problem.sample_inputs(mesh, seeds)
        names = [
            name for name in drawn if {name, name.removeprefix("initial_")} & set(artefact.input_channels)
        ]
        inputs = Field(torch.cat([drawn[name].values for name in names], dim=1), mesh, tuple(names))
        rows[kind] = {
            "num_points": mesh.num_points,
            **measure(surrogate, dataset, config.data.batch_size, partial(_pick, inputs)),
        }
    return rows


def _pick(inputs: Field, pairs: list[int]) -> Field:
    return inputs.sample(torch.tensor(pairs))


def check_sensors(surrogate: Surrogate, config: DictConfig, kinds: Sequence[str]) -> None:
    """Raise a UserError where a run cannot be given its inputs at other points."""
    known = get_args(SamplingKind)
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise UserError(f"sensors: expected some of {', '.join(known)}, got {unknown[0]}")
    operator = surrogate.operator
    able = operator.capabilities
    if not (able.any_query and able.changes_resolution) or able.needs_grid:
        lacks = [
            words
            for words, is_able in (
                ("does not answer at any points", able.any_query),
                ("does not read other points than those of training", able.changes_resolution),
                ("reads grids only", not able.needs_grid),
            )
            if not is_able
        ]
        raise UserError(
            "sensors: expected a model that reads functions at any points and answers at any points, got "
            f"{type(operator).__name__}, which {' and '.join(lacks)}"
        )
    if config.data.path is not None:
        raise UserError(
            "sensors: expected a run on generated data, whose inputs can be drawn at other points, got one "
            f"on {config.data.path}"
        )
    window = surrogate.artefact.window
    if window is not None and (
        window.num_calls > 1
        or window.input_frames > 1
        or (window.input_frames and (window.starts != "first" or window.first_frame))
    ):
        raise UserError(
            "sensors: expected inputs that are drawn, at the start of a trajectory and predicted from in one "
            "call, got later frames; try a run with data.window.starts=first"
        )
