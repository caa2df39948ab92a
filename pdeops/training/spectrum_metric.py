"""How far the energy spectrum of predictions is from the truth."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from pdeops.domains import Grid
from pdeops.domains.spectrum import energy_spectrum, resolved_wavenumber

RESOLVED = 1e-12
"""Share of the total energy below which a shell is not resolved."""


class SpectrumError(Metric):
    r"""Mean distance of energy spectra in decades.

    .. math:: \frac{1}{K} \sum_{k=1}^{K} \left| \log_{10} \frac{\bar E_{\hat y}(k)}{\bar E_y(k)} \right|

    :math:`\bar E(k)` is the isotropic spectrum (`energy_spectrum`), mean over samples and channels, and
    :math:`K` the highest complete shell. Relative errors hardly see the small scales; this number sees a
    prediction that is too smooth or too noisy in any of them.

    Shells in which the truth has less than 1e-12 of its total energy are left out: they hold the error of the
    solver and roundoff. Less than that counts as that much in a prediction too, so that a shell without
    predicted energy counts the decades between the truth there and 1e-12 of its total: between 0 and 12.

    Good values: below 0.1; one lost decade in half of the shells gives 0.5.

    Failure mode: An operator that predicts nothing above a cut-off (a truncated basis) is measured by its
        cut-off there, not by its accuracy; compare it with operators of the same cut-off, or look at the
        spectra. NaN when the truth has no energy outside the mean.

    Raises:
        ValueError: On update, when the grid is not periodic or differs from that of earlier batches.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    predicted: Tensor
    expected: Tensor

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        shells = resolved_wavenumber(grid) + 1
        self.add_state("predicted", torch.zeros(shells, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("expected", torch.zeros(shells, dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self,
        prediction: Float[Tensor, "batch channels *shape"],
        target: Float[Tensor, "batch channels *shape"],
    ) -> None:
        """Add the samples of a batch.

        Args:
            prediction: Values on the grid, shape (batch, channels, *shape).
            target: Same shape.
        """
        if not len(target):
            return
        for values, state in ((prediction, self.predicted), (target, self.expected)):
            _, energies = energy_spectrum(values, self.grid)
            state += energies.flatten(end_dim=-2).sum(dim=0)[: len(state)]

    def compute(self) -> Float[Tensor, ""]:
        """Return the mean distance in decades."""
        floor = RESOLVED * self.expected.sum()
        kept = self.expected > floor
        kept[0] = False
        ratio = self.predicted[kept].clamp_min(floor) / self.expected[kept]
        return ratio.log10().abs().mean()
