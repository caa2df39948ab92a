"""Finite volumes for Darcy flow: exact solutions, a direct solver, conservation, and iterations."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve

from pdeops.domains import Field, Grid
from pdeops.problems import Burgers1D, Darcy2D, LognormalPermeability, Neumann, Poisson
from solvers import FiniteVolumeMultigridSolver, FiniteVolumeSystem, SolverError, SolveStatus


def permeability(grid, values):
    return {"permeability": Field(values[:, None], grid, ("permeability",))}


def direct_solution(values, grid, nodal):
    """The equations written unknown by unknown, harmonic means, f = 1, solved by sparse elimination."""
    first = 1 if nodal else 0
    shape = [n - 2 * first for n in grid.shape]
    spacing = [axis.spacing for axis in grid.axes]
    rows, columns, entries = [], [], []
    for i in range(shape[0]):
        for j in range(shape[1]):
            here, total = i * shape[1] + j, 0.0
            for axis, (di, dj) in ((0, (1, 0)), (0, (-1, 0)), (1, (0, 1)), (1, (0, -1))):
                own = values[i + first, j + first]
                inside = 0 <= i + di < shape[0] and 0 <= j + dj < shape[1]
                if inside or nodal:
                    other = values[i + di + first, j + dj + first]
                    weight = 2 * own * other / (own + other) / spacing[axis] ** 2
                else:
                    weight = 2 * own / spacing[axis] ** 2
                total += weight
                if inside:
                    rows.append(here), columns.append((i + di) * shape[1] + j + dj), entries.append(-weight)
            rows.append(here), columns.append(here), entries.append(total)
    matrix = csr_matrix((entries, (rows, columns)))
    solution = np.zeros(grid.shape)
    inner = slice(first, -1 if nodal else None)
    solution[inner, inner] = spsolve(matrix, np.ones(matrix.shape[0])).reshape(shape)
    return torch.from_numpy(solution)


@pytest.mark.parametrize("kind", ["cells", "nodes"])
@pytest.mark.parametrize("shape", [(32, 32), (43, 30), (21, 64)])
def test_two_phases_agree_with_sparse_elimination(kind, shape):
    problem, grid = Darcy2D(), Grid.box(shape, kind)
    inputs = problem.sample_inputs(grid, [0, 1])
    solution = FiniteVolumeMultigridSolver().solve(problem, inputs, grid)
    for sample in range(2):
        exact = direct_solution(inputs["permeability"].values[sample, 0].numpy(), grid, kind == "nodes")
        difference = (solution.values[sample, 0] - exact).abs().max() / exact.abs().max()
        assert difference < 1e-8


@pytest.mark.parametrize("kind", ["cells", "nodes"])
def test_the_constant_coefficient_gives_the_discrete_eigenvalue(kind):
    # sin pi x sin pi y is an eigenfunction of the discrete operator too; only the eigenvalue differs.
    exact = Darcy2D().exact_solutions()["constant"]
    grid = Grid.box((16, 24), kind)
    solution = FiniteVolumeMultigridSolver(tolerance=1e-13).solve(exact.problem, exact.inputs(grid), grid)
    discrete = sum(4 / h**2 * math.sin(math.pi * h / 2) ** 2 for h in (axis.spacing for axis in grid.axes))
    expected = 2 * math.pi**2 / discrete * exact.solution(grid).values
    torch.testing.assert_close(solution.values, expected, rtol=0, atol=1e-12)


def test_layers_in_series_are_exact_with_harmonic_means_and_not_with_arithmetic_ones():
    # Across layers the flux is the same through every face, so p falls by h / a in each cell. Checked on the
    # matrix itself.
    grid = Grid.box((8, 3), "cells")
    values = torch.tensor([1.0, 100.0] * 4, dtype=torch.float64)[:, None].expand(8, 3)[None]
    potential = torch.cumsum(1 / values, 1) - 0.5 / values
    harmonic = FiniteVolumeSystem(grid, values).operator
    inner = harmonic.faces[0] * potential.diff(dim=1)
    torch.testing.assert_close(inner, inner[0, 0, 0].expand_as(inner))
    arithmetic = FiniteVolumeSystem(grid, values, face_mean="arithmetic").operator
    wrong = arithmetic.faces[0] * potential.diff(dim=1)
    assert (wrong / inner).min() > 10


@pytest.mark.parametrize("kind", ["cells", "nodes"])
@pytest.mark.parametrize("sampler", [None, LognormalPermeability()], ids=["two phases", "lognormal"])
def test_iterations_do_not_grow_with_the_grid(kind, sampler):
    problem = Darcy2D() if sampler is None else Darcy2D(sampler=sampler)
    iterations = []
    for num_points in (32, 43, 64, 85, 128, 256):
        grid = Grid.box((num_points, num_points), kind)
        solution = FiniteVolumeMultigridSolver().solve(problem, problem.sample_inputs(grid, [0, 1]), grid)
        iterations.append(int(solution.report.iterations.max()))
    # Without multigrid they would double with every doubling of the points.
    assert max(iterations) <= 18
    assert max(iterations) - min(iterations) <= 6


def test_long_rectangles_take_no_more_iterations():
    problem = Darcy2D()
    grid = Grid.box((16, 200), "cells")
    solution = FiniteVolumeMultigridSolver().solve(problem, problem.sample_inputs(grid, [0, 1]), grid)
    assert solution.report.iterations.max() <= 20


def test_what_the_source_makes_leaves_through_the_boundary():
    problem, grid = Darcy2D(), Grid.box((40, 31), "cells")
    inputs = problem.sample_inputs(grid, [3])
    pressure = FiniteVolumeMultigridSolver().solve(problem, inputs, grid).values[0, 0]
    a = inputs["permeability"].values[0, 0]
    (hx, hy) = (axis.spacing for axis in grid.axes)
    out = 2 * hy / hx * (a[0] @ pressure[0] + a[-1] @ pressure[-1])
    out += 2 * hx / hy * (a[:, 0] @ pressure[:, 0] + a[:, -1] @ pressure[:, -1])
    assert out.item() == pytest.approx(1.0, rel=1e-8)


def test_pressure_is_positive_and_falls_with_permeability():
    problem, grid = Darcy2D(), Grid.box((33, 33), "nodes")
    a = problem.sample_inputs(grid, [0])["permeability"].values[:, 0]
    solver = FiniteVolumeMultigridSolver()
    pressure = solver.solve(problem, permeability(grid, a), grid).values[0, 0]
    assert (pressure[1:-1, 1:-1] > 0).all()
    assert (pressure[0] == 0).all()
    assert (pressure[:, -1] == 0).all()
    doubled = solver.solve(problem, permeability(grid, 2 * a), grid).values[0, 0]
    torch.testing.assert_close(doubled, pressure / 2, rtol=0, atol=1e-10)


def test_a_sample_does_not_depend_on_its_batch():
    problem, grid = Darcy2D(), Grid.box((48, 48), "cells")
    a = problem.sample_inputs(grid, [0, 1, 2])["permeability"].values[:, 0]
    a[0] = 1.0  # takes fewer iterations than the others
    solver = FiniteVolumeMultigridSolver()
    together = solver.solve(problem, permeability(grid, a), grid)
    for sample in range(3):
        alone = solver.solve(problem, permeability(grid, a[sample : sample + 1]), grid)
        assert alone.relative_error(together.sample(sample)).item() < 1e-13
        assert alone.report.iterations[0] == together.report.iterations[sample]
    assert together.report.iterations[0] < together.report.iterations[1]


def test_the_report_has_the_history_of_every_sample():
    problem, grid = Darcy2D(), Grid.box((32, 32), "cells")
    report = FiniteVolumeMultigridSolver().solve(problem, problem.sample_inputs(grid, [0, 1]), grid).report
    assert report.status is SolveStatus.CONVERGED
    assert report.residual_history.shape == (report.iterations.max() + 1, 2)
    assert (report.residual_history[-1] <= 1e-10).all()
    assert (report.residual_history[0] == 1).all()
    assert report.num_steps is None


class TestFailures:
    def test_too_few_iterations(self):
        problem, grid = Darcy2D(), Grid.box((32, 32), "cells")
        with pytest.raises(
            SolverError, match=r"iteration_limit.*at most 3 iterations.*max_iterations"
        ) as caught:
            FiniteVolumeMultigridSolver(max_iterations=3).solve(
                problem, problem.sample_inputs(grid, [0]), grid
            )
        assert caught.value.report.residual_history.shape == (4, 1)

    def test_permeability_must_be_positive(self):
        problem, grid = Darcy2D(), Grid.box((8, 8), "cells")
        a = torch.ones(3, 8, 8, dtype=torch.float64)
        a[2, 1, 1] = 0
        with pytest.raises(ValueError, match=r"positive finite values.*samples \[2\]"):
            FiniteVolumeMultigridSolver().solve(problem, permeability(grid, a), grid)

    def test_wrong_problem_domain_and_times(self):
        problem, grid = Darcy2D(), Grid.box((8, 8), "cells")
        inputs = problem.sample_inputs(grid, [0])
        line, burgers = Grid.periodic((16,)), Burgers1D()
        with pytest.raises(ValueError, match="elliptic problem"):
            FiniteVolumeMultigridSolver().solve(burgers, burgers.sample_inputs(line, [0]), line)
        with pytest.raises(ValueError, match="times=None"):
            FiniteVolumeMultigridSolver().solve(problem, inputs, grid, torch.tensor([1.0]))
        chebyshev = Grid.box((8, 8), "chebyshev")
        with pytest.raises(ValueError, match=r"cells, nodes or periodic ones, got 'chebyshev'"):
            FiniteVolumeMultigridSolver().solve(
                problem, permeability(chebyshev, torch.ones(1, 8, 8).double()), chebyshev
            )

    @pytest.mark.parametrize("settings", [{"tolerance": 0.0}, {"max_iterations": 0}])
    def test_bad_settings(self, settings):
        with pytest.raises(ValueError, match=next(iter(settings))):
            FiniteVolumeMultigridSolver(**settings)

    def test_unknown_mean(self, unchecked):
        with pytest.raises(ValueError, match="harmonic"):
            FiniteVolumeMultigridSolver(face_mean="geometric")


@pytest.mark.gpu
def test_the_gpu_gives_the_same_solution():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    problem, grid = Darcy2D(), Grid.box((65, 65), "nodes")
    inputs = problem.sample_inputs(grid, [0, 1])
    there = FiniteVolumeMultigridSolver().solve(problem, {n: f.to("cuda") for n, f in inputs.items()}, grid)
    assert there.values.is_cuda
    assert (
        there.to("cpu").relative_error(FiniteVolumeMultigridSolver().solve(problem, inputs, grid)).max()
        < 1e-9
    )


def test_fluxes_that_nearly_balance_are_refused_like_those_that_do_not():
    """A mean of 1e-3 is no error of quadrature: cosines and their sums are exact on cells."""
    grid = Grid.box((16, 12), "cells")
    problem = Poisson(boundary={"default": Neumann()})
    inputs = problem.sample_inputs(grid, [0, 1])
    assert FiniteVolumeMultigridSolver().solve(problem, inputs, grid).report.status is SolveStatus.CONVERGED
    inputs["source"].values[1] += 1e-3
    with pytest.raises(ValueError, match=r"source and fluxes that balance.* in sample 1, "):
        FiniteVolumeMultigridSolver().solve(problem, inputs, grid)
