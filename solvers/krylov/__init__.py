"""Krylov subspace methods: conjugate gradients, flexible ones with memory, MINRES and GMRES."""

from solvers.krylov.conjugate_gradient import conjugate_gradient
from solvers.krylov.flexible_conjugate_gradient import flexible_cg, flexible_conjugate_gradient
from solvers.krylov.gmres import gmres
from solvers.krylov.minres import minres
from solvers.krylov.result import KrylovResult, LinearMap

__all__ = [
    "KrylovResult",
    "LinearMap",
    "conjugate_gradient",
    "flexible_cg",
    "flexible_conjugate_gradient",
    "gmres",
    "minres",
]
