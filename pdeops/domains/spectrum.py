"""Isotropic energy spectra."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pdeops.domains import Grid


def energy_spectrum(
    values: Float[Tensor, "*batch_and_shape"], grid: Grid
) -> tuple[Float64[Tensor, " shells"], Float64[Tensor, "*batch shells"]]:
    r"""Energy of a periodic field in shells of equal wavenumber.

    .. math:: E(k) = \frac{1}{2} \sum_{k - 1/2 \le |\kappa| / \kappa_0 < k + 1/2} |\hat u_\kappa|^2, \qquad
              \hat u_\kappa = \frac{1}{n} \sum_j u_j e^{-i \kappa \cdot x_j},

    with :math:`\kappa_0 = 2\pi / L` for the longest side :math:`L`. Every wave is in one shell, so the shells
    sum to half the mean square of the field (Parseval). Shells beyond :math:`n/2` of the shortest axis are
    corners of the box of waves and incomplete.

    Args:
        values: Values, shape (..., *grid.shape).
        grid: A grid with periodic axes only.

    Returns:
        The wavenumbers :math:`k = 0, 1, \dots` in units of :math:`\kappa_0`, and the energies
        (..., shells), double precision.

    Raises:
        ValueError: An axis is not periodic; the Fourier spectrum of the jump at its ends would be shown.
    """
    if not grid.is_periodic:
        kinds = tuple(str(axis.kind) for axis in grid.axes)
        raise ValueError(f"energy spectrum: expected periodic axes, got {kinds}")
    dimension = grid.dimension
    dims = tuple(range(-dimension, 0))
    coefficients = torch.fft.fftn(values.double(), dim=dims, norm="forward")
    energy = coefficients.abs().square().flatten(start_dim=-dimension) / 2
    longest = max(axis.length for axis in grid.axes)
    waves = [
        torch.fft.fftfreq(axis.num_points, d=1 / axis.num_points, dtype=torch.float64)
        * (longest / axis.length)
        for axis in grid.axes
    ]
    magnitude = torch.stack(torch.meshgrid(*waves, indexing="ij")).square().sum(dim=0).sqrt().flatten()
    shell = torch.floor(magnitude + 0.5).long().to(values.device)
    num_shells = int(shell.max()) + 1
    energies = energy.new_zeros(*energy.shape[:-1], num_shells).index_add_(-1, shell, energy)
    return torch.arange(num_shells, dtype=torch.float64), energies


def resolved_wavenumber(grid: Grid) -> int:
    """Highest shell that is complete: the Nyquist wave of the coarsest axis.

    Args:
        grid: A grid with periodic axes.

    Returns:
        The shell.
    """
    longest = max(axis.length for axis in grid.axes)
    return math.floor(min(axis.num_points * longest / axis.length for axis in grid.axes) / 2)
