"""From a problem and a domain to a field: the solver is chosen where none is given."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.problems import Problem
from solvers.chebyshev.chebyshev_elliptic_solver import ChebyshevEllipticSolver
from solvers.chebyshev.chebyshev_etdrk4_solver import ChebyshevETDRK4Solver
from solvers.elements.finite_element_evolution_solver import FiniteElementEvolutionSolver
from solvers.elements.finite_element_solver import FiniteElementSolver
from solvers.elements.shape_solver import ShapeSolver
from solvers.elliptic.fast_poisson import FastPoissonSolver
from solvers.elliptic.finite_volume_multigrid import FiniteVolumeMultigridSolver
from solvers.elliptic.sparse_finite_difference import SparseFiniteDifferenceSolver
from solvers.hyperbolic.finite_volume_solver import FiniteVolumeSolver
from solvers.ordinary.initial_value_solver import InitialValueSolver
from solvers.solver import Solution, Solver
from solvers.spectral.crank_nicolson_euler_solver import CrankNicolsonEulerSolver
from solvers.spectral.explicit_runge_kutta_solver import ExplicitRungeKuttaSolver
from solvers.spectral.imex_runge_kutta_solver import ImexRungeKuttaSolver
from solvers.spectral.spectral_solver import SpectralSolver

CATALOGUE: tuple[Solver, ...] = (
    SpectralSolver(),
    ImexRungeKuttaSolver(),
    ExplicitRungeKuttaSolver(),
    CrankNicolsonEulerSolver(),
    ChebyshevETDRK4Solver(),
    FiniteVolumeSolver(),
    FastPoissonSolver(symbol="fourier"),
    FastPoissonSolver(),
    ChebyshevEllipticSolver(),
    FiniteVolumeMultigridSolver(),
    SparseFiniteDifferenceSolver(degree=4),
    SparseFiniteDifferenceSolver(),
    FiniteElementSolver(),
    FiniteElementEvolutionSolver(),
    ShapeSolver(),
    InitialValueSolver(),
)
"""Solvers with their default settings, the preferred ones first: fast and exact before general."""

logger = logging.getLogger("solvers")


def suitable(problem: Problem, domain: Domain) -> Solver:
    """The first solver of the catalogue that can solve a problem on a domain.

    Args:
        problem: Equation, parameters and boundary conditions.
        domain: Where.

    Returns:
        The solver, with its default settings.

    Raises:
        ValueError: No solver fits; the message has the reason of each. Or the problem cannot be posed there.
    """
    problem.check_domain(domain)
    reasons = []
    for solver in sorted(CATALOGUE, key=lambda solver: not solver.prefers(problem, domain)):
        reason = solver.unsuited(problem, domain)
        if reason is None:
            return solver
        reasons.append(f"{type(solver).__name__}: {reason}")
    listing = "\n  ".join(reasons)
    raise ValueError(f"{problem.name}: expected a solver that fits, got none:\n  {listing}")


def solve(
    problem: Problem,
    domain: Domain,
    times: Float[Tensor, " time"] | None = None,
    inputs: Mapping[str, Field] | None = None,
    *,
    solver: Solver | None = None,
    seed: int = 0,
) -> Solution:
    """Solve a problem.

    Args:
        problem: Equation, parameters and boundary conditions.
        domain: Grid or mesh on which the solution is wanted.
        times: Output times (time,), ascending, not negative; None for a steady problem.
        inputs: Initial data, coefficients or sources by name, on the domain; drawn from the problem's own
            sampler if None.
        solver: The method; None takes the first of `CATALOGUE` that fits, and logs which.
        seed: Of the inputs that are drawn.

    Returns:
        The solution; ``solution.report`` says by which solver, how it ended and what it cost.

    Raises:
        ValueError: Problem, domain, inputs, times and solver do not fit together.
        SolverError: The method did not reach a solution.

    Example:
        >>> from pdeops.domains import Grid
        >>> from pdeops.problems import Burgers1D
        >>> import torch
        >>> solve(Burgers1D(), Grid.periodic((64,)), torch.tensor([0.5])).report.solver
        'SpectralSolver'
    """
    if inputs is None:
        inputs = problem.sample_inputs(domain, [seed])
    if solver is None:
        solver = suitable(problem, domain)
        logger.info("%s is solved by %s", problem.name, solver)
    if not isinstance(solver, Solver):
        raise TypeError(f"solver: expected a solver, got {solver!r}; try SpectralSolver()")
    solver.check(problem, inputs, domain, times)
    return solver.solve(problem, inputs, domain, times).solved_by(solver)
