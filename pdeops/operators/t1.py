"""T1, the transform-once operator, with a structured start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import AxisKind, Domain
from pdeops.layers import Basis, FrequencyMixing, ModeBlock, TruncatedTransform, basis_kinds
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, SpectralOperator, as_grid, modes_per_axis

Gate = Literal["bilinear", "gelu"]


class T1Layer(nn.Module):
    r"""One layer on a block: :math:`Z \leftarrow Z + W\,F\,g(S A Z + b)`.

    A mixes the channels of each frequency, S goes to the coarse grid and F back, g acts there pointwise and W
    mixes channels. S and F are the fixed transforms of the basis: a convolution followed by a pointwise
    nonlinearity, like a layer of a Fourier neural operator, but never larger than the coarse grid.

    Args:
        block: The block.
        width: Channels.
        gate: ``"bilinear"``: half of the channels times the other half, for equations with products of the
            unknown; ``"gelu"``: the activation of that name.
    """

    def __init__(self, block: ModeBlock, width: int, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.mixing = FrequencyMixing(block.kinds, block.sizes, width, width)
        self.bias = nn.Parameter(torch.zeros(width))
        inner = width // 2 if gate == "bilinear" else width
        self.project = nn.Linear(inner, width, bias=False)
        # A tenth of the usual size: each layer starts as a small correction of the residual stream.
        nn.init.normal_(self.project.weight, std=0.1 / math.sqrt(inner))

    def forward(
        self, coefficients: Float[Tensor, "*sizes batch width"], block: ModeBlock
    ) -> Float[Tensor, "*sizes batch width"]:
        """Apply the layer."""
        values = block.to_grid(self.mixing(coefficients)) + self.bias
        if self.gate == "bilinear":
            left, right = values.chunk(2, dim=-1)
            values = left * right
        else:
            values = functional.gelu(values)
        return coefficients + self.project(block.from_grid(values))


class T1(SpectralOperator):
    r"""Transform once: one transform in, a network on the low frequencies, one transform out.

    .. math:: Z_0 = P\,(T a, T x), \quad Z_{l+1} = Z_l + W_l\,F\,g(S A_l Z_l + b_l), \quad u = T^* Q Z_L

    T is the truncated orthonormal transform of the grid: real Fourier on periodic axes, cosines (DCT) on
    others. Lift P and head Q are linear over the channels, so they act on coefficients, and the loss compares
    coefficients (`FrequencyRelativeL2`): no hidden field of full resolution ever exists, and a step costs
    nearly the same at every resolution. The nonlinearity acts on a coarse grid with at least as many points
    as modes; S and F are the transforms to it and back.

    The published layer (`T1Published`) has random dense matrices in the place of S and F, which carry no
    prior of locality or shifts.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions.
        modes: Real modes m on every axis, or one number an axis. A periodic axis keeps the waves below
            m / 2 per period: 24 has the bandwidth of a Fourier neural operator with ``modes=12``.
        width: Channels of the block; even for the bilinear gate.
        num_layers: Number of layers.
        oversampling: Points of the coarse grid over modes; 1.5 computes products without aliasing.
        gate: Nonlinearity, see `T1Layer`.
        basis: Basis of the transform, see `basis_kinds`.
        coordinates: Whether the lift sees the lowest waves as coordinates. Without, and on a torus, the
            operator commutes with shifts.

    Raises:
        ValueError: The domain does not fit, has fewer points than modes on an axis, or an option is unknown.

    Good values: modes 24, width 32 and 4 layers on 64 x 64 points, with AdamW at a rate of 1e-2;
    depth helps more than width.

    Failure mode: Output above the kept modes is zero, so the error has the floor of truncating the target;
    fields with slopes at walls, whose cosine coefficients fall as k^-2, and fronts need many modes.

    Source: Poli, Massaroli, Berto, Park, Dao, Re and Ermon (2022), arXiv:2211.14453, for transforming once;
    the layer is this library's.

    Example:
        >>> operator = T1(1, 1, Grid.periodic((64, 64)), modes=24, width=32)
        >>> operator(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 1, 64, 64])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=EVENLY_SPACED,
    )

    position: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        modes: int | Sequence[int] = 24,
        width: int = 32,
        num_layers: int = 4,
        oversampling: float = 1.25,
        gate: Gate = "bilinear",
        basis: Basis = "grid",
        coordinates: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        if gate not in get_args(Gate):
            raise ValueError(f"T1: gate: expected one of {get_args(Gate)}, got {gate!r}")
        if gate == "bilinear" and width % 2:
            raise ValueError(f"T1: width: expected an even number for the bilinear gate, got {width}")
        if oversampling < 1:
            raise ValueError(f"T1: oversampling: expected at least 1, got {oversampling}; try 1.25")
        grid = as_grid(domain)
        kept = modes_per_axis(modes, grid.dimension)
        coarse_shape = [math.ceil(oversampling * number) for number in kept]
        self.block = ModeBlock(basis_kinds(grid, basis), kept, coarse_shape)
        self.transform = TruncatedTransform(self.block.kinds, self.block.modes)
        self.transform.check_shape(grid.shape)
        position = _position_channels(self.block) if coordinates else _position_channels(self.block)[..., :1]
        self.register_buffer("position", position, persistent=False)
        self.lift = nn.Linear(in_channels + position.shape[-1], width, bias=False)
        self.layers = nn.ModuleList(T1Layer(self.block, width, gate) for _ in range(num_layers))
        self.head = nn.Linear(width, out_channels, bias=False)
        # Small, so that training starts near the zero prediction and not at a random field.
        nn.init.normal_(self.head.weight, std=0.1 / math.sqrt(width))

    def coefficients(
        self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None
    ) -> Float[Tensor, "batch out_channels *modes"]:
        """Predict the coefficients of the output.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Grid of the input; None is the training grid.

        Returns:
            Coefficients, shape (batch, out_channels, *transform.modes).

        Raises:
            ValueError: The values do not lie on the grid, or it has too few points for the modes.
        """
        self.resolve_domain(values, domain)
        block = self.block.pack(self.transform(values))
        position = self.position.to(block.dtype).expand(*block.shape[:-1], -1)
        block = self.lift(torch.cat((block, position), dim=-1))
        for layer in self.layers:
            block = layer(block, self.block)
        return self.block.unpack(self.head(block))


def _position_channels(block: ModeBlock) -> Float[Tensor, "*sizes 1 channels"]:
    """A constant and the lowest waves of each axis: coordinates that every block holds exactly."""
    rows: list[dict[int, int]] = [{}]
    for axis, kind in enumerate(block.kinds):
        if block.modes[axis] > 2:
            lowest = (1, block.num_waves[axis] + 1) if kind is AxisKind.PERIODIC else (1,)
            rows += [{axis: row} for row in lowest]
    channels = torch.zeros(*block.sizes, 1, len(rows))
    for channel, row in enumerate(rows):
        place = tuple(row.get(axis, 0) for axis in range(block.dimension))
        # The wave sqrt(2) cos has mean square 1; 0.7 gives the plain cosine and sine.
        channels[(*place, 0, channel)] = math.sqrt(0.5) if row else 1.0
    return channels
