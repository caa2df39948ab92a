"""Finite volumes and conservative differences for conservation laws."""

from solvers.hyperbolic.finite_volume_solver import FiniteVolumeSolver
from solvers.hyperbolic.limiter import Limiter
from solvers.hyperbolic.numerical_flux import NumericalFlux
from solvers.hyperbolic.weno_solver import WenoSolver

__all__ = ["FiniteVolumeSolver", "Limiter", "NumericalFlux", "WenoSolver"]
