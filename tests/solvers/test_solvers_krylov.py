"""Flexible conjugate gradients with any preconditioner, MINRES and GMRES, on dense systems."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers import SolveStatus
from solvers.krylov import conjugate_gradient, flexible_cg, flexible_conjugate_gradient, gmres, minres


def with_spectrum(eigenvalues, batch=1):
    """Symmetric matrices with the given eigenvalues and random eigenvectors."""
    size = len(eigenvalues)
    basis = torch.linalg.qr(torch.randn(batch, size, size, dtype=torch.float64)).Q
    return basis @ torch.diag(eigenvalues.double()) @ basis.mT


def product(matrix):
    return lambda x: (matrix @ x[..., None])[..., 0]


def network(size, seed=0, width=32):
    """A perceptron with random weights and biases: nonlinear, not symmetric, not definite."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(*s, generator=generator).double() for s in ((size, width), (width, size)))
    shift = torch.randn(width, generator=generator).double()
    return lambda r: torch.tanh(r @ first + shift) @ second


def saad_iterates(matrix, right, steps, preconditioner):
    """Algorithm 9.1 of Saad, dense, written down once more."""
    x, r = torch.zeros_like(right), right.clone()
    z = preconditioner(r)
    p, iterates = z, []
    for _ in range(steps):
        step = (r @ z) / (p @ matrix @ p)
        x, new = x + step * p, r - step * matrix @ p
        new_z = preconditioner(new)
        p = new_z + (new @ new_z) / (r @ z) * p
        r, z = new, new_z
        iterates.append(x)
    return iterates


@pytest.mark.parametrize("memory", [1, 2, 5])
@pytest.mark.parametrize("kind", ["identity", "linear"])
def test_a_linear_preconditioner_gives_the_iterates_of_conjugate_gradients(memory, kind):
    matrix = with_spectrum(torch.linspace(1, 100, 30))
    right = torch.randn(1, 30, dtype=torch.float64)
    inverse = torch.eye(30).double() if kind == "identity" else with_spectrum(torch.linspace(1, 3, 30))[0]
    expected = saad_iterates(matrix[0], right[0], 12, lambda r: inverse @ r)
    for steps in (1, 5, 12):
        result = flexible_cg(
            product(matrix), right, lambda r: r @ inverse, memory, max_iterations=steps, tolerance=1e-15
        )
        # Both lose conjugacy by rounding: at most condition times machine epsilon a step.
        torch.testing.assert_close(result.solution[0], expected[steps - 1], rtol=0, atol=1e-11)


def test_conjugate_gradients_are_the_case_of_one_direction():
    matrix, right = with_spectrum(torch.logspace(0, 3, 40), batch=2), torch.randn(2, 40).double()
    plain = conjugate_gradient(product(matrix), right)
    flexible = flexible_conjugate_gradient(product(matrix), right, None, 1)
    assert torch.equal(plain.solution, flexible.solution)
    torch.testing.assert_close(plain.solution, torch.linalg.solve(matrix, right), rtol=0, atol=1e-9)


@pytest.mark.parametrize("factor", [1.0, 1e-6, -1e6])
def test_the_exact_inverse_up_to_any_factor_needs_one_step(factor):
    matrix = with_spectrum(torch.logspace(0, 4, 30), batch=2)
    inverse = factor * torch.linalg.inv(matrix)
    result = flexible_cg(product(matrix), torch.randn(2, 30).double(), product(inverse), 2, tolerance=1e-9)
    assert result.status is SolveStatus.CONVERGED
    assert result.iterations.tolist() == [1, 1]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), memory=st.integers(0, 3), condition=st.floats(1.0, 1e4))
def test_the_energy_error_never_grows_whatever_the_preconditioner(seed, memory, condition):
    torch.manual_seed(seed)
    matrix = with_spectrum(torch.logspace(0, math.log10(condition), 20))
    exact = torch.randn(1, 20, dtype=torch.float64)
    errors = [float((exact @ matrix[0] @ exact.T).sqrt())]
    for steps in range(1, 12):
        result = flexible_cg(
            product(matrix), product(matrix)(exact), network(20, seed), memory, max_iterations=steps
        )
        error = result.solution - exact
        errors.append(float((error @ matrix[0] @ error.T).sqrt()))
    assert all(after <= before * (1 + 1e-12) for before, after in itertools.pairwise(errors))
    assert errors[-1] < errors[0]


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3))
def test_scale_and_sign_of_the_preconditioner_do_not_matter(factor):
    matrix, right = with_spectrum(torch.linspace(1, 50, 20)), torch.ones(1, 20, dtype=torch.float64)
    answers = network(20)
    plain, scaled = (
        flexible_cg(product(matrix), right, f, 2, max_iterations=8)
        for f in (answers, lambda r: factor * answers(r))
    )
    torch.testing.assert_close(scaled.solution, plain.solution, rtol=0, atol=1e-10)


