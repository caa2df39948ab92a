"""The matrix of a diffusion equation on a box: fluxes through the faces between neighbouring unknowns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class FluxBalance:
    r"""The operator :math:`(A u)_i = \sum_{j \sim i} T_{ij} (u_i - u_j)`, with u = 0 beyond the outer faces.

    The transmissibility T of a face is the flux through it for a difference of 1 between its two sides. With
    all T >= 0, and an outer face with T > 0, the matrix is a symmetric positive definite M-matrix; the
    eigenvalues of D^-1 A, D its diagonal, lie in (0, 2).

    Args:
        transmissibilities: One tensor an axis: (batch, *shape) with one more entry along that axis, the faces
            from the lower to the upper end.
    """

    transmissibilities: tuple[Float[Tensor, "batch ..."], ...]

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.transmissibilities)

    @property
    def shape(self) -> tuple[int, ...]:
        """Unknowns an axis."""
        faces = self.transmissibilities[0].shape[1:]
        return (faces[0] - 1, *faces[1:])

    @cached_property
    def diagonal(self) -> Float[Tensor, "batch ..."]:
        """D, the sum of each unknown's transmissibilities."""
        both_sides = [
            faces.narrow(dim, 0, size) + faces.narrow(dim, 1, size)
            for dim, (faces, size) in enumerate(
                zip(self.transmissibilities, self.shape, strict=True), start=1
            )
        ]
        return torch.stack(both_sides).sum(0)

    def __call__(self, values: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """A u for values (batch, *shape); a larger batch needs that many transmissibilities, or one."""
        result = self.diagonal * values
        for dim, (faces, size) in enumerate(zip(self.transmissibilities, self.shape, strict=True), start=1):
            inner = faces.narrow(dim, 1, size - 1)
            result.narrow(dim, 1, size - 1).sub_(inner * values.narrow(dim, 0, size - 1))
            result.narrow(dim, 0, size - 1).sub_(inner * values.narrow(dim, 1, size - 1))
        return result

    def dense(self) -> Float[Tensor, "batch unknowns unknowns"]:
        """The matrices, for small shapes: memory grows with the square of the number of unknowns."""
        batch = len(self.transmissibilities[0])
        num_unknowns = self.diagonal[0].numel()
        identity = torch.eye(num_unknowns).to(self.transmissibilities[0]).reshape(num_unknowns, *self.shape)
        columns = [
            FluxBalance(tuple(t[i : i + 1] for t in self.transmissibilities))(identity) for i in range(batch)
        ]
        return torch.stack(columns).reshape(batch, num_unknowns, num_unknowns)

    def coarsened(self, face_factors: Mapping[int, Float[Tensor, " faces"]]) -> FluxBalance:
        """The same equation with the cells of some axes joined in pairs.

        Faces that make up one coarse face add up. Along the flux, the centres are now further apart, which
        lowers the transmissibility. (The Galerkin product with piecewise constant interpolation would lack
        the second part: it is about twice too stiff.)

        Args:
            face_factors: For each axis to coarsen, numbered from 0, the old over the new distance across each
                of the ceil(n / 2) + 1 coarse faces.

        Returns:
            The operator on ceil(n / 2) unknowns along these axes.
        """
        coarse = []
        for axis, faces in enumerate(self.transmissibilities):
            for other, factors in face_factors.items():
                dim = other + 1
                if other == axis:
                    kept = torch.arange(0, 2 * len(factors), 2, device=faces.device).clamp_max(
                        faces.shape[dim] - 1
                    )
                    faces = faces.index_select(dim, kept) * along(factors, dim, faces.ndim)
                else:
                    faces = pair_sums(faces, dim)
            coarse.append(faces)
        return FluxBalance(tuple(coarse))


def along(vector: Tensor, dim: int, ndim: int) -> Tensor:
    """A vector shaped to broadcast along one dimension of a tensor."""
    return vector.reshape([-1 if other == dim else 1 for other in range(ndim)])


def pair_sums(values: Tensor, dim: int) -> Tensor:
    """Sums of neighbours 0+1, 2+3, ... along an axis; the last entry of an odd axis stays alone."""
    size = values.shape[dim]
    index = torch.arange(0, size, 2, device=values.device)
    result = values.index_select(dim, index)
    result.narrow(dim, 0, size // 2).add_(values.index_select(dim, index[: size // 2] + 1))
    return result
