"""Gaussian-process collocation without training: the kernel is read off the data, the solve is direct."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.gp.axis_basis import AxisBasis
from pdeops.gp.boundary_rows import face_factors, face_values
from pdeops.gp.kernel_search import Steps, lattice_descent
from pdeops.gp.mixture_kernels import GaussianMixtureKernel, MixtureKernel, StudentMixtureKernel
from pdeops.gp.posterior import GaussianProcessReport, GaussianProcessSolution, Posterior, draw_errors
from pdeops.gp.spectral_lines import (
    UnderResolvedWarning,
    band_limit,
    merged,
    spectral_lines,
    warn_below_nyquist,
)
from pdeops.gp.tensor_collocation import Collocated, TensorCollocation
from pdeops.problems import ManufacturedPoisson, Problem, Transport

KERNELS = {"gaussian": GaussianMixtureKernel, "student": StudentMixtureKernel}
MISFIT_AT_REST = 1e-12
REFINEMENT = 8
LARGE_MISFIT = 0.05
LENGTH_STEP, WEIGHT_STEP = 2.0, 10.0
LONGEST = 4.0
"""Length scale, in lengths of the axis, up to which the search goes: the waves of a kernel grow with it."""
SMALLEST_GAIN = 0.5
"""Of the squared residual: kernels whose residuals differ by less count as equally good."""


@dataclass(frozen=True, kw_only=True)
class GaussianProcessSolver:
    r"""GP-HM, solved directly: steady problems for one unknown on tensor grids.

    The prior is a product over the axes of mixtures of waves. Their frequencies are the peaks of the spectra
    of the source and of the boundary data along each axis, and zero. Their length scale and the weight of
    each are found by `lattice_descent`, lengths by factors of two and weights by factors of ten, on the
    generalised cross-validation of the equation's residual, which knows nothing of the solution. For each
    kernel the most likely solution is found by `TensorCollocation`. Nothing is trained.

    Cross-validation and not the evidence: that one is right for solutions drawn from the prior, and those of
    a problem are not; it needs the level of the noise, which here is rounding; and it needs a determinant,
    which in two dimensions is not to be had for a coefficient that varies.

    Time is an axis like any other: an initial-value problem is `Transport` with its inflow.

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

    Good values: The defaults; grids of 2.5 or more points a wave of the data along each axis.

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
        wrong = [axis.name for axis in domain.axes if not axis.has_ends]
        if wrong:
            return f"expected axes of nodes or Chebyshev points, got others for {wrong}"
        if not problem.steady or len(problem.outputs) != 1 or problem.auxiliary:
            return "expected a steady problem for one unknown"
        if len(problem.equations) != 1 or problem.boundary is None:
            return "expected one equation with boundary conditions"
        if problem.conormal_coefficient.atoms(AppliedUndef):
            return "expected a coefficient of diffusion that is no input"
        try:
            rows = sum(len(face_factors(problem, domain, n)) for n in range(domain.dimension))
        except (ValueError, KeyError, TypeError) as error:
            return str(error)
        return None if rows else "expected a condition on some part of the boundary"

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> GaussianProcessSolution:
        """Solve the problem for a batch of inputs.

        Args:
            problem: Equation, parameters and boundary conditions.
            inputs: Source and coefficients by name on `domain`, one device; computed in float64.
            domain: Grid of nodes or Chebyshev points.
            times: None.

        Returns:
            The posterior mean with its standard deviation, and what tells both anywhere else.

        Raises:
            ValueError: Problem and domain do not fit.
            RuntimeError: Newton's method did not come to rest.

        Warns:
            UnderResolvedWarning: The grid has fewer than two points a wave of the data.
        """
        problem.check_domain(domain)
        reason = self.unsuited(problem, domain)
        if reason is not None or not isinstance(domain, Grid):
            raise ValueError(f"{type(self).__name__} for {problem.name}: {reason}; try another solver")
        if times is not None:
            raise ValueError(
                f"{problem.name}: expected times=None for a steady problem, got {times.tolist()}"
            )
        problem.check_inputs(inputs)
        started = time.perf_counter()
        check_resolution(problem, domain)
        batch = next(iter(inputs.values())).batch_size
        solved = [
            self._solve_sample(problem, {name: field.sample(i) for name, field in inputs.items()}, domain)
            for i in range(batch)
        ]
        posteriors = tuple(posterior for posterior, _, _ in solved)
        output = problem.outputs[0]
        names, units = (output.name,), (output.unit,)
        mean = torch.stack([posterior.mean(domain) for posterior in posteriors])[:, None]
        deviation = torch.stack([posterior.standard_deviation(domain) for posterior in posteriors])
        spread = Field(deviation[:, None], domain, names, units)
        report = self._report([found for _, found, _ in solved], solved[0][2], time.perf_counter() - started)
        return GaussianProcessSolution(
            mean, domain, names, units, standard_deviation=spread, posteriors=posteriors, report=report
        )

    def _solve_sample(
        self, problem: Problem, inputs: Mapping[str, Field], grid: Grid
    ) -> tuple[Posterior, Collocated, float]:
        lines = [axis_lines(problem, inputs, grid, number) for number in range(grid.dimension)]
        tried: dict[Steps, tuple[TensorCollocation, Collocated]] = {}

        nearest: Tensor | None = None

        def score(steps: Steps) -> float:
            nonlocal nearest
            if steps[0] > 0 and self.length_scale * LENGTH_STEP ** steps[0] > LONGEST:
                return math.inf
            bases = [
                AxisBasis(kernel, axis)
                for kernel, axis in zip(self._kernels(lines, grid, steps), grid.axes, strict=True)
            ]
            collocation = TensorCollocation(problem, inputs, grid, bases, self.max_newton_steps)
            found = collocation.solve(nearest)
            if nearest is None and found.converged and not collocation.equation.is_linear:
                nearest = collocation.values(found.coefficients)
            tried[steps] = collocation, found
            if not found.converged:
                return math.inf
            return 0.0 if found.misfit < MISFIT_AT_REST else found.score

        numbers = 1 + sum(len(item) for item in lines if len(item) > 1)
        best = lattice_descent(score, numbers, self.max_kernels, gain=SMALLEST_GAIN)
        (collocation, found), scale = tried[best], self.length_scale * LENGTH_STEP ** best[0]
        if not found.converged:
            raise RuntimeError(
                f"Newton's method did not come to rest in {found.iterations} steps, residual "
                f"{found.history[-1]:.1e}; try more points or a smaller nonlinearity"
            )
        if found.misfit > LARGE_MISFIT:
            warnings.warn(
                f"{problem.name}: the equation is met to {found.misfit:.1e} of its largest term only; the "
                "grid or the kernel does not hold the solution: try more points or other length scales",
                UnderResolvedWarning,
                stacklevel=3,
            )
        drawn, solved = draw_errors(collocation, found, self.draws, self.seed)
        return Posterior(collocation.bases, found.coefficients, drawn, solved), found, scale

    def _kernels(self, lines: list[Tensor], grid: Grid, steps: Steps) -> list[MixtureKernel]:
        """Kernel of each axis: the first step is that of the length, the others those of the weights."""
        length, rest = self.length_scale * LENGTH_STEP ** steps[0], list(steps[1:])
        result = []
        for frequencies, axis in zip(lines, grid.axes, strict=True):
            own = [rest.pop(0) for _ in frequencies] if len(frequencies) > 1 else [0]
            weights = WEIGHT_STEP ** torch.tensor(own, dtype=torch.float64)
            result.append(KERNELS[self.kernel](frequencies, length * axis.length, weights / weights.sum()))
        return result

    def _report(self, found: list[Collocated], scale: float, seconds: float) -> GaussianProcessReport:
        longest = max(len(item.history) for item in found)
        history = torch.tensor(
            [item.history + item.history[-1:] * (longest - len(item.history)) for item in found]
        )
        misfit = max(item.misfit for item in found)
        ranks = " x ".join(map(str, found[0].coefficients.shape))
        return GaussianProcessReport(
            status="converged",
            message=f"{ranks} functions, length scale {scale:g} of the axis, misfit {misfit:.1e}",
            seconds=seconds,
            iterations=torch.tensor([item.iterations for item in found]),
            residual_history=history.T,
        )


