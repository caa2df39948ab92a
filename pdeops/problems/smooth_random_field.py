"""Smooth random functions of a given size, on any grid or mesh."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, AxisKind, Domain, Grid

ROOT_TWO = math.sqrt(2)


@dataclass(frozen=True, kw_only=True)
class SmoothRandomField:
    r"""Gaussian field with a Gaussian spectrum: analytic functions of a given standard deviation.

    .. math::

        u(x) = m + \sum_k a_k \xi_k \varphi_k(x), \qquad
        a_k \propto e^{-(\lambda_k - \lambda_{\min}) \ell^2 / 4}, \qquad \sum_k a_k^2 = \sigma^2

    with independent standard normal :math:`\xi_k` and products of waves :math:`\varphi_k`, orthonormal in the
    mean over the box, without the constant. On a periodic axis they are all Fourier waves; on an axis that
    ends, and on the bounding box of a mesh, half waves that vanish at the ends or are flat there. The
    :math:`\xi_k` are drawn in an order that knows no grid, so a seed is the same function on every grid of
    the same box; a grid too coarse for some waves leaves them out.

    Args:
        deviation: Standard deviation :math:`\sigma > 0` over the box, in the unit of the field.
        correlation_length: Length :math:`\ell > 0`, in the unit of the coordinates.
        mean: Constant :math:`m`.
        max_wavenumber: Highest wave an axis. Another number gives other samples.
        ends: ``"zero"`` or ``"flat"``: what the field is where the domain ends.

    Raises:
        ValueError: A number is out of range.

    Good values: A correlation length of an eighth of the box; twelve divided by it should be a wavenumber
        that the grid holds, then the samples are resolved to rounding.

    Failure mode: A box of many correlation lengths needs more than ``max_wavenumber`` waves; without them the
        field is smoother than asked for.
    """

    deviation: float = 1.0
    correlation_length: float = 0.125
    mean: float = 0.0
    max_wavenumber: int = 16
    ends: Literal["zero", "flat"] = "zero"

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("deviation", "correlation_length"):
            if not 0 < float(getattr(self, name)) < math.inf:
                raise ValueError(
                    f"smooth random field: {name}: expected a positive number, got {getattr(self, name)}"
                )
        if not math.isfinite(self.mean):
            raise ValueError(f"smooth random field: mean: expected a finite number, got {self.mean}")
        if self.max_wavenumber < 1:
            raise ValueError(
                f"smooth random field: max_wavenumber: expected 1 or more, got {self.max_wavenumber}; try 16"
            )
        if self.ends not in ("zero", "flat"):
            raise ValueError(f"smooth random field: ends: expected 'zero' or 'flat', got {self.ends!r}")
        for name in ("deviation", "correlation_length", "mean"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one field a seed.

        Args:
            domain: Grid of any kinds of axes, or mesh.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: A seed is no seed.
        """
        axes = domain.axes if isinstance(domain, Grid) else bounding_axes(domain)
        lines = [axis.points for axis in axes] if isinstance(domain, Grid) else domain.points.unbind(-1)
        waves = [self._wavenumbers(axis) for axis in axes]
        size = self._sizes(waves)[1]
        count = 2 * self.max_wavenumber + 1
        noise = [
            torch.randn((count,) * len(axes), generator=generator(s), dtype=torch.float64) for s in seeds
        ]
        bases = [
            self._basis(axis, points, wave) for axis, points, wave in zip(axes, lines, waves, strict=True)
        ]
        return self.mean + series(torch.stack(noise) * size, bases, domain)

    def mean_square_gradient(self, domain: Domain) -> float:
        r"""Expected mean over the box of :math:`|\nabla u|^2`.

        Args:
            domain: Grid or mesh.

        Returns:
            The number, for all waves, whether or not a grid holds them.
        """
        axes = domain.axes if isinstance(domain, Grid) else bounding_axes(domain)
        eigenvalues, size = self._sizes([self._wavenumbers(axis) for axis in axes])
        return (eigenvalues * size**2).sum().item()

    def _sizes(self, waves: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Eigenvalue and standard deviation of every product of waves."""
        squares = torch.meshgrid(*(wave**2 for wave in waves), indexing="ij")
        eigenvalues = torch.stack(squares).sum(0)
        is_constant = eigenvalues == 0
        lowest = eigenvalues[~is_constant].min()
        size = torch.exp((lowest - eigenvalues) * self.correlation_length**2 / 4)
        size[is_constant] = 0
        return eigenvalues, size * (self.deviation / size.square().sum().sqrt())

    def _wavenumbers(self, axis: Axis) -> Tensor:
        """Angular wavenumbers of the functions of an axis: cosines and sines in turn, or half waves."""
        index = torch.arange(2 * self.max_wavenumber + 1, dtype=torch.float64)
        if axis.is_periodic:
            return 2 * math.pi / axis.length * torch.ceil(index / 2)
        return math.pi / axis.length * (index + 1 if self.ends == "zero" else index)

    def _basis(self, axis: Axis, points: Tensor, waves: Tensor) -> Tensor:
        """Values of the functions at points, shape (points, functions), zero for those not resolved."""
        angle = (points - axis.lower)[:, None] * waves
        is_sine = torch.arange(len(waves)) % 2 == 0 if axis.is_periodic else self.ends == "zero"
        basis = ROOT_TWO * torch.where(torch.as_tensor(is_sine), torch.sin(angle), torch.cos(angle))
        basis[:, waves == 0] = 1.0
        return torch.where(waves < _highest_wavenumber(axis), basis, 0.0)


def series(
    coefficients: Float64[Tensor, "batch *functions"],
    bases: Sequence[Float64[Tensor, "_ _"]],
    domain: Domain,
) -> Float64[Tensor, "batch *shape"]:
    """Sums of products of functions of one coordinate each.

    Args:
        coefficients: Of the products.
        bases: Values of the functions of each coordinate: on a grid at the points of its axis, on a mesh at
            the points of the mesh.
        domain: Grid or mesh.

    Returns:
        Values at the points of the domain.
    """
    values = coefficients
    if isinstance(domain, Grid):
        for basis in bases:
            # Takes the first axis of functions, appends the axis of points: at the end the order is back.
            values = torch.tensordot(values, basis, dims=([1], [1]))
        return values
    values = torch.tensordot(values, bases[0], dims=([1], [1]))
    for basis in bases[1:]:
        values = torch.einsum("bk...p,pk->b...p", values, basis)
    return values


def generator(seed: int, stream: int = 0) -> torch.Generator:
    """Random numbers of a seed, on the CPU, where the sequence is the same everywhere.

    Args:
        seed: A non-negative integer.
        stream: Number of the independent sequence wanted.

    Returns:
        The generator.

    Raises:
        ValueError: The seed is none.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seeds: expected non-negative integers, got {seed!r}; try range(10)")
    return torch.Generator().manual_seed(further_seed(seed, stream) if stream else seed)


def further_seed(seed: int, stream: int) -> int:
    """A seed of its own for the second, third ... field of one sample.

    Args:
        seed: Seed of the sample.
        stream: Number of the field.

    Returns:
        A seed below 2**63 that shares nothing with those of other samples.
    """
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)


def bounding_axes(domain: Domain) -> tuple[Axis, ...]:
    """Axes of the bounding box of a mesh, fine enough for every wave: a mesh states no band."""
    lower, upper = domain.points.min(0).values.tolist(), domain.points.max(0).values.tolist()
    return Grid.box((2**16,) * len(lower), lower=lower, upper=upper).axes


def _highest_wavenumber(axis: Axis) -> float:
    """Angular wavenumber from which on the points of an axis cannot tell a wave."""
    intervals = axis.num_points if axis.is_periodic or not axis.has_ends else axis.num_points - 1
    # Chebyshev points are pi/2 times sparser than uniform ones in the middle.
    sparsest = 2 / math.pi if axis.kind is AxisKind.CHEBYSHEV else 1.0
    return math.pi * intervals * sparsest / axis.length * (1 - 1e-9)
