"""The kernels that are tried for a problem, as points of a lattice of whole numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import torch

from pdeops.domains import AxisKind
from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.data_lines import axis_lines
from pdeops.gp.kernel_search import Steps, single_moves
from pdeops.gp.mixture_kernels import GaussianMixtureKernel, StudentMixtureKernel
from pdeops.gp.posed_problem import PosedProblem
from pdeops.gp.tensor_collocation import TensorCollocation

KERNELS = {"gaussian": GaussianMixtureKernel, "student": StudentMixtureKernel}
LENGTH_STEP, WEIGHT_STEP = 2.0, 10.0
LONGEST = 4.0
"""Length scale, in lengths of the axis, up to which there are kernels: their waves grow with it."""
FEWEST_TIMES, TIMES_A_LENGTH, MOST_TIMES = 18, 7.5, 400
"""Points of the time: about one and a half for each wave that its kernel holds, at most so many."""


class KernelLattice:
    r"""Kernels of a problem, whose zero is a guess from its data.

    The frequencies of each axis are zero and those of the data along it. The first number of a point is the
    power of two in the length scale of all axes of space, the second one that of the time where there is one;
    the others are the powers of ten in the weight of each frequency, for axes with more than one.

    Args:
        posed: The problem.
        kernel: ``"gaussian"`` or ``"student"``.
        length_scale: Length scale at zero, in lengths of the axis.
    """

    def __init__(self, posed: PosedProblem, kernel: str, length_scale: float) -> None:
        self.posed, self.kernel, self.length_scale = posed, kernel, length_scale
        self.lines = [axis_lines(posed, number) for number in range(posed.grid.dimension)]
        self.num_lengths = 1 if posed.time is None else 2
        weights = sum(len(lines) for lines in self.lines if len(lines) > 1)
        self.dimension = self.num_lengths + weights

    @property
    def moves(self) -> list[Steps]:
        """Steps for a search: one number each, and both lengths together: what is finer is mostly faster."""
        both = [] if self.posed.time is None else [(1, 1, *[0] * (self.dimension - 2))]
        return both + single_moves(self.dimension)

    def lengths(self, steps: Steps) -> list[float]:
        """Length scale for each axis, in lengths of it."""
        lengths = [self.length_scale * LENGTH_STEP**step for step in steps[: self.num_lengths]]
        in_time = [] if self.posed.time is None else lengths[1:]
        return in_time + lengths[:1] * self.posed.space.dimension

    def holds(self, steps: Steps) -> bool:
        """Whether there is a kernel at a point: of no longer length than `LONGEST`, in `MOST_TIMES`."""
        lengths = self.lengths(steps)
        if max(lengths) > LONGEST:
            return False
        return self.posed.time is None or self._num_times(lengths[0]) <= MOST_TIMES

    def collocation(self, steps: Steps, max_newton_steps: int) -> TensorCollocation:
        """The problem at the points and with the functions of a kernel.

        Args:
            steps: The point of the lattice.
            max_newton_steps: See `TensorCollocation`.

        Returns:
            What solves it.
        """
        lengths, posed = self.lengths(steps), self.posed
        if posed.time is not None:
            number = self._num_times(lengths[0])
            posed = replace(posed, time=replace(posed.time, num_points=number, kind=AxisKind.CHEBYSHEV))
        powers = iter(steps[self.num_lengths :])
        bases = []
        for frequencies, axis, length in zip(self.lines, posed.grid.axes, lengths, strict=True):
            own = list(islice(powers, len(frequencies))) if len(frequencies) > 1 else [0]
            weights = WEIGHT_STEP ** torch.tensor(own, dtype=torch.float64)
            kernel = KERNELS[self.kernel](frequencies, length * axis.length, weights / weights.sum())
            bases.append(AxisBasis(kernel, axis))
        return TensorCollocation(posed, bases, max_newton_steps)

    def words(self, steps: Steps) -> str:
        """The length scales, for people."""
        scales = dict.fromkeys(self.lengths(steps))
        return " and ".join(f"{scale:g}" for scale in scales)

    def _num_times(self, length: float) -> int:
        return FEWEST_TIMES + round(TIMES_A_LENGTH / length)
