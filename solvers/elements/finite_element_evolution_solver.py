"""Finite elements in space and implicit-explicit steps in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy
import sympy
import torch
from torch import Tensor

from pdeops.domains import Domain, Field, import_scikit_fem
from pdeops.problems import Problem, SemilinearProblem
from solvers.elements.mesh_of import mesh_of, why_no_mesh
from solvers.solver import (
    Solution,
    Solver,
    SolveReport,
    SolverError,
    SolveStatus,
    checked_times,
    checked_values,
    initial_values,
)
from solvers.step_settings import check_step_settings

if TYPE_CHECKING:
    from solvers.elements.element_function import ElementFunction
    from solvers.elements.evolution_elements import EvolutionElements
    from solvers.elements.imex_steps import ImexSteps

Array = Any

ERROR_FACTOR = 2**2 - 1
"""Halving the step of a method of order two leaves a quarter of the error: the change is 3 times that."""


@dataclass(frozen=True, kw_only=True)
class FiniteElementEvolutionSolver(Solver):
    r"""Solves :math:`\partial_t u = L u + N(u)` with diffusion on meshes: heat, Allen-Cahn and the like.

    Space: linear or quadratic elements assembled by scikit-fem, as in `FiniteElementSolver`. Time: the linear
    part L (diffusion, transport, linear reaction) implicitly, so that it sets no limit on the step, all
    else explicitly, by the scheme ARS(2,2,2) of second order; its matrix is factorised once a step length.
    Boundary data is steady. Output times are met exactly: each interval between two of them is cut into equal
    steps.

    **Fixed step** (`time_step` given): every interval is cut into the fewest equal steps not longer than
    `time_step`. There is no error estimate.

    **Step control** (`time_step=None`): for every interval and every sample on its own, :math:`n` and
    :math:`2n` steps are compared, and :math:`n` is doubled until the estimate
    :math:`\|u_{2n} - u_n\| / (3 \|u_{2n}\|)` is at most `tolerance`.

    Args:
        degree: 1 or 2.
        time_step: Longest step h (time), or None for step control.
        tolerance: Largest estimated relative L2 error in time an output interval, at least 1e-12. Good
            values: 1e-5, or the error of the mesh.
        max_steps: Most steps an interval under step control.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: Where transport beats diffusion within a cell (:math:`|v| h > 2 D`) layers ring from cell to
    cell: refine there. Initial values that break the boundary conditions are replaced by them at the start,
    and step control then resolves the layer with many steps. Explicit terms that are stiff blow up with a
    step that is too long.

    References:
        | U. M. Ascher, S. J. Ruuth, R. J. Spiteri, 1997, Implicit-explicit Runge-Kutta methods for
        | time-dependent partial differential equations, doi:10.1016/S0168-9274(97)00056-1
    """

    time_order: ClassVar[float | None] = 2

    degree: int = 2
    time_step: float | None = None
    tolerance: float = 1e-5
    max_steps: int = 2**14

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.degree not in (1, 2):
            raise ValueError(f"degree: expected 1 or 2, got {self.degree!r}; try 2")
        check_step_settings(self.time_step, self.tolerance, self.max_steps)

    @property
    def space_order(self) -> float | None:  # type: ignore[override]
        """Order in L2: the degree plus one."""
        return self.degree + 1

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Expects diffusion of one unknown on a mesh or on nodes; see `Solver.unsuited`."""
        if not isinstance(problem, SemilinearProblem):
            return f"expected a SemilinearProblem, got {type(problem).__name__}"
        if len(problem.outputs) + len(problem.auxiliary) > 1:
            names = [variable.name for variable in (*problem.outputs, *problem.auxiliary)]
            return f"expected one unknown, got {names}"
        if problem.boundary is None:
            return "expected a problem with boundary conditions, got a periodic one"
        return why_no_mesh(domain) or _why_not_of_second_order(problem)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of initial fields, see `Solver.solve`.

        Raises:
            ImportError: scikit-fem is not installed.
            ValueError: The problem, the mesh (see `pdeops.domains.check_mesh`) or the times are not fit.
            SolverError: Values became infinite or NaN, or the tolerance was not met within `max_steps`.
        """
        frames, run = self._march(problem, inputs, domain, times)
        outputs = checked_times(times)
        given = initial_values(problem, inputs, domain)[:, 0].cpu().flatten(1)
        stacked = torch.stack(
            [
                frame.point_values if time > 0 else given
                for frame, time in zip(frames, outputs.tolist(), strict=True)
            ],
            dim=1,
        )[:, :, None]
        return Solution(
            values=stacked.reshape(*stacked.shape[:3], *domain.shape).to(
                inputs[problem.inputs[0].name].values.device
            ),
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            times=outputs,
            report=run.report(),
        )

    def solve_functions(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor
    ) -> tuple[ElementFunction, ...]:
        """Solve, and keep the solution as finite element functions, one a time.

        Args:
            problem: See `solve`.
            inputs: See `solve`.
            domain: See `solve`.
            times: See `solve`.

        Returns:
            The functions, with the basis of scikit-fem, the coefficients and true errors against an exact
            solution.

        Raises:
            ImportError: See `solve`.
            ValueError: See `solve`.
            SolverError: See `solve`.
        """
        return self._march(problem, inputs, domain, times)[0]

    def _march(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None
    ) -> tuple[tuple[ElementFunction, ...], _Run]:
        self.check(problem, inputs, domain, times)
        import_scikit_fem()
        from solvers.elements.element_function import ElementFunction
        from solvers.elements.evolution_elements import EvolutionElements

        values = {
            name: checked_values(problem, name, inputs, domain).flatten(1).cpu().numpy() for name in inputs
        }
        elements = EvolutionElements(cast(SemilinearProblem, problem), values, mesh_of(domain), self.degree)
        run = _Run(self, elements)
        advance = run.controlled if self.time_step is None else run.fixed
        state, start, frames = elements.initial, 0.0, []
        for end in checked_times(times).tolist():
            if end > start:
                state = advance(state, start, end)
            frames.append(ElementFunction(elements.space, state.T))
            start = end
        return tuple(frames), run


class _Run:
    """Counters and factorised matrices of one call of `solve`."""

    def __init__(self, settings: FiniteElementEvolutionSolver, elements: EvolutionElements) -> None:
        self.settings = settings
        self.elements = elements
        self.started = perf_counter()
        self.batch = elements.initial.shape[1]
        self.num_steps = numpy.zeros(self.batch, dtype=numpy.int64)
        self.error_estimate = numpy.zeros(self.batch)
        # The number of steps that the next interval is tried with first is 2**level, a sample.
        self.levels = [0] * self.batch
        self._steps: dict[str, ImexSteps] = {}

    def advance(
        self, state: Array, start: float, end: float, samples: Array, count: int
    ) -> tuple[Array, int]:
        from solvers.elements.imex_steps import ImexSteps

        # Intervals such as 0.1 and 0.3 - 0.2 differ in the last bit and may share a factorisation.
        length = (end - start) / count
        key = f"{length:.12e}"
        if key not in self._steps:
            self._steps[key] = ImexSteps(self.elements, length)
        return self._steps[key].march(state, start, samples, count)

    def fixed(self, state: Array, start: float, end: float) -> Array:
        longest = cast(float, self.settings.time_step)
        # Rounding must not turn ten steps into eleven.
        count = max(1, math.ceil((end - start) / longest * (1 - 1e-12)))
        result, finite = self.advance(state, start, end, numpy.arange(self.batch), count)
        if finite < count:
            raise self._blow_up(result, numpy.arange(self.batch), start, (end - start) / count, finite + 1)
        self.num_steps += count
        return result

    def controlled(self, state: Array, start: float, end: float) -> Array:
        result = numpy.empty_like(state)
        coarse: dict[int, Array] = {}
        pending = list(range(self.batch))
        while pending:
            level = min(self.levels[sample] for sample in pending)
            group = numpy.array([sample for sample in pending if self.levels[sample] == level])
            count = 2**level
            new = numpy.array([sample for sample in group if sample not in coarse], dtype=numpy.int64)
            if len(new):
                first, _ = self.advance(state[:, new], start, end, new, count)
                coarse |= dict(zip(new.tolist(), first.T, strict=True))
            fine, finite = self.advance(state[:, group], start, end, group, 2 * count)
            with numpy.errstate(all="ignore"):
                change = self.elements.norms(fine - numpy.stack([coarse[s] for s in group.tolist()], axis=1))
                errors = change / (ERROR_FACTOR * numpy.maximum(self.elements.norms(fine), 1e-300))
            for column, sample in enumerate(group.tolist()):
                if errors[column] <= self.settings.tolerance:
                    result[:, sample] = fine[:, column]
                    self.num_steps[sample] += 2 * count
                    self.error_estimate[sample] += errors[column]
                    # Half as many steps have about four times the error.
                    easy = level > 0 and errors[column] < self.settings.tolerance / 8
                    self.levels[sample] = level - 1 if easy else level
                    pending.remove(sample)
                elif 4 * count > self.settings.max_steps:
                    if finite < 2 * count:
                        raise self._blow_up(fine, group, start, (end - start) / (2 * count), finite + 1)
                    raise self._step_limit(sample, start, end, 2 * count, float(errors[column]))
                else:
                    coarse[sample] = fine[:, column]
                    self.levels[sample] = level + 1
        return result

    def report(self) -> SolveReport:
        controlled = self.settings.time_step is None
        estimate = torch.from_numpy(self.error_estimate) if controlled else None
        message = f"{self.batch} samples, at most {int(self.num_steps.max())} steps"
        if estimate is not None:
            message += f", estimated relative error in time at most {float(estimate.max()):.1e}"
        return SolveReport(
            status=SolveStatus.CONVERGED,
            message=message,
            seconds=perf_counter() - self.started,
            num_steps=torch.from_numpy(self.num_steps),
            error_estimate=estimate,
        )

    def _blow_up(
        self, state: Array, samples: Array, start: float, time_step: float, first: int
    ) -> SolverError:
        bad = samples[~numpy.isfinite(state).all(axis=0)].tolist()
        message = (
            f"step {first} after t = {start:g} (to t = {start + first * time_step:g}, step length "
            f"{time_step:g}) made values that are not finite in samples {bad}"
        )
        return SolverError(SolveReport(SolveStatus.BLOW_UP, message, perf_counter() - self.started))

    def _step_limit(self, sample: int, start: float, end: float, count: int, error: float) -> SolverError:
        message = (
            f"sample {sample}, from t = {start:g} to {end:g}: {count} steps leave an estimated error of "
            f"{error:.1e}, more than {self.settings.tolerance:.1e}"
        )
        return SolverError(SolveReport(SolveStatus.STEP_LIMIT, message, perf_counter() - self.started))


def _why_not_of_second_order(problem: SemilinearProblem) -> str | None:
    """Whether derivatives are those that elements of first derivatives can take."""
    diffusion = {}
    for _, term in problem.linear_terms[0]:
        if sum(term.orders) > 2:
            return f"expected derivatives up to the second, got one of order {sum(term.orders)}"
        if sum(term.orders) == 2:
            diffusion[term.orders] = term.coefficient
    axes = range(problem.dimension)
    pure = {tuple(2 * (axis == other) for other in axes) for axis in axes}
    if set(diffusion) != pure or max(diffusion.values()) - min(diffusion.values()) > 0:
        return "expected diffusion with one constant coefficient along all axes"
    if min(diffusion.values()) <= 0:
        return f"expected positive diffusion, got {min(diffusion.values()):g}"
    unknown = problem.function(problem.outputs[0].name)
    for node in problem.nonlinear_expressions[0].atoms(sympy.Derivative):
        if node.expr != unknown or node.derivative_count > 1:
            return f"expected no derivatives but first ones of {unknown} in the nonlinear part, got {node}"
    return None
