"""Classical solvers: spectral methods in time and space, finite volumes, multigrid, conjugate gradients.

Every solver has the same surface, ``solve(problem, inputs, domain, times) -> Solution``, works on batches in
float64 on the device of its inputs, and declares its orders of convergence.
"""

from solvers.catalogue import CATALOGUE, solve, suitable
from solvers.chebyshev.chebyshev_elliptic_solver import ChebyshevEllipticSolver
from solvers.chebyshev.chebyshev_etdrk4_solver import ChebyshevETDRK4Solver
from solvers.elements import FiniteElementEvolutionSolver, FiniteElementSolver, ShapeSolver
from solvers.elliptic.fast_poisson import FastPoissonSolver
from solvers.elliptic.fast_poisson_inverse import FastPoissonInverse
from solvers.elliptic.fast_poisson_transform import AxisTransform, End
from solvers.elliptic.finite_volume_multigrid import FiniteVolumeMultigridSolver
from solvers.elliptic.finite_volume_system import FiniteVolumeSystem
from solvers.elliptic.flux_balance import FluxBalance
from solvers.elliptic.multigrid import Multigrid
from solvers.elliptic.sparse_finite_difference import SparseFiniteDifferenceSolver
from solvers.elliptic.wall import Wall
from solvers.hyperbolic import FiniteVolumeSolver, Limiter, NumericalFlux, WenoSolver
from solvers.krylov import (
    KrylovResult,
    conjugate_gradient,
    flexible_cg,
    flexible_conjugate_gradient,
    gmres,
    minres,
)
from solvers.ordinary.initial_value_solver import InitialValueSolver
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus
from solvers.spectral.crank_nicolson_euler_solver import CrankNicolsonEulerSolver
from solvers.spectral.etdrk4 import ETDRK4Coefficients, etdrk4_step
from solvers.spectral.explicit_runge_kutta_solver import ExplicitRungeKuttaSolver
from solvers.spectral.imex_runge_kutta_solver import ImexRungeKuttaSolver
from solvers.spectral.spectral_solver import SpectralSolver
from solvers.spectral.spectral_space import FourierSpace

__all__ = [
    "CATALOGUE",
    "AxisTransform",
    "ChebyshevETDRK4Solver",
    "ChebyshevEllipticSolver",
    "CrankNicolsonEulerSolver",
    "ETDRK4Coefficients",
    "End",
    "ExplicitRungeKuttaSolver",
    "FastPoissonInverse",
    "FastPoissonSolver",
    "FiniteElementEvolutionSolver",
    "FiniteElementSolver",
    "FiniteVolumeMultigridSolver",
    "FiniteVolumeSolver",
    "FiniteVolumeSystem",
    "FluxBalance",
    "FourierSpace",
    "ImexRungeKuttaSolver",
    "InitialValueSolver",
    "KrylovResult",
    "Limiter",
    "Multigrid",
    "NumericalFlux",
    "ShapeSolver",
    "Solution",
    "SolveReport",
    "SolveStatus",
    "Solver",
    "SolverError",
    "SparseFiniteDifferenceSolver",
    "SpectralSolver",
    "Wall",
    "WenoSolver",
    "conjugate_gradient",
    "etdrk4_step",
    "flexible_cg",
    "flexible_conjugate_gradient",
    "gmres",
    "minres",
    "solve",
    "suitable",
]

# Run folders of the first release name it so; the settings are the same.
FiniteVolumeDarcy = FiniteVolumeMultigridSolver
