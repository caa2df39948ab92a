"""Order conditions of the Runge-Kutta coefficients, also with both halves of the additive scheme mixed."""

from itertools import product

import numpy as np
import pytest

from solvers.spectral.runge_kutta_tableau import ADDITIVE_EXPLICIT, ADDITIVE_IMPLICIT, DORMAND_PRINCE

EXACT = 2e-15


def matrix(tableau):
    full = np.zeros((len(tableau.weights),) * 2)
    for row, stages in zip(full, tableau.stages, strict=True):
        row[: len(stages)] = stages
    return full


def quadrature_errors(weights, nodes, order):
    return [abs(weights @ nodes**k - 1 / (k + 1)) for k in range(order)]


def test_both_halves_take_their_slopes_at_the_same_times():
    explicit, implicit = matrix(ADDITIVE_EXPLICIT), matrix(ADDITIVE_IMPLICIT)
    np.testing.assert_allclose(explicit.sum(1), [0, 1 / 2, 83 / 250, 31 / 50, 17 / 20, 1], atol=EXACT)
    np.testing.assert_allclose(implicit.sum(1), explicit.sum(1), atol=EXACT)
    assert (np.triu(explicit) == 0).all()
    assert (np.triu(implicit, 1) == 0).all()
    np.testing.assert_array_equal(np.diag(implicit)[1:], 0.25)
    np.testing.assert_array_equal(implicit[-1], ADDITIVE_IMPLICIT.weights)  # stiffly accurate


@pytest.mark.parametrize("name", ["weights", "embedded"])
def test_the_additive_scheme_has_its_orders(name):
    weights = np.array(getattr(ADDITIVE_EXPLICIT, name))
    order = ADDITIVE_EXPLICIT.order if name == "weights" else ADDITIVE_EXPLICIT.embedded_order
    halves = [matrix(ADDITIVE_EXPLICIT), matrix(ADDITIVE_IMPLICIT)]
    nodes = halves[0].sum(1)
    assert max(quadrature_errors(weights, nodes, order)) < EXACT
    assert all(abs(weights @ a @ nodes - 1 / 6) < EXACT for a in halves)
    if order == 4:
        assert all(abs((weights * nodes) @ a @ nodes - 1 / 8) < EXACT for a in halves)
        assert all(abs(weights @ a @ nodes**2 - 1 / 12) < EXACT for a in halves)
        assert all(abs(weights @ a @ b @ nodes - 1 / 24) < EXACT for a, b in product(halves, repeat=2))


def test_the_implicit_half_damps_stiff_waves():
    # R(z) = 1 + z b (1 - z A)^-1 1 goes to zero at infinity and is at most one on the imaginary axis.
    a, weights = matrix(ADDITIVE_IMPLICIT), np.array(ADDITIVE_IMPLICIT.weights)

    def factor(z):
        return 1 + z * (weights @ np.linalg.solve(np.eye(6) - z * a, np.ones(6)))

    assert abs(factor(-1e8)) < 1e-6
    assert max(abs(factor(1j * y)) for y in np.logspace(-3, 4, 200)) < 1 + 1e-12


def test_dormand_prince_has_order_five():
    a, weights = matrix(DORMAND_PRINCE), np.array(DORMAND_PRINCE.weights)
    nodes = a.sum(1)
    # The last slope is that of the result, so it is the first of the next step.
    assert DORMAND_PRINCE.stages[-1] == DORMAND_PRINCE.weights[: len(DORMAND_PRINCE.stages[-1])]
    assert max(quadrature_errors(weights, nodes, 5)) < EXACT
    assert max(quadrature_errors(np.array(DORMAND_PRINCE.embedded), nodes, 4)) < EXACT
    assert abs(weights @ a @ a @ a @ nodes - 1 / 120) < EXACT
    assert abs((weights * nodes) @ a @ nodes**2 - 1 / 15) < EXACT
    assert abs(weights @ (a @ nodes) ** 2 - 1 / 20) < EXACT
