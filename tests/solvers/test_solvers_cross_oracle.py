"""Families of methods that share nothing but the problem agree, to the error of the coarser one.

No closed forms here: coefficients and initial data are random. The error of a method of order p is bounded by
how much its solution changes when the grid is refined, as that change is 2^p - 1 > 1 times what is left.
"""

import itertools
import math
from functools import cache

import pytest
import torch

from pdeops.domains import Field, Grid, Mesh
from pdeops.domains.meshes import grid_mesh
from pdeops.problems import (
    AllenCahn,
    Burgers1D,
    Darcy2D,
    Dirichlet,
    HeatEquation,
    LognormalPermeability,
    Neumann,
    NeumannRandomField,
    Robin,
    ScreenedPoisson,
)
from solvers import (
    ChebyshevEllipticSolver,
    ChebyshevETDRK4Solver,
    CrankNicolsonEulerSolver,
    ExplicitRungeKuttaSolver,
    FastPoissonSolver,
    FiniteElementEvolutionSolver,
    FiniteElementSolver,
    FiniteVolumeMultigridSolver,
    FiniteVolumeSolver,
    ImexRungeKuttaSolver,
    SparseFiniteDifferenceSolver,
    SpectralSolver,
    WenoSolver,
)

PROBES = Grid.box((9, 9))
LINE = Grid.box((9,))
SMOOTH = NeumannRandomField(scale=20.0, smoothness=3.0, inverse_length=3.0, max_wavenumber=4)


def on_probes(solution, grid, probes):
    """Values of the last frame on a coarse grid of nodes; those of a mesh are those of the grid it cuts."""
    values = solution.values if solution.times is None else solution.values[:, -1]
    if isinstance(solution.domain, Mesh):
        values = values.unflatten(-1, grid.shape)
    return Field(values, grid, solution.channels).resample(probes).values[0, 0]


def mixed_darcy():
    """Variable coefficient, and three kinds of conditions that vary along their parts."""
    boundary = {
        "x_lower": Robin(coefficient="2 + y", value="sin(3*y)"),
        "y_upper": Neumann(flux="cos(2*x)"),
        "default": Dirichlet(value="x*y"),
    }
    sampler = LognormalPermeability(field=SMOOTH)
    return Darcy2D(forcing="1 + 3*sin(4*x + y)", sampler=sampler, boundary=boundary)


def screened():
    """Constant coefficients, so that fast transforms take part."""
    boundary = {"x_lower": Neumann(flux="y"), "default": Dirichlet(value="cos(2*x + y)")}
    return ScreenedPoisson(decay=10.0, sampler=SMOOTH, boundary=boundary)


# Family: kind of points, two sizes, solver.
VARIABLE = {
    "spectral": ("chebyshev", (18, 26), ChebyshevEllipticSolver()),
    "finite volume, multigrid": ("nodes", (33, 65), FiniteVolumeMultigridSolver()),
    "cells, multigrid": ("cells", (32, 64), FiniteVolumeMultigridSolver()),
    "finite difference, direct": ("nodes", (33, 65), SparseFiniteDifferenceSolver()),
    "Krylov, cg": ("nodes", (33, 65), SparseFiniteDifferenceSolver(method="cg", max_iterations=1000)),
    "Krylov, gmres": ("nodes", (33, 65), SparseFiniteDifferenceSolver(method="gmres")),
    "linear elements": ("mesh", (33, 65), FiniteElementSolver(degree=1)),
    "quadratic elements": ("mesh", (17, 33), FiniteElementSolver(degree=2)),
    "quadratic elements, algebraic multigrid": ("mesh", (17, 33), FiniteElementSolver(method="amg")),
}
CONSTANT = {
    "spectral": VARIABLE["spectral"],
    "fast transforms, nodes": ("nodes", (33, 65), FastPoissonSolver()),
    "fast transforms, cells": ("cells", (32, 64), FastPoissonSolver()),
    "finite volume, multigrid": VARIABLE["finite volume, multigrid"],
    "quadratic elements": VARIABLE["quadratic elements"],
}
STEADY = {"variable": (mixed_darcy, VARIABLE), "constant": (screened, CONSTANT)}


@cache
def steady(case, family):
    """Values on the probes, and the bound of their error."""
    make, families = STEADY[case]
    kind, sizes, solver = families[family]
    results = []
    for size in sizes:
        grid = Grid.box((size, size), "nodes" if kind == "mesh" else kind)
        domain = grid_mesh(grid) if kind == "mesh" else grid
        inputs = make().sample_inputs(domain, [4])
        results.append(on_probes(solver.solve(make(), inputs, domain), grid, PROBES))
    coarse, fine = results
    return fine, (fine - coarse).norm().item()


