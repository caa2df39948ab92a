"""Finite volumes for Darcy flow on a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems import Darcy2D, Problem
from solvers.elliptic.cell_axis import CellAxis
from solvers.elliptic.flux_balance import FluxBalance
from solvers.elliptic.multigrid import Multigrid
from solvers.krylov import conjugate_gradient
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus, checked_values


@dataclass(frozen=True, kw_only=True)
class FiniteVolumeDarcy(Solver):
    r"""Solves :math:`-\nabla \cdot (a \nabla p) = f` with :math:`p = 0` on the boundary of a rectangle.

    Fluxes balance on every cell: with cell faces :math:`F` of area :math:`|F|` between unknowns at distance
    :math:`d_F`,

    .. math:: \sum_F \frac{|F|\, a_F}{d_F} (p_i - p_j) = \int_{cell} f .

    On a cell-centred axis the cells are those of the grid and the wall is half a cell away from the outer
    centres. On a nodal axis they are centred on the inner nodes, the outer nodes hold p = 0, and the
    equations are those of the five-point stencil of the published Darcy data. The two kinds may be mixed.

    Solved by conjugate gradients with one multigrid V-cycle (`Multigrid`) as preconditioner, every sample to
    the tolerance by itself: 9 iterations for a = 1, about 14 for permeabilities 3 and 12, whatever the number
    of points.

    Args:
        face_mean: How :math:`a_F` follows from its two neighbours. ``"harmonic"`` is the flux through two
            layers in series, exact in one dimension for a jump at the face; ``"arithmetic"`` is what the
            published data used.
        tolerance: Of the relative residual in the l2 norm. Good values: 1e-10; rounding sets the limit, near
            3e-12 on 256 x 256 points.
        max_iterations: Of conjugate gradients, for the whole batch.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: Where a jumps by a factor of 100 from cell to cell at random, the number of iterations rises
    to about 60. Where a jumps, the solution converges with first order in the position of the jump, not
    second.

    References:
        | R. Eymard, T. Gallouet, R. Herbin, 2000, Finite volume methods, doi:10.1016/S1570-8659(00)07005-8
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = 2

    face_mean: Literal["harmonic", "arithmetic"] = "harmonic"
    tolerance: float = 1e-10
    max_iterations: int = 200

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.face_mean not in ("harmonic", "arithmetic"):
            raise ValueError(f"face_mean: expected 'harmonic' or 'arithmetic', got {self.face_mean!r}")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance}; try 1e-10")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations: expected 1 or more, got {self.max_iterations}; try 200")

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """See `Solver.unsuited`."""
        if not isinstance(problem, Darcy2D):
            return f"expected a Darcy2D problem, got {type(problem).__name__}"
        if not isinstance(domain, Grid):
            return f"expected a grid, got a {type(domain).__name__}"
        return None

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of permeabilities, see `Solver.solve`.

        Raises:
            ValueError: The problem is not Darcy's, the domain no grid of cells or nodes, times are given, or
                a permeability is not positive.
            SolverError: The tolerance was not met; the report has the residual history.
        """
        if not isinstance(problem, Darcy2D):
            raise ValueError(f"expected a Darcy2D problem, got {type(problem).__name__}; try another solver")
        if times is not None:
            raise ValueError(f"expected times=None for a steady problem, got {times.tolist()}")
        grid = _checked_grid(problem, domain)
        permeability = checked_values(problem, "permeability", inputs, grid)
        bad = torch.nonzero((permeability <= 0).flatten(1).any(1)).flatten().tolist()
        if bad:
            raise ValueError(f"{problem.name}: expected positive permeabilities, got others in samples {bad}")

        started = perf_counter()
        operator = self.operator(permeability, grid)
        volume = grid_cell_volume(grid)
        source = problem.forcing_values(grid).to(permeability)
        right_side = (volume * _inner(source, grid)).expand(len(permeability), *operator.shape)
        outcome = conjugate_gradient(
            operator,
            right_side,
            preconditioner=Multigrid(operator, cell_axes(grid, permeability.device)),
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )
        report = SolveReport(
            status=outcome.status,
            message=(
                f"{len(permeability)} samples, at most {int(outcome.iterations.max())} iterations, "
                f"relative residual at most {outcome.relative_residual.max().item():.2e}"
            ),
            seconds=perf_counter() - started,
            iterations=outcome.iterations,
            residual_history=outcome.residual_history,
        )
        if outcome.status is not SolveStatus.CONVERGED:
            raise SolverError(report)
        pressure = torch.zeros_like(permeability)
        _inner(pressure, grid).copy_(outcome.solution)
        return Solution(
            values=pressure[:, None],
            domain=grid,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )

    def operator(self, permeability: Float[Tensor, "batch *shape"], grid: Grid) -> FluxBalance:
        """The matrices of the discrete equations, integrated over cells.

        Args:
            permeability: a at the grid's points, shape (batch, *grid.shape), positive.
            grid: Axes of cells or nodes.

        Returns:
            The operator on the unknowns: all cells, or the inner nodes.
        """
        transmissibilities = []
        for number, axis in enumerate(grid.axes):
            dim = number + 1
            values = _inner(permeability, grid, skip=number)
            count = values.shape[dim]
            area_over_distance = grid_cell_volume(grid) / axis.spacing**2
            faces = self._mean(values.narrow(dim, 0, count - 1), values.narrow(dim, 1, count - 1))
            if axis.kind is AxisKind.CELLS:
                ends = (values.narrow(dim, 0, 1), values.narrow(dim, count - 1, 1))
                # The wall is half a spacing away, so the flux to it is twice as large.
                faces = torch.cat([2 * ends[0], faces, 2 * ends[1]], dim)
            transmissibilities.append(area_over_distance * faces)
        return FluxBalance(tuple(transmissibilities))

    def _mean(self, left: Tensor, right: Tensor) -> Tensor:
        if self.face_mean == "harmonic":
            return 2 * left * right / (left + right)
        return (left + right) / 2


def grid_cell_volume(grid: Grid) -> float:
    """Product of the spacings."""
    volume = 1.0
    for axis in grid.axes:
        volume *= axis.spacing
    return volume


def cell_axes(grid: Grid, device: torch.device) -> list[CellAxis]:
    """The cells around the unknowns: those of the grid, or those centred on its inner nodes."""
    result = []
    for axis in grid.axes:
        nodal = axis.kind is AxisKind.NODES
        count = axis.num_points - 2 if nodal else axis.num_points
        widths = torch.full((count,), axis.spacing, dtype=torch.float64, device=device)
        result.append(CellAxis(widths, axis.spacing / 2 if nodal else 0.0))
    return result


def _inner(values: Tensor, grid: Grid, skip: int | None = None) -> Tensor:
    """A view without the outer nodes of the nodal axes, `skip` excepted."""
    for number, axis in enumerate(grid.axes):
        if axis.kind is AxisKind.NODES and number != skip:
            values = values.narrow(number - grid.dimension, 1, axis.num_points - 2)
    return values


def _checked_grid(problem: Darcy2D, domain: Domain) -> Grid:
    if not isinstance(domain, Grid):
        raise ValueError(f"{problem.name}: expected a Grid, got a {type(domain).__name__}; try Grid.box")
    for axis in domain.axes:
        if axis.kind not in (AxisKind.CELLS, AxisKind.NODES):
            raise ValueError(
                f"{problem.name}: expected axes of cells or nodes, got {str(axis.kind)!r} for "
                f"{axis.name!r}; try Grid.box(shape, kind='cells')"
            )
        least = 3 if axis.kind is AxisKind.NODES else 1
        if axis.num_points < least:
            raise ValueError(f"{problem.name}: expected {least} points or more, got {axis.num_points}")
    return domain
