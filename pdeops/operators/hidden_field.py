"""Operators that make a hidden field of space, which can be evaluated anywhere."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from pdeops.domains import Domain
from pdeops.layers import DenseNetwork, PointFeatures, forward_mode, quadrature_points
from pdeops.operators.query_operator import Code, Orders, OutputPoints, QueryOperator


class HiddenFieldOperator(QueryOperator):
    r"""An operator that decodes a hidden field h by a small network Q.

    .. math:: u(y, t) = Q(h(y), y, t)

    Time enters in Q only: the hidden field is made once for all frames.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: The domain of the inputs.
        output: Where the outputs of the training lie; see `QueryOperator`.
        width: Channels of the hidden field.
        projection_width: Channels of the hidden layer of Q.

    Raises:
        ValueError: Inputs and outputs do not lie in the same space.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None,
        *,
        width: int,
        projection_width: int,
    ) -> None:
        super().__init__(in_channels, out_channels, domain, output)
        space = OutputPoints(domain)
        self.periods = space.periods
        self._check_space(self.output.domain)
        self.places = PointFeatures(space.box, space.periods)
        self.times = None if self.output.times is None else PointFeatures(self.output.box[:, -1:], (None,))
        channels = width + self.places.num_channels + (self.times is not None)
        self.project = DenseNetwork(channels, (projection_width, self.num_variables), activation="gelu")

    @abstractmethod
    def hidden(
        self, code: Code, points: Float[Tensor, "*batch points dimension"]
    ) -> Float[Tensor, "batch points width"]:
        """Evaluate the hidden field.

        Args:
            code: From `encode`.
            points: Points of space, for all samples or for each.

        Returns:
            Channels last.
        """

    # The search for neighbours would cut a compiled graph into pieces with little between them.
    @torch.compiler.disable
    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "*batch points coordinates"] | None = None,
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Map input fields to output values; see `QueryOperator.forward`."""
        return super().forward(values, domain, query)

    def decode(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"]
    ) -> Float[Tensor, "batch variables points"]:
        """Answer at points; see `QueryOperator.decode`."""
        space, times = points.tensor_split([self.domain.dimension], dim=-1)
        hidden = self.hidden(code, space)
        features = [hidden, self.places(space).expand(*hidden.shape[:-1], -1)]
        if self.times is not None:
            features.append(self.times(times).expand(*hidden.shape[:-1], -1))
        return self.project(torch.cat(features, dim=-1)).mT

    def derivatives(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"], orders: Sequence[Orders]
    ) -> list[Float[Tensor, "batch variables points"]]:
        """Derivatives of the output by the coordinates; see `QueryOperator.derivatives`."""
        # Of the fused kernels of attention none has a derivative in forward mode.
        with forward_mode(), sdpa_kernel(SDPBackend.MATH):
            return super().derivatives(code, points, orders)

    def samples(
        self, values: Tensor, domain: Domain | None
    ) -> tuple[
        Float[Tensor, "batch points channels"],
        Float[Tensor, "points dimension"],
        Float[Tensor, " points"],
    ]:
        """Values with the channels last beside features of their places, the points and their volumes.

        Args:
            values: Input of `encode`.
            domain: Domain given, or None.

        Returns:
            The three; points and volumes as float64 on the CPU.

        Raises:
            ValueError: The values do not lie on the domain, or it lies in another space.
        """
        domain = self.resolve_domain(values, domain)
        self._check_space(domain)
        points, volumes = quadrature_points(domain)
        places = self.places(points).to(values)
        channels = (values.flatten(2).mT, places.expand(len(values), *places.shape))
        return torch.cat(channels, dim=-1), points, volumes

    def unit(self, points: Float[Tensor, "*batch dimension"]) -> Float[Tensor, "*batch dimension"]:
        """Coordinates from 0 to 1 over the box of the training domain."""
        return (points - points.new_tensor(self.places.lower)) / points.new_tensor(self.places.lengths)

    def _check_space(self, domain: Domain) -> None:
        if OutputPoints(domain).periods != self.periods:
            raise ValueError(
                f"{type(self).__name__}: expected a domain of dimension {self.domain.dimension} with the "
                f"periods {self.periods}, got {domain}; try an operator built for it"
            )

    def _frames(self, code: Code, points: Tensor) -> Tensor:
        """All frames at points of space, from one hidden field."""
        if self.times is None:
            return self.decode(code, points)
        hidden = self.hidden(code, points)
        places = self.places(points).expand(*hidden.shape[:-1], -1)
        frames = hidden.new_tensor(self.output.times)[:, None, None]
        shape = (len(hidden), len(frames), hidden.shape[1], -1)
        features = [part[:, None].expand(shape) for part in (hidden, places)]
        features.append(self.times(frames).expand(shape))
        return self.project(torch.cat(features, dim=-1)).mT.flatten(1, 2)
