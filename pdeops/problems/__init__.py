"""Problems: equations stated once, with inputs to sample and exact solutions to test against."""

from pdeops.problems.advection import Advection
from pdeops.problems.advection_diffusion_reaction import AdvectionDiffusionReaction
from pdeops.problems.allen_cahn import AllenCahn
from pdeops.problems.antiderivative import Antiderivative
from pdeops.problems.boundary_condition import (
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
    Robin,
)
from pdeops.problems.burgers import Burgers1D
from pdeops.problems.burgers_2d import Burgers2D
from pdeops.problems.cahn_hilliard import CahnHilliard
from pdeops.problems.cole_hopf import cole_hopf_burgers
from pdeops.problems.conservation_law import ConservationLaw
from pdeops.problems.darcy import Darcy2D
from pdeops.problems.diffusion_reaction import DiffusionReaction
from pdeops.problems.driven_pendulum import DrivenPendulum
from pdeops.problems.elastic_cell import ElasticCell
from pdeops.problems.elliptic import EllipticProblem
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.expression import DerivativeRule, autograd_rule, evaluate
from pdeops.problems.fisher_kpp import FisherKPP
from pdeops.problems.formula import parse_formula
from pdeops.problems.gaussian_patches import GaussianPatches
from pdeops.problems.gaussian_process import GaussianProcess
from pdeops.problems.gray_scott import GrayScott
from pdeops.problems.heat import HeatEquation
from pdeops.problems.helmholtz import Helmholtz, RandomSoundSpeed
from pdeops.problems.korteweg_de_vries import KortewegDeVries
from pdeops.problems.kuramoto_sivashinsky import KuramotoSivashinsky
from pdeops.problems.linear_elasticity import LinearElasticity
from pdeops.problems.linear_terms import LinearTerm
from pdeops.problems.manufactured import conditions_of, source_of
from pdeops.problems.manufactured_poisson import ManufacturedAllenCahn, ManufacturedPoisson
from pdeops.problems.multiscale_permeability import MultiscalePermeability
from pdeops.problems.navier_stokes import NavierStokes2D
from pdeops.problems.navier_stokes_3d import NavierStokes3D
from pdeops.problems.nonlinear_ode import NonlinearODE
from pdeops.problems.nonlinear_operator import NonlinearOperator, SpectralSpace
from pdeops.problems.nonlinear_schrodinger import NonlinearSchrodinger
from pdeops.problems.ordinary import OrdinaryProblem
from pdeops.problems.parameter import FormulaParameter, NumberParameter, formula, parameter
from pdeops.problems.pendulum import Pendulum
from pdeops.problems.permeability import LognormalPermeability, TwoPhasePermeability
from pdeops.problems.pipe_flow import PipeFlow
from pdeops.problems.poisson import Poisson
from pdeops.problems.polynomial_series import ChebyshevSeries, PowerSeries
from pdeops.problems.problem import Problem
from pdeops.problems.random_fields import NeumannRandomField, PeriodicRandomField, RandomField, Sampler
from pdeops.problems.residual import equation_residuals, grid_rule
from pdeops.problems.riemann import BurgersJump, DamBreak, n_wave
from pdeops.problems.screened_poisson import ScreenedPoisson
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.shallow_water import ShallowWater
from pdeops.problems.shape_problem import ShapeProblem
from pdeops.problems.simple_wave import simple_wave
from pdeops.problems.smooth_random_field import SmoothRandomField
from pdeops.problems.solenoidal_field import SolenoidalField
from pdeops.problems.steady_allen_cahn import SteadyAllenCahn
from pdeops.problems.stokes import Stokes
from pdeops.problems.time_derivative import time_derivative_matrix
from pdeops.problems.transport import Transport
from pdeops.problems.variable import Variable
from pdeops.problems.vector_problem import VectorProblem
from pdeops.problems.wave import Wave

__all__ = [
    "Advection",
    "AdvectionDiffusionReaction",
    "AllenCahn",
    "Antiderivative",
    "BoundaryCondition",
    "BoundaryConditions",
    "Burgers1D",
    "Burgers2D",
    "BurgersJump",
    "CahnHilliard",
    "ChebyshevSeries",
    "ConservationLaw",
    "DamBreak",
    "Darcy2D",
    "DerivativeRule",
    "DiffusionReaction",
    "Dirichlet",
    "DrivenPendulum",
    "ElasticCell",
    "EllipticProblem",
    "ExactSolution",
    "FisherKPP",
    "FormulaParameter",
    "GaussianPatches",
    "GaussianProcess",
    "GrayScott",
    "HeatEquation",
    "Helmholtz",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "LinearElasticity",
    "LinearTerm",
    "LognormalPermeability",
    "ManufacturedAllenCahn",
    "ManufacturedPoisson",
    "MultiscalePermeability",
    "NavierStokes2D",
    "NavierStokes3D",
    "Neumann",
    "NeumannRandomField",
    "NonlinearODE",
    "NonlinearOperator",
    "NonlinearSchrodinger",
    "NumberParameter",
    "OrdinaryProblem",
    "Pendulum",
    "PeriodicRandomField",
    "PipeFlow",
    "Poisson",
    "PowerSeries",
    "Problem",
    "RandomField",
    "RandomSoundSpeed",
    "Robin",
    "Sampler",
    "ScreenedPoisson",
    "SemilinearProblem",
    "ShallowWater",
    "ShapeProblem",
    "SmoothRandomField",
    "SolenoidalField",
    "SpectralSpace",
    "SteadyAllenCahn",
    "Stokes",
    "Transport",
    "TwoPhasePermeability",
    "Variable",
    "VectorProblem",
    "Wave",
    "autograd_rule",
    "cole_hopf_burgers",
    "conditions_of",
    "equation_residuals",
    "evaluate",
    "formula",
    "grid_rule",
    "n_wave",
    "parameter",
    "parse_formula",
    "simple_wave",
    "source_of",
    "time_derivative_matrix",
]
