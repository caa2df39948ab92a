"""The README's tables of problems and solvers say what the library says of itself.

A failure prints the whole expected row, to be pasted; cells for people to write hold "..." then.
"""

from dataclasses import fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from pdeops.cli.domains import make_mesh
from pdeops.cli.judging import order_in_words
from pdeops.cli.options import options
from pdeops.cli.posing import misfit, of_kind, packaged_solver
from pdeops.domains import AxisKind, Mesh, grid_mesh
from pdeops.problems import BoundaryConditions, Dirichlet, Neumann, Robin

README = Path(__file__).parents[2] / "README.md"
FREE = "..."
CONDITIONS = (Dirichlet, Neumann, Robin)


def node_of(name, group="problem"):
    return OmegaConf.load(files("pdeops.conf") / group / f"{name}.yaml")


@cache
def problem_of(name):
    return instantiate(node_of(name).problem, _convert_="all")


@cache
def solver_of(name):
    return packaged_solver(name)


@cache
def domains_of(name):
    """Small ones: the problem's own, the same box with other kinds of axes, and as a mesh."""
    problem = problem_of(name)
    for entry in node_of(name).defaults:
        if "override /domain" in entry:
            return (make_mesh(node_of(entry["override /domain"], "domain")),)
    own = problem.default_domain((16,) * problem.dimension)
    if isinstance(own, Mesh):
        return (own,)
    others = [of_kind(own, kind) for kind in problem.axis_kinds if {axis.kind for axis in own.axes} != {kind}]
    mesh = [grid_mesh(of_kind(own, AxisKind.NODES))] if problem.allows_meshes else []
    return own, *others, *mesh


def fitting(problem, domains):
    return [
        name
        for name in options("solver")
        if any(misfit(problem, solver_of(name), domain) is None for domain in domains)
    ]


def dimensions_of(name):
    problem = problem_of(name)
    if "dimension" not in {item.name for item in fields(problem)}:
        return str(problem.dimension)
    allowed = []
    for dimension in (1, 2, 3):
        try:
            type(problem)(dimension=dimension)
        except ValueError:
            continue
        allowed.append(dimension)
    return f"{allowed[0]} to {allowed[-1]}" if len(allowed) > 1 else str(allowed[0])


def boundaries_of(name):
    """Kinds of boundaries for which there is a solver; fixed where the problem leaves no choice."""
    problem = problem_of(name)
    own, *others = domains_of(name)
    periodic = [domain for domain in (own, *others) if not domain.boundary_names]
    bounded = [domain for domain in (own, *others) if domain.boundary_names]
    kinds = ["periodic"] if fitting(problem, periodic) else []
    # One for the unknown, or one for each component of it.
    conditions = [
        item.name for item in fields(problem) if isinstance(getattr(problem, item.name), BoundaryConditions)
    ]
    for condition in CONDITIONS if conditions else ():
        everywhere = BoundaryConditions({"default": condition()})
        try:
            posed = replace(problem, **dict.fromkeys(conditions, everywhere))
        except (TypeError, ValueError):
            continue
        if fitting(posed, bounded):
            kinds.append(condition.__name__)
    return ", ".join(kinds) or "fixed"


def listed(names):
    return ", ".join(f"`{name}`" for name in names)


@cache
def problem_row(name):
    """Cells: class, equation (free), dimensions, boundaries, solvers, exact solutions, command."""
    problem = problem_of(name)
    return (
        f"`{type(problem).__name__}`",
        FREE,
        dimensions_of(name),
        boundaries_of(name),
        listed(fitting(problem, domains_of(name))),
        listed(problem.exact_solutions()) or "none",
        f"`problem={name}`",
    )


@cache
def solver_row(name):
    """Cells of a solver: class, order, cost (free), when to choose it (free), command."""
    solver = solver_of(name)
    order = order_in_words(solver.time_order, solver.space_order)
    return f"`{type(solver).__name__}`", order, FREE, FREE, f"`solver={name}`"


def readme_row(command):
    """Cells of the row of the README whose last cell is a command, None where there is no such row."""
    lines = [line for line in README.read_text().splitlines() if line.endswith(f"| {command} |")]
    return tuple(cell.strip() for cell in lines[0].strip("|").split(" | ")) if lines else None


def compare(expected):
    text = f"| {' | '.join(expected)} |"
    found = readme_row(expected[-1])
    assert found is not None, f"README.md lacks this row:\n{text}"
    assert len(found) == len(expected), f"README.md: expected {len(expected)} cells in {found}, as in\n{text}"
    for cell, wanted in zip(found, expected, strict=True):
        if wanted == FREE:
            assert cell not in ("", FREE), f"README.md: a cell is left to be written in {found}"
        else:
            assert cell == wanted, f"README.md: expected {wanted!r}, got {cell!r} in the row\n{text}"


@pytest.mark.parametrize("name", options("problem"))
def test_problems_are_described_as_they_are(name):
    compare(problem_row(name))


@pytest.mark.parametrize("name", options("solver"))
def test_solvers_are_described_as_they_declare(name):
    compare(solver_row(name))


@pytest.mark.parametrize("name", options("problem"))
def test_every_problem_has_a_solver_and_its_default_is_one(name):
    (default,) = [
        entry["override /solver"] for entry in node_of(name).defaults if "override /solver" in entry
    ]
    assert misfit(problem_of(name), solver_of(default), domains_of(name)[0]) is None
    assert f"`{default}`" in problem_row(name)[4]
