"""Gaussian random fields whose samples are functions, independent of the grid they are evaluated on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, AxisKind, Domain, Grid, Mesh


@runtime_checkable
class Sampler(Protocol):
    """What draws a scalar field from a seed: a frozen dataclass of numbers, so that it can be stored."""

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one field a seed."""
        ...


@dataclass(frozen=True, kw_only=True)
class RandomField:
    r"""Mean-zero Gaussian field with covariance :math:`C = \sigma^2 (-\Delta + \tau^2)^{-\alpha}`.

    Without the constant function. With the eigenfunctions :math:`\varphi_k` of the Laplacian, orthonormal on
    the box, a sample is :math:`\sum_k \sigma (\lambda_k + \tau^2)^{-\alpha/2} \xi_k \varphi_k` with
    independent standard normal :math:`\xi_k`, for all waves with at most ``max_wavenumber`` an axis.

    The :math:`\xi_k` are drawn in an order that knows no grid. So the same seed is the same function on every
    grid; a grid too coarse for some waves leaves them out, and never aliases them.

    Args:
        scale: Standard deviation factor :math:`\sigma > 0`.
        smoothness: Exponent :math:`\alpha > 0`; samples have about :math:`\alpha - d/2` derivatives.
        inverse_length: Inverse correlation length :math:`\tau \ge 0`, per unit of length.
        max_wavenumber: Highest wave an axis. Another number gives other samples.

    Raises:
        ValueError: A number is out of range.

    Good values: ``max_wavenumber`` of at least half the points of the finest grid on a torus, of all its
        points with Neumann conditions.

    Failure mode: :math:`\alpha \le d/2` has no bounded variance as ``max_wavenumber`` grows.

    Source: Lord, Powell and Shardlow (2014), An Introduction to Computational Stochastic PDEs,
    doi:10.1017/CBO9781139017329.
    """

    scale: float
    smoothness: float
    inverse_length: float
    max_wavenumber: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, lowest in (("scale", 0.0), ("smoothness", 0.0), ("inverse_length", -1.0)):
            value = float(getattr(self, name))
            if not (math.isfinite(value) and (value > lowest or (lowest < 0 and value >= 0))):
                raise ValueError(f"random field: {name}: expected a positive number, got {value}; try 1.0")
            object.__setattr__(self, name, value)
        highest = self.max_wavenumber
        if isinstance(highest, bool) or not isinstance(highest, int) or highest < 1:
            raise ValueError(
                f"random field: max_wavenumber: expected a positive integer, got {highest!r}; try 64"
            )

    def _standard_deviations(self, eigenvalues: Tensor, volume: float) -> Tensor:
        """Of the coefficients of the eigenfunctions, scaled to mean square one; zero for the constant."""
        # A constant with tau = 0 would divide by zero.
        shifted = torch.where(eigenvalues > 0, eigenvalues + self.inverse_length**2, 1.0)
        deviations = self.scale / math.sqrt(volume) * shifted ** (-self.smoothness / 2)
        return torch.where(eigenvalues > 0, deviations, 0.0)