def axis_lines(
    problem: Problem, inputs: Mapping[str, Field], grid: Grid, number: int
) -> Float64[Tensor, " components"]:
    """Frequencies of a mixture for an axis: zero, and the lines of inputs and boundary data along it.

    Args:
        problem: States the boundary conditions.
        inputs: Inputs by name, one sample.
        grid: The grid.
        number: Number of the axis.

    Returns:
        Frequencies in cycles a unit of length.
    """
    axis = grid.axes[number]
    data = [field.values[0, 0].double() for field in inputs.values()]
    data += [face_values(problem, grid, other) for other in range(grid.dimension) if other != number]
    columns = [torch.movedim(item, number, 0).reshape(axis.num_points, -1).cpu() for item in data]
    if axis.kind is AxisKind.CHEBYSHEV:
        columns = [uniform(axis.points, item) for item in columns]
    spacing = axis.length / (axis.num_points - 1)
    lines = torch.cat([spectral_lines(item, spacing) for item in columns if item.shape[1]])
    return torch.cat([torch.zeros(1, dtype=torch.float64), merged(lines, 2 / axis.length)])


def uniform(points: Float64[Tensor, " points"], values: Float64[Tensor, "points columns"]) -> Tensor:
    """Values at as many uniform points, by linear interpolation: enough to see where the peaks are."""
    wanted = torch.linspace(points[0].item(), points[-1].item(), len(points), dtype=torch.float64)
    upper = torch.searchsorted(points, wanted).clamp(1, len(points) - 1)
    share = ((wanted - points[upper - 1]) / (points[upper] - points[upper - 1]))[:, None]
    return values[upper - 1] * (1 - share) + values[upper] * share


def check_resolution(problem: Problem, grid: Grid) -> None:
    """Warn where formulas of the data have frequencies that an axis cannot hold; see `warn_below_nyquist`.

    Boundary data is always a formula; the source is one for manufactured problems, and known on the grid only
    for others.

    Args:
        problem: The problem.
        grid: The grid.
    """
    for number, axis in enumerate(grid.axes):
        count = REFINEMENT * axis.num_points
        finer = Grid(
            tuple(
                replace(
                    other, num_points=count if n == number else min(other.num_points, 33), kind=AxisKind.NODES
                )
                for n, other in enumerate(grid.axes)
            )
        )
        known = [face_values(problem, finer, n) for n in range(grid.dimension) if n != number]
        if isinstance(problem, ManufacturedPoisson | Transport):
            known.append(problem.values(problem.source_formula, finer))
        spacing = axis.length / (count - 1)
        columns = [torch.movedim(item, number, 0).reshape(count, -1) for item in known]
        highest = max((band_limit(item, spacing) for item in columns if item.shape[1]), default=0.0)
        # The window widens every line by a few waves over the length of the axis.
        highest = max(highest - 4 / axis.length, 0.0)
        warn_below_nyquist(axis.name, axis.num_points, axis.length, highest, "data")
