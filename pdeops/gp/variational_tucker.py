"""Variational inference in functional Tucker models, from one start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.gp.latent_functions import LatentFunctions
from pdeops.gp.tensor_core import Entries, TensorCore, TuckerCore

WEAK = 1e-3
"""Shape and rate of the Gamma prior of the precision of the noise: a thousandth of an observation."""

FIRST_NOISE = 0.1
"""First guess of the noise's variance, where it is learned, for values of mean square 1."""


@dataclass
class VariationalTucker:
    r"""Posterior :math:`q(W)\, q(\tau) \prod_k q(u^k)` of a functional Tucker model, improved by `sweep`.

    .. math:: y_n = \langle W, u^1(x^1_n) \otimes \dots \otimes u^K(x^K_n) \rangle + \epsilon_n, \quad
              \epsilon_n \sim N(0, 1 / \tau)

    Each factor in turn becomes the best one given the others, all its points at once and with its kernel:
    the evidence lower bound cannot fall, so no damping is needed, and a fall means numbers have broken down.

    Args:
        values: Data y, shape (entries,), of mean square about 1.
        functions: The latent functions, one object a mode.
        core: How they are joined.
        noise_variance: Variance of the noise if it is known, or None to learn it.
    """

    values: Float64[Tensor, " entries"]
    functions: Sequence[LatentFunctions]
    core: TensorCore
    noise_variance: float | None = None

    def __post_init__(self) -> None:
        """Start with the first guess of the noise."""
        self.precision = 1 / (FIRST_NOISE if self.noise_variance is None else self.noise_variance)
        self.bound = -math.inf

    def sweep(self, *, learn_kernel: bool) -> float:
        """Update every factor once.

        Args:
            learn_kernel: Whether the kernels' parameters move, too.

        Returns:
            The evidence lower bound, natural logarithm.

        Raises:
            FloatingPointError: The bound fell or is not finite, or a matrix is singular.
        """
        try:
            bound = self._updated(learn_kernel)
        except torch.linalg.LinAlgError as error:
            raise FloatingPointError(
                f"VariationalTucker: expected regular matrices, got one that is not ({error}); "
                "try lower ranks or a known noise that is not so small"
            ) from error
        slack = 1e-8 * (abs(self.bound) + len(self.values)) if math.isfinite(self.bound) else 0.0
        if not bound >= self.bound - slack:
            raise FloatingPointError(
                f"VariationalTucker: expected a bound that does not fall, got {bound:.9g} after "
                f"{self.bound:.9g}; try lower ranks or a known noise that is not so small"
            )
        self.bound = bound
        return bound

    def _updated(self, learn_kernel: bool) -> float:
        """All factors updated once; returns the bound."""
        for mode, functions in enumerate(self.functions):
            precisions, shifts = self.core.messages(self.entries(), mode)
            functions.update(self.precision * precisions, self.precision * shifts, learn_kernel=learn_kernel)
        misfit = self.update_core()
        if learn_kernel and isinstance(self.core, TuckerCore):
            # The field and the functions' divergences stay, for the kernels' variances follow.
            for functions, factors in zip(self.functions, self.core.balance(), strict=True):
                functions.rescale(factors)
        bound = self._update_noise(misfit) - self.core.divergence
        return bound - sum(functions.divergence for functions in self.functions)

    def update_core(self) -> float:
        """Update the core alone; returns the expected sum of squares of what is left."""
        return max(self.core.update(self.entries(), self.precision), 0.0)

    def restart(self) -> None:
        """Forget the bound after functions were added, turned or dropped, and let the core take them up."""
        self.update_core()
        self.bound = -math.inf

    def residuals(self) -> Float64[Tensor, " entries"]:
        """What the posterior mean leaves of the data."""
        means = [self.core.mean_form(mean) for _, mean, _ in self.entries().chunks(self.core.width)]
        return self.values - torch.cat(means)

    def _update_noise(self, misfit: float) -> float:
        """The noise's best posterior; returns the expected log likelihood less its divergence."""
        half = len(self.values) / 2
        constant = -half * math.log(2 * math.pi)
        if self.noise_variance is not None:
            return constant + half * math.log(self.precision) - self.precision * misfit / 2
        shape, rate = WEAK + half, WEAK + misfit / 2
        self.precision = shape / rate
        # With the posterior's own shape and rate the terms with digamma functions cancel.
        prior = WEAK * math.log(WEAK) - math.lgamma(WEAK)
        return constant + prior + math.lgamma(shape) - shape * math.log(rate)

    def entries(self) -> Entries:
        """The data with the moments of the functions, as cores take them."""
        return Entries(
            self.values,
            [functions.where for functions in self.functions],
            [functions.means for functions in self.functions],
            [functions.seconds for functions in self.functions],
        )

    def moments(
        self, coordinates: Float64[Tensor, "query modes"]
    ) -> tuple[Float64[Tensor, " query"], Float64[Tensor, " query"]]:
        """Posterior of the field without noise at any points.

        Args:
            coordinates: One column a mode.

        Returns:
            Means and variances, shape (query,).
        """
        if len(coordinates) == 0:
            return coordinates.new_zeros(0), coordinates.new_zeros(0)
        tables, where = [], []
        for functions, column in zip(self.functions, coordinates.unbind(1), strict=True):
            points, rows = torch.unique(column, return_inverse=True)
            tables.append(functions.at(points))
            where.append(rows)
        means = [mean for mean, _ in tables]
        seconds = [covariance + mean[:, :, None] * mean[:, None, :] for mean, covariance in tables]
        entries = Entries(coordinates.new_zeros(len(coordinates)), where, means, seconds)
        parts = []
        for _, mean, second in entries.chunks(self.core.width):
            value = self.core.mean_form(mean)
            # A difference of squares: rounding may leave it a hair below zero.
            parts.append((value, (self.core.second_form(second) - value.square()).clamp_min(0)))
        return torch.cat([mean for mean, _ in parts]), torch.cat([variance for _, variance in parts])
