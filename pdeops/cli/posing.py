"""Where a problem is solved: on the domain asked for, or the first on which the solver can work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Protocol, cast, runtime_checkable

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from pdeops.cli.domains import asked_mesh, build_domain
from pdeops.cli.errors import UserError, section
from pdeops.cli.options import options
from pdeops.data import ReferenceSolver
from pdeops.domains import AxisKind, Domain, Grid, Mesh, grid_mesh
from pdeops.problems import ExactSolution, Problem

LARGEST_MISMATCH = 1e-6
"""Of an exact solution at the boundary, relative to its size: above rounding, below any mistake."""


@runtime_checkable
class ClassicalSolver(ReferenceSolver, Protocol):
    """What this verb asks of a solver; those of the package ``solvers`` have it."""

    time_order: float | None
    space_order: float | None

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Why it cannot solve the problem there, or None."""


def pose(config: DictConfig, problem: Problem, solver: ClassicalSolver) -> Domain:
    """Build the domain to solve on.

    Args:
        config: The composed configuration ``solve``.
        problem: The problem.
        solver: The solver.

    Returns:
        The mesh or the kind of grid that was asked for; otherwise the problem's grid, or the first grid or
        mesh of the same box that suits the solver.

    Raises:
        UserError: The settings contradict one another, the problem cannot be posed there, or the solver
            cannot work there; the message names those that can.
    """
    candidates = [asked] if (asked := asked_domain(config, problem)) else list(boxes(config, problem))
    reasons = []
    for domain in candidates:
        reason = misfit(problem, solver, domain)
        if reason is None:
            return domain
        reasons.append(reason)
    fitting = fitting_solvers(problem, candidates)
    name = type(solver).__name__
    advice = f"solvers that fit: {', '.join(fitting)}" if fitting else "no solver here fits"
    raise UserError(
        f"{name} does not fit {type(problem).__name__} {where(candidates[0])}: {reasons[0]}\n{advice}"
    )


def asked_domain(config: DictConfig, problem: Problem) -> Domain | None:
    """The domain of the command line, or None where it is left to the problem and the solver."""
    mesh = asked_mesh(config)
    if config.kind is None:
        return mesh
    if mesh is not None:
        raise UserError("kind: expected null on a mesh, whose points are of no kind")
    with section("kind"):
        own = build_domain(problem, config.resolution)
        if not isinstance(own, Grid):
            raise UserError(
                f"kind: expected null for {problem.name}, which lives on a mesh, got {config.kind}"
            )
        return of_kind(own, AxisKind(config.kind))


def boxes(config: DictConfig, problem: Problem) -> Iterator[Domain]:
    """The problem's own grid or mesh, then a grid's box with other kinds of axes, then as a mesh."""
    with section("resolution"):
        own = build_domain(problem, config.resolution)
    yield own
    if not isinstance(own, Grid):
        return
    for kind in problem.axis_kinds:
        if any(axis.kind is not kind for axis in own.axes):
            yield of_kind(own, kind)
    if problem.allows_meshes:
        yield grid_mesh(of_kind(own, AxisKind.NODES))


def of_kind(grid: Grid, kind: AxisKind) -> Grid:
    """The same box with axes of one kind."""
    return Grid(tuple(replace(axis, kind=kind) for axis in grid.axes))


def misfit(problem: Problem, solver: ClassicalSolver, domain: Domain) -> str | None:
    """Why the problem cannot be posed there or the solver cannot work there, or None."""
    try:
        problem.check_domain(domain)
    except ValueError as error:
        return str(error)
    return solver.unsuited(problem, domain)


def fitting_solvers(problem: Problem, domains: Sequence[Domain]) -> list[str]:
    """Names of the packaged solvers that work on one of the domains with the options of their files."""
    names = []
    for name in options("solver"):
        try:
            solver = packaged_solver(name)
        except InstantiationException:  # of an extra that is not installed
            continue
        if any(misfit(problem, solver, domain) is None for domain in domains):
            names.append(name)
    return names


def packaged_solver(name: str) -> ClassicalSolver:
    """A solver of the group ``solver`` with the options of its file."""
    node = OmegaConf.load(files("pdeops.conf") / "solver" / f"{name}.yaml")  # type: ignore[arg-type]
    return cast(ClassicalSolver, instantiate(node))


def where(domain: Domain) -> str:
    """Words for a domain, to stand behind the name of a problem."""
    if isinstance(domain, Mesh):
        return f"on a mesh of {domain.num_points:,} points, {len(domain.simplices):,} cells"
    kinds = dict.fromkeys(str(axis.kind) for axis in domain.axes)
    return f"on {' x '.join(map(str, domain.shape))} points ({', '.join(kinds)})"


def check_exact(exact: ExactSolution, name: str, domain: Domain, times: Tensor | None) -> None:
    """Refuse an exact solution that does not meet the conditions on a domain's boundary.

    Args:
        exact: The exact solution.
        name: Its name.
        domain: Where it is asked for.
        times: When; None for a steady problem.

    Raises:
        UserError: It misses a condition by more than rounding and the images of periodic sums.
    """
    scale = exact.solution(domain, times).values.abs().max().item()
    for part, mismatch in exact.boundary_mismatch(domain, times).items():
        if not mismatch <= LARGEST_MISMATCH * max(scale, 1.0):
            raise UserError(
                f"the exact solution '{name}' does not meet the condition on {part} of {where(domain)}, "
                f"it is off by {mismatch:.2g}; try the problem's own grid, or another exact solution"
            )
