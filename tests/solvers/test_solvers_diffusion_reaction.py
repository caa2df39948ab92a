"""Evolution from zero under sources that differ from sample to sample."""

import math

import numpy
import pytest
import torch
from scipy.integrate import solve_ivp

from pdeops.domains import Field, Grid
from pdeops.domains.interpolation import interpolation_matrix
from pdeops.problems import DiffusionReaction, GaussianProcess, Neumann
from solvers import ChebyshevETDRK4Solver, FiniteElementEvolutionSolver, SpectralSolver, suitable

TIMES = torch.tensor([0.0, 0.1, 0.5, 1.0], dtype=torch.float64)
GRID = Grid.box((65,), "chebyshev")
STRONG = DiffusionReaction(reaction_rate=0.5, sampler=GaussianProcess(deviation=2.0))


def relative(values, reference, weights):
    return ((values - reference).square() * weights).sum(-1).sqrt() / (reference.square() * weights).sum(
        -1
    ).sqrt()


@pytest.mark.parametrize("name", ["relaxation", "runaway"])
def test_exact_solutions_are_met(name):
    exact = DiffusionReaction().exact_solutions()[name]
    solution = ChebyshevETDRK4Solver().solve(exact.problem, exact.inputs(GRID), GRID, TIMES)
    reference = exact.solution(GRID, TIMES)
    assert torch.equal(solution.values[:, 0], torch.zeros(1, 1, 65).double())
    assert solution.relative_error(reference) < 1e-8  # the tolerance of the steps
    nodes = Grid.box((33,), "nodes")
    elements = FiniteElementEvolutionSolver().solve(exact.problem, exact.inputs(nodes), nodes, TIMES)
    assert torch.equal(elements.values[:, 0], torch.zeros(1, 1, 33).double())
    assert elements.relative_error(exact.solution(nodes, TIMES)) < 2e-5


def test_it_agrees_with_differences_and_another_method_in_time():
    """Second differences on uniform points and LSODA, by hand; the error falls with the square of h."""
    sample = STRONG.sample_inputs(GRID, [3])
    solution = ChebyshevETDRK4Solver().solve(STRONG, sample, GRID, TIMES)
    errors = []
    for count in (101, 201):
        x = torch.linspace(0, 1, count, dtype=torch.float64)
        source = STRONG.sampler.sample(Grid.box((count,), "nodes"), [3])[0, 1:-1].numpy()
        h = 1 / (count - 1)

        def rate(_, s, source=source, h=h):
            padded = numpy.pad(s, 1)
            return 0.01 * (padded[2:] - 2 * s + padded[:-2]) / h**2 + 0.5 * s**2 + source

        march = solve_ivp(
            rate, (0, 1), numpy.zeros(count - 2), "LSODA", TIMES[1:], rtol=1e-8, atol=1e-10, lband=1, uband=1
        )
        reference = torch.from_numpy(march.y.T)
        ours = solution.values[0, 1:, 0] @ interpolation_matrix(GRID.axes[0], x).T
        errors.append(relative(ours[:, 1:-1], reference, torch.ones(count - 2)).max().item())
    assert errors[1] < 5e-4
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3)


def test_elements_agree_on_random_sources():
    nodes = Grid.box((101,), "nodes")
    elements = FiniteElementEvolutionSolver(tolerance=1e-5).solve(
        STRONG, STRONG.sample_inputs(nodes, [0, 1]), nodes, TIMES
    )
    solution = ChebyshevETDRK4Solver().solve(STRONG, STRONG.sample_inputs(GRID, [0, 1]), GRID, TIMES)
    matrix = interpolation_matrix(GRID.axes[0], nodes.axes[0].points)
    error = relative(elements.values[:, 1:], solution.values[:, 1:] @ matrix.T, nodes.quadrature_weights)
    assert error.max() < 2e-4


@pytest.mark.parametrize("solver", [ChebyshevETDRK4Solver(), FiniteElementEvolutionSolver(tolerance=1e-4)])
def test_each_sample_has_its_own_source(solver):
    """Strong sources take more steps than weak ones, so the samples part on the way."""
    problem = DiffusionReaction(reaction_rate=1.0)
    base = problem.sampler.sample(GRID, [0, 1, 2, 3]).abs()
    sources = (base * torch.tensor([1e-3, 1.5, 1e-2, 1.2])[:, None])[:, None]
    together = solver.solve(problem, {"source": Field(sources, GRID, ("source",))}, GRID, TIMES)
    assert len(together.report.num_steps.unique()) > 1
    for sample in range(4):
        inputs = {"source": Field(sources[sample : sample + 1], GRID, ("source",))}
        alone = solver.solve(problem, inputs, GRID, TIMES).values[0]
        torch.testing.assert_close(alone, together.values[sample], rtol=1e-10, atol=1e-12)


def test_all_that_the_source_makes_stays_between_walls():
    """Without reaction and flux the integral of s is t times that of u."""
    problem = DiffusionReaction(reaction_rate=0.0, boundary={"default": Neumann()})
    inputs = problem.sample_inputs(GRID, [5, 6])
    solution = ChebyshevETDRK4Solver().solve(problem, inputs, GRID, TIMES)
    weights = GRID.quadrature_weights
    made = (inputs["source"].values * weights).sum(-1) * TIMES
    torch.testing.assert_close((solution.values[:, :, 0] * weights).sum(-1), made, rtol=0, atol=1e-12)


def test_generated_data_is_accurate_to_two_parts_in_a_million():
    """As configured: elements on 401 nodes, stored on 101, against polynomials with step control."""
    problem, stored, fine = DiffusionReaction(), Grid.box((101,), "nodes"), Grid.box((401,), "nodes")
    times = torch.linspace(0, 1, 11, dtype=torch.float64)
    solver = FiniteElementEvolutionSolver(tolerance=1e-6)
    values = solver.solve(problem, problem.sample_inputs(fine, range(4)), fine, times).values[..., ::4]
    reference = ChebyshevETDRK4Solver().solve(problem, problem.sample_inputs(GRID, range(4)), GRID, times)
    matrix = interpolation_matrix(GRID.axes[0], stored.axes[0].points)
    assert relative(values[:, 1:], reference.values[:, 1:] @ matrix.T, stored.quadrature_weights).max() < 2e-6


def test_fourier_methods_do_not_take_the_source_for_a_start():
    problem = DiffusionReaction()
    assert isinstance(suitable(problem, GRID), ChebyshevETDRK4Solver)
    assert "expected the initial values as the only inputs, got ['source'] too" in str(
        SpectralSolver().unsuited(problem, Grid.periodic((16,)))
    )