def test_memory_of_all_directions_ends_a_nonlinear_preconditioner_after_as_many_steps_as_unknowns():
    matrix, right = with_spectrum(torch.linspace(1, 10, 15)), torch.randn(1, 15).double()
    full = flexible_cg(product(matrix), right, network(15), 15, tolerance=1e-9)
    assert full.status is SolveStatus.CONVERGED
    assert full.iterations <= 15
    short = flexible_cg(product(matrix), right, network(15), 0, tolerance=1e-9, max_iterations=15)
    assert short.status is SolveStatus.ITERATION_LIMIT


def test_a_preconditioner_of_unit_residuals_sees_unit_residuals():
    seen = []

    def record(residual):
        seen.append(residual.norm(dim=1))
        return residual

    matrix, right = with_spectrum(torch.linspace(1, 9, 10), batch=2), 1e3 * torch.randn(2, 10).double()
    plain = flexible_cg(product(matrix), right, None, 2)
    result = flexible_cg(product(matrix), right, record, 2, normalise=True)
    norms = torch.stack(seen)
    assert ((norms - 1).abs() < 1e-14).all()
    torch.testing.assert_close(result.solution, plain.solution, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "useless",
    [torch.zeros_like, lambda r: r.new_ones(r.shape), lambda r: torch.stack([-r[:, 1], r[:, 0]], 1)],
    ids=["zero", "constant", "orthogonal"],
)
def test_useless_answers_are_replaced_by_the_residual_and_counted(useless):
    matrix = torch.diag(torch.tensor([1.0, 5.0], dtype=torch.float64))[None]
    result = flexible_cg(product(matrix), torch.tensor([[3.0, 1.0]]).double(), useless, 1)
    assert result.status is SolveStatus.CONVERGED
    assert result.iterations <= 3
    assert "were replaced by the residual" in result.message


def test_an_initial_guess_is_where_it_starts():
    matrix, exact = with_spectrum(torch.linspace(1, 90, 25)), torch.randn(1, 25).double()
    right = product(matrix)(exact)
    assert conjugate_gradient(product(matrix), right, initial=exact).iterations.tolist() == [0]
    near = conjugate_gradient(product(matrix), right, initial=exact + 1e-6 * torch.randn(1, 25).double())
    assert near.residual_history[0] < 1e-4
    assert near.iterations < conjugate_gradient(product(matrix), right).iterations


def test_negative_curvature_names_iteration_system_and_value_and_spares_the_others():
    good, bad = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 2.0, -3.0])
    matrix = torch.stack([torch.diag(good), torch.diag(bad)]).double()
    right = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 2.0]], dtype=torch.float64)
    result = conjugate_gradient(product(matrix), right)
    assert result.status is SolveStatus.BREAKDOWN
    assert "iteration 1, system 1: curvature d.Ad = -1.200e+01" in result.message
    torch.testing.assert_close(result.solution[0], 1 / good.double(), rtol=0, atol=1e-12)
    assert result.relative_residual[1] == 1


def test_a_network_that_answers_nan_is_a_breakdown():
    matrix = with_spectrum(torch.linspace(1, 9, 6))
    result = flexible_cg(product(matrix), torch.ones(1, 6).double(), lambda r: r * math.nan, 2)
    assert result.status is SolveStatus.BREAKDOWN
    assert "not finite" in result.message
    assert (result.solution == 0).all()


def test_networks_in_single_precision_are_preconditioners_of_systems_in_double():
    matrix, right = with_spectrum(torch.linspace(1, 20, 12)), torch.randn(1, 12).double()
    layer = torch.nn.Linear(12, 12)
    result = flexible_cg(product(matrix), right, lambda r: layer(r.float()), 12, tolerance=1e-9)
    assert result.status is SolveStatus.CONVERGED
    assert result.solution.dtype is torch.float64
    assert not result.solution.requires_grad


