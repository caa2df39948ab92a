"""What a classical solver takes for the error that a fit of one instance makes."""

from __future__ import annotations

import time
from typing import cast

from hydra.utils import get_class
from omegaconf import DictConfig

from pdeops.cli import assembly
from pdeops.cli.equal_error import ClassicalCurve, on_data, swept
from pdeops.cli.instance import Instance, build_recipe, pose_instance
from pdeops.cli.posing import ClassicalSolver, fitting_solvers
from pdeops.data.recipe import sample_seeds
from pdeops.domains import Field, Grid


def measure_instance(config: DictConfig, num_samples: int) -> ClassicalCurve:
    """Solve the instance on coarser and coarser grids, with larger tolerances and longer steps.

    Args:
        config: Configuration of a run that is fitted to one instance.
        num_samples: 0 for no curve.

    Returns:
        The curve: errors against the reference of the instance, over all its frames.
    """
    recipe = build_recipe(config)
    missing = reason_for_none(config, num_samples)
    if missing:
        return ClassicalCurve(missing=missing)
    instance = pose_instance(recipe)
    return swept(
        config, recipe, instance.times, lambda changed, grid: solve_instance(changed, instance, grid)
    )


def reason_for_none(config: DictConfig, num_samples: int) -> str:
    """Why there is no curve; empty where there is one."""
    recipe = build_recipe(config)
    if not isinstance(recipe.domain, Grid) or not isinstance(recipe.solver_grid, Grid):
        return "the instance lives on a mesh, which cannot be coarsened"
    if num_samples == 0:
        return "not measured, classical_samples=0"
    if get_class(config.solver._target_).__module__.startswith("pdeops."):
        others = [
            name
            for name in fitting_solvers(recipe.problem, [recipe.domain])
            if not name.startswith("gp_hm") and name != "chebyshev"
        ]
        return f"the solver of this problem is no classical one; try solver={' or '.join(others) or 'NAME'}"
    return ""


def solve_instance(config: DictConfig, instance: Instance, grid: Grid) -> tuple[float, float]:
    """Error over all frames and time of one solve on a grid, the better of two times."""
    recipe, solver = instance.recipe, assembly.build_solver(config)
    if isinstance(solver, ClassicalSolver):
        reason = solver.unsuited(recipe.problem, grid)
        if reason is not None:
            raise ValueError(reason)
    inputs = recipe.problem.sample_inputs(grid, sample_seeds(recipe.seed, [0]))
    inputs = {name: field.to(dtype=instance.reference.values.dtype) for name, field in inputs.items()}
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        solution = solver.solve(recipe.problem, inputs, grid, instance.times)
        seconds.append(time.perf_counter() - started)
    plain = Field(solution.values, grid, solution.channels, solution.units, solution.times)
    plain = plain.select(*instance.reference.channels)
    found = on_data(plain, cast(Grid, recipe.domain))
    return found.relative_error(instance.reference).item(), min(seconds)
