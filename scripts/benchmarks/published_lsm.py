"""LSM as published (Wu et al. 2023, arXiv:2301.12664), in two dimensions: what ours is measured against.

Plain modules, batch normalisation, patches made by views, zero padding. See `pdeops.operators.LSM` to use.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

HALVINGS = 4
HEADS, TOKENS, BASIS = 8, 4, 12
HIDDEN = 128


class PublishedLSM(nn.Module):
    """A U-Net with a neural spectral block on every skip connection and at the bottom.

    Args:
        in_channels: Channels of the input, without the two coordinates, which are appended.
        out_channels: Channels of the output.
        shape: Points of the grid; zeros fill it up to multiples of 16 behind the upper walls.
        width: Channels w of the finest level; the others have 2w, 4w, 8w and 8w. A multiple of 8.
    """

    def __init__(self, in_channels: int, out_channels: int, shape: tuple[int, int], width: int) -> None:
        super().__init__()
        self.padding = [-points % 2**HALVINGS for points in shape]
        patch = [(points + more) // 2**HALVINGS for points, more in zip(shape, self.padding, strict=True)]
        channels = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.lift = nn.Linear(in_channels + 2, width)
        self.first = double_convolution(width, width, width)
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), double_convolution(before, after, after))
            for before, after in pairwise(channels)
        )
        self.blocks = nn.ModuleList(PublishedSpectralBlock(number, patch) for number in channels)
        self.up = nn.ModuleList(
            Up(2 * channels[level], channels[max(level - 1, 0)]) for level in reversed(range(HALVINGS))
        )
        self.last = nn.Conv2d(width, width, 1)
        self.hidden = nn.Linear(width, HIDDEN)
        self.project = nn.Linear(HIDDEN, out_channels)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        batch, _, rows, columns = values.shape
        down, right = (
            torch.linspace(0, 1, n, dtype=values.dtype, device=values.device) for n in values.shape[2:]
        )
        position = torch.stack(torch.meshgrid(down, right, indexing="ij"), dim=-1)
        position = position.expand(batch, rows, columns, 2)
        hidden = self.lift(torch.cat((values.permute(0, 2, 3, 1), position), dim=-1)).permute(0, 3, 1, 2)
        if any(self.padding):
            hidden = functional.pad(hidden, (0, self.padding[1], 0, self.padding[0]))
        levels = [self.first(hidden)]
        for down_block in self.down:
            levels.append(down_block(levels[-1]))
        skips = [block(level) for block, level in zip(self.blocks, levels, strict=True)]
        hidden = skips.pop()
        for up_block in self.up:
            hidden = up_block(hidden, skips.pop())
        hidden = self.last(hidden)[:, :, :rows, :columns].permute(0, 2, 3, 1)
        return self.project(functional.gelu(self.hidden(hidden))).permute(0, 3, 1, 2)


class PublishedSpectralBlock(nn.Module):
    """Patches to latent tokens by attention, a trigonometric series on the tokens, and back.

    Args:
        channels: Channels, a multiple of the 8 heads.
        patch: Points of a patch.
    """

    def __init__(self, channels: int, patch: list[int]) -> None:
        super().__init__()
        self.channels = channels
        self.patch = patch
        self.encode = nn.Conv2d(channels, 2 * channels, 1)
        self.decode = nn.Conv2d(channels, channels, 1)
        self.tokens = nn.Parameter(torch.rand(HEADS, TOKENS, channels // HEADS) / channels)
        self.weights = nn.Parameter(torch.rand(channels, 2 * BASIS) / channels)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape; the patch divides height and width."""
        batch, channels, height, width = values.shape
        rows, columns = height // self.patch[0], width // self.patch[1]
        patches = values.reshape(batch, channels, rows, self.patch[0], columns, self.patch[1])
        patches = patches.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, *self.patch)
        patches = patches + self.read(patches, self.evolve(self.gather(patches)))
        patches = patches.reshape(batch, rows, columns, channels, *self.patch)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(values.shape)

    def gather(self, patches: Tensor) -> Tensor:
        """Tokens (patches, heads, tokens, d) of patches; keys and values alternate in the channels."""
        both = self.encode(patches).reshape(len(patches), HEADS, self.channels // HEADS, 2, -1)
        keys, values = both.permute(3, 0, 1, 4, 2)
        scores = torch.softmax(self.tokens @ keys.transpose(-1, -2), dim=-1)
        return scores @ values + self.tokens

    def evolve(self, tokens: Tensor) -> Tensor:
        """Add a series in sines and cosines of every value, with coefficients for each channel."""
        shape = tokens.shape
        values = tokens.permute(0, 1, 3, 2).reshape(len(tokens), self.channels, TOKENS)
        frequencies = math.pi / BASIS * torch.arange(BASIS, dtype=values.dtype, device=values.device)
        angles = values.unsqueeze(-1) * frequencies
        basis = torch.cat((torch.sin(angles), torch.cos(angles)), dim=-1)
        values = values + torch.einsum("pctn,cn->pct", basis, self.weights)
        return values.reshape(shape[0], HEADS, shape[3], TOKENS).permute(0, 1, 3, 2)

    def read(self, patches: Tensor, tokens: Tensor) -> Tensor:
        """What every point takes from the tokens of its patch, shape of the patches."""
        queries = self.decode(patches).reshape(len(patches), HEADS, self.channels // HEADS, -1)
        scores = torch.softmax(queries.transpose(-1, -2) @ tokens.transpose(-1, -2), dim=-1)
        return (scores @ tokens).permute(0, 1, 3, 2).reshape(patches.shape)


class Up(nn.Module):
    """Double the points by bilinear interpolation, join with the skip connection, convolve twice."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.convolutions = double_convolution(in_channels, in_channels // 2, out_channels)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Join coarse values with those of the finer level."""
        return self.convolutions(torch.cat((skip, self.up(coarse)), dim=1))


def double_convolution(in_channels: int, mid_channels: int, out_channels: int) -> nn.Sequential:
    """Twice: 3x3 convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, mid_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(mid_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(mid_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
