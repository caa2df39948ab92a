"""MgNO as published for Darcy (He, Liu and Xu 2024, arXiv:2310.19809): what ours is measured against.

Plain modules, one convolution for each arrow of the cycle, zero padding. See `pdeops.operators.MgNO` to use.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PublishedMgNO(nn.Module):
    """Layers GELU(V-cycle(u) + 1x1 convolution(u) + b), then a 1x1 convolution without bias.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        shape: Points of the grid.
        width: Channels of the hidden fields.
        num_layers: Number of layers.
        iterations: Smoothing steps on each level on the way down, finest level first.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: tuple[int, int],
        width: int = 24,
        num_layers: int = 4,
        iterations: tuple[int, ...] = (1, 1, 1, 1, 1, 2),
    ) -> None:
        super().__init__()
        channels = [in_channels] + [width] * num_layers
        self.cycles = nn.ModuleList(
            PublishedCycle(number, width, shape, iterations) for number in channels[:-1]
        )
        self.pointwise = nn.ModuleList(nn.Conv2d(number, width, 1) for number in channels[:-1])
        self.head = nn.Conv2d(width, out_channels, 1, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        for cycle, pointwise in zip(self.cycles, self.pointwise, strict=True):
            values = functional.gelu(cycle(values) + pointwise(values))
        return self.head(values)


class PublishedCycle(nn.Module):
    """Way down with smoothing, way up with sums: the published form of a multigrid cycle.

    Args:
        in_channels: Channels of the right-hand side f.
        width: Channels of the iterate u.
        shape: Points of the finest level; a level has half of them, rounded up, of the one above.
        iterations: Smoothing steps on each level, finest first.
    """

    def __init__(
        self, in_channels: int, width: int, shape: tuple[int, int], iterations: tuple[int, ...]
    ) -> None:
        super().__init__()
        shapes = [shape]
        for _ in iterations[1:]:
            shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
        self.start = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        # The first step of the finest level starts from zero, so it needs no product with the iterate.
        steps = [iterations[0] - 1, *iterations[1:]]
        self.smoothing = nn.ModuleList(
            nn.Sequential(*[Smoothing(in_channels, width) for _ in range(number)]) for number in steps
        )
        self.restrict_iterate = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False) for _ in shapes[1:]
        )
        self.restrict_right_side = nn.ModuleList(
            nn.Conv2d(in_channels, in_channels, 3, stride=2, padding=1, bias=False) for _ in shapes[1:]
        )
        # An even number of points needs a kernel of 4, an odd one of 3.
        self.prolong = nn.ModuleList(
            nn.ConvTranspose2d(
                width, width, [4 - points % 2 for points in fine], stride=2, padding=1, bias=False
            )
            for fine in shapes[:-1]
        )

    def forward(self, right_side: Tensor) -> Tensor:
        """Map f (batch, in_channels, height, width) to u (batch, width, height, width)."""
        iterate, _ = self.smoothing[0]((self.start(right_side), right_side))
        levels = [iterate]
        for smoothing, restrict_iterate, restrict_right_side in zip(
            self.smoothing[1:], self.restrict_iterate, self.restrict_right_side, strict=True
        ):
            right_side = restrict_right_side(right_side)
            iterate, _ = smoothing((restrict_iterate(iterate), right_side))
            levels.append(iterate)
        for level in reversed(range(len(self.prolong))):
            iterate = levels[level] + self.prolong[level](iterate)
        return iterate


class Smoothing(nn.Module):
    """One step u + S(f - A u), with 3x3 convolutions S and A."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.system = nn.Conv2d(width, in_channels, 3, padding=1, bias=False)
        self.smoother = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)

    def forward(self, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Map (u, f) to (the next u, f)."""
        iterate, right_side = state
        return iterate + self.smoother(right_side - self.system(iterate)), right_side
