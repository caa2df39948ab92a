"""How an operator reads a function on a grid or a mesh as a fixed number of values."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from pdeops.domains import Domain, Grid

SensorKind = Literal["values", "projection"]


class Sensors(nn.Module):
    r"""Values of a function at the training points, or its coefficients in a fixed basis.

    ``"values"``: :math:`v_i = f(x_i)`; other points than those of training are refused. ``"projection"``: the
    coefficients of the best approximation of f by smooth functions :math:`b_j`, from any grid or mesh,

    .. math:: v = L^\mathsf{T} G^{-1} \Big(\sum_i b_j(x_i)\,f(x_i)\,\Delta_i\Big)_j, \qquad
              G_{jk} = \sum_i b_j(x_i)\,b_k(x_i)\,\Delta_i

    with the quadrature weights :math:`\Delta_i` of the domain given. The functions are products over the axes
    of the box around the training domain: waves on periodic axes, Legendre polynomials on others. L, the
    Cholesky factor of G on the training domain, makes them orthonormal there, up to the volume, so that the
    values have the scale of f. A function of their span is read exactly on every domain; others at the rate
    of the quadrature.

    Args:
        domain: The training domain.
        kind: ``"values"`` or ``"projection"``.
        modes: Functions an axis, for the projection.

    Raises:
        ValueError: The kind is unknown, or the points cannot tell the functions apart.

    Good values: 16 modes in one dimension, 8 in two, 4 in three.

    Failure mode: The projection does not see scales finer than its functions.
    """

    matrix: Tensor

    def __init__(self, domain: Domain, kind: SensorKind = "values", modes: int = 16) -> None:
        super().__init__()
        if kind not in get_args(SensorKind):
            raise ValueError(f"sensors: expected one of {', '.join(get_args(SensorKind))}, got {kind!r}")
        if modes < 1:
            raise ValueError(f"sensors: expected at least one mode an axis, got {modes}; try 8")
        self.domain = domain
        self.kind = kind
        self.modes = modes
        self.num_sensors = domain.num_points
        if kind == "projection":
            self.num_sensors = modes**domain.dimension
            self.factor = self._cholesky(domain)
            # Not in the checkpoint: the domain gives it.
            self.register_buffer("matrix", self._matrix(domain).float(), persistent=False)

    def forward(
        self, values: Float[Tensor, "batch channels *shape"], domain: Domain | None = None
    ) -> Float[Tensor, "batch channels sensors"]:
        """Read functions.

        Args:
            values: Shape (batch, channels, *domain.shape).
            domain: Where they are given; None is the training domain.

        Returns:
            One number a channel and sensor.

        Raises:
            ValueError: The domain is not that of training, or a projection from it is not possible.
        """
        is_own = domain is None or domain == self.domain
        if self.kind == "values":
            if not is_own:
                raise ValueError(
                    "sensors: expected values at the points of training, got another domain; "
                    "try sensors=projection, which reads any"
                )
            return values.flatten(2)
        matrix = self.matrix if domain is None or is_own else self._matrix(domain)
        return values.flatten(2) @ matrix.to(values).T

    def _matrix(self, domain: Domain) -> Float64[Tensor, "sensors points"]:
        basis, weights = (
            tensor_basis(self.domain, domain.points, self.modes),
            domain.quadrature_weights.flatten(),
        )
        solved = torch.cholesky_solve(basis.T * weights, self._cholesky(domain))
        return self.factor.T @ solved / math.sqrt(self.domain.volume)

    def _cholesky(self, domain: Domain) -> Tensor:
        basis = tensor_basis(self.domain, domain.points, self.modes)
        factor, failed = torch.linalg.cholesky_ex(
            basis.T @ (domain.quadrature_weights.reshape(-1, 1) * basis)
        )
        pivots = factor.diagonal()
        # A pivot is the distance of a function from those before it.
        if failed or pivots.min() < 1e-6 * pivots.max():
            raise ValueError(
                f"sensors: expected a domain whose points tell {self.modes} functions an axis apart, got "
                f"{domain.num_points} points; try fewer sensor modes"
            )
        return factor


def tensor_basis(
    domain: Domain, points: Float64[Tensor, "points dimension"], modes: int
) -> Float64[Tensor, "points functions"]:
    r"""Smooth functions at points: products over the axes of the box around a domain.

    On periodic axes :math:`1, \sqrt2\cos 2\pi s, \sqrt2\sin 2\pi s, \dots`, on others the Legendre
    polynomials :math:`\sqrt{2n+1}\,P_n(2s - 1)`, with s from 0 to 1 along the axis.

    Args:
        domain: Gives the box and the periodic axes.
        points: Where the functions are wanted.
        modes: Functions an axis.

    Returns:
        One column a function, the last axis running fastest.

    Raises:
        ValueError: A point lies outside of the box.
    """
    if isinstance(domain, Grid):
        ends = torch.tensor([(axis.lower, axis.upper) for axis in domain.axes], dtype=torch.float64).T
        closes = [axis.is_periodic for axis in domain.axes]
    else:
        ends = torch.stack((domain.points.amin(dim=0), domain.points.amax(dim=0)))
        closes = [False] * domain.dimension
    fractions = (points - ends[0]) / (ends[1] - ends[0])
    result = torch.ones(len(points), 1, dtype=torch.float64)
    for fraction, is_periodic in zip(fractions.T, closes, strict=True):
        if not is_periodic and (fraction.min() < -1e-9 or fraction.max() > 1 + 1e-9):
            raise ValueError(
                f"sensors: expected points inside of the box {ends.tolist()} of the training domain, "
                "got others; try to resample the fields"
            )
        axis_basis = _waves(fraction, modes) if is_periodic else _legendre(fraction, modes)
        result = (result[:, :, None] * axis_basis[:, None, :]).flatten(1)
    return result


def _waves(fraction: Tensor, modes: int) -> Tensor:
    number = torch.arange(modes, dtype=torch.float64)
    wave = torch.div(number + 1, 2, rounding_mode="floor")
    # A sine is a cosine a quarter later.
    quarter = ((number > 0) & (number % 2 == 0)) * number.new_tensor(0.25)
    factor = number.new_full((modes,), math.sqrt(2))
    factor[0] = 1
    return factor * torch.cos(2 * math.pi * (fraction[:, None] * wave - quarter))


def _legendre(fraction: Tensor, modes: int) -> Tensor:
    argument = 2 * fraction - 1
    columns = [torch.ones_like(argument), argument]
    for n in range(1, modes - 1):
        columns.append(((2 * n + 1) * argument * columns[n] - n * columns[n - 1]) / (n + 1))
    factor = (2 * torch.arange(modes).double() + 1).sqrt()
    return torch.stack(columns[:modes], dim=1) * factor