@dataclass(frozen=True, kw_only=True)
class PeriodicRandomField(RandomField):
    """`RandomField` on a torus of any dimension: the eigenfunctions are Fourier waves.

    Good values: Navier-Stokes benchmark: ``scale=sqrt(2)*7**1.5, smoothness=2.5, inverse_length=7``.
    """

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one field a seed.

        Args:
            domain: A grid that is periodic on every axis.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: An axis is not periodic, or a seed is no seed.
        """
        grid = domain
        if isinstance(grid, Mesh):
            raise ValueError("periodic random field: expected a periodic grid, got a mesh")
        for axis in grid.axes:
            if axis.kind is not AxisKind.PERIODIC:
                raise ValueError(
                    f"periodic random field: expected periodic axes, got {axis.kind} {axis.name!r}"
                )
        # The waves kept on this grid: below Nyquist, whose phase a grid cannot tell.
        kept = [min(self.max_wavenumber, (axis.num_points - 1) // 2) for axis in grid.axes]
        waves = [torch.arange(-k, k + 1) for k in kept[:-1]] + [torch.arange(kept[-1] + 1)]
        angular = [2 * math.pi / axis.length * k.double() for axis, k in zip(grid.axes, waves, strict=True)]
        eigenvalues = _sum_of_squares(angular)
        deviations = self._standard_deviations(eigenvalues, math.prod(axis.length for axis in grid.axes))
        places = torch.meshgrid(*(k % n for k, n in zip(waves, grid.shape, strict=True)), indexing="ij")
        spectrum = torch.zeros(len(seeds), *grid.shape[:-1], grid.shape[-1] // 2 + 1, dtype=torch.complex128)
        centre = self.max_wavenumber
        for number, seed in enumerate(seeds):
            noise = torch.view_as_complex(_normal((*(2 * centre + 1,) * grid.dimension, 2), seed))
            # Half the sum of a wave and of its conjugate partner: unit variance, and a real field.
            noise = (noise + noise.flip(tuple(range(grid.dimension))).conj()) / 2
            for dim, k in enumerate(waves):
                noise = noise.index_select(dim, k + centre)
            spectrum[number][places] = noise * deviations
        dims = tuple(range(1, grid.dimension + 1))
        return torch.fft.irfftn(spectrum, s=grid.shape, dim=dims, norm="forward")


@dataclass(frozen=True, kw_only=True)
class NeumannRandomField(RandomField):
    """`RandomField` with zero normal derivative at the ends of a box: the eigenfunctions are cosines.

    On periodic axes they are sines and cosines of whole periods, so boxes may mix both kinds of axes.

    Good values: Darcy benchmark: ``scale=3, smoothness=2, inverse_length=3``.
    """

    def sample(self, domain: Domain, seeds: Sequence[int]) -> Float64[Tensor, "batch *shape"]:
        """Draw one field a seed.

        Args:
            domain: A grid; or a mesh, on whose points the field of its bounding box is evaluated.
            seeds: Non-negative integers.

        Returns:
            Values, float64, on the CPU.

        Raises:
            ValueError: A seed is no seed.
        """
        axes = domain.axes if isinstance(domain, Grid) else _bounding_axes(domain)
        points = [axis.points for axis in axes] if isinstance(domain, Grid) else list(domain.points.unbind(1))
        bases, waves = [], []
        for axis, x in zip(axes, points, strict=True):
            basis, wavenumbers = self._eigenfunctions(axis, x)
            bases.append(basis)
            waves.append(wavenumbers)
        deviations = self._standard_deviations(_sum_of_squares(waves), math.prod(a.length for a in axes))
        shape = tuple((2 if axis.is_periodic else 1) * self.max_wavenumber + 1 for axis in axes)
        window = tuple(slice(len(k)) for k in waves)
        values = torch.stack([_normal(shape, seed)[window] for seed in seeds]) * deviations
        if isinstance(domain, Grid):
            for basis in bases:
                # Takes the first axis of waves, appends the axis of points: at the end the order is back.
                values = torch.tensordot(values, basis, dims=([1], [1]))
            return values
        # The last axis of waves becomes the points; the others are summed point by point.
        values = torch.tensordot(values, bases[-1], dims=([-1], [1]))
        for basis in reversed(bases[:-1]):
            values = torch.einsum("...kp,pk->...p", values, basis)
        return values

    def _eigenfunctions(self, axis: Axis, points: Tensor) -> tuple[Tensor, Tensor]:
        """Eigenfunctions of mean square one at points (points, waves), and their angular wavenumbers."""
        held = (axis.num_points - 1) // (2 if axis.is_periodic else 1)
        # Chebyshev points are pi/2 times sparser than uniform ones in the middle.
        held = int(2 / math.pi * held) if axis.kind is AxisKind.CHEBYSHEV else held
        numbers = torch.arange(min(self.max_wavenumber, held) + 1).double()
        phase = (points - axis.lower)[:, None] * (math.pi / axis.length)
        if not axis.is_periodic:
            basis = torch.cos(phase * numbers)
            basis[:, 1:] *= math.sqrt(2)
            return basis, math.pi / axis.length * numbers
        # 1, cos, sin, cos, sin ...: a coarser grid keeps the first ones, with the same random numbers.
        both = torch.stack([torch.cos(2 * phase * numbers), torch.sin(2 * phase * numbers)], dim=-1)
        basis = both.flatten(1)[:, 1:] * math.sqrt(2)
        basis = torch.cat([torch.ones_like(basis[:, :1]), basis[:, 1:]], dim=1)
        return basis, 2 * math.pi / axis.length * numbers.repeat_interleave(2)[1:]


def _bounding_axes(mesh: Mesh) -> tuple[Axis, ...]:
    """The bounding box, with as many points an axis as a uniform mesh of that size would have."""
    lower, upper = mesh.points.min(0).values.tolist(), mesh.points.max(0).values.tolist()
    count = max(2, round(mesh.num_points ** (1 / mesh.dimension)))
    return Grid.box((count,) * mesh.dimension, lower=lower, upper=upper).axes


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seeds: expected non-negative integers, got {seed!r}; try range(10)")
    # Drawn on the CPU, where the sequence of a seed is the same everywhere.
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _sum_of_squares(waves: Sequence[Tensor]) -> Tensor:
    return torch.stack([k**2 for k in torch.meshgrid(*waves, indexing="ij")]).sum(dim=0)
