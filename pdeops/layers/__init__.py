"""Differentiable blocks shared by the operators."""

from pdeops.layers.activations import Activation, activation_derivatives, activation_function
from pdeops.layers.bases import analysis_matrix, synthesis_matrix
from pdeops.layers.batch_norm import BatchNorm
from pdeops.layers.boundary_padding import Boundary, BoundaryPadding
from pdeops.layers.channel_mlp import ChannelMLP
from pdeops.layers.continuation import continue_field
from pdeops.layers.coordinates import coordinate_channels
from pdeops.layers.dense_network import DenseNetwork, StackedNetworks
from pdeops.layers.differential_convolution import DifferentialConvolution, gradient_weights
from pdeops.layers.encoder_decoder import EncoderDecoder
from pdeops.layers.factorised_convolution import FactorisedConvolution
from pdeops.layers.fast_transforms import fast_analysis, fast_synthesis
from pdeops.layers.fourier_layer import FourierLayer
from pdeops.layers.frequency_mixing import FrequencyMixing
from pdeops.layers.grid_lift import GridLift
from pdeops.layers.grid_transfer import Prolongation, coarser_shape, transfer_kernel
from pdeops.layers.kernel_integral import Edges, KernelIntegral, find_edges
from pdeops.layers.latent_grid import LatentGrid
from pdeops.layers.learned_deformation import LearnedDeformation
from pdeops.layers.linear_doubling import double_points, doubling_matrix
from pdeops.layers.local_convolution import LocalConvolution, stencil
from pdeops.layers.mode_block import Basis, ModeBlock, basis_kinds
from pdeops.layers.multigrid_cycle import MultigridCycle, Restrict, level_shapes
from pdeops.layers.neural_spectral_block import NeuralSpectralBlock
from pdeops.layers.nonuniform_fourier import NonuniformFourier
from pdeops.layers.padding import crop, pad, padded_shape
from pdeops.layers.physics_attention import PhysicsAttention
from pdeops.layers.point_features import PointFeatures
from pdeops.layers.point_positions import PointPositions, PositionKind
from pdeops.layers.principal_modes import Modes, PrincipalModes
from pdeops.layers.quadrature_attention import QuadratureAttention
from pdeops.layers.quadrature_points import quadrature_points
from pdeops.layers.radius_neighbours import Neighbours, radius_neighbours, reach
from pdeops.layers.sensors import SensorKind, Sensors, tensor_basis
from pdeops.layers.sparse_product import forward_mode, sparse_product
from pdeops.layers.spectral_convolution import SpectralConvolution
from pdeops.layers.spectral_pyramid import SpectralPyramid
from pdeops.layers.spread_points import spread_points
from pdeops.layers.taylor import TaylorAlgebra
from pdeops.layers.transforms import TransformMethod, TruncatedTransform
from pdeops.layers.trigonometric_series import add_trigonometric_series

__all__ = [
    "Activation",
    "Basis",
    "BatchNorm",
    "Boundary",
    "BoundaryPadding",
    "ChannelMLP",
    "DenseNetwork",
    "DifferentialConvolution",
    "Edges",
    "EncoderDecoder",
    "FactorisedConvolution",
    "FourierLayer",
    "FrequencyMixing",
    "GridLift",
    "KernelIntegral",
    "LatentGrid",
    "LearnedDeformation",
    "LocalConvolution",
    "ModeBlock",
    "Modes",
    "MultigridCycle",
    "Neighbours",
    "NeuralSpectralBlock",
    "NonuniformFourier",
    "PhysicsAttention",
    "PointFeatures",
    "PointPositions",
    "PositionKind",
    "PrincipalModes",
    "Prolongation",
    "QuadratureAttention",
    "Restrict",
    "SensorKind",
    "Sensors",
    "SpectralConvolution",
    "SpectralPyramid",
    "StackedNetworks",
    "TaylorAlgebra",
    "TransformMethod",
    "TruncatedTransform",
    "activation_derivatives",
    "activation_function",
    "add_trigonometric_series",
    "analysis_matrix",
    "basis_kinds",
    "coarser_shape",
    "continue_field",
    "coordinate_channels",
    "crop",
    "double_points",
    "doubling_matrix",
    "fast_analysis",
    "fast_synthesis",
    "find_edges",
    "forward_mode",
    "gradient_weights",
    "level_shapes",
    "pad",
    "padded_shape",
    "quadrature_points",
    "radius_neighbours",
    "reach",
    "sparse_product",
    "spread_points",
    "stencil",
    "synthesis_matrix",
    "tensor_basis",
    "transfer_kernel",
]
