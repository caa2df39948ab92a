"""Differentiable blocks shared by the operators."""

from pdeops.layers.bases import analysis_matrix, synthesis_matrix
from pdeops.layers.boundary_padding import Boundary, BoundaryPadding
from pdeops.layers.channel_mlp import ChannelMLP
from pdeops.layers.coordinates import coordinate_channels
from pdeops.layers.encoder_decoder import EncoderDecoder
from pdeops.layers.factorised_convolution import FactorisedConvolution
from pdeops.layers.fast_transforms import fast_analysis, fast_synthesis
from pdeops.layers.fourier_layer import FourierLayer
from pdeops.layers.frequency_mixing import FrequencyMixing
from pdeops.layers.grid_lift import GridLift
from pdeops.layers.grid_transfer import Prolongation, coarser_shape, stencil, transfer_kernel
from pdeops.layers.local_convolution import LocalConvolution
from pdeops.layers.mode_block import Basis, ModeBlock, basis_kinds
from pdeops.layers.multigrid_cycle import MultigridCycle, Restrict, level_shapes
from pdeops.layers.padding import crop, pad, padded_shape
from pdeops.layers.physics_attention import PhysicsAttention
from pdeops.layers.point_positions import PointPositions, PositionKind
from pdeops.layers.spectral_convolution import SpectralConvolution
from pdeops.layers.transforms import TransformMethod, TruncatedTransform

__all__ = [
    "Basis",
    "Boundary",
    "BoundaryPadding",
    "ChannelMLP",
    "EncoderDecoder",
    "FactorisedConvolution",
    "FourierLayer",
    "FrequencyMixing",
    "GridLift",
    "LocalConvolution",
    "ModeBlock",
    "MultigridCycle",
    "PhysicsAttention",
    "PointPositions",
    "PositionKind",
    "Prolongation",
    "Restrict",
    "SpectralConvolution",
    "TransformMethod",
    "TruncatedTransform",
    "analysis_matrix",
    "basis_kinds",
    "coarser_shape",
    "coordinate_channels",
    "crop",
    "fast_analysis",
    "fast_synthesis",
    "level_shapes",
    "pad",
    "padded_shape",
    "stencil",
    "synthesis_matrix",
    "transfer_kernel",
]
