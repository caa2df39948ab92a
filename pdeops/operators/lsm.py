"""The latent spectral model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain, Grid
from pdeops.layers import ChannelMLP, GridLift, LatentGrid, SpectralPyramid, continue_field, crop, pad
from pdeops.layers.neural_spectral_block import Initialisation
from pdeops.layers.spectral_pyramid import Norm
from pdeops.operators.operator import EVENLY_SPACED, Capabilities, Operator, modes_per_axis

Ends = Literal["domain", "zeros"]


class LSM(Operator):
    r"""Latent spectral model: a U-Net whose levels are joined by attention to a few tokens a patch.

    .. math:: v = P(a, x), \quad w = \text{pyramid}(v), \quad u = Q(w)

    with P affine, the `SpectralPyramid` of D halvings and Q two layers. On every level a patch of points is
    gathered into tokens, a trigonometric series moves the tokens, and the points read them: see
    `NeuralSpectralBlock`. A strip behind the upper ends makes the points of each axis a multiple of
    :math:`2^D`, from whatever grid is at hand; patches on the finest level are :math:`2^{-D}` of an axis.

    On a mesh P and Q are joined to the pyramid by a regular, periodic grid around the mesh, see `LatentGrid`.
    On a structured grid that is mapped to a shape, give the coordinates of the shape as input channels.

    The published form is ``boundary="zeros"``, ``initialisation="published"`` and ``scaled_attention=False``,
    with width 32 or 64; ``conf/experiment/lsm_darcy.yaml`` has it. With width 32, one channel in and out, two
    dimensions and no periodic axis it has 4,812,801 parameters.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: Grid of the training data, 1 to 3 dimensions, or a mesh.
        width: Channels of the finest level, a multiple of the heads; the others have two, four .. times as
            many.
        depth: Number D of halvings.
        heads: Heads of the attention.
        tokens: Tokens a head and patch.
        frequencies: Terms of the trigonometric series.
        projection_width: Channels between the two layers of Q.
        norm: ``batch``, as published, or ``group``, by sample. By batch, training mixes the samples of a
            batch and wants more than one; predictions use running means, so they depend on their sample only.
            By sample, how large a field is gets lost on the way.
        boundary: ``domain`` continues the field in the strip (anew on a periodic axis, by its last value
            behind a wall), closes convolutions and interpolation on periodic axes and interpolates between
            cells. ``zeros`` has zeros in the strip and beyond all ends, and interpolates between corners.
        initialisation: ``symmetric`` or ``published``, of tokens and series; see `NeuralSpectralBlock`.
        scaled_attention: Whether scores are divided by the root of the channels of a head.
        modes: On a mesh: waves on the way to the latent grid and back, on all axes or one number an axis.
        latent_size: On a mesh: points of the latent grid, on all axes or one number an axis.

    Raises:
        ValueError: The domain or the options do not fit.

    Good values: width 16 and depth 4 on 43 x 43 points; width 64 for 85 x 85 points and a day on a GPU.

    Failure mode: With ``norm="group"`` the error after three epochs of Darcy flow is three times that of
    ``batch`` (0.083 against 0.026): amplitudes matter there. Patches and convolutions count points, so on
    another resolution it is another function, and what comes out no approximation. With ``2**depth`` above
    the points of an axis most of the padded axis is strip; take a smaller depth.

    Source: Wu, Hu, Luo, Wang and Long (2023), arXiv:2301.12664.

    Example:
        >>> operator = LSM(1, 1, Grid.box((43, 43), "cells"), width=16)
        >>> operator(torch.zeros(2, 1, 43, 43)).shape
        torch.Size([2, 1, 43, 43])
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=EVENLY_SPACED,
        needs_grid=False,
        changes_resolution=False,
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        *,
        width: int = 16,
        depth: int = 4,
        heads: int = 8,
        tokens: int = 4,
        frequencies: int = 12,
        projection_width: int = 128,
        norm: Norm = "batch",
        boundary: Ends = "domain",
        initialisation: Initialisation = "symmetric",
        scaled_attention: bool = True,
        modes: int | Sequence[int] = 12,
        latent_size: int | Sequence[int] = 48,
    ) -> None:
        super().__init__(in_channels, out_channels, domain)
        if boundary not in get_args(Ends):
            raise ValueError(f"boundary: expected {' or '.join(get_args(Ends))}, got {boundary!r}")
        self.depth = depth
        self.boundary = boundary
        if isinstance(domain, Grid):
            self.lift = GridLift(in_channels, width, domain, padding=0.0)
            grid = domain
        else:
            dimension = domain.dimension
            self.latent = LatentGrid(
                in_channels,
                width,
                domain,
                modes=modes_per_axis(modes, dimension),
                shape=modes_per_axis(latent_size, dimension),
            )
            grid = self.latent.grid
        self.periodic = tuple(axis.is_periodic for axis in grid.axes)
        self.pyramid = SpectralPyramid(
            width,
            grid if boundary == "domain" else Grid.box(grid.shape, "cells"),
            depth=depth,
            norm=norm,
            align_corners=boundary == "zeros",
            heads=heads,
            tokens=tokens,
            frequencies=frequencies,
            scaled=scaled_attention,
            initialisation=initialisation,
        )
        self.exit = nn.Linear(width, width)
        self.project = ChannelMLP(width, projection_width, out_channels)

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "points dimension"] | None = None,
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Map input fields to output fields on the same grid or mesh.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input, a grid or a mesh as in training; None is the training domain.
            query: None; this operator answers on its domain only.

        Returns:
            Output, shape (batch, out_channels, *domain.shape).

        Raises:
            ValueError: The values do not lie on the domain, or it is of another sort than the training one.
        """
        resolved = self.resolve_domain(values, domain, query)
        if isinstance(resolved, Grid) != isinstance(self.domain, Grid) or (
            resolved.dimension != self.domain.dimension
        ):
            raise ValueError(
                f"LSM: expected a domain of the sort of {self.domain}, got {resolved}; "
                "try an operator built for it"
            )
        if isinstance(resolved, Grid):
            hidden = self.exit(self._apply_pyramid(self.lift(values, resolved)))
        else:
            hidden, waves, pointwise = self.latent.enter(values, resolved)
            hidden = self.latent.leave(self.exit(self._apply_pyramid(hidden)), waves, pointwise)
        return self.project(hidden).movedim(-1, 1)

    def _apply_pyramid(self, hidden: Tensor) -> Tensor:
        """Pad to a multiple of ``2**depth`` points an axis, apply the pyramid, cut the strip off."""
        shape = tuple(hidden.shape[1:-1])
        padded = tuple(size + -size % 2**self.depth for size in shape)
        if self.boundary == "domain":
            hidden = continue_field(hidden, padded, self.periodic)
        else:
            hidden = pad(hidden, padded)
        return crop(self.pyramid(hidden), shape)