@pytest.mark.parametrize("method", [minres, gmres])
def test_indefinite_systems_are_solved_by_minres_and_gmres(method):
    matrix = with_spectrum(torch.cat([-torch.linspace(1, 3, 5), torch.linspace(0.5, 9, 15)]), batch=2)
    right = torch.randn(2, 20, dtype=torch.float64)
    maps = [product(item) for item in matrix]
    result = method(maps, right, tolerance=1e-9)
    assert result.status is SolveStatus.CONVERGED
    assert (result.relative_residual <= 1e-8).all()
    # Rounding apart, the Krylov space is complete after 20 steps.
    assert (result.iterations <= 25).all()
    torch.testing.assert_close(result.solution, torch.linalg.solve(matrix, right), rtol=0, atol=1e-7)
    history = result.residual_history
    assert history[0].tolist() == [1.0, 1.0]
    assert (history[1:] <= history[:-1] * (1 + 1e-6)).all()


def test_gmres_solves_systems_that_are_not_symmetric_with_an_inverse_from_the_right():
    matrix = torch.eye(15).double() + 0.4 * torch.randn(15, 15).double() / math.sqrt(15)
    right = torch.randn(1, 3, 5, dtype=torch.float64)
    apply = lambda m: lambda x: (m @ x.flatten())[None].reshape(x.shape)  # noqa: E731
    exact = torch.linalg.solve(matrix, right.flatten()).reshape(right.shape)
    plain = gmres(apply(matrix), right, tolerance=1e-10)
    torch.testing.assert_close(plain.solution, exact, rtol=0, atol=1e-8)
    helped = gmres(apply(matrix), right, preconditioner=apply(torch.linalg.inv(matrix)), tolerance=1e-10)
    assert helped.iterations.tolist() == [1]
    torch.testing.assert_close(helped.solution, exact, rtol=0, atol=1e-8)


@pytest.mark.parametrize("method", [minres, gmres])
def test_iterations_that_do_not_suffice_are_said(method):
    matrix, right = with_spectrum(torch.logspace(0, 5, 40)), torch.randn(1, 40, dtype=torch.float64)
    result = method(product(matrix[0]), right, max_iterations=5)
    assert result.status is SolveStatus.ITERATION_LIMIT
    assert result.iterations.tolist() == [5]
    assert result.relative_residual > 1e-10


def test_minres_on_a_singular_system_without_a_solution_stagnates():
    matrix = torch.diag(torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64))
    result = minres(product(matrix), torch.ones(1, 3).double(), max_iterations=100)
    assert result.status in (SolveStatus.STAGNATION, SolveStatus.ITERATION_LIMIT)
    # The part of b in the range is solved for; the rest is the residual.
    assert result.residual_history.min().item() == pytest.approx(1 / math.sqrt(3), rel=1e-9)
    assert result.relative_residual > 0.57


@pytest.mark.parametrize("method", [conjugate_gradient, minres, gmres])
def test_right_sides_and_tolerances_that_no_residual_can_be_held_to_are_refused(method):
    # All comparisons with NaN are false: without a check they look like a tolerance that is met.
    right = torch.ones(3, 4).double()
    right[1, 2] = math.nan
    with pytest.raises(ValueError, match=r"right_side: expected finite values.*1\b"):
        method(lambda x: 2 * x, right)
    with pytest.raises(ValueError, match="tolerance: expected a positive number, got nan"):
        method(lambda x: 2 * x, right[:1], tolerance=math.nan)


@pytest.mark.parametrize("method", [minres, gmres])
def test_a_zero_right_side_gives_zero_and_a_bad_one_an_error(method):
    matrix = with_spectrum(torch.linspace(1, 2, 4))
    result = method(product(matrix[0]), torch.zeros(1, 4).double())
    assert (result.solution == 0).all()
    assert result.relative_residual.tolist() == [0.0]
    with pytest.raises(ValueError, match="expected finite values"):
        method(product(matrix[0]), torch.full((1, 4), math.nan).double())
    with pytest.raises(ValueError, match="one for each of 2 systems, got 1"):
        method([product(matrix[0])], torch.ones(2, 4).double())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": -1}, "memory"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"max_iterations": 0}, "max_iterations"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        flexible_cg(lambda x: x, torch.ones(1, 2).double(), **options)
    with pytest.raises(ValueError, match="initial: expected the shape"):
        flexible_cg(lambda x: x, torch.ones(1, 2).double(), initial=torch.ones(1, 3).double())
