"""Gaussian processes with structure: on tensor grids, and in the factors of a tensor decomposition."""

from pdeops.gp.collocation_model import CollocationModel
from pdeops.gp.direct_solver import GaussianProcessSolver
from pdeops.gp.functional_tucker import FunctionalTucker
from pdeops.gp.joint_solver import JointGaussianProcessSolver, JointModel
from pdeops.gp.kalman import LinearGaussianChain
from pdeops.gp.kernel_factor import KernelFactor, kronecker_log_determinant
from pdeops.gp.mixture_kernels import GaussianMixtureKernel, MixtureKernel, StudentMixtureKernel
from pdeops.gp.posterior import GaussianProcessReport, GaussianProcessSolution, Posterior
from pdeops.gp.spectral_lines import UnderResolvedWarning, spectral_lines
from pdeops.gp.state_space import MaternStateSpace
from pdeops.gp.tucker_model import FunctionalTuckerModel

__all__ = [
    "CollocationModel",
    "FunctionalTucker",
    "FunctionalTuckerModel",
    "GaussianMixtureKernel",
    "GaussianProcessReport",
    "GaussianProcessSolution",
    "GaussianProcessSolver",
    "JointGaussianProcessSolver",
    "JointModel",
    "KernelFactor",
    "LinearGaussianChain",
    "MaternStateSpace",
    "MixtureKernel",
    "Posterior",
    "StudentMixtureKernel",
    "UnderResolvedWarning",
    "kronecker_log_determinant",
    "spectral_lines",
]
