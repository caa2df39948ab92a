"""Gaussian processes with structure: on tensor grids, and in the factors of a tensor decomposition."""

from pdeops.gp.direct_solver import GaussianProcessSolver
from pdeops.gp.joint_solver import JointGaussianProcessSolver, JointModel
from pdeops.gp.kernel_factor import KernelFactor, kronecker_log_determinant
from pdeops.gp.mixture_kernels import GaussianMixtureKernel, MixtureKernel, StudentMixtureKernel
from pdeops.gp.posterior import GaussianProcessReport, GaussianProcessSolution, Posterior
from pdeops.gp.spectral_lines import UnderResolvedWarning, spectral_lines

__all__ = [
    "GaussianMixtureKernel",
    "GaussianProcessReport",
    "GaussianProcessSolution",
    "GaussianProcessSolver",
    "JointGaussianProcessSolver",
    "JointModel",
    "KernelFactor",
    "MixtureKernel",
    "Posterior",
    "StudentMixtureKernel",
    "UnderResolvedWarning",
    "kronecker_log_determinant",
    "spectral_lines",
]
