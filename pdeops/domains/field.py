"""Values on a domain: what every method takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains.grid import Grid
from pdeops.domains.interpolation import interpolation_matrix, resampling_matrix
from pdeops.domains.mesh import Mesh
from pdeops.domains.mesh_interpolation import interpolate_on_mesh
from pdeops.domains.norms import NormKind, relative_norm, squared_norm

Domain = Grid | Mesh


@dataclass(frozen=True, eq=False)
class Field:
    """A batch of fields: plain values, with the domain, names, units and times that say what they are.

    Args:
        values: Shape (batch, channels, *domain.shape), or (batch, time, channels, *domain.shape) with times.
        domain: Grid or mesh on which the values are given.
        channels: One name a channel.
        units: One unit a channel; ``"1"`` (dimensionless) for all by default.
        times: Times of the frames, shape (time,), or None for a field without time.

    Raises:
        ValueError: Shape, names, units or times do not fit; the message says which.

    Example:
        >>> grid = Grid.periodic((8, 8))
        >>> Field(torch.ones(2, 1, 8, 8), grid, ("vorticity",)).norm().tolist()
        [1.0, 1.0]
    """

    values: Float[Tensor, "batch *rest"]
    domain: Domain
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    times: Float[Tensor, " time"] | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "units", tuple(self.units) or ("1",) * len(self.channels))
        frames = () if self.times is None else (len(self.times),)
        expected = (*frames, len(self.channels), *self.domain.shape)
        if tuple(self.values.shape[1:]) != expected:
            layout = "(batch, channels, *shape)" if self.times is None else "(batch, time, channels, *shape)"
            raise ValueError(
                f"field {self.channels}: expected values of shape {layout} = "
                f"(batch, {', '.join(map(str, expected))}), got {tuple(self.values.shape)}"
            )
        if len(self.units) != len(self.channels):
            raise ValueError(
                f"field: expected {len(self.channels)} units for {self.channels}, got {self.units}"
            )

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return self.values.shape[0]

    def to(
        self,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        non_blocking: bool = False,
    ) -> Field:
        """Return the field with its values on a device or in a dtype; the domain stays where it is."""
        values = self.values.to(device=device, dtype=dtype, non_blocking=non_blocking)
        return replace(self, values=values)

    def select(self, *channels: str) -> Field:
        """Return some channels by name.

        Args:
            *channels: Names, in the order wanted.

        Returns:
            The field of these channels.

        Raises:
            ValueError: There is no channel of a name.
        """
        missing = [name for name in channels if name not in self.channels]
        if missing:
            raise ValueError(f"field: expected channels among {self.channels}, got {missing}")
        index = [self.channels.index(name) for name in channels]
        dim = 1 if self.times is None else 2
        values = self.values.index_select(dim, torch.tensor(index, device=self.values.device))
        return replace(self, values=values, channels=channels, units=tuple(self.units[i] for i in index))

    def sample(self, index: int | slice | Tensor) -> Field:
        """Return some samples; a number keeps a batch of one."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return replace(self, values=self.values[index])

    def snapshot(self, index: int) -> Field:
        """Return the frame of one time, as a field without times.

        Raises:
            ValueError: The field has no times.
        """
        if self.times is None:
            raise ValueError("field: expected a field with times to take a snapshot of, got one without")
        return replace(self, values=self.values[:, index], times=None)

    def norm(self, kind: NormKind = "l2") -> Float[Tensor, " batch"]:
        """L2 or H1 norm of each sample, root of the sum of squares over channels and times."""
        return squared_norm(self.values, self.domain, kind).flatten(start_dim=1).sum(dim=1).sqrt()

    def relative_error(self, reference: Field, kind: NormKind = "l2") -> Float[Tensor, " batch"]:
        """Norm of the difference to a reference over the norm of the reference, a sample.

        Raises:
            ValueError: The two do not have the same shape and channels.
        """
        if self.values.shape != reference.values.shape or self.channels != reference.channels:
            raise ValueError(
                f"relative error: expected {reference.channels} of shape {tuple(reference.values.shape)}, "
                f"got {self.channels} of shape {tuple(self.values.shape)}; try resample or select first"
            )
        return relative_norm(self.values - reference.values, reference.values, self.domain, kind)

    def resample(self, domain: Domain) -> Field:
        """Return the field on another domain.

        Between grids of the same box, axis by axis: exact for band-limited fields on periodic axes, where
        waves that a coarser grid cannot hold are dropped and not aliased; polynomial on Chebyshev axes;
        cubic splines on nodes and cells. To a mesh, and from a mesh, by `at`.

        Args:
            domain: The grid or mesh wanted.

        Returns:
            The field there.

        Raises:
            ValueError: The boxes of two grids differ, or a point lies outside.
        """
        if domain is self.domain or domain == self.domain:
            return self
        source = self.domain
        if isinstance(source, Mesh) or isinstance(domain, Mesh):
            values = self.at(domain.points).unflatten(-1, domain.shape)
            return replace(self, values=values, domain=domain)
        if _box(source) != _box(domain):
            raise ValueError(f"resample: expected a grid of the box {_box(source)}, got {_box(domain)}")
        values = self.values
        for number, (axis, target) in enumerate(zip(source.axes, domain.axes, strict=True)):
            if axis != target:
                matrix = resampling_matrix(axis, target).to(values)
                dim = number - source.dimension
                values = torch.movedim(torch.movedim(values, dim, -1) @ matrix.T, -1, dim)
        return replace(self, values=values, domain=domain)

    def at(self, points: Float[Tensor, "points dimension"]) -> Float[Tensor, "*batch_and_channels points"]:
        """Values at any points by the interpolant: of a grid, see `interpolation_matrix`; of a mesh, linear.

        Args:
            points: Coordinates, shape (points, dimension).

        Returns:
            Values, shape (batch, channels, points), or (batch, time, channels, points).

        Raises:
            ValueError: A point lies outside.
        """
        grid = self.domain
        if isinstance(grid, Mesh):
            return interpolate_on_mesh(self.values, grid, points)
        points = points.detach().cpu().double()
        matrices = [
            interpolation_matrix(axis, points[:, i]).to(self.values) for i, axis in enumerate(grid.axes)
        ]
        values = self.values @ matrices[-1].T
        for matrix in reversed(matrices[:-1]):
            values = torch.einsum("...np,pn->...p", values, matrix)
        return values


def _box(grid: Grid) -> tuple[tuple[str, float, float, bool], ...]:
    """What two grids must share to be samplings of the same box."""
    return tuple((axis.name, axis.lower, axis.upper, axis.is_periodic) for axis in grid.axes)
