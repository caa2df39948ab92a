"""The inverse of a discrete Laplacian with constant coefficients, by transforms along the axes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce

import numpy as np
import scipy.fft
import torch
from jaxtyping import Float64

from solvers.elliptic.fast_poisson_transform import Array, AxisTransform


class FastPoissonInverse:
    r"""Solves :math:`(-a \Delta_h + r) u = b` on the unknowns of a box, to rounding.

    Forward transforms along all axes, a product with :math:`1 / (a \sum_i \lambda_i + r)`, and back. Where
    the operator is singular (r = 0, and constants are an eigenvector along every axis), the mean of b is left
    out and u has mean zero.

    Args:
        transforms: One an axis.
        diffusion: Coefficient :math:`a > 0`, one a sample, or a single one for all.
        reaction: Coefficient :math:`r \ge 0`, likewise.
        fourier: Take derivatives and not differences; all axes have to be periodic.

    Cost: :math:`O(n \log n)`; set up once, call often.
    """

    def __init__(
        self,
        transforms: Sequence[AxisTransform],
        diffusion: Sequence[float],
        reaction: Sequence[float],
        *,
        fourier: bool = False,
    ) -> None:
        self.transforms = tuple(transforms)
        self.factors = _inverse_eigenvalues(self.transforms, tuple(diffusion), tuple(reaction), fourier)
        periodic = [i + 1 for i, item in enumerate(self.transforms) if item.lower is None]
        self._periodic = periodic
        self._others = [i + 1 for i, item in enumerate(self.transforms) if item.lower is not None]
        self._sizes = [self.transforms[dim - 1].num_unknowns for dim in periodic]

    def __call__(self, right_side: Float64[np.ndarray, "batch ..."]) -> Float64[np.ndarray, "batch ..."]:
        """Solve for a batch.

        Args:
            right_side: b at the unknowns, shape (batch, *unknowns); it is overwritten.

        Returns:
            u, in the same shape.
        """
        workers = torch.get_num_threads()
        values: Array = right_side
        for dim in self._others:
            values = self.transforms[dim - 1].forward(values, dim, workers)
        if self._periodic:
            values = scipy.fft.rfftn(values, axes=self._periodic, workers=workers)
        values *= self.factors
        if self._periodic:
            values = scipy.fft.irfftn(
                values, s=self._sizes, axes=self._periodic, overwrite_x=True, workers=workers
            )
        for dim in reversed(self._others):
            values = self.transforms[dim - 1].backward(values, dim, workers)
        return values


@lru_cache(maxsize=4)
def _inverse_eigenvalues(
    transforms: tuple[AxisTransform, ...],
    diffusion: tuple[float, ...],
    reaction: tuple[float, ...],
    fourier: bool,
) -> Array:
    """Factors of shape (samples, *waves); kept, as the same box is solved for again and again."""
    periodic = [i for i, item in enumerate(transforms) if item.lower is None]
    eigenvalues = []
    for number, item in enumerate(transforms):
        values = item.eigenvalues(fourier=fourier)
        if periodic and number == periodic[-1]:
            values = values[: item.num_unknowns // 2 + 1]  # the rest follows from these for real fields
        eigenvalues.append(values)
    total = reduce(np.add.outer, eigenvalues)
    shape = (-1, *(1,) * total.ndim)
    result = np.asarray(diffusion).reshape(shape) * total + np.asarray(reaction).reshape(shape)
    np.divide(1.0, result, out=result, where=result != 0)
    if all(item.has_constants for item in transforms):
        zero = (slice(None), *(0,) * total.ndim)
        rates = np.asarray(reaction)
        result[zero] = np.divide(1.0, rates, out=np.zeros_like(rates), where=rates > 0)
    return result
