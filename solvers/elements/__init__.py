"""Finite elements on meshes, assembled by scikit-fem (the extra ``fem``)."""

from solvers.elements.finite_element_evolution_solver import FiniteElementEvolutionSolver
from solvers.elements.finite_element_solver import FiniteElementSolver
from solvers.elements.shape_solver import ShapeSolver

__all__ = ["FiniteElementEvolutionSolver", "FiniteElementSolver", "ShapeSolver"]
