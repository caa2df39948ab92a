"""Differentiable blocks shared by the operators."""

from pdeops.layers.bases import analysis_matrix, synthesis_matrix
from pdeops.layers.batch_norm import BatchNorm
from pdeops.layers.boundary_padding import Boundary, BoundaryPadding
from pdeops.layers.channel_mlp import ChannelMLP
from pdeops.layers.continuation import continue_field
from pdeops.layers.coordinates import coordinate_channels
from pdeops.layers.encoder_decoder import EncoderDecoder
from pdeops.layers.factorised_convolution import FactorisedConvolution
from pdeops.layers.fast_transforms import fast_analysis, fast_synthesis
from pdeops.layers.fourier_layer import FourierLayer
from pdeops.layers.frequency_mixing import FrequencyMixing
from pdeops.layers.grid_lift import GridLift
from pdeops.layers.grid_transfer import Prolongation, coarser_shape, transfer_kernel
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
from pdeops.layers.point_positions import PointPositions, PositionKind
from pdeops.layers.spectral_convolution import SpectralConvolution
from pdeops.layers.spectral_pyramid import SpectralPyramid
from pdeops.layers.transforms import TransformMethod, TruncatedTransform
from pdeops.layers.trigonometric_series import add_trigonometric_series

__all__ = [
    "Basis",
    "BatchNorm",
    "Boundary",
    "BoundaryPadding",
    "ChannelMLP",
    "EncoderDecoder",
    "FactorisedConvolution",
    "FourierLayer",
    "FrequencyMixing",
    "GridLift",
    "LatentGrid",
    "LearnedDeformation",
    "LocalConvolution",
    "ModeBlock",
    "MultigridCycle",
    "NeuralSpectralBlock",
    "NonuniformFourier",
    "PhysicsAttention",
    "PointPositions",
    "PositionKind",
    "Prolongation",
    "Restrict",
    "SpectralConvolution",
    "SpectralPyramid",
    "TransformMethod",
    "TruncatedTransform",
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
    "level_shapes",
    "pad",
    "padded_shape",
    "stencil",
    "synthesis_matrix",
    "transfer_kernel",
]