PAIRS = [
    (case, *pair) for case, (_, families) in STEADY.items() for pair in itertools.combinations(families, 2)
]


@pytest.mark.parametrize(("case", "one", "other"), PAIRS)
def test_elliptic_families_agree(case, one, other):
    (first, error), (second, other_error) = steady(case, one), steady(case, other)
    assert (first - second).norm() <= error + other_error
    assert error + other_error < 0.01 * first.norm()


def start(domain, name, expression):
    x = domain.points[:, 0]
    return {name: Field(expression(x).reshape(1, 1, *domain.shape), domain, (name,))}


def double_wave(x):
    """Even about 0 and 1 with zero slope there: the same with walls as with period 2."""
    return 0.4 * torch.cos(math.pi * x) + 0.3 * torch.cos(2 * math.pi * x)


# Allen-Cahn and heat with walls on (0, 1), or with period 2.
EVOLVING = {
    "Fourier, exponential": ("periodic", (64, 96), SpectralSolver(tolerance=1e-9)),
    "Fourier, implicit-explicit": ("periodic", (64, 96), ImexRungeKuttaSolver(tolerance=1e-7)),
    "Fourier, explicit": ("periodic", (32, 48), ExplicitRungeKuttaSolver(tolerance=1e-9)),
    "Fourier, first order": ("periodic", (64, 96), CrankNicolsonEulerSolver(time_step=1e-3)),
    "Chebyshev": ("chebyshev", (32, 48), ChebyshevETDRK4Solver(tolerance=1e-9)),
    "quadratic elements": ("mesh", (33, 65), FiniteElementEvolutionSolver(tolerance=1e-5)),
}
PROBLEMS = {
    "Allen-Cahn": (AllenCahn(dimension=1, diffusivity=0.02), "initial_phase", 0.5),
    "heat": (
        HeatEquation(dimension=1, diffusivity=0.05, boundary={"default": Neumann()}),
        "initial_temperature",
        1.0,
    ),
}
TIME_ERRORS = {"Fourier, first order": 5e-3, "quadratic elements": 1e-4}
"""Where steps are not controlled to 1e-7: a generous bound of the error in time, relative."""


@cache
def evolving(name, family):
    problem, initial, end = PROBLEMS[name]
    kind, sizes, solver = EVOLVING[family]
    results = []
    for size in sizes:
        if kind == "periodic":
            grid = Grid.periodic((size,), lengths=(2.0,))
        else:
            grid = Grid.box((size,), "nodes" if kind == "mesh" else kind)
        domain = grid_mesh(grid) if kind == "mesh" else grid
        times = torch.tensor([end], dtype=torch.float64)
        solution = solver.solve(problem, start(domain, initial, double_wave), domain, times)
        if kind == "periodic":
            results.append(solution.at(LINE.points)[0, -1, 0])
        else:
            results.append(on_probes(solution, grid, LINE))
    coarse, fine = results
    time_error = TIME_ERRORS.get(family, 2e-7) * fine.norm().item()
    return fine, (fine - coarse).norm().item() + time_error


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(EVOLVING, 2)))
def test_evolution_families_agree(problem, one, other):
    (first, error), (second, other_error) = evolving(problem, one), evolving(problem, other)
    assert (first - second).norm() <= error + other_error
    assert error + other_error < 0.02 * first.norm()


@pytest.mark.parametrize(
    ("solver", "sizes"), [(FiniteVolumeSolver(), (128, 256)), (WenoSolver(), (64, 128))], ids=["tvd", "weno"]
)
def test_shock_capturing_and_spectral_methods_agree_on_a_resolved_front(solver, sizes):
    problem = Burgers1D(viscosity=0.02)
    times = torch.tensor([0.25], dtype=torch.float64)
    results = []
    for method, size in ((SpectralSolver(), 256), *((solver, size) for size in sizes)):
        grid = Grid.periodic((size,))
        inputs = start(grid, "initial_velocity", lambda x: 0.5 + torch.sin(2 * math.pi * x))
        results.append(method.solve(problem, inputs, grid, times).resample(Grid.periodic((32,))).values)
    exact, coarse, fine = results
    assert (fine - exact).norm() <= (fine - coarse).norm()
    assert (fine - coarse).norm() < 0.05 * exact.norm()
