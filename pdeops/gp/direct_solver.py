"""Gaussian-process collocation without training: the kernel is read off the data, the solve is direct."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import Axis, AxisKind, Domain, Field, Grid
from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.boundary_rows import face_factors
from pdeops.gp.data_lines import check_resolution
from pdeops.gp.equation_terms import has_plain_unknown
from pdeops.gp.error_draws import draw_errors
from pdeops.gp.kernel_lattice import KERNELS, LONGEST, MOST_TIMES, KernelLattice
from pdeops.gp.kernel_search import Steps, lattice_descent
from pdeops.gp.posed_problem import PosedProblem
from pdeops.gp.posterior import GaussianProcessReport, GaussianProcessSolution, Posterior, summed
from pdeops.gp.spectral_lines import UnderResolvedWarning
from pdeops.gp.tensor_collocation import Collocated
from pdeops.problems import Problem

MISFIT_AT_REST = 1e-12
LARGE_MISFIT = 0.05
"""Of equation and conditions, in their largest terms: above it a solution is not to be trusted."""
FEWEST_POINTS = 3
SMALLEST_GAIN = 0.9
"""Of the score: a kernel that is better by less is not worth its points."""


@dataclass(frozen=True, kw_only=True)
class GaussianProcessSolver:
    r"""GP-HM, solved directly: problems for one unknown on tensor grids, steady or in time.

    The prior is a product over the axes of mixtures of waves. Their frequencies are the peaks of the spectra
    of the source and of the boundary data along each axis, and zero. Their length scale and the weight of
    each are found by `lattice_descent`, lengths by factors of two and weights by factors of ten, on the
    generalised cross-validation of the equation's residual, which knows nothing of the solution. For each
    kernel the most likely solution is found by `TensorCollocation`. Nothing is trained.

    Cross-validation and not the evidence: that one is right for solutions drawn from the prior, and those of
    a problem are not (``scripts/benchmark.py gp_evidence``: in one dimension it chooses no better); it needs
    the level of the noise, which here is rounding; and it needs a determinant, which in two dimensions is not
    to be had for a coefficient that varies.

    Time is an axis like any other, with the initial values for its condition: the solution at all times is
    found at once. Its kernel has a length scale of its own, and its number of points follows from that.

    Args:
        kernel: ``"gaussian"`` or ``"student"`` envelopes of the waves.
        length_scale: First length to try, in lengths of the axis.
        max_kernels: Kernels to try at most; 1 keeps the first length and equal weights. The search ends
            before at a misfit that is that of rounding.
        max_newton_steps: For nonlinear equations.
        draws: Draws from the posterior for the standard deviation.
        seed: Of the draws.

    Raises:
        ValueError: An argument is out of range.

    Good values: The defaults; grids of 2.5 or more points a wave of the data along each axis, and times
        in which the solution makes no more than some ten waves.

    Failure mode: Below two points a wave nothing can work: where the data is known as formulas it is
        followed by an `UnderResolvedWarning` with the number of points that is needed. Solutions with
        frequencies that neither source nor boundary data have are found only with shorter length scales.

    Source: Fang et al. (2024), arXiv:2311.04465, for the kernel and the Kronecker structure; the direct solve
        in place of its training is ours.
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = math.inf

    kernel: str = "gaussian"
    length_scale: float = 0.25
    max_kernels: int = 32
    max_newton_steps: int = 30
    draws: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel: expected one of {sorted(KERNELS)}, got {self.kernel!r}")
        if not 0 < self.length_scale < math.inf:
            raise ValueError(f"length_scale: expected a positive number, got {self.length_scale}; try 0.25")
        if self.length_scale > LONGEST:
            raise ValueError(f"length_scale: expected at most {LONGEST}, got {self.length_scale}; try 0.25")
        if min(self.max_kernels, self.max_newton_steps, self.draws) < 1:
            raise ValueError("max_kernels, max_newton_steps, draws: expected at least 1 of each")

    @property
    def settings(self) -> dict[str, Any]:
        """The numerical settings as plain values."""
        return {"solver": type(self).__name__, **asdict(self)}

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Why it cannot solve a problem on a domain, or None."""
        if not isinstance(domain, Grid):
            return f"expected a grid, got a {type(domain).__name__}"
        wrong = [axis.name for axis in domain.axes if axis.kind is AxisKind.CELLS]
        if wrong:
            return f"expected periodic axes, nodes or Chebyshev points, got cells for {wrong}"
        if len(problem.outputs) != 1 or problem.auxiliary or len(problem.equations) != 1:
            return "expected one equation for one unknown"
        if problem.conormal_coefficient.atoms(AppliedUndef):
            return "expected a coefficient of diffusion that is no input"
        short = [axis.name for axis in domain.axes if axis.num_points < FEWEST_POINTS]
        if short:
            return f"expected {FEWEST_POINTS} or more points an axis, got fewer for {short}"
        try:
            faces = [face for n in range(domain.dimension) for face in face_factors(problem, domain, n)]
        except (ValueError, KeyError, TypeError) as error:
            return str(error)
        if any(alpha != 0 for alpha, _, _ in faces) or not problem.steady or has_plain_unknown(problem):
            return None
        return "expected a condition on the value on some part of the boundary, or a term without derivatives"

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> GaussianProcessSolution:
        """Solve the problem for a batch of inputs.

        Args:
            problem: Equation, parameters, boundary conditions, and initial ones in time.
            inputs: Source, coefficients and initial values by name on `domain`, one device; computed in
                float64, without gradients.
            domain: Grid of nodes, Chebyshev points or periodic axes.
            times: Output times, ascending, from zero on; None for a steady problem.

        Returns:
            The posterior mean with its standard deviation, and what tells both anywhere else.

        Raises:
            ValueError: Problem, inputs, domain and times do not fit.
            RuntimeError: Newton's method did not come to rest.

        Warns:
            UnderResolvedWarning: The grid has fewer than two points a wave of the data, or equation and
                conditions are met to a twentieth of their largest terms only.
        """
        problem.check_domain(domain)
        reason = self.unsuited(problem, domain)
        if reason is not None or not isinstance(domain, Grid):
            raise ValueError(f"{type(self).__name__} for {problem.name}: {reason}; try another solver")
        wanted = checked_times(problem, times)
        batch = checked_batch(problem, inputs, domain)
        started = time.perf_counter()
        check_resolution(problem, domain)
        last = None if wanted is None else wanted[-1].item()
        samples = [{name: field.sample(i) for name, field in inputs.items()} for i in range(batch)]
        solved = [self._solve_sample(problem, sample, domain, last) for sample in samples]
        posteriors = tuple(posterior for posterior, _, _ in solved)
        output = problem.outputs[0]
        names, units = (output.name,), (output.unit,)
        dim = 1 if wanted is None else 2
        mean = torch.stack([posterior.mean(domain, times=wanted) for posterior in posteriors])
        deviation = torch.stack(
            [posterior.standard_deviation(domain, times=wanted) for posterior in posteriors]
        )
        spread = Field(deviation.unsqueeze(dim), domain, names, units, times)
        report = self._report([found for _, found, _ in solved], solved[0][2], time.perf_counter() - started)
        return GaussianProcessSolution(
            mean.unsqueeze(dim),
            domain,
            names,
            units,
            times,
            standard_deviation=spread,
            posteriors=posteriors,
            report=report,
        )

    def _solve_sample(
        self, problem: Problem, inputs: Mapping[str, Field], space: Grid, last: float | None
    ) -> tuple[Posterior, Collocated, str]:
        posed = PosedProblem(problem, inputs, space, None if last is None else Axis("t", 0.0, last, 2))
        lattice = KernelLattice(posed, self.kernel, self.length_scale)
        tried: dict[Steps, Collocated] = {}
        nearest: tuple[Sequence[AxisBasis], Tensor] | None = None

        def score(steps: Steps) -> float:
            nonlocal nearest
            if not lattice.holds(steps):
                return math.inf
            collocation = lattice.collocation(steps, self.max_newton_steps)
            points = [axis.points for axis in collocation.grid.axes]
            found = collocation.solve(None if nearest is None else summed(nearest[0], points, nearest[1])[0])
            if nearest is None and found.converged and not collocation.equation.is_linear:
                nearest = collocation.bases, found.coefficients[None]
            tried[steps] = found
            if not found.converged:
                return math.inf
            return 0.0 if found.misfit < MISFIT_AT_REST else found.score

        best = lattice_descent(score, lattice.moves, self.max_kernels, gain=SMALLEST_GAIN)
        if best not in tried:
            raise ValueError(
                f"length_scale: expected one that {MOST_TIMES} times can hold, got {self.length_scale}; "
                "try 0.25"
            )
        found = tried[best]
        if not found.converged:
            raise RuntimeError(
                f"Newton's method did not come to rest in {found.iterations} steps, residual "
                f"{found.history[-1]:.1e}; try more points, a smaller nonlinearity or a shorter time"
            )
        if found.misfit > LARGE_MISFIT:
            warnings.warn(
                f"{problem.name}: the equation and its conditions are met to {found.misfit:.1e} of their "
                "largest terms only; the grid or the kernel does not hold the solution: try more points, "
                "other length scales or a shorter time, and conditions that agree where they meet",
                UnderResolvedWarning,
                stacklevel=3,
            )
        # Built again: all that were tried would fill the memory.
        collocation = lattice.collocation(best, self.max_newton_steps)
        errors = draw_errors(collocation, found, self.draws, self.seed)
        return Posterior(collocation.bases, found.coefficients, errors), found, lattice.words(best)

    def _report(self, found: list[Collocated], scales: str, seconds: float) -> GaussianProcessReport:
        longest = max(len(item.history) for item in found)
        history = torch.tensor(
            [item.history + item.history[-1:] * (longest - len(item.history)) for item in found]
        )
        misfit = max(item.misfit for item in found)
        ranks = " x ".join(map(str, found[0].coefficients.shape))
        return GaussianProcessReport(
            status="under-resolved" if misfit > LARGE_MISFIT else "converged",
            message=f"{ranks} functions, length scale {scales} of the axis, misfit {misfit:.1e}",
            seconds=seconds,
            iterations=torch.tensor([item.iterations for item in found]),
            residual_history=history.T,
        )


def checked_batch(problem: Problem, inputs: Mapping[str, Field], domain: Domain) -> int:
    """Number of samples, after checking that the inputs can be solved for.

    Raises:
        ValueError: An input is missing, lives on another domain, has other samples than the rest, or holds
            values that are not finite.
    """
    problem.check_inputs(inputs)
    for name, field in inputs.items():
        if field.domain != domain:
            raise ValueError(
                f"{problem.name}: expected {name!r} on the domain asked for, {domain}, got it on "
                f"{field.domain}; try field.resample(domain)"
            )
        if not bool(torch.isfinite(field.values).all()):
            raise ValueError(f"{problem.name}: expected finite values of {name!r}, got NaN or infinity")
    sizes = {name: field.batch_size for name, field in inputs.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"{problem.name}: expected as many samples of every input, got {sizes}")
    return next(iter(sizes.values()))


def checked_times(problem: Problem, times: Tensor | None) -> Float64[Tensor, " time"] | None:
    """Output times in float64 on the CPU, or None for a steady problem.

    Raises:
        ValueError: They are missing, not ascending, negative, only zero, or given to a steady problem.
    """
    if problem.steady:
        if times is not None:
            raise ValueError(
                f"{problem.name}: expected times=None for a steady problem, got {times.tolist()}"
            )
        return None
    if times is None:
        raise ValueError(f"{problem.name}: expected output times, got None; try torch.tensor([1.0])")
    checked = times.detach().to("cpu", torch.float64)
    if checked.ndim != 1 or not bool(
        torch.isfinite(checked).all() and (checked.diff() > 0).all() and checked[0] >= 0 and checked[-1] > 0
    ):
        raise ValueError(
            f"{problem.name}: expected finite, ascending times from 0 on, the last above 0, got "
            f"{times.tolist()}; try torch.tensor([1.0])"
        )
    return checked
