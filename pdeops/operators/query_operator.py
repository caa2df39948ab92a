"""Operators whose output can be asked for at any point of space, and of time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.func import jvp

from pdeops.domains import Domain, Grid
from pdeops.operators.operator import Operator

Code = Tensor | tuple[Tensor, ...]
"""What `QueryOperator.encode` makes of the inputs; the batch comes first in each tensor."""

Orders = tuple[int, ...]
"""Order of a derivative by each coordinate, time last."""


@dataclass(frozen=True, eq=False)
class OutputPoints:
    """Where an operator answers when no query is given: a domain, at some times.

    Args:
        domain: Grid or mesh of the outputs.
        times: Times of the frames, counted from the last input frame; None for a steady problem.
    """

    domain: Domain
    times: tuple[float, ...] | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames; 1 for a steady problem."""
        return 1 if self.times is None else len(self.times)

    @property
    def num_coordinates(self) -> int:
        """Coordinates of a point: those of space, then time if there is one."""
        return self.domain.dimension + (self.times is not None)

    @property
    def periods(self) -> tuple[float | None, ...]:
        """Length after which each coordinate repeats, or None."""
        if isinstance(self.domain, Grid):
            periods = [axis.length if axis.is_periodic else None for axis in self.domain.axes]
        else:
            periods = [None] * self.domain.dimension
        return (*periods, *([] if self.times is None else [None]))

    @property
    def box(self) -> Float64[Tensor, "two coordinates"]:
        """Lower and upper end of each coordinate; time runs from 0 to the last frame."""
        if isinstance(self.domain, Grid):
            ends = torch.tensor(
                [(axis.lower, axis.upper) for axis in self.domain.axes], dtype=torch.float64
            ).T
        else:
            ends = torch.stack((self.domain.points.amin(dim=0), self.domain.points.amax(dim=0)))
        if self.times is None:
            return ends
        return torch.cat((ends, torch.tensor([[0.0], [self.times[-1]]], dtype=torch.float64)), dim=1)

    @cached_property
    def points(self) -> Float64[Tensor, "points coordinates"]:
        """All points, frame by frame."""
        return self.at_all_times(self.domain.points)

    def at_all_times(self, points: Float[Tensor, "*batch points dimension"]) -> Tensor:
        """Points of space at every time: shape (*batch, frames * points, coordinates), frame by frame."""
        if self.times is None:
            return points
        times = torch.tensor(self.times, dtype=points.dtype, device=points.device)
        shape = (*points.shape[:-2], len(times), points.shape[-2], 1)
        in_space = points.unsqueeze(-3).expand(*shape[:-1], points.shape[-1])
        return torch.cat((in_space, times[:, None, None].expand(shape)), dim=-1).flatten(-3, -2)


class QueryOperator(Operator):
    r"""An operator that reads its inputs once and then answers at any points.

    .. math:: z = E(a), \qquad u(y) = D(z, y)

    Points are given in one of three ways, and shapes are checked, never broadcast: none (the points of the
    domain), one set for all samples, shape (points, coordinates), or a set of its own for each sample, shape
    (batch, points, coordinates). Of a problem with time the points have the coordinates of space, which gives
    all frames there, or those of space and time, which gives one value a variable at each.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: The domain of the inputs.
        output: Where the outputs of the training lie; the domain of the inputs, without time, if None.

    Raises:
        ValueError: The domain does not fit, or the channels are no multiple of the frames.
    """

    def __init__(
        self, in_channels: int, out_channels: int, domain: Domain, output: OutputPoints | None = None
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        self.output = OutputPoints(domain) if output is None else output
        if out_channels % self.output.num_frames:
            raise ValueError(
                f"{type(self).__name__}: expected output channels that are a multiple of the "
                f"{self.output.num_frames} frames, got {out_channels}"
            )
        self.num_variables = out_channels // self.output.num_frames

    @abstractmethod
    def encode(self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None) -> Code:
        """Read the inputs.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            What `decode` needs.

        Raises:
            ValueError: The values do not lie on the domain, or it does not fit.
        """

    @abstractmethod
    def decode(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"]
    ) -> Float[Tensor, "batch variables points"]:
        """Answer at points.

        Args:
            code: From `encode`.
            points: Shape (points, coordinates) for all samples, or (batch, points, coordinates); time last,
                where there is one.

        Returns:
            One value a variable and point.
        """

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "*batch points coordinates"] | None = None,
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Map input fields to output values.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.
            query: Points, see the class. None is the domain of the outputs in training where that is not the
                domain of the inputs, else the domain of the inputs given.

        Returns:
            Shape (batch, out_channels, *domain.shape) without a query; (batch, out_channels, points) at
            points of space; (batch, variables, points) at points of space and time.

        Raises:
            ValueError: The values do not lie on the domain, or the query does not fit.
        """
        given = self.resolve_domain(values, domain, query)
        code = self.encode(values, domain)
        if query is None:
            same = self.output.domain == self.domain
            place = given if same else self.output.domain
            answer = self._frames(code, place.points.to(values))
            return answer.unflatten(-1, place.shape)
        if query.shape[-1] == self.output.domain.dimension:
            return self._frames(code, query)
        return self.decode(code, query)

    def resolve_domain(self, values: Tensor, domain: Domain | None, query: Tensor | None = None) -> Domain:
        """Check the arguments of `forward`; see `Operator.resolve_domain`."""
        if query is not None:
            allowed = sorted({self.output.domain.dimension, self.output.num_coordinates})
            samples = query.shape[0] if query.ndim == 3 else len(values)
            if query.ndim not in (2, 3) or query.shape[-1] not in allowed or samples != len(values):
                raise ValueError(
                    f"{type(self).__name__}: expected a query of shape (points, coordinates) or "
                    f"({len(values)}, points, coordinates) with {' or '.join(map(str, allowed))} "
                    f"coordinates, got {tuple(query.shape)}"
                )
        return super().resolve_domain(values, domain, query)

    def derivatives(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"], orders: Sequence[Orders]
    ) -> list[Float[Tensor, "batch variables points"]]:
        """Derivatives of the output by the coordinates of the points, in forward mode.

        Args:
            code: From `encode`.
            points: As in `decode`.
            orders: For example ``[(0, 0), (2, 0), (0, 1)]`` for u, its second derivative by x and its first
                by time.

        Returns:
            One tensor an entry of `orders`.

        Failure mode: Each value must depend on its own point only, as it does in every operator here.
        """

        def along(order: Orders, at: Tensor) -> Tensor:
            axis = next((axis for axis, count in enumerate(order) if count), None)
            if axis is None:
                return self.decode(code, at)
            direction = torch.zeros_like(at)
            direction[..., axis] = 1
            lower = tuple(count - (number == axis) for number, count in enumerate(order))
            return jvp(lambda moved: along(lower, moved), (at,), (direction,))[1]

        return [along(order, points) for order in orders]

    def _frames(self, code: Code, points: Tensor) -> Tensor:
        """All frames at points of space, time-major channels."""
        answer = self.decode(code, self.output.at_all_times(points))
        if self.output.times is None:
            return answer
        frames = answer.unflatten(-1, (self.output.num_frames, -1))
        return frames.movedim(1, 2).flatten(1, 2)
