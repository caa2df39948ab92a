"""Where a problem is posed: the problem's own domain, or a mesh of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.utils import get_method
from omegaconf import DictConfig, ListConfig

from pdeops.cli.errors import UserError, section
from pdeops.domains import Domain, Mesh, read_mesh, refine_mesh
from pdeops.problems import Problem


def build_domain(problem: Problem, resolution: Sequence[int]) -> Domain:
    """Build the problem's grid or mesh with these numbers of points an axis.

    Raises:
        ValueError: The number of axes or a number of points does not fit.
    """
    shape = tuple(resolution) if not isinstance(resolution, (int, str)) else (resolution,)
    if len(shape) != problem.dimension or not all(isinstance(count, int) and count > 0 for count in shape):
        raise ValueError(
            f"resolution: expected {problem.dimension} positive numbers of points for {problem.name}, "
            f"got {list(shape)}; try {[64] * problem.dimension}"
        )
    return problem.default_domain(shape)


def has_mesh(config: DictConfig) -> bool:
    """Whether the configuration asks for a mesh; older ones do not know the keys."""
    return config.get("mesh") is not None or config.get("domain") is not None


def asked_mesh(config: DictConfig) -> Mesh | None:
    """Read or make the mesh that the configuration asks for.

    Args:
        config: With ``mesh``, a file, or ``domain``, a maker of meshes, and ``refinement``; or without them.

    Returns:
        The mesh, or None where it is left to the problem.

    Raises:
        UserError: The settings contradict one another, or there is no such mesh.
    """
    times = config.get("refinement", 0)
    if not has_mesh(config):
        if times:
            raise UserError("refinement: expected a mesh to refine, got a grid; try resolution=[...]")
        return None
    if config.get("mesh") is not None and config.get("domain") is not None:
        raise UserError("mesh, domain: expected one of them, got both")
    if config.get("mesh") is not None:
        with section("mesh"):
            mesh = read_mesh(config.mesh)
    else:
        mesh = make_mesh(config.domain)
        if not isinstance(mesh, Mesh):
            raise UserError(f"domain: expected a maker of meshes, got one of a {type(mesh).__name__}")
    if not isinstance(times, int) or times < 0:
        raise UserError(f"refinement: expected a whole number of at least 0, got {times}")
    return refine_mesh(mesh, times) if times else mesh


def make_mesh(node: DictConfig) -> Any:
    """Call a maker of meshes with the settings of its node.

    Raises:
        UserError: A setting does not work.
    """
    settings = {str(name): as_tuples(value) for name, value in node.items() if name != "_target_"}
    with section("domain"):
        return get_method(node._target_)(**settings)


def as_tuples(value: Any) -> Any:
    """A value of the configuration with tuples for lists, as makers of meshes take them."""
    if isinstance(value, (list, tuple, ListConfig)):
        return tuple(as_tuples(item) for item in value)
    return value
