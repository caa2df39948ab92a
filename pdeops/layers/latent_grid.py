"""The way from the points of a mesh to a regular grid of hidden channels, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from pdeops.domains import Grid, Mesh
from pdeops.layers.coordinates import coordinate_channels
from pdeops.layers.learned_deformation import LearnedDeformation
from pdeops.layers.nonuniform_fourier import NonuniformFourier
from pdeops.layers.point_positions import PointPositions
from pdeops.layers.spectral_convolution import SpectralConvolution

# Period of the grid over the box around the mesh: the strip keeps opposite walls apart on the torus.
PERIOD = 1.125


class LatentGrid(nn.Module):
    r"""Carry fields on a mesh to a periodic grid around it, where convolutions can work, and back.

    .. math:: v = \mathrm{GELU}\big(R\,\mathcal F^{-1}\mathcal F_\xi P(a, x) + Q y\big), \qquad
              w = \mathcal F_\xi^{-1} \mathcal F R' v' + P'(a, x)

    with the non-uniform transforms :math:`\mathcal F_\xi` at learned points :math:`\xi(x, a)`, spectral
    convolutions R and R', affine P, P' and Q, and coordinates y of the grid. What the low waves do not carry
    passes by P'.

    Args:
        in_channels: Channels of the input a.
        width: Channels of v and w.
        mesh: Mesh of the training data.
        modes: Waves kept on each axis, |k| < modes.
        shape: Points of the grid on each axis.

    Raises:
        ValueError: The grid is too coarse for the modes.

    Good values: 12 waves on 48 points an axis.

    Failure mode: The grid covers the box around the mesh; of a thin, curved domain it resolves little.

    Source: Li et al. (2022), arXiv:2207.05209; Wu et al. (2023), arXiv:2301.12664. There the sums over the
    points carry no weights, and P' sees coordinates only.
    """

    coordinates: Tensor

    def __init__(
        self, in_channels: int, width: int, mesh: Mesh, *, modes: Sequence[int], shape: Sequence[int]
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.positions = PointPositions(mesh)
        self.deformation = LearnedDeformation(in_channels, mesh.dimension)
        self.transform = NonuniformFourier(modes)
        self.transform.check_shape(shape)
        channels = in_channels + mesh.dimension
        self.lift = nn.Linear(channels, width)
        self.pointwise = nn.Linear(channels, width)
        self.enter_convolution = SpectralConvolution(width, width, modes)
        self.enter_convolution.check_shape(shape)
        self.leave_convolution = SpectralConvolution(width, width, modes)
        self.grid = Grid.periodic(self.shape)
        self.register_buffer("coordinates", coordinate_channels(self.grid).float(), persistent=False)
        self.position = nn.Linear(self.coordinates.shape[-1], width)

    def enter(
        self, values: Float[Tensor, "batch in_channels points"], mesh: Mesh
    ) -> tuple[
        Float[Tensor, "batch *shape width"],
        Complex[Tensor, "batch points waves"],
        Float[Tensor, "batch points width"],
    ]:
        """Carry a field to the grid.

        Args:
            values: Field on the mesh.
            mesh: The mesh.

        Returns:
            Field on the grid; the waves at the deformed points and the pointwise path, for `leave`.

        Raises:
            ValueError: The mesh has another dimension.
        """
        channels = values.movedim(1, -1)
        positions, shares = self.positions(values, mesh)
        fractions = (positions + 1) / 2
        # Positions and high waves need more than the 8 bits of an autocast.
        with torch.autocast(values.device.type, enabled=False):
            waves = self.transform.waves(self.deformation(fractions, channels) / PERIOD)
        inputs = torch.cat((channels, positions.expand(len(values), *positions.shape)), dim=-1)
        lifted = self.lift(inputs).to(values.dtype)
        with torch.autocast(values.device.type, enabled=False):
            carried = self.transform.to_grid(lifted, shares, waves, self.shape)
        position = self.position(self.coordinates.to(values.dtype))
        return functional.gelu(self.enter_convolution(carried) + position), waves, self.pointwise(inputs)

    def leave(
        self,
        values: Float[Tensor, "batch *shape width"],
        waves: Complex[Tensor, "batch points waves"],
        pointwise: Float[Tensor, "batch points width"],
    ) -> Float[Tensor, "batch points width"]:
        """Carry a field on the grid to the points.

        Args:
            values: Field on the grid.
            waves: From `enter`.
            pointwise: From `enter`.

        Returns:
            Field at the points, channels last.
        """
        convolved = self.leave_convolution(values)
        with torch.autocast(values.device.type, enabled=False):
            return self.transform.to_points(convolved, waves) + pointwise
