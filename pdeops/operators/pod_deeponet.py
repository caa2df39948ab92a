"""The deep operator network whose trunk is the modes of the training outputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field
from pdeops.layers import (
    Activation,
    DenseNetwork,
    PrincipalModes,
    SensorKind,
    Sensors,
    tensor_basis,
)
from pdeops.operators.operator import Capabilities
from pdeops.operators.query_operator import Code, Orders, OutputPoints, QueryOperator


class PODDeepONet(QueryOperator):
    r"""Deep operator network on principal modes: a branch gives their coefficients.

    .. math:: u(a) = \bar u + \sum_{k=1}^{m} b_k\big(s(a)\big)\,\sigma_k\,\phi_k

    Mean :math:`\bar u` and modes :math:`\phi_k` are those of the training outputs, found by `prepare` before
    a training; a mode is a field of all variables and frames. They are orthonormal in the quadrature of the
    output domain, and :math:`\sigma_k` is the deviation of their coefficients, so that the branch gives
    numbers of order one. Before `prepare` the modes are smooth functions that know no data.

    At other points than those of the output domain the modes are interpolated: in space by `Field.at`, in
    time linearly between frames.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: The domain of the inputs.
        output: Where the outputs of the training lie; the domain of the inputs, without time, if None.
        num_modes: Number m of modes, at most that of the training samples.
        branch: Widths of the branch's hidden layers.
        activation: See `DeepONet`.
        sensors: See `DeepONet`.
        sensor_modes: See `DeepONet`.

    Raises:
        ValueError: The domain or an option does not fit.

    Good values: as many modes as hold 99.99 % of the variance: 32 for Burgers' equation, 115 for Darcy flow.

    Failure mode: The error is never below that of the best approximation by the modes, which falls slowly for
    fronts that move. Derivatives by the points are not known.

    Source: Lu, Meng, Cai, Mao, Goswami, Zhang and Karniadakis (2022), doi:10.1016/j.cma.2022.114778.

    Example:
        >>> operator = PODDeepONet(1, 1, Grid.periodic((64,)), num_modes=4)
        >>> operator(torch.zeros(2, 1, 64)).shape
        torch.Size([2, 1, 64])
    """

    mean: Tensor
    modes: Tensor
    deviations: Tensor

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=frozenset(AxisKind),
        needs_grid=False,
        any_query=True,
        changes_resolution=False,
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None = None,
        *,
        num_modes: int = 32,
        branch: Sequence[int] = (128, 128),
        activation: Activation = "tanh",
        sensors: SensorKind = "values",
        sensor_modes: int = 8,
    ) -> None:
        super().__init__(in_channels, out_channels, domain, output)
        num_values = out_channels * self.output.domain.num_points
        if not 1 <= num_modes <= self.output.domain.num_points:
            raise ValueError(
                f"PODDeepONet: num_modes: expected 1 to {self.output.domain.num_points}, the points of the "
                f"output domain, got {num_modes}"
            )
        self.num_modes = num_modes
        self.sensors = Sensors(domain, sensors, sensor_modes)
        if sensors == "projection":
            self.capabilities = replace(self.capabilities, changes_resolution=True)
        self.branch = DenseNetwork(
            in_channels * self.sensors.num_sensors, [*branch, num_modes], activation=activation
        )
        dtype = torch.get_default_dtype()
        self.register_buffer("mean", torch.zeros(num_values, dtype=dtype))
        self.register_buffer("modes", self._smooth_modes().to(dtype))
        self.register_buffer("deviations", torch.full((num_modes,), self._volume() ** 0.5, dtype=dtype))

    def prepare(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Take the modes from the training outputs.

        Args:
            pairs: Inputs and targets of the training split, batch by batch, normalised as in training.

        Raises:
            ValueError: There are fewer samples than modes.
        """
        weights = self.output.domain.quadrature_weights.flatten().repeat(self.out_channels)
        collected = PrincipalModes(weights, self.num_modes, kept=4 * self.num_modes)
        for _, targets in pairs:
            collected.add(targets.flatten(1))
        found = collected.result()
        self.mean.copy_(found.mean)
        self.modes.copy_(found.modes)
        self.deviations.copy_(found.deviations)

    def encode(
        self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None
    ) -> Float[Tensor, "batch modes"]:
        """Read the inputs; see `QueryOperator.encode`.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            Coefficients of the modes, in units of their deviations.

        Raises:
            ValueError: The values do not lie on the domain, or it does not fit.
        """
        self.resolve_domain(values, domain)
        coefficients: Tensor = self.branch(self.sensors(values, domain).flatten(1))
        return coefficients

    def decode(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"]
    ) -> Float[Tensor, "batch variables points"]:
        """Answer at points: interpolated modes; see `QueryOperator.decode`.

        Args:
            code: From `encode`.
            points: Shape (points, coordinates) or (batch, points, coordinates), time last.

        Returns:
            One value a variable and point.

        Raises:
            ValueError: A point lies outside of the domain, or a time outside of the frames.
        """
        fields = self._at(points[..., : self.output.domain.dimension])
        if self.output.times is not None:
            shares = self._frame_shares(points[..., -1])
            frames = fields.unflatten(1, (self.output.num_frames, self.num_variables))
            fields = torch.einsum("kfv...,f...->kv...", frames, shares)
        return self._combine(code, fields)

    def derivatives(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"], orders: Sequence[Orders]
    ) -> list[Float[Tensor, "batch variables points"]]:
        """Not known: the modes are values at points.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "PODDeepONet: expected an operator that is a function of the point, got modes that are known at "
            "points only; try DeepONet"
        )

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "*batch points coordinates"] | None = None,
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Map input fields to output values; see `QueryOperator.forward`."""
        given = self.resolve_domain(values, domain, query)
        place = self.output.domain
        if query is not None or (place == self.domain and given != place):
            return super().forward(values, domain, query)
        answer = self._combine(self.encode(values, domain), self._stored())
        return answer.unflatten(-1, place.shape)

    def _frames(self, code: Code, points: Tensor) -> Tensor:
        return self._combine(code, self._at(points))

    def _stored(self) -> Tensor:
        """Mean and scaled modes: (1 + modes, out_channels, points)."""
        stacked = torch.cat((self.mean[None], self.modes * self.deviations[:, None]))
        return stacked.unflatten(-1, (self.out_channels, -1))

    def _at(self, points: Tensor) -> Tensor:
        """Mean and scaled modes at points of space: (1 + modes, out_channels, *points)."""
        place = self.output.domain
        values = self._stored().unflatten(-1, place.shape)
        names = tuple(map(str, range(self.out_channels)))
        return (
            Field(values, place, names)
            .at(points.reshape(-1, place.dimension))
            .unflatten(-1, points.shape[:-1])
        )

    def _combine(self, code: Code, fields: Tensor) -> Tensor:
        """Mean plus modes times coefficients, of fields with or without a dimension for the samples."""
        assert isinstance(code, Tensor)
        if fields.ndim == 3:
            mean, modes = fields[0], fields[1:]
            return (code @ modes.flatten(1)).unflatten(-1, modes.shape[1:]) + mean
        mean, modes = fields[0].transpose(0, 1), fields[1:]
        if len(mean) != len(code):
            raise ValueError(f"PODDeepONet: expected points for {len(code)} samples, got {len(mean)} sets")
        return torch.einsum("bk,kvbq->bvq", code, modes) + mean

    def _frame_shares(self, times: Tensor) -> Tensor:
        """Weight of each frame in the linear interpolation at times: (frames, *times)."""
        assert self.output.times is not None
        nodes = torch.tensor(self.output.times, dtype=torch.float64, device=times.device)
        slack = 1e-6 * max(abs(nodes[0].item()), abs(nodes[-1].item()), 1e-300)
        at = times.detach().double()
        if at.numel() and (at.min() < nodes[0] - slack or at.max() > nodes[-1] + slack):
            raise ValueError(
                f"PODDeepONet: expected times from {nodes[0].item():g} to {nodes[-1].item():g}, "
                f"got {at.min().item():g} to {at.max().item():g}"
            )
        if len(nodes) == 1:
            return torch.ones_like(times)[None]
        interval = torch.searchsorted(nodes, at.contiguous(), right=True).clamp(1, len(nodes) - 1)
        fraction = ((at - nodes[interval - 1]) / (nodes[interval] - nodes[interval - 1])).to(times)
        frames = torch.arange(len(nodes), device=times.device).reshape(-1, *[1] * times.ndim)
        return torch.where(frames == interval, fraction, 0) + torch.where(
            frames == interval - 1, 1 - fraction, 0
        )

    def _smooth_modes(self) -> Tensor:
        """Orthonormal smooth functions, the same in all channels."""
        place = self.output.domain
        per_axis = math.ceil(self.num_modes ** (1 / place.dimension) - 1e-9)
        roots = place.quadrature_weights.reshape(-1, 1).sqrt()
        basis, _ = torch.linalg.qr(roots * tensor_basis(place, place.points, per_axis))
        functions = basis[:, : self.num_modes] / roots.clamp_min(1e-300)
        return functions.T.repeat(1, self.out_channels) / self.out_channels**0.5

    def _volume(self) -> float:
        return self.output.domain.volume * self.out_channels
