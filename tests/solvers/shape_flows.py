"""Shapes around a circle, on which the solution is known: a plate with a round hole, and a bend."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
import torch

from pdeops.domains import AxisKind, Grid
from pdeops.problems import Dirichlet, LinearElasticity, Neumann, ShapeProblem, Stokes, Variable
from pdeops.problems.elastic_cell import von_mises_stress
from pdeops.problems.shape_problem import position_fields

X, Y = sympy.symbols("x y", real=True)
RADIUS = sympy.sqrt(X**2 + Y**2)
COS, SIN = X / RADIUS, Y / RADIUS
COS_3, SIN_3 = 4 * COS**3 - 3 * COS, 3 * SIN - 4 * SIN**3
RATIO = 0.3


@dataclass(frozen=True, kw_only=True)
class Quarter(ShapeProblem):
    """The quarter of a ring with radii 1 and `outer`: the reference square has radius and angle as axes."""

    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.NODES,)
    box_is_fixed: ClassVar[bool] = True
    outer: ClassVar[float] = 2.0

    @classmethod
    def default_domain(cls, shape):
        return Grid.box(shape, AxisKind.NODES)

    def sample_inputs(self, domain, seeds):
        share, turn = self.check_grid(domain).coordinates
        radius, angle = 1 + (self.outer - 1) * share, math.pi / 2 * turn
        points = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
        return position_fields(domain, points.expand(len(seeds), *points.shape))


@dataclass(frozen=True, kw_only=True)
class KirschPlate(Quarter):
    """A wide plate with a hole of radius 1 under the tension 1 along x, cut off where all is known."""

    name: ClassVar[str] = "kirsch_plate"
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("stress"),)
    outer: ClassVar[float] = 3.0

    @property
    def equation(self):
        x, y = map(str, kirsch_displacement())
        free, held = Neumann(), Dirichlet()
        return LinearElasticity(
            poisson_ratio=RATIO,
            boundary_x={"x_upper": Dirichlet(value=x), "y_upper": held, "default": free},
            boundary_y={"x_upper": Dirichlet(value=y), "y_lower": held, "default": free},
        )

    @property
    def observables(self) -> Mapping[str, sympy.Expr]:
        return {"stress": von_mises_stress(self.equation)}


@dataclass(frozen=True, kw_only=True)
class Bend(Quarter):
    """Flow between two cylinders, driven along the angle by a pressure that falls linearly with it."""

    name: ClassVar[str] = "bend"
    outputs: ClassVar[tuple[Variable, ...]] = Stokes.outputs[:2]

    @property
    def equation(self):
        parts = ("y_lower", "y_upper")
        given = [
            {part: Dirichlet(value=str(value)) for part in parts} | {"default": Dirichlet()}
            for value in bend_velocity()
        ]
        return replace(Stokes(), boundary_x=given[0], boundary_y=given[1])

    @property
    def observables(self) -> Mapping[str, sympy.Expr]:
        return {variable.name: self.function(variable.name) for variable in self.outputs}


def kirsch_displacement():
    """For Young's modulus 1; Timoshenko and Goodier (1970), section 35, in plane strain."""
    shear, kappa, r = 1 / (2 * (1 + RATIO)), 3 - 4 * RATIO, RADIUS
    x = r * (kappa + 1) * COS + 2 / r * ((1 + kappa) * COS + COS_3) - 2 / r**3 * COS_3
    y = r * (kappa - 3) * SIN + 2 / r * ((1 - kappa) * SIN + SIN_3) - 2 / r**3 * SIN_3
    return x / (8 * shear), y / (8 * shear)


def kirsch_stress(points):
    """Stress of von Mises in plane strain from the stresses of Kirsch, not from the displacement."""
    x, y = points.unbind(-1)
    r, angle = torch.hypot(x, y), torch.atan2(y, x)
    cos = [torch.cos(k * angle) for k in range(5)]
    sin = [torch.sin(k * angle) for k in range(5)]
    xx = 1 - (1.5 * cos[2] + cos[4]) / r**2 + 1.5 * cos[4] / r**4
    yy = -(0.5 * cos[2] - cos[4]) / r**2 - 1.5 * cos[4] / r**4
    xy = -(0.5 * sin[2] + sin[4]) / r**2 + 1.5 * sin[4] / r**4
    zz = RATIO * (xx + yy)
    return (((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) / 2 + 3 * xy**2).sqrt()


def bend_velocity():
    """Along the angle a r + b / r + r log r, zero at the radii 1 and 2."""
    b = sympy.log(4) * 2 / 3
    speed = -b * RADIUS + b / RADIUS + RADIUS * sympy.log(RADIUS)
    return -speed * SIN, speed * COS
