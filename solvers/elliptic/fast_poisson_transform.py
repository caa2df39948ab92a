"""The transforms that diagonalise second differences along one axis, whatever its ends and points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Float64

from pdeops.domains import Axis, AxisKind

Array = np.ndarray[Any, np.dtype[Any]]


class End(StrEnum):
    """What holds at one end of an axis."""

    DIRICHLET = "dirichlet"
    NEUMANN = "neumann"


@dataclass(frozen=True)
class AxisTransform:
    r"""Eigenvectors of :math:`-\partial^2 u / \partial x^2` in second differences along one axis.

    With N intervals of length h, unknowns j and waves k = 0, 1, ..., the eigenvectors, the transform that
    expands in them, and :math:`\theta_k` in the eigenvalues :math:`(2 - 2 \cos \theta_k) / h^2` are

    =======  =======  ===========  =====================================  =======  ====================
    lower    upper    points       eigenvector                            forward  :math:`\theta_k`
    =======  =======  ===========  =====================================  =======  ====================
    value    value    inner nodes  :math:`\sin \pi (k+1)(j+1)/N`          DST-I    :math:`\pi (k+1)/N`
    flux     flux     nodes        :math:`\cos \pi k j/N`                 DCT-I    :math:`\pi k/N`
    value    flux     nodes 1..N   :math:`\sin \pi (k+1/2)(j+1)/N`        DST-III  :math:`\pi (k+1/2)/N`
    flux     value    nodes < N    :math:`\cos \pi (k+1/2) j/N`           DCT-III  :math:`\pi (k+1/2)/N`
    value    value    cells        :math:`\sin \pi (k+1)(j+1/2)/N`        DST-II   :math:`\pi (k+1)/N`
    flux     flux     cells        :math:`\cos \pi k (j+1/2)/N`           DCT-II   :math:`\pi k/N`
    value    flux     cells        :math:`\sin \pi (k+1/2)(j+1/2)/N`      DST-IV   :math:`\pi (k+1/2)/N`
    flux     value    cells        :math:`\cos \pi (k+1/2)(j+1/2)/N`      DCT-IV   :math:`\pi (k+1/2)/N`
    periodic          points       :math:`e^{2 \pi i k j/N}`              FFT      :math:`2 \pi k/N`
    =======  =======  ===========  =====================================  =======  ====================

    A flux at a node is a central difference about the end; a wall at the face of a cell is half a spacing
    from its centre.

    Args:
        axis: Nodes, cells or periodic points.
        lower: What holds at the lower end; None on a periodic axis.
        upper: What holds at the upper end; None on a periodic axis.

    Raises:
        ValueError: The ends do not fit the axis, or there are no unknowns between them.

    References:
        | G. Strang, 1999, The discrete cosine transform, doi:10.1137/S0036144598336745
    """

    axis: Axis
    lower: End | None = None
    upper: End | None = None

    def __post_init__(self) -> None:
        """Check that the ends fit the axis."""
        name = self.axis.name
        if self.axis.kind is AxisKind.CHEBYSHEV:
            raise ValueError(f"axis {name!r}: expected uniform points, got 'chebyshev'; try 'nodes'")
        if self.axis.is_periodic != (self.lower is None) or (self.lower is None) != (self.upper is None):
            raise ValueError(
                f"axis {name!r} ({self.axis.kind}): expected "
                f"{'no conditions' if self.axis.is_periodic else 'a condition at each end'}, got "
                f"{self.lower} and {self.upper}"
            )
        if self.num_unknowns < 1:
            raise ValueError(
                f"axis {name!r}: expected 3 or more nodes between given values, got {self.axis.num_points}"
            )

    @property
    def first(self) -> int:
        """Position of the first unknown among the points: 1 after a node with a given value."""
        return int(self.axis.has_ends and self.lower is End.DIRICHLET)

    @property
    def num_unknowns(self) -> int:
        """Number of unknowns: the points without the nodes that have given values."""
        given_upper = self.axis.has_ends and self.upper is End.DIRICHLET
        return self.axis.num_points - self.first - int(given_upper)

    @property
    def unknowns(self) -> slice:
        """The unknowns among the points."""
        return slice(self.first, self.first + self.num_unknowns)

    @property
    def has_constants(self) -> bool:
        """Whether constants are an eigenvector, with the eigenvalue zero."""
        return self.lower is not End.DIRICHLET and self.upper is not End.DIRICHLET

    @property
    def kind(self) -> tuple[str, int]:
        """``("dst", 1)`` to ``("dct", 4)``, or ``("fft", 0)``."""
        if self.lower is None:
            return "fft", 0
        name = "dst" if self.lower is End.DIRICHLET else "dct"
        if self.lower is self.upper:
            return name, 1 if self.axis.has_ends else 2
        return name, 3 if self.axis.has_ends else 4

    def angles(self) -> Float64[np.ndarray, " unknowns"]:
        r"""Angles :math:`\theta_k`; those of the FFT are between :math:`-\pi` and :math:`\pi`."""
        if self.lower is None:
            return 2 * math.pi * np.fft.fftfreq(self.num_unknowns)
        waves = np.arange(self.num_unknowns, dtype=np.float64)
        if self.lower is not self.upper:
            waves += 0.5
        elif self.lower is End.DIRICHLET:
            waves += 1
        return math.pi * waves * self.axis.spacing / self.axis.length

    def eigenvalues(self, *, fourier: bool = False) -> Float64[np.ndarray, " unknowns"]:
        r"""Eigenvalues of :math:`-\partial^2 / \partial x^2`, in the order of the transform.

        Args:
            fourier: Those of the derivative itself, :math:`(\theta_k / h)^2`, and not of differences.

        Returns:
            One number a wave, not negative.
        """
        angles = self.angles()
        # The sine form does not cancel where the wave is long.
        roots = angles if fourier else 2 * np.sin(angles / 2)
        return (roots / self.axis.spacing) ** 2

    def forward(self, values: Array, dim: int, workers: int) -> Array:
        """Expand in the eigenvectors, with no factor; the values are overwritten. Not for periodic axes.

        Args:
            values: The unknowns along dimension `dim`.
            dim: The dimension of this axis.
            workers: Threads.

        Returns:
            The coefficients.
        """
        name, number = self.kind
        transform = scipy.fft.dst if name == "dst" else scipy.fft.dct
        return transform(values, type=number, axis=dim, overwrite_x=True, workers=workers)

    def backward(self, coefficients: Array, dim: int, workers: int) -> Array:
        """Inverse of `forward`, the coefficients are overwritten."""
        name, number = self.kind
        transform = scipy.fft.idst if name == "dst" else scipy.fft.idct
        return transform(coefficients, type=number, axis=dim, overwrite_x=True, workers=workers)
