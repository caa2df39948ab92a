"""Stress in a cell with a hole of random shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import sympy
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid, Mesh, name_boundaries
from pdeops.problems.boundary_condition import DEFAULT, Dirichlet, Neumann
from pdeops.problems.linear_elasticity import DISPLACEMENTS, LinearElasticity
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import PeriodicRandomField
from pdeops.problems.shape_problem import ShapeProblem, position_fields
from pdeops.problems.variable import Variable

HOLE_FIELD = PeriodicRandomField(scale=60.0, smoothness=3.0, inverse_length=3.0, max_wavenumber=8)
REFERENCE_RADIUS = 0.3
"""Of the round hole of the reference domain."""

SLACK = 1e-6
"""Distance by which points may be off the reference domain, for coordinates that were stored in float32."""


@dataclass(frozen=True, kw_only=True)
class ElasticCell(ShapeProblem):
    r"""Von Mises stress in a unit cell that is pulled, with a hole of random shape in its middle.

    .. math:: \nabla \cdot \sigma = 0, \qquad
              \sigma = \lambda (\nabla \cdot u) I + \mu (\nabla u + \nabla u^T)

    .. math:: s^2 = \tfrac12 \left((\sigma_{xx} - \sigma_{yy})^2 + (\sigma_{yy} - \sigma_{zz})^2
                    + (\sigma_{zz} - \sigma_{xx})^2\right) + 3 \sigma_{xy}^2

    in plane strain, :math:`\sigma_{zz} = \nu (\sigma_{xx} + \sigma_{yy})`. The bottom is clamped, the top is
    pulled up by a traction :math:`T`, the sides and the hole are free. In polar coordinates around the middle
    the hole is :math:`r(\theta) = 0.2 + 0.2 / (1 + e^{g(\theta)})` with a random periodic function g, so its
    radius lies between 0.2 and 0.4. Maps the positions of the reference points to the stress s.

    The reference domain is the cell with a round hole of radius 0.3. A reference point goes along its ray
    from the middle: its share of the way from hole to side stays the same. So no cell of the image can fold.

    The stress is linear in T and does not depend on Young's modulus; all quantities are dimensionless.

    Args:
        poisson_ratio: Poisson's ratio :math:`\nu`, above -1 and below 1/2.
        traction: Traction :math:`T > 0` on the top.
        sampler: Distribution of the function g on the circle.

    Raises:
        ValueError: Poisson's ratio is out of range.

    Good values: 96 points around the hole and 10 from hole to side, 960 together.

    Failure mode: The stress is infinite at the two clamped corners, so its values next to them do not
        converge. Edges are straight: few points around the hole cut a polygon instead.

    Source: Z. Li, D. Z. Huang, B. Liu, A. Anandkumar (2023), Fourier neural operator with learned
    deformations for PDEs on general geometries, arXiv:2207.05209; there the material is hyperelastic.
    """

    name: ClassVar[str] = "elasticity"
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("stress", latex="s"),)
    auxiliary: ClassVar[tuple[Variable, ...]] = DISPLACEMENTS[:2]
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = ()
    allows_meshes: ClassVar[bool] = True

    poisson_ratio: float = parameter(0.3, symbol=r"\nu")
    traction: float = parameter(1.0, symbol="T", positive=True)
    sampler: PeriodicRandomField = HOLE_FIELD

    def __post_init__(self) -> None:
        """Check the parameters; the inner problem knows the range of Poisson's ratio."""
        super().__post_init__()
        _ = self.equation

    @property
    def equation(self) -> LinearElasticity:
        """The deformation of the cell."""
        free = Neumann()
        return LinearElasticity(
            poisson_ratio=self.poisson_ratio,
            boundary_x={"y_lower": Dirichlet(), DEFAULT: free},
            boundary_y={
                "y_lower": Dirichlet(),
                "y_upper": Neumann(flux=repr(self.traction)),
                DEFAULT: free,
            },
        )

    @property
    def observables(self) -> Mapping[str, sympy.Expr]:
        """The stress of von Mises."""
        return {"stress": von_mises_stress(self.equation)}

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Mesh:
        """The cell with a round hole: points around the hole, a multiple of 8, and from hole to side.

        Args:
            shape: The two numbers.

        Returns:
            A mesh with the parts ``"x_lower"``, ``"x_upper"``, ``"y_lower"``, ``"y_upper"`` and ``"hole"``,
            symmetric in both directions. With numbers ``(2a, 2b - 1)`` its points include those of
            ``(a, b)``.

        Raises:
            ValueError: The numbers do not fit.
        """
        if len(shape) != 2 or shape[0] < 8 or shape[0] % 8 or shape[1] < 2:
            raise ValueError(
                f"{cls.name}: expected points around the hole, a multiple of 8, and two or more from hole to "
                f"side, got {tuple(shape)}; try (96, 10)"
            )
        return _cell_mesh(*shape)

    def check_domain(self, domain: Domain) -> Domain:
        """Check that a domain is a mesh of the reference cell.

        Args:
            domain: The domain.

        Returns:
            The same domain.

        Raises:
            ValueError: It is a grid, its points are off the cell with the round hole, or parts of its
                boundary are missing.
        """
        hint = "try ElasticCell.default_domain((96, 10))"
        if not isinstance(domain, Mesh):
            raise ValueError(
                f"{self.name}: expected a mesh of the cell with a hole, got a {type(domain).__name__}; {hint}"
            )
        self.equation.check_domain(domain)
        if "hole" not in domain.boundary_names:
            raise ValueError(
                f"{self.name}: expected a boundary part 'hole', got {domain.boundary_names}; {hint}"
            )
        offsets = domain.points - 0.5
        outside = (offsets.abs() > 0.5 + SLACK).any(dim=1)
        inside = offsets.norm(dim=1) < REFERENCE_RADIUS - SLACK
        if bool((outside | inside).any()):
            number = int((outside | inside).nonzero()[0])
            raise ValueError(
                f"{self.name}: expected points of the unit cell outside of the round hole of radius "
                f"{REFERENCE_RADIUS}, got {domain.points[number].tolist()}; {hint}"
            )
        return domain

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw holes and place the reference points around them; see `Problem.sample_inputs`.

        Raises:
            ValueError: See `check_domain`.
        """
        self.check_domain(domain)
        circle = Grid.periodic((2 * self.sampler.max_wavenumber + 1,), lengths=(2 * math.pi,))
        waves = Field(self.sampler.sample(circle, seeds)[:, None], circle, ("exponent",))
        _, angles, _ = _polar(domain.points)
        return self.place(domain, 0.2 + 0.2 * torch.sigmoid(-waves.at(angles[:, None])[:, 0]))

    def place(self, domain: Domain, radii: Float64[Tensor, "batch points"]) -> dict[str, Field]:
        """Positions of the reference points around given holes.

        Args:
            domain: The reference domain.
            radii: Radius of the hole in the direction of each reference point, above 0 and below 1/2.

        Returns:
            The inputs.
        """
        self.check_domain(domain)
        radius, angles, side = _polar(domain.points)
        share = ((radius - REFERENCE_RADIUS) / (side - REFERENCE_RADIUS)).clamp(0.0, 1.0)
        moved = radii + share * (side - radii)
        directions = torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1)
        return position_fields(domain, 0.5 + moved[..., None] * directions)


def von_mises_stress(equation: LinearElasticity) -> sympy.Expr:
    """Stress of von Mises in plane strain.

    Args:
        equation: A problem in the plane.

    Returns:
        An expression in the derivatives of the displacement.
    """
    strain = equation.strain()
    # Normal stresses differ by 2 mu times what the strains differ by, and nothing is strained along z.
    normal = strain[0, 0] ** 2 - strain[0, 0] * strain[1, 1] + strain[1, 1] ** 2
    return 2 * equation.lame_coefficients[1] * sympy.sqrt(normal + 3 * strain[0, 1] ** 2)


def _polar(points: Float64[Tensor, "points two"]) -> tuple[Tensor, Tensor, Tensor]:
    """Distance from the middle, angle, and the distance to the cell's side in that direction."""
    offsets = points - 0.5
    angles = torch.atan2(offsets[:, 1], offsets[:, 0])
    side = 0.5 / torch.maximum(torch.cos(angles).abs(), torch.sin(angles).abs())
    return offsets.norm(dim=1), angles, side


