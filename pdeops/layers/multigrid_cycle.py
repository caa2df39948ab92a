"""A multigrid V-cycle with learned stencils between channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.layers.boundary_padding import BoundaryPadding
from pdeops.layers.grid_transfer import (
    Prolongation,
    classical_weights,
    coarser_shape,
    transfer_kernel,
)
from pdeops.layers.local_convolution import stencil

Restrict = Literal["residual", "input"]


class MultigridCycle(nn.Module):
    r"""Linear map f -> u between channels by one V-cycle, in which every letter is a learned stencil.

    A smoothing step is :math:`u \leftarrow u + S\,(f - A u)`, or :math:`u = S f` from zero. On every level
    but the coarsest come ``pre`` steps, the coarser levels and ``post`` steps; on the coarsest one
    ``coarsest`` steps. The coarser levels correct u in one of two ways:

    * ``restrict="residual"``, as in textbooks: :math:`u \leftarrow u + P\,V_c(R\,(f - A u))`, where
      :math:`V_c` starts from zero. (To start it from a restricted :math:`\Pi u` with the right side
      :math:`R(f - A u) + A_c \Pi u` and to add the change is the same, as all is linear: no Pi is needed.)
      R has the widths of P, 4 on even sizes and 3 on odd ones, so that it can be its transpose. Training
      starts from linear interpolation and the average of the same weights, each channel by itself: from
      random transfers it takes longer and diverges sooner.
    * ``restrict="input"``, as published for MgNO: :math:`u \leftarrow u + P u_c`, where the coarser levels
      have the right side :math:`R f` and start from :math:`\Pi u`. R and Pi have the width 3.

    Args:
        in_channels: Channels of f.
        out_channels: Channels of u.
        shape: Points an axis of the finest grid.
        padding: What lies beyond the ends of the grid, on all levels.
        num_levels: Number of grids, the finest included.
        restrict: What the right side of the coarser levels is made of.
        pre: Smoothing steps before the coarser levels.
        post: Smoothing steps after them.
        coarsest: Smoothing steps on the coarsest level.
        shared: Whether all levels and steps have the same stencils (P and R one for each parity of sizes).

    Raises:
        ValueError: The shape is too small for the levels, or an option is out of range.

    Good values: As many levels as leave 5 to 8 points an axis; coarsest 2.

    Failure mode: With zeros beyond the ends, the coarser levels see a larger domain; see `BoundaryPadding`.

    Source: He and Xu (2019), MgNet, arXiv:1901.10415; He, Liu and Xu (2024), arXiv:2310.19809.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Sequence[int],
        padding: BoundaryPadding,
        *,
        num_levels: int,
        restrict: Restrict = "residual",
        pre: int = 1,
        post: int = 0,
        coarsest: int = 2,
        shared: bool = False,
    ) -> None:
        super().__init__()
        if restrict not in get_args(Restrict):
            raise ValueError(f"restrict: expected one of {', '.join(get_args(Restrict))}, got {restrict!r}")
        if min(pre, post) < 0 or pre + post < 1 or coarsest < 1:
            raise ValueError(
                "smoothing steps: expected pre and post of at least 0 and 1 together, and coarsest of at "
                f"least 1, got {pre}, {post} and {coarsest}; try 1, 0 and 2"
            )
        stencils = _Stencils(in_channels, out_channels, padding, shared)
        shapes = level_shapes(shape, num_levels)
        levels: list[nn.Module] = []
        for size in shapes[:-1]:
            # The published form starts a level from the restricted u of the finer one, where there is one.
            started = restrict == "input" and pre > 0 and bool(levels)
            levels.append(_Level(stencils, size, restrict, pre, post, started))
        started = restrict == "input" and pre > 0 and bool(levels)
        self.levels = nn.ModuleList([*levels, _Smoothing(stencils, coarsest, started)])

    def forward(
        self, values: Float[Tensor, "batch in_channels *shape"]
    ) -> Float[Tensor, "batch out_channels *shape"]:
        """Apply the cycle.

        Args:
            values: f, channels first.

        Returns:
            u, channels first.
        """
        return self._cycle(0, values, None)

    def _cycle(self, number: int, values: Tensor, start: Tensor | None) -> Tensor:
        level = self.levels[number]
        if isinstance(level, _Smoothing):
            return level(values, start)
        assert isinstance(level, _Level)
        result = level.pre(values, start)
        coarse = self._cycle(number + 1, *level.restricted(values, result))
        correction = level.prolong(coarse)
        result = correction if result is None else correction.add_(result)
        return level.post(values, result)


