"""Fast transforms against dense matrices, sparse elimination and closed forms."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdeops.domains import Axis, Field, Grid
from pdeops.problems import (
    Darcy2D,
    Dirichlet,
    Helmholtz,
    Neumann,
    Poisson,
    Robin,
    ScreenedPoisson,
    SteadyAllenCahn,
)
from solvers import (
    CATALOGUE,
    AxisTransform,
    End,
    FastPoissonInverse,
    FastPoissonSolver,
    SolveStatus,
    SparseFiniteDifferenceSolver,
    solve,
)

ENDS = list(itertools.product(End, End))
AXES = [("periodic", None, None)] + [(kind, *ends) for kind in ("nodes", "cells") for ends in ENDS]
IDS = ["-".join(item for item in axis if item) for axis in AXES]
CONDITIONS = {
    End.DIRICHLET: lambda text: Dirichlet(value=text),
    End.NEUMANN: lambda text: Neumann(flux=text),
}


def second_differences(kind, lower, upper, num_points, spacing):
    """The dense matrix: every row reaches out to two neighbours, or to ghosts that the ends define."""
    matrix = np.zeros((num_points, num_points))
    for i in range(num_points):
        matrix[i, i] += 2
        for step, end, wall in ((-1, lower, 0), (1, upper, num_points - 1)):
            neighbour = i + step
            if 0 <= neighbour < num_points:
                matrix[i, neighbour] -= 1
            elif end is None:
                matrix[i, neighbour % num_points] -= 1
            elif kind == "cells":  # ghost: minus the cell for a value at the wall, the cell itself for a flux
                matrix[i, wall] += 1 if end is End.DIRICHLET else -1
            elif end is End.NEUMANN:  # ghost: the mirror image about the node
                matrix[i, wall - step] -= 1
    keep = np.ones(num_points, dtype=bool)
    if kind == "nodes":
        keep[0], keep[-1] = lower is End.NEUMANN, upper is End.NEUMANN
    return matrix[np.ix_(keep, keep)] / spacing**2


def poisson_like(grid, ends, decay=0.0, data="0"):
    """A problem with these ends, and with data on them that varies along the boundary."""
    boundary = {
        f"{axis.name}_{side}": CONDITIONS[end](data if axis.name == "x" else f"2*({data})")
        for axis, pair in zip(grid.axes, ends, strict=True)
        for side, end in zip(("lower", "upper"), pair, strict=True)
        if end is not None
    }
    boundary = boundary or {"default": Dirichlet()}
    dimension = grid.dimension
    if decay:
        return ScreenedPoisson(dimension=dimension, decay=decay, boundary=boundary)
    return Poisson(dimension=dimension, boundary=boundary)


def random_source(grid, batch=1, mean_zero=False):
    values = torch.randn(batch, 1, *grid.shape, dtype=torch.float64)
    if mean_zero:
        weights = grid.quadrature_weights
        values -= ((values * weights).flatten(1).sum(1) / weights.sum()).reshape(-1, *[1] * (values.ndim - 1))
    return {"source": Field(values, grid, ("source",))}


def axes_of(*items, sizes=(7, 8, 6), lengths=(1.0, 1.3, 0.7)):
    axes = [
        Axis(name, 0.2, 0.2 + length, size, kind)
        for name, (kind, _, _), size, length in zip("xyz", items, sizes, lengths, strict=False)
    ]
    return Grid(tuple(axes))


@pytest.mark.parametrize("num_points", [3, 6, 9])
@pytest.mark.parametrize(("kind", "lower", "upper"), AXES, ids=IDS)
def test_transforms_diagonalise_second_differences(kind, lower, upper, num_points):
    axis = Axis("x", -1.0, 1.5, num_points, kind)
    transform = AxisTransform(axis, lower, upper)
    dense = second_differences(kind, lower, upper, num_points, axis.spacing)
    assert transform.num_unknowns == len(dense)
    assert len(axis.points[transform.unknowns]) == len(dense)
    eigenvalues = transform.eigenvalues()
    scale = 4 / axis.spacing**2
    np.testing.assert_allclose(
        np.sort(eigenvalues), np.sort(np.linalg.eigvals(dense).real), rtol=0, atol=1e-13 * scale
    )
    assert transform.has_constants == bool((np.abs(dense.sum(1)) < 1e-12 * scale).all())
    # Backward after forward is the identity, and with the eigenvalues in between the matrix.
    identity = np.eye(len(dense))
    if lower is None:
        back = np.fft.ifft(eigenvalues[:, None] * np.fft.fft(identity, axis=0), axis=0).real
    else:
        np.testing.assert_allclose(
            transform.backward(transform.forward(identity.copy(), 0, 1), 0, 1), identity, rtol=0, atol=1e-14
        )
        back = transform.backward(eigenvalues[:, None] * transform.forward(identity.copy(), 0, 1), 0, 1)
    np.testing.assert_allclose(back, dense, rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize("second", AXES, ids=IDS)
@pytest.mark.parametrize("first", AXES, ids=IDS)
def test_every_mix_of_two_axes_solves_the_dense_system(first, second):
    grid = axes_of(first, second)
    transforms = [
        AxisTransform(axis, *item[1:]) for axis, item in zip(grid.axes, (first, second), strict=True)
    ]
    dense = [
        second_differences(*item, axis.num_points, axis.spacing)
        for axis, item in zip(grid.axes, (first, second), strict=True)
    ]
    diffusion, reaction = 1.7, 0.9
    total = np.kron(dense[0], np.eye(len(dense[1]))) + np.kron(np.eye(len(dense[0])), dense[1])
    matrix = diffusion * total + reaction * np.eye(len(total))
    right = np.random.default_rng(0).standard_normal((2, len(dense[0]), len(dense[1])))
    expected = np.linalg.solve(matrix, right.reshape(2, -1).T).T.reshape(right.shape)
    result = FastPoissonInverse(transforms, [diffusion], [reaction])(right.copy())
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("second", AXES, ids=IDS)
@pytest.mark.parametrize("first", AXES, ids=IDS)
def test_data_on_the_boundary_agrees_with_sparse_elimination(first, second):
    grid = axes_of(first, second)
    problem = poisson_like(grid, [first[1:], second[1:]], decay=2.0, data="1 + x*y - sin(3*x + y)")
    inputs = random_source(grid, batch=2)
    fast = FastPoissonSolver().solve(problem, inputs, grid)
    sparse = SparseFiniteDifferenceSolver().solve(problem, inputs, grid)
    torch.testing.assert_close(fast.values, sparse.values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("items", [AXES[:3], AXES[3:6], AXES[6:9], (AXES[2], AXES[0], AXES[7])])
def test_three_dimensions_agree_with_sparse_elimination(items):
    grid = axes_of(*items)
    problem = poisson_like(grid, [item[1:] for item in items], decay=1.0, data="cos(x - 2*y) + z**2")
    inputs = random_source(grid)
    fast = FastPoissonSolver().solve(problem, inputs, grid)
    sparse = SparseFiniteDifferenceSolver().solve(problem, inputs, grid)
    torch.testing.assert_close(fast.values, sparse.values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("item", AXES, ids=IDS)
def test_one_dimension_without_reaction_agrees_with_sparse_elimination(item):
    grid = axes_of(item)
    floating = End.DIRICHLET not in item[1:]
    problem = poisson_like(grid, [item[1:]], data="0" if floating else "3 - x")
    inputs = random_source(grid, mean_zero=floating)
    fast = FastPoissonSolver().solve(problem, inputs, grid)
    sparse = SparseFiniteDifferenceSolver().solve(problem, inputs, grid)
    torch.testing.assert_close(fast.values, sparse.values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", ["nodes", "cells"])
def test_an_eigenfunction_gives_the_discrete_eigenvalue(kind):
    """sin pi x sin 2 pi y is an eigenvector of the scheme too, so u is f over its discrete eigenvalue."""
    grid = Grid.box((17, 12), kind)
    x, y = grid.coordinates
    mode = torch.sin(math.pi * x) * torch.sin(2 * math.pi * y)
    solution = solve(Poisson(), grid, inputs={"source": Field(mode[None, None], grid, ("source",))})
    assert solution.report.solver == "FastPoissonSolver"
    h, k = (axis.spacing for axis in grid.axes)
    eigenvalue = (2 * math.sin(math.pi * h / 2) / h) ** 2 + (2 * math.sin(math.pi * k) / k) ** 2
    torch.testing.assert_close(solution.values[0, 0], mode / eigenvalue, rtol=0, atol=1e-15)


def test_the_fourier_symbol_is_exact_for_waves_of_the_grid():
    grid = Grid.periodic((12, 9), lengths=(2.0, 3.0))
    x, y = grid.coordinates
    wave = torch.cos(2 * math.pi * (5 * x / 2 - 4 * y / 3) + 0.3)
    rate = (2 * math.pi) ** 2 * ((5 / 2) ** 2 + (4 / 3) ** 2)
    inputs = {"source": Field(((rate + 7) * wave)[None, None], grid, ("source",))}
    solution = FastPoissonSolver(symbol="fourier").solve(ScreenedPoisson(decay=7.0), inputs, grid)
    torch.testing.assert_close(solution.values[0, 0], wave, rtol=0, atol=1e-13)
    chosen = solve(ScreenedPoisson(decay=7.0), grid, inputs=inputs)
    assert torch.equal(chosen.values, solution.values)


@settings(max_examples=15, deadline=None)
@given(shift=st.tuples(st.integers(0, 7), st.integers(0, 8)), seed=st.integers(0, 1000))
def test_shifted_sources_give_shifted_solutions_on_a_torus(shift, seed):
    grid = Grid.periodic((8, 9))
    torch.manual_seed(seed)
    inputs = random_source(grid, mean_zero=True)
    moved = {"source": replace(inputs["source"], values=inputs["source"].values.roll(shift, (-2, -1)))}
    for solver in (FastPoissonSolver(), FastPoissonSolver(symbol="fourier")):
        plain, other = (solver.solve(Poisson(), item, grid).values for item in (inputs, moved))
        torch.testing.assert_close(other, plain.roll(shift, (-2, -1)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["nodes", "cells", "periodic"])
def test_a_floating_solution_has_mean_zero(kind):
    grid = Grid.box((9, 14), kind, upper=(2.0, 1.0))
    problem = Poisson(boundary={"default": Neumann()})
    solution = FastPoissonSolver().solve(problem, random_source(grid, batch=3, mean_zero=True), grid)
    means = (solution.values[:, 0] * grid.quadrature_weights).flatten(1).sum(1)
    assert (means.abs() < 1e-15).all()
    assert "taken off the source" in solution.report.message


@pytest.mark.parametrize("kind", ["nodes", "cells", "periodic"])
@pytest.mark.parametrize("solver", [FastPoissonSolver(), SparseFiniteDifferenceSolver()])
def test_a_source_that_does_not_balance_is_refused_with_the_amount(kind, solver):
    grid = Grid.box((16, 16), kind)
    problem = Poisson(boundary={"default": Neumann()})
    x, y = grid.coordinates
    balanced = torch.cos(2 * math.pi * x) * (3 + torch.cos(4 * math.pi * y))  # by each rule
    inputs = {"source": Field(torch.stack([balanced, balanced + 1e-3])[:, None], grid, ("source",))}
    with pytest.raises(ValueError, match=r"1\.000e-03 together in sample 1.*subtracting the mean 1\.0000"):
        solver.solve(problem, inputs, grid)


@pytest.mark.parametrize("solver", [FastPoissonSolver(), SparseFiniteDifferenceSolver()])
def test_single_precision_balances_up_to_its_own_rounding(solver):
    # u = cos(2 pi x) / (4 pi^2) and a wave along y; rounding to float32 moves the mean by some 1e-9.
    grid = Grid.periodic((64, 48))
    x, y = grid.coordinates
    values = torch.cos(2 * math.pi * (x - 0.123)) + torch.exp(torch.sin(2 * math.pi * y)) / 3
    values -= values.mean()
    rounded = values.float()
    assert rounded.double().mean().abs() > 1e-10 * rounded.double().abs().mean()
    exact = solver.solve(Poisson(), {"source": Field(values[None, None], grid, ("source",))}, grid)
    close = solver.solve(Poisson(), {"source": Field(rounded[None, None], grid, ("source",))}, grid)
    assert close.relative_error(exact) < torch.finfo(torch.float32).eps
    off = {"source": Field(rounded[None, None] + 1e-5, grid, ("source",))}
    with pytest.raises(ValueError, match="expected a source and fluxes that balance"):
        solver.solve(Poisson(), off, grid)


@pytest.mark.parametrize("kind", ["nodes", "cells", "chebyshev"])
@pytest.mark.parametrize(
    "condition", [Dirichlet(value="1/x"), Neumann(flux="log(x - 1/2)"), Robin(coefficient="sqrt(x - 1)")]
)
def test_boundary_data_that_is_not_finite_is_refused_by_every_solver(kind, condition):
    grid = Grid.box((9, 9), kind)
    problem = Poisson(boundary={"x_lower": condition, "default": Dirichlet()})
    given = {"source": Field(torch.ones(1, 1, 9, 9).double(), grid, ("source",))}
    solvers = [solver for solver in CATALOGUE if solver.unsuited(problem, grid) is None]
    assert solvers
    for solver in solvers:
        with pytest.raises(
            ValueError, match="condition on 'x_lower': expected finite values, got NaN or inf"
        ):
            solver.solve(problem, given, grid)


@pytest.mark.parametrize("kind", ["nodes", "cells"])
@pytest.mark.parametrize("solver", [FastPoissonSolver(), SparseFiniteDifferenceSolver()])
def test_fluxes_balance_a_source_up_to_the_error_of_the_quadrature(kind, solver):
    """u = exp(x) cos(y): zero source for the Laplacian of a harmonic function, fluxes that cancel."""
    problem = Poisson(
        boundary={
            "x_lower": Neumann(flux="-cos(y)"),
            "x_upper": Neumann(flux="E*cos(y)"),
            "y_lower": Neumann(),
            "y_upper": Neumann(flux="-sin(1)*exp(x)"),
        }
    )
    grid = Grid.box((24, 25), kind)
    zero = {"source": Field(torch.zeros(1, 1, 24, 25).double(), grid, ("source",))}
    solution = solver.solve(problem, zero, grid)
    x, y = grid.coordinates
    exact = torch.exp(x) * torch.cos(y)
    weights = grid.quadrature_weights
    exact -= (exact * weights).sum() / weights.sum()
    assert (solution.values[0, 0] - exact).abs().max() < 2e-3  # second order: about h**2
    # Two per cent off is fifty times what the quadrature leaves.
    wrong = replace(problem, boundary={**problem.boundary, "y_upper": Neumann(flux="-0.857*exp(x)")})
    with pytest.raises(ValueError, match="expected a source and fluxes that balance"):
        solver.solve(wrong, zero, grid)


def test_a_formula_that_gives_no_finite_source_is_refused():
    grid = Grid.box((8, 8), "cells")
    inputs = {"permeability": Field(torch.ones(1, 1, 8, 8).double(), grid, ("permeability",))}
    with pytest.raises(ValueError, match="darcy: expected a finite source, got NaN or infinity"):
        FastPoissonSolver(constant_inputs=True).solve(Darcy2D(forcing="log(x - 1/2)"), inputs, grid)


def test_a_constant_permeability_is_taken_where_allowed_one_value_a_sample():
    grid = Grid.box((20, 21), "cells")
    levels = torch.tensor([0.5, 3.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    inputs = {"permeability": Field(levels.expand(2, 1, 20, 21).clone(), grid, ("permeability",))}
    problem = Darcy2D(
        forcing="1 + x", boundary={"x_lower": Neumann(flux="y"), "default": Dirichlet(value="x")}
    )
    fast = FastPoissonSolver(constant_inputs=True).solve(problem, inputs, grid)
    sparse = SparseFiniteDifferenceSolver().solve(problem, inputs, grid)
    torch.testing.assert_close(fast.values, sparse.values, rtol=0, atol=1e-12)
    assert "the input permeability" in FastPoissonSolver().unsuited(problem, grid)
    inputs["permeability"].values[1, 0, 3, 4] = 2.0
    with pytest.raises(ValueError, match=r"one that varies by 1 in sample 1"):
        FastPoissonSolver(constant_inputs=True).solve(problem, inputs, grid)
    negative = {"permeability": replace(inputs["permeability"], values=-torch.ones(1, 1, 20, 21).double())}
    with pytest.raises(ValueError, match="expected a > 0, got -1"):
        FastPoissonSolver(constant_inputs=True).solve(problem, negative, grid)


def test_samples_do_not_depend_on_their_batch_and_inputs_stay_as_they_are():
    grid = Grid.box((12, 13), ("nodes", "periodic"))
    inputs = random_source(grid, batch=3)
    before = inputs["source"].values.clone()
    together = FastPoissonSolver().solve(Poisson(), inputs, grid).values
    assert torch.equal(inputs["source"].values, before)
    for index in range(3):
        alone = FastPoissonSolver().solve(Poisson(), {"source": inputs["source"].sample(index)}, grid).values
        assert torch.equal(alone[0], together[index])


@pytest.mark.parametrize(
    ("solver", "problem", "grid", "reason"),
    [
        (FastPoissonSolver(), SteadyAllenCahn(), Grid.box((8, 8)), "linear in u"),
        (FastPoissonSolver(), Helmholtz(), Grid.box((8, 8)), "got the input"),
        (FastPoissonSolver(), Poisson(), Grid.box((8, 8), "chebyshev"), "uniform points, got 'chebyshev'"),
        (FastPoissonSolver(), Poisson(boundary={"default": Robin()}), Grid.box((8, 8)), "a Robin condition"),
        (FastPoissonSolver(), Poisson(), Grid.box((2, 8)), "expected 3 or more nodes"),
        (FastPoissonSolver(symbol="fourier"), Poisson(), Grid.box((8, 8)), "periodic axes for symbol"),
        (SparseFiniteDifferenceSolver(), Poisson(), Grid.box((8, 2)), "expected more than 2 nodes along 'y'"),
        (SparseFiniteDifferenceSolver(), Poisson(), Grid.box((8, 8), "chebyshev"), "got 'chebyshev'"),
        (SparseFiniteDifferenceSolver(method="cg"), SteadyAllenCahn(), Grid.box((8, 8)), "method='direct'"),
    ],
)
def test_what_a_solver_is_not_for_is_said(solver, problem, grid, reason):
    assert reason in solver.unsuited(problem, grid)
    with pytest.raises(ValueError, match=type(solver).__name__):
        solver.solve(problem, problem.sample_inputs(Grid.box((8, 8)), [0]), grid)


@pytest.mark.usefixtures("unchecked")
def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="symbol"):
        FastPoissonSolver(symbol="spectral")
    with pytest.raises(ValueError, match="expected a condition at each end"):
        AxisTransform(Axis("x", 0.0, 1.0, 8, "nodes"), End.DIRICHLET, None)
    with pytest.raises(ValueError, match="expected no conditions"):
        AxisTransform(Axis("x", 0.0, 1.0, 8, "periodic"), End.DIRICHLET, End.NEUMANN)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_source_on_a_gpu_gives_a_solution_there():
    grid = Grid.box((17, 18), "cells")
    inputs = random_source(grid)
    on_gpu = {"source": inputs["source"].to("cuda")}
    for solver in (FastPoissonSolver(), SparseFiniteDifferenceSolver()):
        solution = solver.solve(Poisson(), on_gpu, grid)
        assert solution.values.is_cuda
        assert torch.equal(solution.values.cpu(), solver.solve(Poisson(), inputs, grid).values)
        assert solution.report.status is SolveStatus.CONVERGED
