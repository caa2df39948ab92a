"""Slow flow through a curved pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import DEFAULT, Dirichlet, Neumann
from pdeops.problems.parameter import parameter
from pdeops.problems.shape_problem import ShapeProblem, position_fields
from pdeops.problems.smooth_random_field import generator
from pdeops.problems.stokes import Stokes
from pdeops.problems.variable import Variable

NUM_NODES = 5
"""Nodes of the centre line, with cubics between them."""


@dataclass(frozen=True, kw_only=True)
class PipeFlow(ShapeProblem):
    r"""Horizontal velocity of a slow flow through a curved pipe.

    .. math:: -\Delta u + \nabla p = 0, \qquad \nabla \cdot u = 0

    between the walls :math:`y = c(x) \pm W/2` for x from 0 to L, with no slip. At :math:`x = 0` the velocity
    is horizontal and a parabola with maximum 1, at :math:`x = L` the flow leaves freely
    (:math:`\partial u / \partial n - p n = 0`). Maps the positions of the reference points to :math:`u_x`.

    The centre line c is made of four cubics through five nodes at equal distances: its height there is
    uniform between -h and h, its slope between -m and m; both are continuous. The flow does not depend on the
    height of the whole, so the pipe is moved to start at height 0. The reference domain is the unit square:
    :math:`X = (L \hat x, \; c(L \hat x) + W (\hat y - 1/2))`. All cells of the image keep their area.

    All quantities are dimensionless. Without inertia the velocity does not depend on the viscosity.

    Args:
        length: Length :math:`L > 0`.
        width: Width :math:`W > 0`, along y.
        height: Largest height :math:`h \ge 0` of a node.
        slope: Largest slope :math:`m \ge 0` at a node.

    Good values: 65 x 33 nodes; 129 x 129 as published.

    Failure mode: The width is measured along y, so a steep pipe is narrow, and needs more points along x.

    Source: Z. Li, D. Z. Huang, B. Liu, A. Anandkumar (2023), Fourier neural operator with learned
    deformations for PDEs on general geometries, arXiv:2207.05209; there the flow has inertia.
    """

    name: ClassVar[str] = "pipe"
    outputs: ClassVar[tuple[Variable, ...]] = Stokes.outputs[:1]
    auxiliary: ClassVar[tuple[Variable, ...]] = Stokes.outputs[1:]
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.NODES,)
    box_is_fixed: ClassVar[bool] = True

    length: float = parameter(10.0, symbol="L", positive=True)
    width: float = parameter(1.0, symbol="W", positive=True)
    height: float = parameter(2.0, symbol="h", non_negative=True)
    slope: float = parameter(1.0, symbol="m", non_negative=True)

    @property
    def equation(self) -> Stokes:
        """The flow: the parabola enters at ``"x_lower"`` and leaves at ``"x_upper"``."""
        inflow = Dirichlet(value=f"1 - (2*y/{self.width!r})**2")
        return Stokes(
            boundary_x={"x_lower": inflow, "x_upper": Neumann(), DEFAULT: Dirichlet()},
            boundary_y={"x_upper": Neumann(), DEFAULT: Dirichlet()},
        )

    @property
    def observables(self) -> Mapping[str, sympy.Expr]:
        """The horizontal velocity, an unknown of the flow."""
        return {"velocity_x": self.function("velocity_x")}

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """Nodes of the unit square, along and across the pipe."""
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw centre lines and place the reference points along them; see `Problem.sample_inputs`."""
        uniform = torch.stack(
            [torch.rand(2, NUM_NODES, generator=generator(seed), dtype=torch.float64) for seed in seeds]
        )
        heights, slopes = (2 * uniform - 1).unbind(1)
        return self.place(domain, self.height * heights, self.slope * slopes)

    def place(
        self, domain: Domain, heights: Float64[Tensor, "batch nodes"], slopes: Float64[Tensor, "batch nodes"]
    ) -> dict[str, Field]:
        """Positions of the reference points along given centre lines.

        Args:
            domain: The reference domain.
            heights: Of the centre line at nodes at equal distances; the first is taken as the origin.
            slopes: Of the centre line there.

        Returns:
            The inputs.

        Raises:
            ValueError: The domain is not the unit square.
        """
        along, across = self.check_grid(domain).coordinates
        line = cubics(heights - heights[:, :1], slopes * self.length / (heights.shape[1] - 1), along[:, 0])
        x = (self.length * along).expand(len(line), *along.shape)
        y = line[:, :, None] + self.width * (across - 0.5)
        return position_fields(domain, torch.stack([x, y], dim=-1))


def cubics(
    heights: Float64[Tensor, "batch nodes"],
    slopes: Float64[Tensor, "batch nodes"],
    places: Float64[Tensor, " points"],
) -> Float64[Tensor, "batch points"]:
    """Piecewise cubics by heights and slopes at their ends (Hermite).

    Args:
        heights: At nodes at equal distances on [0, 1].
        slopes: At the nodes, per distance of nodes.
        places: Where to evaluate, in [0, 1].

    Returns:
        Values, once continuously differentiable.
    """
    pieces = heights.shape[1] - 1
    piece = (places * pieces).floor().clamp(0, pieces - 1).long()
    t = places * pieces - piece
    rise = t * t * (3 - 2 * t)
    start, end = t * (1 - t) ** 2, t * t * (t - 1)
    left, right = heights[:, piece], heights[:, piece + 1]
    return left + rise * (right - left) + start * slopes[:, piece] + end * slopes[:, piece + 1]