def level_shapes(shape: Sequence[int], num_levels: int) -> list[tuple[int, ...]]:
    """Points an axis of every level.

    Args:
        shape: Those of the finest grid.
        num_levels: Number of levels.

    Returns:
        The shapes, the finest first.

    Raises:
        ValueError: There is no level, or the coarsest has less than 2 points on an axis.
    """
    if num_levels < 1:
        raise ValueError(f"num_levels: expected at least 1, got {num_levels}; try 4")
    shapes = [tuple(shape)]
    for _ in range(num_levels - 1):
        shapes.append(coarser_shape(shapes[-1]))
    if min(shapes[-1]) < 2:
        least = 2 ** (num_levels - 1) + 1
        raise ValueError(
            f"num_levels: expected at least {least} points an axis for {num_levels} levels, "
            f"got {tuple(shape)}; try fewer levels"
        )
    return shapes


class _Stencils:
    """Makes the stencils of a cycle; if they are shared, each of them once."""

    def __init__(self, in_channels: int, out_channels: int, padding: BoundaryPadding, shared: bool) -> None:
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.padding = padding
        self._shared: dict[str, nn.Module] | None = {} if shared else None

    def smoother(self) -> nn.Module:
        """S: the channels of f to those of u."""
        return self._make("S", lambda: stencil(self.in_channels, self.out_channels, self.padding))

    def operator(self) -> nn.Module:
        """A: the channels of u to those of f."""
        return self._make("A", lambda: stencil(self.out_channels, self.in_channels, self.padding))

    def restriction(self, name: str, channels: int, kernel: Sequence[int]) -> nn.Module:
        """R or Pi: the channels stay."""
        return self._make(
            f"{name}{kernel}", lambda: stencil(channels, channels, self.padding, kernel=kernel, stride=2)
        )

    def prolongation(self, shape: Sequence[int]) -> nn.Module:
        """P to a shape."""
        return self._make(
            f"P{transfer_kernel(shape)}",
            lambda: Prolongation(self.out_channels, self.out_channels, shape, self.padding),
        )

    def _make(self, name: str, build: Callable[[], nn.Module]) -> nn.Module:
        if self._shared is None:
            return build()
        if name not in self._shared:
            self._shared[name] = build()
        return self._shared[name]


class _Smoothing(nn.Module):
    """Smoothing steps; the first one has no A if it starts from zero."""

    def __init__(self, stencils: _Stencils, num_steps: int, started: bool) -> None:
        super().__init__()
        self.padding = stencils.padding
        self.smoothers = nn.ModuleList(stencils.smoother() for _ in range(num_steps))
        self.operators = nn.ModuleList(
            stencils.operator() if started or number else nn.Identity() for number in range(num_steps)
        )

    def forward(self, values: Tensor, start: Tensor | None) -> Tensor | None:
        result = start
        for smoother, operator in zip(self.smoothers, self.operators, strict=True):
            if result is None:
                result = smoother(self.padding(values))
            else:
                residual = values - operator(self.padding(result))
                result = smoother(self.padding(residual)).add_(result)
        return result


class _Level(nn.Module):
    """One level but the coarsest: smoothing, the way down and the way up."""

    def __init__(
        self,
        stencils: _Stencils,
        shape: Sequence[int],
        restrict: Restrict,
        pre: int,
        post: int,
        started: bool,
    ) -> None:
        super().__init__()
        self.padding = stencils.padding
        self.is_input = restrict == "input"
        kernel = (3,) * len(shape) if self.is_input else transfer_kernel(shape)
        self.pre = _Smoothing(stencils, pre, started)
        self.post = _Smoothing(stencils, post, True)
        self.restrict = stencils.restriction("R", stencils.in_channels, kernel)
        if pre:
            if self.is_input:
                self.restrict_start = stencils.restriction("Pi", stencils.out_channels, kernel)
            else:
                self.operator = stencils.operator()
        self.prolong = stencils.prolongation(shape)
        if not self.is_input:
            weights = classical_weights(kernel)
            _start(self.prolong, weights)
            _start(self.restrict, weights / weights.sum())

    def restricted(self, values: Tensor, result: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Right side and start of the coarser level."""
        if result is None:
            return self.restrict(self.padding(values)), None
        if self.is_input:
            return self.restrict(self.padding(values)), self.restrict_start(self.padding(result))
        return self.restrict(self.padding(values - self.operator(self.padding(result)))), None


@torch.no_grad()
def _start(transfer: nn.Module, weights: Tensor) -> None:
    """Give each channel these weights, and none from one channel to another."""
    for parameter in transfer.parameters():
        parameter.zero_().diagonal().copy_(weights[..., None].expand(*weights.shape, len(parameter)))
