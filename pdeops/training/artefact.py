"""What a checkpoint says about itself, so that a new process can use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import torch

from pdeops import __version__
from pdeops.data import PDEDataModule, Window
from pdeops.data.stored_meshes import shared_domain
from pdeops.domains import Domain, Grid, Mesh
from pdeops.operators import OutputPoints

ARTEFACT_KEY = "pdeops"
FORMAT = 1

Plain = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Artefact:
    """Description of a trained operator, beside its weights.

    Args:
        operator: ``_target_`` and options of its constructor, plain, as in ``conf/model``.
        input_channels: Names of the input channels: past frames first, then static fields.
        variables: Names of the variables of a predicted frame.
        units: Unit of every name above.
        input_domain: Training domain of the inputs.
        output_domain: Training domain of the outputs.
        window: Time window, or None for a steady problem.
        time_step: Time between two frames of the window, or None for a steady problem.
        problem: Name of the problem; empty for data of unknown origin.
        parameters: Parameters of the problem.
        versions: Versions of pdeops and torch that wrote it.
    """

    operator: Plain
    input_channels: tuple[str, ...]
    variables: tuple[str, ...]
    units: dict[str, str]
    input_domain: Domain
    output_domain: Domain
    window: Window | None
    time_step: float | None
    problem: str
    parameters: Plain
    versions: dict[str, str]

    @property
    def num_history(self) -> int:
        """Number of input channels that are past frames."""
        return 0 if self.window is None else self.window.input_frames * len(self.variables)

    @property
    def static_channels(self) -> tuple[str, ...]:
        """Names of the input channels that do not depend on time."""
        return self.input_channels[self.num_history :]

    @property
    def output(self) -> OutputPoints:
        """Where one call of the operator answers."""
        return output_points(self.output_domain, self.window, self.time_step)

    @property
    def out_channels(self) -> int:
        """Channels that one call of the operator gives."""
        return len(self.variables) * (1 if self.window is None else self.window.frames_per_call)

    def units_of(self, channels: Sequence[str]) -> tuple[str, ...]:
        """Units of channels; ``"1"`` where none is known."""
        return tuple(self.units.get(_bare(name), "1") for name in channels)

    def to_dict(self) -> Plain:
        """Return plain containers and tensors, which load with ``weights_only=True``."""
        return {
            "format": FORMAT,
            "operator": self.operator,
            "input_channels": list(self.input_channels),
            "variables": list(self.variables),
            "units": dict(self.units),
            "input_domain": _domain_to_dict(self.input_domain),
            "output_domain": _domain_to_dict(self.output_domain),
            "window": None if self.window is None else asdict(self.window),
            "time_step": self.time_step,
            "problem": self.problem,
            "parameters": dict(self.parameters),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Artefact:
        """Build the description from `to_dict`.

        Raises:
            ValueError: It is of another format, or something is missing.
        """
        if plain.get("format") != FORMAT:
            raise ValueError(
                f"checkpoint: expected format {FORMAT}, got {plain.get('format')}; it was written by "
                f"{plain.get('versions', 'an unknown version')}, this is pdeops {__version__}"
            )
        try:
            input_domain = _domain_from_dict(plain["input_domain"])
            output_domain = shared_domain(_domain_from_dict(plain["output_domain"]), [input_domain])
            return cls(
                operator=dict(plain["operator"]),
                input_channels=tuple(plain["input_channels"]),
                variables=tuple(plain["variables"]),
                units=dict(plain["units"]),
                input_domain=input_domain,
                output_domain=output_domain,
                window=None if plain["window"] is None else Window(**plain["window"]),
                time_step=plain["time_step"],
                problem=plain["problem"],
                parameters=dict(plain["parameters"]),
                versions=dict(plain["versions"]),
            )
        except KeyError as error:
            raise ValueError(f"checkpoint: expected the entry {error}, got {sorted(plain)}") from error


def describe(operator: Mapping[str, Any], data: PDEDataModule) -> Plain:
    """Describe an operator and the data it is trained on, for `SupervisedOperator`.

    Args:
        operator: Its configuration: ``_target_`` and options, plain containers only.
        data: The data module, set up.

    Returns:
        Plain containers.

    Raises:
        TypeError: The configuration holds something that is not plain.
    """
    _require_plain(operator, "operator")
    train = data.dataset("train")
    layout = train.samples.layout
    problem = data.problem
    known = () if problem is None else (*problem.inputs, *problem.outputs)
    return Artefact(
        operator=dict(operator),
        input_channels=train.input_channels,
        variables=layout.frame_channels,
        units={variable.name: variable.unit for variable in known},
        input_domain=data.input_domain,
        output_domain=data.output_domain,
        window=data.window,
        time_step=data.time_step,
        problem="" if problem is None else problem.name,
        parameters={} if problem is None else dict(problem.parameters),
        versions={"pdeops": __version__, "torch": version("torch")},
    ).to_dict()


def output_points(domain: Domain, window: Window | None, time_step: float | None) -> OutputPoints:
    """Points of space and, where one call predicts several frames, of time.

    Args:
        domain: Domain of the outputs.
        window: Time window, or None for a steady problem.
        time_step: Time between two frames of the window.

    Returns:
        The points.
    """
    if window is None or time_step is None or window.frames_per_call == 1:
        return OutputPoints(domain)
    return OutputPoints(domain, window.output_times(time_step))


def _bare(channel: str) -> str:
    """Name of a channel without the number of its frame."""
    return channel.split("[")[0]


def _domain_to_dict(domain: Domain) -> Plain:
    if isinstance(domain, Grid):
        return {"grid": domain.to_dict()}
    boundaries = {name: facets for name, facets in domain.boundaries.items()}
    return {"mesh": {"points": domain.points, "simplices": domain.simplices, "boundaries": boundaries}}


def _domain_from_dict(plain: Mapping[str, Any]) -> Domain:
    return Grid.from_dict(plain["grid"]) if "grid" in plain else Mesh(**plain["mesh"])


def _require_plain(value: Any, place: str) -> None:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            _require_plain(entry, f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _require_plain(entry, place)
    elif value is not None and not isinstance(value, (str, bool, int, float, torch.Tensor)):
        raise TypeError(
            f"{place}: expected plain numbers, strings, lists and mappings, got {type(value).__name__}; "
            "try OmegaConf.to_container(config, resolve=True)"
        )
