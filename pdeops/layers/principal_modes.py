"""Mean and principal modes of samples that come batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Modes:
    """Proper orthogonal decomposition of samples.

    Args:
        mean: Mean of the samples.
        modes: Orthonormal in the weights, the most energetic first.
        deviations: Root of the mean square of the samples' coefficients, one a mode.
    """

    mean: Float64[Tensor, " values"]
    modes: Float64[Tensor, "modes values"]
    deviations: Float64[Tensor, " modes"]


class PrincipalModes:
    r"""Collect samples and find the orthonormal functions that hold most of their variance.

    .. math:: \min_{\phi} \sum_s \Big\| (x_s - \bar x) - \sum_{k \le m} \langle x_s - \bar x, \phi_k\rangle_w
              \phi_k \Big\|_w^2, \qquad \langle x, y\rangle_w = \sum_i w_i x_i y_i

    Between batches a singular value decomposition of at most `kept` rows stands for all samples so far: never
    a matrix of values by values. Samples of a rank up to `kept` are held exactly.

    Args:
        weights: Quadrature weights w.
        num_modes: Number m of modes.
        kept: Rows held between batches.

    Good values: ``kept`` 4 times the modes.

    Failure mode: A mode beyond the rank of the samples is arbitrary, with deviation zero.

    Source: Brand (2006), doi:10.1016/j.laa.2005.07.021, for the update.
    """

    def __init__(self, weights: Float[Tensor, " values"], num_modes: int, kept: int) -> None:
        weights = weights.detach().cpu().double()
        # Points that no cell uses have weight zero; modes need values there, too.
        self.roots = weights.clamp_min(1e-14 * weights.max().item()).sqrt()
        self.num_modes = num_modes
        self.kept = max(kept, num_modes)
        self.count = 0
        self.mean = torch.zeros_like(self.roots)
        self.rows = torch.empty(0, len(self.roots), dtype=torch.float64)

    def add(self, samples: Float[Tensor, "batch values"]) -> None:
        """Add samples."""
        batch = samples.detach().cpu().double()
        mean, total = batch.mean(dim=0), self.count + len(batch)
        # The scatter about the common mean is that about the two means, and one more row between them.
        between = (self.count * len(batch) / total) ** 0.5 * (mean - self.mean)
        self.rows = torch.cat((self.rows, (batch - mean) * self.roots, (between * self.roots)[None]))
        self.mean = self.mean + (mean - self.mean) * (len(batch) / total)
        self.count = total
        if len(self.rows) > 2 * self.kept:
            singular, directions = self._decompose()
            self.rows = (singular[:, None] * directions)[: self.kept]

    def result(self) -> Modes:
        """Decompose what was added.

        Returns:
            Mean, modes and deviations.

        Raises:
            ValueError: There are fewer samples or values than modes.
        """
        if min(self.count, len(self.roots)) < self.num_modes:
            raise ValueError(
                f"modes: expected at least {self.num_modes} samples and values, got {self.count} samples of "
                f"{len(self.roots)} values; try fewer modes"
            )
        singular, directions = self._decompose()
        kept = slice(self.num_modes)
        return Modes(self.mean, directions[kept] / self.roots, singular[kept] / self.count**0.5)

    def _decompose(self) -> tuple[Tensor, Tensor]:
        _, singular, directions = torch.linalg.svd(self.rows, full_matrices=False)
        # The sign that makes the largest value positive: the same on every machine.
        largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
        return singular, directions * largest.sign()
