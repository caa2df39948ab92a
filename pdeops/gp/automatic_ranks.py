"""Ranks of a functional Tucker model chosen by its evidence bound."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from pdeops.gp.latent_functions import LatentFunctions
from pdeops.gp.tensor_core import CanonicalCore, TuckerCore
from pdeops.gp.variational_tucker import VariationalTucker

FIRST_RANK = 2
"""Rank of all modes to begin with."""

FUNCTION_COST = 2.0
"""Nats that a function has to bring: one for each of its kernel's two numbers."""

MOST_CORE = 1000
"""Most numbers in a core that ranks may grow to; its covariance takes the square of them."""

MOST_STATES = 10**7
"""Most points times squared states of a mode that ranks may grow to: about 4 GB of memory."""

STARTS, START_SWEEPS = 3, 8
"""Random starts of the functions that are added, and sweeps of each."""

FAITHFUL_SWEEPS, GROWN_SWEEPS, TURNED_SWEEPS = 2, 6, 3
"""Sweeps after growth with the old kernels and with learned ones, and after the functions were turned."""


class AutomaticRanks:
    r"""All ranks grow as long as the evidence bound rises by more than the new functions' kernels are worth.

    One round: a product model is fitted to what is left of the data, its functions are added to all modes
    (half as many as a mode has, or fewer if the core gets too large, at least one), and after a few sweeps
    each mode is turned to its principal functions, of which those stay that explain more than they cost. The
    round counts if the bound, less the cost, has risen; else the model is what it was before, and the ranks
    are found.

    The bound pays for functions and core, which are integrated out, and not for the length scale and the
    variance of each function, which are maximised over. Akaike charges one nat for each such number, so a
    function costs `FUNCTION_COST` = 2 nats. (Schwarz's :math:`\tfrac12 \log N` takes it that all N data tell
    of each number; of a length scale only the few pieces tell in which the function is independent.) A
    function that explains a sum of squares S of the data brings about :math:`S / (2 \sigma^2)` nats, so it
    stays if :math:`S > 4 \sigma^2`.

    Principal functions are those of the posterior mean's higher-order singular value decomposition over the
    data, as if all combinations of the modes' points were equally frequent.

    Args:
        fresh: Makes new functions of all modes, of one rank, from a generator: `fresh(rank, generator)`.
        generator: Source of the random starts.
        report: Called with the bound after each sweep.
        learn_kernel: Whether the kernels' parameters move.

    Good values: fields whose singular values fall fast; ten or more entries for each number found.

    Failure mode: Ranks that only help together with more than half as many others are not found, nor those
    that need a core of more than `MOST_CORE` numbers or more states than `MOST_STATES` at many points.

    Source: the cost, Akaike (1974), doi:10.1109/TAC.1974.1100705; principal functions, De Lathauwer, De
    Moor and Vandewalle (2000), doi:10.1137/S0895479896305696.
    """

    def __init__(
        self,
        fresh: Callable[[int, torch.Generator], list[LatentFunctions]],
        generator: torch.Generator,
        report: Callable[[float], None],
        *,
        learn_kernel: bool = True,
    ) -> None:
        self.fresh = fresh
        self.generator = generator
        self.report = report
        self.learn_kernel = learn_kernel

    def search(self, posterior: VariationalTucker, sweeps: int) -> tuple[VariationalTucker, list[float]]:
        """Find the ranks.

        Args:
            posterior: A model of low ranks after some sweeps; it is changed.
            sweeps: No round starts that would take more; with less than a choice of functions takes, the
                model stays as it is.

        Returns:
            The model of the ranks found, and its bound after each sweep that led to it.
        """
        if sweeps < TURNED_SWEEPS:
            return posterior, []
        trim(posterior)
        bounds = self._sweep(posterior, TURNED_SWEEPS, 0)
        a_round = FAITHFUL_SWEEPS + GROWN_SWEEPS + TURNED_SWEEPS
        spent = len(bounds)
        while spent + a_round <= sweeps:
            candidate = copy.deepcopy(posterior)
            if not self._grow(candidate):
                break
            try:
                risen = self._settle(candidate, FAITHFUL_SWEEPS)
            except FloatingPointError:
                break
            spent += a_round
            if not worth(candidate) > worth(posterior):
                break
            same = candidate.core.ranks == posterior.core.ranks
            posterior = candidate
            bounds += risen
            if same:
                break
        if spent + a_round <= sweeps:
            # A function that took long to fade may have been kept.
            candidate = copy.deepcopy(posterior)
            with suppress(FloatingPointError):
                risen = self._settle(candidate, 0)
                if worth(candidate) > worth(posterior):
                    posterior = candidate
                    bounds += risen
        return posterior, bounds

    def _settle(self, posterior: VariationalTucker, faithful: int) -> list[float]:
        """Sweeps, the first ones with the old kernels, around a choice of principal functions."""
        bounds = self._sweep(posterior, faithful + GROWN_SWEEPS, faithful)
        trim(posterior)
        return bounds + self._sweep(posterior, TURNED_SWEEPS, 0)

    def _sweep(self, posterior: VariationalTucker, sweeps: int, faithful: int) -> list[float]:
        bounds = []
        for number in range(sweeps):
            bounds.append(posterior.sweep(learn_kernel=self.learn_kernel and number >= faithful))
            self.report(bounds[-1])
        return bounds

    def _grow(self, posterior: VariationalTucker) -> bool:
        """Add functions to all modes; whether there was room."""
        core = tucker_core(posterior)
        limits = [
            max(functions.means.shape[1], min(len(functions.points), most_functions(functions)))
            for functions in posterior.functions
        ]
        for share in (2, 4, 8):
            ranks = tuple(
                min(rank + max(1, rank // share), limit)
                for rank, limit in zip(core.ranks, limits, strict=True)
            )
            if math.prod(ranks) <= MOST_CORE:
                break
        steps = [new - old for new, old in zip(ranks, core.ranks, strict=True)]
        if max(steps) == 0 or math.prod(ranks) > MOST_CORE:
            return False
        rest = self._rest(posterior, max(steps))
        if rest is None:
            return False
        for functions, others, step in zip(posterior.functions, rest.functions, steps, strict=True):
            if step > 0:
                functions.append(others, step)
        core.grow(ranks)
        posterior.restart()
        return True

    def _rest(self, posterior: VariationalTucker, rank: int) -> VariationalTucker | None:
        """The best of some product models of what the posterior mean leaves of the data."""
        left = posterior.residuals()
        best: VariationalTucker | None = None
        for _ in range(STARTS):
            functions = self.fresh(rank, self.generator)
            trial = VariationalTucker(
                left / left.square().mean().sqrt(), functions, CanonicalCore((rank,) * len(functions))
            )
            # Nearly all of it may be noise.
            trial.precision = 2.0
            try:
                for number in range(START_SWEEPS):
                    trial.sweep(learn_kernel=self.learn_kernel and number >= START_SWEEPS // 2)
            except FloatingPointError:
                continue
            if best is None or trial.bound > best.bound:
                best = trial
        return best


def most_functions(functions: LatentFunctions) -> int:
    """Functions for which there is memory: each has as many states as the kernel's order at every point."""
    return math.isqrt(MOST_STATES // len(functions.points)) // functions.state_space.order


def tucker_core(posterior: VariationalTucker) -> TuckerCore:
    """The core of a model that has one to learn.

    Raises:
        TypeError: It has none.
    """
    if not isinstance(posterior.core, TuckerCore):
        raise TypeError(f"AutomaticRanks: expected a TuckerCore, got {type(posterior.core).__name__}")
    return posterior.core


def worth(posterior: VariationalTucker) -> float:
    """The evidence bound less the cost of the functions' kernels."""
    return posterior.bound - FUNCTION_COST * sum(posterior.core.ranks)


def trim(posterior: VariationalTucker) -> None:
    """Turn all modes to their principal functions and drop those that explain less than they cost.

    Args:
        posterior: With a Tucker core; its bound is to be found anew.
    """
    core = tucker_core(posterior)
    least = 2 * FUNCTION_COST / posterior.precision
    for mode, (matrix, inverse, explained) in enumerate(principal_functions(posterior)):
        kept = max(1, int((explained > least).sum()))
        posterior.functions[mode].turn(matrix[:kept], inverse[:, :kept])
        core.turn(mode, inverse[:, :kept])
    for functions, factors in zip(posterior.functions, core.balance(), strict=True):
        functions.rescale(factors)
    posterior.restart()


def principal_functions(posterior: VariationalTucker) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Combinations of each mode's functions that are orthonormal over the data, the most important first.

    Args:
        posterior: With a Tucker core.

    Returns:
        A mode, the combinations (rank, rank), their inverse, and the sum of squares of the data that each
        explains, (rank,).
    """
    count = len(posterior.values)
    core = tucker_core(posterior).mean.reshape(posterior.core.ranks)
    roots, inverses = [], []
    for functions in posterior.functions:
        weights = torch.bincount(functions.where, minlength=len(functions.points)).to(functions.means) / count
        values, vectors = torch.linalg.eigh(functions.means.mT @ (weights[:, None] * functions.means))
        # Functions that nothing is known of have zero means, but no zero second moments.
        size = torch.einsum("n,nrr->", weights, functions.seconds)
        values = values.clamp_min(1e-14 * size).sqrt()
        roots.append((vectors * values) @ vectors.mT)
        inverses.append((vectors / values) @ vectors.mT)
    for mode, root in enumerate(roots):
        core = torch.tensordot(core, root, dims=([mode], [0])).movedim(-1, mode)
    found = []
    for mode, (root, inverse) in enumerate(zip(roots, inverses, strict=True)):
        left, sizes, _ = torch.linalg.svd(core.movedim(mode, 0).reshape(len(root), -1))
        explained = sizes.new_zeros(len(left))
        explained[: len(sizes)] = count * sizes.square()
        found.append((left.mT @ inverse, root @ left, explained))
    return found
