"""A trained operator that takes fields and gives fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.data import Normaliser
from pdeops.data.stored_meshes import same_domain
from pdeops.domains import Domain, Field, Grid, Mesh
from pdeops.operators import Operator, OutputPoints, QueryOperator
from pdeops.training.artefact import Artefact
from pdeops.training.rollout import unroll

Inputs = Field | Mapping[str, Field] | Tensor


class Surrogate:
    """A trained operator with its normalisers: physical fields in, physical fields out.

    Args:
        operator: The operator.
        artefact: What it was trained on.
        input_normaliser: Normalises inputs; None for none.
        output_normaliser: Takes outputs back to physical units; None for none.
    """

    def __init__(
        self,
        operator: Operator,
        artefact: Artefact,
        *,
        input_normaliser: Normaliser | None = None,
        output_normaliser: Normaliser | None = None,
    ) -> None:
        self.operator = operator
        self.artefact = artefact
        self.input_normaliser = input_normaliser
        self.output_normaliser = output_normaliser

    def predict(self, inputs: Inputs, domain: Domain | None = None) -> Field:
        """Predict what the operator was trained for: a steady solution, or the frames of its window.

        Args:
            inputs: Physical fields. A mapping from name to field (past frames as one field with times, or
                without for a window of one frame); one field with the channels of `Artefact.input_channels`
                in any order (``initial_<name>`` is taken for ``<name>``), or with times; or a tensor
                (batch, channels, *shape) on the training domain. Their domain may have another resolution
                where the operator carries over, but not another box.
            domain: Where the prediction is wanted; where the inputs are by default. Operators that take any
                query are evaluated there, of others the prediction is interpolated.

        Returns:
            The solution; with times, counted from the last input frame, for a time-dependent problem.

        Raises:
            ValueError: Names, channels or domain of the inputs do not fit.
        """
        window = self.artefact.window
        return self._run(inputs, 1 if window is None else window.output_frames, domain)

    def rollout(self, inputs: Inputs, num_steps: int, domain: Domain | None = None) -> Field:
        """Predict further than trained, by feeding frames back.

        Args:
            inputs: As in `predict`.
            num_steps: Number of frames.
            domain: As in `predict`.

        Returns:
            The frames with their times, counted from the last input frame.

        Raises:
            ValueError: The problem is steady, or fewer than one step is wanted.

        Failure mode: Errors grow with every call; beyond the trained frames nothing bounds them.
        """
        if self.artefact.window is None:
            raise ValueError(
                f"rollout: expected a problem with time, got {self.artefact.problem!r}; try predict"
            )
        if num_steps < 1:
            raise ValueError(f"rollout: expected at least 1 step, got {num_steps}")
        return self._run(inputs, num_steps, domain)

    @torch.no_grad()
    def at(self, inputs: Inputs, points: Float[Tensor, "*batch points coordinates"]) -> Tensor:
        """Predict at any points; for operators that take any query.

        Args:
            inputs: As in `predict`.
            points: Coordinates of space, or of space and then time, one set for all samples or, with a first
                dimension, one for each.

        Returns:
            Physical values: (batch, frames * variables, points) at points of space, time-major, or
            (batch, variables, points) at points of space and time.

        Raises:
            ValueError: The operator answers on its domain only, or the inputs or points do not fit.
        """
        operator, artefact = self.operator, self.artefact
        if not isinstance(operator, QueryOperator) or (artefact.window and artefact.window.num_calls > 1):
            raise ValueError(
                f"values at points: expected an operator that takes any query and one call of it, got "
                f"{type(operator).__name__}; try predict and Field.at"
            )
        given = self._on_known_domain(self._assemble(inputs))
        output = operator(self._normalised(given.values), given.domain, points.to(self._parameter))
        if self.output_normaliser is None:
            return output
        return self.output_normaliser.first(output.shape[1]).inverse(output)

    @property
    def _parameter(self) -> Tensor:
        """A tensor of the device and the real dtype of the operator."""
        parameter = next(self.operator.parameters())
        return torch.empty(0, dtype=parameter.dtype.to_real(), device=parameter.device)

    def _normalised(self, values: Tensor) -> Tensor:
        values = values.to(self._parameter)
        return values if self.input_normaliser is None else self.input_normaliser(values).to(values.dtype)

    def _on_known_domain(self, given: Field) -> Field:
        """The same field; equal meshes are two objects, and the operator knows its own."""
        trained = self.artefact.input_domain
        return replace(given, domain=trained) if same_domain(given.domain, trained) else given

    @torch.no_grad()
    def _run(self, inputs: Inputs, num_frames: int, domain: Domain | None) -> Field:
        given = self._assemble(inputs)
        artefact = self.artefact
        where, trained = given.domain, artefact.input_domain
        any_query = self.operator.capabilities.any_query
        query = domain if any_query and domain is not None and not same_domain(domain, where) else None
        given = self._on_known_domain(given)
        if query is not None:
            where = query
        elif not same_domain(trained, artefact.output_domain):
            where = artefact.output_domain
        window = artefact.window
        points = None if query is None else query.points.to(self._parameter)
        call_frames = 1 if window is None else window.frames_per_call
        num_calls = -(-num_frames // call_frames)
        if query is not None and num_calls > 1:
            raise ValueError(
                f"predict: expected one call of the operator for another domain, got {num_calls}: frames are "
                "fed back on the domain of the inputs; try predicting there and Field.resample"
            )

        def step(values: Tensor) -> Tensor:
            output = self.operator(self._normalised(values), given.domain, points)
            if query is not None:
                output = output.unflatten(-1, query.shape)
            return output if self.output_normaliser is None else self.output_normaliser.inverse(output)

        calls = unroll(
            step,
            given.values.to(self._parameter),
            num_calls=num_calls,
            history_channels=artefact.num_history,
        )
        values = torch.cat(list(calls), dim=1)
        variables = len(artefact.variables)
        names, units, times = artefact.variables, artefact.units_of(artefact.variables), None
        if window is not None:
            values = values.unflatten(1, (-1, variables))[:, :num_frames]
            times = torch.tensor(window.output_times(artefact.time_step or 1.0, num_frames)).double()
        prediction = Field(values, where, names, units, times)
        if domain is None or same_domain(domain, where):
            return prediction
        return prediction.resample(domain)

    def _assemble(self, inputs: Inputs) -> Field:
        """One field with the input channels in the order of the training."""
        artefact = self.artefact
        if isinstance(inputs, Tensor):
            return self._require(Field(inputs, artefact.input_domain, self._names(inputs.shape[1])))
        if isinstance(inputs, Field):
            return self._require(inputs if inputs.times is None else self._fold(inputs))
        parts: list[Field] = []
        history = [name for name in inputs if name not in artefact.static_channels]
        if artefact.num_history:
            if len(history) != 1:
                raise ValueError(
                    f"predict: expected one field of past frames of {artefact.variables} beside "
                    f"{artefact.static_channels}, got {sorted(inputs)}"
                )
            past = inputs[history[0]]
            if set(past.channels) == set(artefact.variables):
                past = past.select(*artefact.variables)
            parts.append(past if past.times is None else self._fold(past))
        elif history:
            raise ValueError(f"predict: expected the inputs {artefact.input_channels}, got {sorted(inputs)}")
        for name in artefact.static_channels:
            if name not in inputs:
                raise ValueError(
                    f"predict: expected the inputs {artefact.input_channels}, got {sorted(inputs)}"
                )
            parts.append(inputs[name])
        first = parts[0]
        for part in parts[1:]:
            if not same_domain(part.domain, first.domain):
                raise ValueError(
                    "predict: expected all inputs on one domain, got several; try Field.resample"
                )
        values = torch.cat([part.values.to(first.values) for part in parts], dim=1)
        return self._require(Field(values, first.domain, self._names(values.shape[1])))

    def _names(self, num_channels: int) -> tuple[str, ...]:
        names = self.artefact.input_channels
        return names if len(names) == num_channels else tuple(f"channel_{i}" for i in range(num_channels))

    def _fold(self, frames: Field) -> Field:
        """Fold the last frames of the window into the channels, time-major."""
        window = self.artefact.window
        if window is None or frames.times is None:
            raise ValueError(
                "predict: expected fields without times for a steady problem, got fields with times"
            )
        if len(frames.times) < window.input_frames:
            raise ValueError(
                f"predict: expected at least {window.input_frames} past frames, got {len(frames.times)}"
            )
        values = frames.values[:, -window.input_frames :].flatten(1, 2)
        names = frames.channels
        if window.input_frames > 1:
            names = tuple(f"{name}[{i}]" for i in range(1 - window.input_frames, 1) for name in names)
        return Field(values, frames.domain, names)

    def _in_order(self, given: Field, expected: tuple[str, ...]) -> Field:
        """The channels in the order of the training, by their names."""
        names = tuple(self._known_name(name, expected) for name in given.channels)
        if sorted(names) != sorted(expected):
            raise ValueError(f"predict: expected the channels {expected}, got {given.channels}")
        if names == expected:
            return given
        order = [names.index(name) for name in expected]
        return Field(given.values[:, order], given.domain, expected)

    def _known_name(self, name: str, expected: tuple[str, ...]) -> str:
        """The name of the training for a channel: the state at time 0 is a state."""
        bare = name.removeprefix("initial_")
        return bare if name not in expected and bare in expected else name

    def _require(self, given: Field) -> Field:
        expected = self.artefact.input_channels
        if given.values.shape[1] != len(expected):
            raise ValueError(
                f"predict: expected {len(expected)} input channels {expected}, got {given.values.shape[1]}"
            )
        given = self._in_order(given, expected)
        trained = self.artefact.input_domain
        if same_domain(given.domain, trained):
            return given
        if not _same_box(given.domain, trained):
            raise ValueError(f"predict: expected inputs on {trained}, got {given.domain}; try Field.at")
        if not self.operator.capabilities.changes_resolution:
            raise ValueError(
                f"predict: expected the training domain of shape {trained.shape}, got {given.domain.shape}; "
                f"{type(self.operator).__name__} does not carry over to other resolutions; try Field.resample"
            )
        return given


def _same_box(given: Domain, trained: Domain) -> bool:
    """Whether two domains differ in their numbers of points only."""
    if isinstance(given, Grid) and isinstance(trained, Grid):
        return given.dimension == trained.dimension and given.with_shape(trained.shape) == trained
    if given.dimension != trained.dimension:
        return False
    if isinstance(given, Mesh) and isinstance(trained, Mesh):
        # The corners of a mesh do not tell its shape.
        return True
    # A grid's points need not reach its ends; a mesh of the same box may leave some of it out.
    (lower, upper), ends = OutputPoints(given).box, OutputPoints(trained).box
    same_ends = ((ends - torch.stack((lower, upper))).abs() < 1e-9 * (upper - lower)).all()
    return bool(same_ends) and abs(given.volume - trained.volume) < 1e-9 * trained.volume
