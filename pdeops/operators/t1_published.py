"""T1 as published: dense mixing of frequencies that starts at random."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import AxisKind, Domain, Grid
from pdeops.layers import Basis, FrequencyMixing, TruncatedTransform, basis_kinds
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, SpectralOperator, as_grid, modes_per_axis


class T1PublishedLayer(nn.Module):
    r"""One layer on a block of coefficients :math:`Z_{kc}`, k the frequencies and c the channel.

    .. math:: Z \leftarrow Z + S^{(1)} \cdots S^{(d)}\, \sigma(A Z), \qquad (AZ)_{ko} = \sum_i Z_{ki} A_{kio}

    with a GELU for :math:`\sigma` and :math:`S^{(a)}` a dense matrix for each channel that mixes the
    frequencies of axis a. Everything starts as normal numbers that keep the variance of what they act on.

    Args:
        modes: Number of frequencies on each axis.
        width: Channels.
    """

    def __init__(self, modes: Sequence[int], width: int) -> None:
        super().__init__()
        self.mixing = FrequencyMixing([AxisKind.CELLS] * len(modes), modes, width, width)
        self.frequencies = nn.ParameterList(
            nn.Parameter(torch.randn(width, number, number) / math.sqrt(number)) for number in modes
        )

    def forward(self, block: Float[Tensor, "*modes batch width"]) -> Float[Tensor, "*modes batch width"]:
        """Apply the layer."""
        *modes, _, width = block.shape
        dimension = len(modes)
        # Channels first and the last axis last: then the first and the last axis mix without another copy.
        order = (dimension + 1, *range(dimension - 1), dimension, dimension - 1)
        mixed = functional.gelu(self.mixing(block)).permute(order)
        shape = mixed.shape
        mixed = torch.bmm(mixed.reshape(width, -1, modes[-1]), self.frequencies[-1])
        if dimension == 3:
            lines = mixed.reshape(width, modes[0], modes[1], -1)
            mixed = torch.einsum("ckq,cmkr->cmqr", self.frequencies[1], lines)
        if dimension > 1:
            mixed = torch.bmm(self.frequencies[0].mT, mixed.reshape(width, modes[0], -1))
        inverse = sorted(range(dimension + 2), key=order.__getitem__)
        return block + mixed.reshape(shape).permute(inverse)


class T1Published(SpectralOperator):
    r"""Transform once, as published: the whole network acts on the spectrum, with no structure but size.

    .. math:: Z_0 = P\,(T a, T x), \quad Z_{l+1} = \text{layer}_l(Z_l), \quad u = T^* Q_2 \sin(Q_1 Z_L)

    Lift P and head have no bias but a constant channel at the input; both matrices of the head start at 1e-8,
    so that the first prediction is zero. Transform and lift are linear and exchanged here: the raw channels
    are transformed, which gives the same numbers and is much cheaper.

    It is kept to compare with; `T1` is the form that generalises from few samples.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions.
        modes: Number of coefficients m kept on all axes, or one number an axis.
        width: Channels of the block.
        num_layers: Number of layers.
        basis: Basis of the transform, see `basis_kinds`; the DCT as published.
        head_width: Channels inside the head.

    Raises:
        ValueError: The domain does not fit or has fewer points than modes on an axis.

    Good values: As published: modes 24, width 48, 8 layers on 64 x 64 points (11,065,664 parameters with
    the two coordinates).

    Failure mode: Few samples. The random matrices know of no neighbourhood of frequencies, so the training
    error falls while the error on new samples does not.

    Source: Poli, Massaroli, Berto, Park, Dao, Re and Ermon (2022), arXiv:2211.14453.

    Example:
        >>> operator = T1Published(1, 1, Grid.periodic((64, 64)), modes=24, width=8, num_layers=2)
        >>> operator(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 1, 64, 64])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=EVENLY_SPACED,
        # Cosines on periodic points shift by half a cell, another one at another resolution.
        changes_resolution=False,
    )

    position: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        modes: int | Sequence[int] = 24,
        width: int = 48,
        num_layers: int = 8,
        basis: Basis = "cosine",
        head_width: int = 128,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        grid = as_grid(domain)
        kept = modes_per_axis(modes, grid.dimension)
        self.transform = TruncatedTransform(basis_kinds(grid, basis), kept)
        self.transform.check_shape(grid.shape)
        self.register_buffer("position", position_coefficients(grid, self.transform), persistent=False)
        self.lift = nn.Linear(in_channels + grid.dimension + 1, width, bias=False)
        self.layers = nn.ModuleList(T1PublishedLayer(kept, width) for _ in range(num_layers))
        self.inner = nn.Linear(width, head_width, bias=False)
        self.outer = nn.Linear(head_width, out_channels, bias=False)
        for linear in (self.inner, self.outer):
            nn.init.normal_(linear.weight, std=1e-8)

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
        coefficients = self.transform(values)
        position = self.position.expand(len(values), *self.position.shape).to(coefficients.dtype)
        block = self.lift(torch.cat((coefficients, position), dim=1).movedim((0, 1), (-2, -1)))
        for layer in self.layers:
            block = layer(block)
        return self.outer(torch.sin(self.inner(block))).movedim((-2, -1), (0, 1))


def position_coefficients(grid: Grid, transform: TruncatedTransform) -> Float[Tensor, "channels *modes"]:
    """Coefficients of a constant and of the coordinates, each from 0 to 1 over its axis."""
    coordinates = [
        (coordinate - axis.lower) / axis.length
        for coordinate, axis in zip(grid.coordinates, grid.axes, strict=True)
    ]
    channels = torch.stack([torch.ones(grid.shape, dtype=torch.float64), *coordinates])
    return transform(channels).float()