@lru_cache(maxsize=8)
def _cell_mesh(around: int, across: int) -> Mesh:
    """Rays from the hole to the sides, as many to each side, with points at equal shares of the way."""
    # Points at equal distances along the sides, from the corner at the lower left on.
    steps = torch.arange(around // 4, dtype=torch.float64) / (around // 4)
    zeros, ones = torch.zeros_like(steps), torch.ones_like(steps)
    sides = [(steps, zeros), (ones, steps), (1 - steps, ones), (zeros, 1 - steps)]
    outer = torch.cat([torch.stack(side, dim=1) for side in sides]) - 0.5
    inner = REFERENCE_RADIUS * outer / outer.norm(dim=1, keepdim=True)
    share = torch.linspace(0, 1, across, dtype=torch.float64)[:, None]
    points = 0.5 + inner[:, None] + share * (outer - inner)[:, None]
    # Corners of the quadrangle between two rays and two rings.
    ray, ring = torch.meshgrid(torch.arange(around), torch.arange(across - 1), indexing="ij")
    near = (ray * across + ring).flatten()
    far = ((ray + 1) % around * across + ring).flatten()
    # Diagonals are mirrored from each eighth to the next, and never end at a corner of the cell.
    from_near = (ray // (around // 8) % 2 == 0).flatten()[:, None]
    rising = [(near, near + 1, far + 1), (near, far + 1, far)]
    falling = [(near, near + 1, far), (near + 1, far + 1, far)]
    simplices = [
        torch.where(from_near, torch.stack(up, dim=1), torch.stack(down, dim=1))
        for up, down in zip(rising, falling, strict=True)
    ]
    mesh = Mesh(points.reshape(-1, 2), torch.cat(simplices))
    return name_boundaries(
        mesh,
        {
            "x_lower": lambda middle: middle[:, 0] < SLACK,
            "x_upper": lambda middle: middle[:, 0] > 1 - SLACK,
            "y_lower": lambda middle: middle[:, 1] < SLACK,
            "y_upper": lambda middle: middle[:, 1] > 1 - SLACK,
        },
        rest="hole",
    )
