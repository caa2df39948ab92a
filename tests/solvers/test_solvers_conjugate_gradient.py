"""Conjugate gradients on dense systems with known spectra."""

import math

import pytest
import torch

from solvers import SolveStatus, conjugate_gradient


def spd(eigenvalues, batch=1):
    """Symmetric matrices with the given eigenvalues and random eigenvectors."""
    size = len(eigenvalues)
    basis = torch.linalg.qr(torch.randn(batch, size, size, dtype=torch.float64)).Q
    return basis @ torch.diag(eigenvalues.double()) @ basis.mT


def product(matrix):
    return lambda x: (matrix @ x[..., None])[..., 0]


def test_it_solves_to_the_tolerance_and_reports_the_true_residual():
    matrix = spd(torch.linspace(1, 50, 40), batch=3)
    right = torch.randn(3, 40, dtype=torch.float64)
    result = conjugate_gradient(product(matrix), right, tolerance=1e-12)
    assert result.status is SolveStatus.CONVERGED
    assert (result.relative_residual < 2e-12).all()
    torch.testing.assert_close(result.solution, torch.linalg.solve(matrix, right), rtol=0, atol=1e-11)


@pytest.mark.parametrize("distinct", [1, 2, 5])
def test_it_ends_after_as_many_steps_as_there_are_distinct_eigenvalues(distinct):
    eigenvalues = torch.linspace(1, 9, distinct).repeat_interleave(20 // distinct)
    result = conjugate_gradient(
        product(spd(eigenvalues)), torch.randn(1, len(eigenvalues), dtype=torch.float64)
    )
    assert result.iterations.tolist() == [distinct]


def test_the_error_falls_at_least_as_fast_as_the_bound():
    condition = 100.0
    matrix = spd(torch.linspace(1, condition, 80))
    exact = torch.randn(1, 80, dtype=torch.float64)
    energy = lambda e: (e @ matrix[0] * e).sum().sqrt()  # noqa: E731
    rate = (math.sqrt(condition) - 1) / (math.sqrt(condition) + 1)
    for steps in (5, 15, 30):
        result = conjugate_gradient(product(matrix), product(matrix)(exact), max_iterations=steps)
        assert result.status is SolveStatus.ITERATION_LIMIT
        assert energy(result.solution - exact) <= 2 * rate**steps * energy(exact)


def test_the_exact_inverse_as_preconditioner_needs_one_step():
    matrix = spd(torch.logspace(0, 4, 30))
    result = conjugate_gradient(
        product(matrix),
        torch.randn(1, 30).double(),
        preconditioner=product(torch.linalg.inv(matrix)),
        tolerance=1e-8,
    )
    assert result.iterations.tolist() == [1]


def test_each_system_stops_on_its_own_and_ignores_the_others():
    easy, hard = spd(torch.ones(20)), spd(torch.linspace(1, 200, 20))
    right = torch.randn(2, 20, dtype=torch.float64)
    both = conjugate_gradient(product(torch.cat([easy, hard])), right)
    assert both.iterations[0] == 1
    assert both.iterations[1] > 10
    for index, matrix in enumerate((easy, hard)):
        alone = conjugate_gradient(product(matrix), right[index : index + 1])
        torch.testing.assert_close(alone.solution[0], both.solution[index], rtol=1e-13, atol=1e-15)
    history = both.residual_history
    assert history.shape == (both.iterations.max() + 1, 2)
    assert (history[1:, 0] == history[1, 0]).all()
    assert (history[-1] <= 1e-10).all()
    assert history[0].tolist() == [1.0, 1.0]


def test_a_zero_right_side_gives_zero():
    result = conjugate_gradient(product(spd(torch.arange(1, 6))), torch.zeros(1, 5, dtype=torch.float64))
    assert result.iterations.tolist() == [0]
    assert (result.solution == 0).all()
    assert result.relative_residual.tolist() == [0.0]


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_an_indefinite_matrix_is_a_breakdown(bad):
    matrix = torch.diag(torch.tensor([1.0, 2.0, bad], dtype=torch.float64))
    result = conjugate_gradient(product(matrix), torch.tensor([[0.1, 0.1, 1.0]], dtype=torch.float64))
    assert result.status is SolveStatus.BREAKDOWN


def test_a_tolerance_below_rounding_is_not_reported_as_met():
    matrix = spd(torch.logspace(0, 10, 30))
    result = conjugate_gradient(
        product(matrix), torch.randn(1, 30).double(), tolerance=1e-15, max_iterations=10000
    )
    assert result.residual_history[-1] <= 1e-15
    assert result.relative_residual > 1e-14
    assert result.status is SolveStatus.STAGNATION
