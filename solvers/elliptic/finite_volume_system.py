"""Finite volumes for diffusion and reaction on a box, from arrays of coefficients."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdeops.domains import AxisKind, Grid
from solvers.elliptic.flux_balance import FluxBalance
from solvers.elliptic.multigrid import Multigrid
from solvers.elliptic.wall import Wall, every_wall, spread
from solvers.krylov import KrylovResult, conjugate_gradient

FaceMean = Literal["harmonic", "arithmetic"]

LARGEST_IMBALANCE = 0.01
"""Sources and fluxes that should cancel do so up to the error of the quadrature; beyond this part of their
absolute sum, they are taken for data that has no solution."""


class FiniteVolumeSystem:
    r"""The discrete form of :math:`-\nabla \cdot (a \nabla u) + r u = f` on a box.

    Fluxes balance on the cell around every unknown: with faces F of area |F| between unknowns at distance d,

    .. math:: \sum_F \frac{|F|\, a_F}{d_F} (u_i - u_j) + |V_i| r_i u_i = \int_{V_i} f .

    On axes of cells the cells are those of the grid, and a wall is half a spacing away from outer centres. On
    axes of nodes the cells are centred on the nodes; outer nodes hold their values where these are given,
    and have half a cell elsewhere. A periodic axis closes on itself. Kinds of axes may be mixed.

    With a mask the equation holds on its true points only; all others have given values, as outer nodes do,
    so that an irregular domain becomes a staircase.

    `solve` is all that most need; `operator`, `right_side`, `cycle` and `embed` are the steps of it. The
    matrix and the cycle are made once and serve any number of sources.

    Args:
        grid: Axes of cells, nodes, or periodic ones.
        diffusion: a > 0 at all points of the grid, (batch, *grid.shape), float64; a batch of one serves any
            number of sources.
        walls: One `Wall` for each of ``grid.boundary_names``; u = 0 at those that are not named.
        reaction: r >= 0, shaped like a; none by default.
        mask: True where the equation holds, (*grid.shape); everywhere by default.
        outside: Values at the other points, a number or (*grid.shape).
        face_mean: How :math:`a_F` follows from its two neighbours. ``"harmonic"`` is the flux through two
            layers in series, exact in one dimension for a jump at the face; ``"arithmetic"`` is common with
            differences on nodes.

    Raises:
        ValueError: A coefficient is out of its range or shape, a wall has another name, an axis is of
            Chebyshev points, or nothing is left to solve for.

    Good values: Second order in L2 and H1 for smooth data on a box; first order with a mask, because of the
        staircase.

    Failure mode: Jumps of a by 10 from point to point at random take 13 iterations instead of 9, those by 100
        about 50, and those by 10^4 do not converge, which the status says. Wide regions of any contrast, 10^6
        for example, cost few.

    References:
        | R. Eymard, T. Gallouet, R. Herbin, 2000, Finite volume methods, doi:10.1016/S1570-8659(00)07005-8

    Example:
        >>> grid = Grid.box((64, 64), "cells")
        >>> x, y = grid.coordinates
        >>> disk = (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.25
        >>> one = torch.ones(1, 64, 64, dtype=torch.float64)
        >>> system = FiniteVolumeSystem(grid, one, mask=disk)
        >>> round(system.solve(one).solution.max().item(), 2)  # (1/4 - r^2) / 4 at the centre
        0.06
    """

    def __init__(
        self,
        grid: Grid,
        diffusion: Float[Tensor, "batch *shape"],
        *,
        walls: Mapping[str, Wall] | None = None,
        reaction: Float[Tensor, "reaction_batch *shape"] | None = None,
        mask: Bool[Tensor, "*shape"] | None = None,
        outside: Tensor | float = 0.0,
        face_mean: FaceMean = "harmonic",
    ) -> None:
        self.grid = grid
        self._walls = every_wall(grid, walls or {})
        self._spans = _spans(grid, self._walls)
        self._face_mean = face_mean
        self._mask = mask
        _check(grid, diffusion, reaction, mask, face_mean)
        self.volumes = self._cell_volumes(diffusion)
        self._known = self._known_values(diffusion, outside)
        self._assemble(diffusion, reaction)

    # What is solved.

    @cached_property
    def cycle(self) -> Multigrid:
        """One multigrid cycle, the preconditioner."""
        return Multigrid(self.operator, [axis.spacing for axis in self.grid.axes])

    def right_side(self, source: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *unknowns"]:
        """The integrals of f over the cells, with what given values and fluxes add.

        Args:
            source: f at all points of the grid.

        Returns:
            The right side of ``operator(u) = right_side``.
        """
        result = self.volumes * self.inner(source) + self._boundary_side
        return result if self._mask is None else result * self.inner(self._mask)

    def embed(self, unknowns: Float[Tensor, "batch *unknowns"]) -> Float[Tensor, "batch *shape"]:
        """Values at all points of the grid: the unknowns, and the given values elsewhere."""
        result = self._known.expand(len(unknowns), *self.grid.shape).clone()
        inside = self.inner(result)
        if self._mask is None:
            inside.copy_(unknowns)
        else:
            inside.copy_(torch.where(self.inner(self._mask), unknowns, inside))
        return result

    def inner(self, values: Tensor, *, skip: int | None = None) -> Tensor:
        """A view of the unknowns: without the outer nodes of given value, but for the axis `skip`."""
        for number, (start, count) in enumerate(self._spans):
            if number != skip:
                values = values.narrow(number - self.grid.dimension, start, count)
        return values

    def solve(
        self, source: Float[Tensor, "batch *shape"], *, tolerance: float = 1e-10, max_iterations: int = 200
    ) -> KrylovResult:
        """Solve by conjugate gradients with a multigrid cycle as preconditioner.

        Where neither walls nor reaction fix the constant, the data has to balance (the integral of the source
        against the flux through the walls), and the solution with the mean 0 is given.

        Args:
            source: f at all points of the grid.
            tolerance: Of the relative residual in the l2 norm.
            max_iterations: For the whole batch.

        Returns:
            The result, with its ``solution`` at all points of the grid; it does not raise when the tolerance
            is not met, look at ``status``.

        Raises:
            ValueError: The data of a sample that needs it does not balance.
        """
        right_side = self._balanced(self.right_side(source))
        # The cycle works in single precision, which has no room for tiny numbers.
        size = right_side.flatten(1).abs().amax(1).reshape(-1, *(1,) * self.grid.dimension)
        size = torch.where(size > 0, size, 1.0)
        right_side = right_side / size
        # Conjugate gradients look at two products at a time, and at one answer of the cycle.
        products = itertools.cycle([torch.empty_like(right_side) for _ in range(3)])
        answer = torch.empty_like(right_side)
        outcome = conjugate_gradient(
            lambda values: self.operator.matrix.product(values, next(products)),
            right_side,
            preconditioner=lambda residual: self.cycle(residual, answer),
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        solution = outcome.solution * size
        singular = self._singular(solution)
        if bool(singular.any()):
            dims = tuple(range(1, solution.ndim))
            mean = (self.volumes * solution).sum(dims, keepdim=True) / self.volumes.sum()
            solution = solution - singular * mean
        return dataclasses.replace(outcome, solution=self.embed(solution))

    def _singular(self, like: Tensor) -> Tensor:
        """Samples whose constant is free, shaped to broadcast."""
        return self.operator.is_singular.reshape(-1, *(1,) * self.grid.dimension).expand(
            len(like), *(1,) * self.grid.dimension
        )

    def _balanced(self, right_side: Tensor) -> Tensor:
        """Take a small imbalance off where only balanced data has a solution; refuse a large one."""
        singular = self._singular(right_side)
        if not bool(singular.any()):
            return right_side
        dims = tuple(range(1, right_side.ndim))
        total = singular * right_side.sum(dims, keepdim=True)
        bad = total.abs() > LARGEST_IMBALANCE * right_side.abs().sum(dims, keepdim=True)
        if bool(bad.any()):
            samples = bad.flatten().nonzero().flatten().tolist()
            raise ValueError(
                "pure Neumann or periodic data: expected the integral of the source plus the inflow through "
                f"the walls to be 0, got {total[bad].tolist()[:3]} in samples {samples}; try to take the "
                "mean off the source, or a Dirichlet or Robin condition on a part of the boundary"
            )
        return right_side - total * self.volumes / self.volumes.sum()

    # Assembly.

    def _widths(self, number: int, like: Tensor) -> Tensor:
        """Widths of the cells around the unknowns of an axis, shaped to broadcast; nodal ends have half."""
        axis, (start, count) = self.grid.axes[number], self._spans[number]
        widths = torch.full((axis.num_points,), axis.spacing, dtype=torch.float64)
        if axis.kind is AxisKind.NODES:
            widths[0] /= 2
            widths[-1] /= 2
        shape = [-1 if other == number else 1 for other in range(-1, self.grid.dimension)]
        return widths[start : start + count].to(like).reshape(shape)

    def _area(self, number: int, like: Tensor) -> Tensor:
        """Area of the faces across an axis, shaped to broadcast."""
        area = like.new_ones((1,) * (self.grid.dimension + 1))
        for other in range(self.grid.dimension):
            if other != number:
                area = area * self._widths(other, like)
        return area

    def _cell_volumes(self, like: Tensor) -> Tensor:
        return self._area(0, like) * self._widths(0, like)

    def _known_values(self, like: Tensor, outside: Tensor | float) -> Tensor:
        """Given values at the points that are not solved for, zero elsewhere."""
        grid = self.grid
        batch = max((len(spread(w.value, grid, i, like)) for i, _, w in self._sides()), default=1)
        known = like.new_zeros(batch, *grid.shape)
        # Where two faces meet, the one of the first axis counts.
        for number, position, wall in reversed(self._sides()):
            if wall.is_dirichlet and grid.axes[number].kind is AxisKind.NODES:
                known.select(number + 1, position).copy_(
                    spread(wall.value, grid, number, like).squeeze(number + 1)
                )
        if self._mask is not None:
            known = torch.where(
                self._mask, known, torch.as_tensor(outside, dtype=like.dtype, device=like.device)
            )
        return known

    def _sides(self) -> list[tuple[int, int, Wall]]:
        """Number of the axis, position 0 or -1 on it, and wall, of each face of the box."""
        return [
            (number, position, self._walls[f"{axis.name}_{side}"])
            for number, axis in enumerate(self.grid.axes)
            if not axis.is_periodic
            for side, position in (("lower", 0), ("upper", -1))
        ]

    def _assemble(self, diffusion: Tensor, reaction: Tensor | None) -> None:
        shape = [count for _, count in self._spans]
        batch = max(len(diffusion), 1 if reaction is None else len(reaction))
        mass = diffusion.new_zeros(batch, *shape)
        if reaction is not None:
            mass += self.volumes * self.inner(reaction)
        batch = max(batch, len(self._known))
        self._boundary_side = diffusion.new_zeros(batch, *shape)
        faces, walls = [], []
        for number in range(self.grid.dimension):
            ends = diffusion.new_zeros(len(mass), *shape[:number], 2, *shape[number + 1 :])
            faces.append(self._faces(number, diffusion, ends, mass).expand(len(mass), *(-1,) * len(shape)))
            walls.append(ends)
        for number, position, wall in self._sides():
            self._couple_wall(number, position, wall, diffusion, walls[number], mass)
        if self._mask is not None:
            inside = self.inner(self._mask)
            mass = mass * inside
            for number, count in enumerate(shape):
                at_ends = [inside.narrow(number, position, 1) for position in (0, count - 1)]
                walls[number] = walls[number] * torch.cat(at_ends, number)
        self.operator = FluxBalance(tuple(faces), tuple(walls), mass)

    def _faces(self, number: int, diffusion: Tensor, ends: Tensor, mass: Tensor) -> Tensor:
        """Transmissibilities across one axis; those to points of given value go to the ends or the mass."""
        axis, (start, count), dim = self.grid.axes[number], self._spans[number], number + 1
        a, known = self.inner(diffusion, skip=number), self.inner(self._known, skip=number)
        last = axis.num_points - 1
        factor = self._area(number, diffusion) / axis.spacing
        faces = self._mean(a.narrow(dim, 0, last), a.narrow(dim, 1, last)) * factor
        if start == 1:
            self._couple(ends, dim, 0, faces.narrow(dim, 0, 1), known.narrow(dim, 0, 1))
        if start + count <= last:
            self._couple(ends, dim, -1, faces.narrow(dim, last - 1, 1), known.narrow(dim, last, 1))
        faces = faces.narrow(dim, start, count - 1)
        if axis.is_periodic:
            closing = self._mean(a.narrow(dim, last, 1), a.narrow(dim, 0, 1)) * factor
            faces = torch.cat([faces, closing], dim)
        if self._mask is None:
            return faces
        inside, known = self.inner(self._mask)[None], self.inner(self._known)
        for shift in (-1, 1):
            # Each point's coupling to its neighbour on one side, where that one is outside.
            coupling = faces.new_zeros(len(faces), *mass.shape[1:])
            coupling.narrow(dim, 0, faces.shape[dim]).copy_(faces)
            coupling = coupling if shift == -1 else coupling.roll(1, dim)
            coupling = coupling * (inside & ~inside.roll(shift, dim))
            mass += coupling
            self._boundary_side += coupling * known.roll(shift, dim)
        length = faces.shape[dim]
        return faces * (inside & inside.roll(-1, dim)).narrow(dim, 0, length)

    def _couple(self, ends: Tensor, dim: int, position: int, amount: Tensor, value: Tensor) -> None:
        """Add a coupling to given values at one end of an axis, position 0 or -1."""
        ends.narrow(dim, position, 1).add_(amount)
        self._boundary_side.narrow(dim, position, 1).add_(amount * value)

    def _couple_wall(
        self, number: int, position: int, wall: Wall, diffusion: Tensor, ends: Tensor, mass: Tensor
    ) -> None:
        axis, dim = self.grid.axes[number], number + 1
        nodal = axis.kind is AxisKind.NODES
        if nodal and wall.is_dirichlet:
            return
        area = self._area(number, diffusion)
        value = self.inner(spread(wall.value, self.grid, number, diffusion), skip=number)
        to_wall = 2 / axis.spacing * self.inner(diffusion).narrow(dim, position, 1)
        if wall.coefficient is None:
            self._couple(ends, dim, position, area * to_wall, value)
            return
        alpha = self.inner(spread(wall.coefficient, self.grid, number, diffusion), skip=number)
        part = torch.ones_like(to_wall) if nodal else to_wall / (alpha + to_wall)
        self._boundary_side.narrow(dim, position, 1).add_(area * part * value)
        ends.narrow(dim, position, 1).add_(area * part * alpha)

    def _mean(self, left: Tensor, right: Tensor) -> Tensor:
        if self._face_mean == "harmonic":
            return 2 * left * right / (left + right)
        return (left + right) / 2


def _spans(grid: Grid, walls: Mapping[str, Wall]) -> list[tuple[int, int]]:
    """First unknown and number of unknowns an axis: outer nodes of given value are none."""
    spans = []
    for axis in grid.axes:
        if axis.kind is AxisKind.CHEBYSHEV:
            raise ValueError(
                f"finite volumes: expected axes of cells, nodes or periodic ones, got {str(axis.kind)!r} for "
                f"{axis.name!r}; try Grid.box(shape, 'cells')"
            )
        known = [
            axis.kind is AxisKind.NODES and walls[f"{axis.name}_{side}"].is_dirichlet
            for side in ("lower", "upper")
        ]
        count = axis.num_points - sum(known)
        if count < 1:
            raise ValueError(f"finite volumes: expected 3 points or more on {axis.name!r}, got 2")
        spans.append((int(known[0]), count))
    return spans


def _check(
    grid: Grid, diffusion: Tensor, reaction: Tensor | None, mask: Tensor | None, face_mean: str
) -> None:
    if face_mean not in ("harmonic", "arithmetic"):
        raise ValueError(f"face_mean: expected 'harmonic' or 'arithmetic', got {face_mean!r}")
    for name, values in (("diffusion", diffusion), ("reaction", reaction)):
        if values is not None and tuple(values.shape[1:]) != grid.shape:
            raise ValueError(f"{name}: expected shape (batch, *{grid.shape}), got {tuple(values.shape)}")
    bad = (~(diffusion > 0) | diffusion.isinf()).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(
            f"diffusion: expected positive finite values everywhere, got others in samples {bad}"
        )
    if reaction is not None:
        bad = (~(reaction >= 0) | reaction.isinf()).flatten(1).any(1).nonzero().flatten().tolist()
        if bad:
            raise ValueError(
                f"reaction: expected values of 0 or more, got others in samples {bad}: the matrix need not "
                "be positive definite; try solvers.minres or a direct solver"
            )
    if mask is not None and (tuple(mask.shape) != grid.shape or not bool(mask.any())):
        raise ValueError(
            f"mask: expected shape {grid.shape} with a true point or more, got {tuple(mask.shape)}, "
            f"{int(mask.sum())} of them true"
        )
