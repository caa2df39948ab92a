"""Krylov subspace methods: conjugate gradients, flexible ones with memory, MINRES and GMRES."""

from solvers.krylov.conjugate_gradient import ConjugateGradientResult, conjugate_gradient

__all__ = ["ConjugateGradientResult", "conjugate_gradient"]
