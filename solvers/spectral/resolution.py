"""Whether a grid holds what a nonlinear equation makes: the strength of its shortest waves."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from solvers.solver import SolveReport, SolveStatus
from solvers.spectral.spectral_space import FourierSpace

LARGEST_SHARE = 5e-3
"""Of the squares of a field without its mean, in the outer third of the waves. Burgers' equation from a sine
wave has 5e-3 where its largest value is 3 % off, 3e-2 where it is 18 % off and 1e-6 where it is right to five
digits; turbulence and chaos at the grids that are good for them have up to 2e-3."""

logger = logging.getLogger("solvers")


class ResolutionCheck:
    """Keeps the worst frame of a run.

    Args:
        space: Waves of the solver.
    """

    def __init__(self, space: FourierSpace) -> None:
        self._outer: Bool[Tensor, " *modes"] = torch.zeros((), dtype=torch.bool, device=space.device)
        self._mean: Bool[Tensor, " *modes"] = torch.ones((), dtype=torch.bool, device=space.device)
        for waves in space.wavenumbers:
            self._outer = self._outer | (waves.abs() > 2 / 3 * waves.abs().max())
            self._mean = self._mean & (waves == 0)
        self.time = 0.0
        self.shares: Float[Tensor, " batch"] | None = None

    def look(self, spectrum: Complex[Tensor, "batch ..."], time: float) -> None:
        """Measure a frame; it is kept if it is worse than those before."""
        squares = spectrum.abs().square()
        # A uniform field has only rounding in its waves.
        total = (squares * ~self._mean).flatten(1).sum(1) + 1e-12 * squares.flatten(1).sum(1)
        shares = (squares * self._outer).flatten(1).sum(1) / total.clamp_min(1e-300)
        if len(shares) and (self.shares is None or shares.max() > self.shares.max()):
            self.time, self.shares = time, shares

    def judge(self, report: SolveReport) -> SolveReport:
        """The report, with another status and a warning in the log if the grid is too coarse."""
        if self.shares is None or not bool((self.shares > LARGEST_SHARE).any()):
            return report
        samples = torch.nonzero(self.shares > LARGEST_SHARE).flatten().tolist()
        message = (
            f"{report.message}; under-resolved at t = {self.time:g}: the outer third of the waves holds up "
            f"to {self.shares.max().item():.1e} of the squares in samples {samples}"
        )
        logger.warning("%s; %s", message, SolveStatus.UNDER_RESOLVED.diagnosis)
        return replace(report, status=SolveStatus.UNDER_RESOLVED, message=message)
