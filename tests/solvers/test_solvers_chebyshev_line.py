"""One axis: derivatives, eigenvectors and end conditions."""

import math

import pytest
import torch

from pdeops.domains import Axis
from solvers.chebyshev.differentiation import differentiation_matrices
from solvers.chebyshev.line_basis import EndCondition, LineBasis

DIRICHLET, NEUMANN, ROBIN = EndCondition(1.0, 0.0), EndCondition(0.0, 1.0), EndCondition(2.0, 1.0)
ENDS = {
    "dirichlet": (DIRICHLET, DIRICHLET),
    "neumann": (NEUMANN, NEUMANN),
    "mixed": (DIRICHLET, NEUMANN),
    "robin": (ROBIN, EndCondition(0.5, 1.0)),
}


@pytest.mark.parametrize("num_points", [5, 8, 33, 129])
def test_chebyshev_matrices_are_exact_for_polynomials(num_points):
    axis = Axis("x", -0.5, 2.0, num_points, "chebyshev")
    first, second = differentiation_matrices(axis)
    middle, half = 0.75, 1.25
    for degree in (0, 1, 2, 3, num_points - 1):
        scaled = (axis.points - middle) / half
        angle = torch.arccos(scaled.clamp(-1, 1))
        # T_n' = n U_{n-1}; at the ends sin vanishes, so those are given by their limits.
        values = torch.cos(degree * angle)
        inner = slice(1, -1)
        slope = degree * torch.sin(degree * angle[inner]) / torch.sin(angle[inner]) / half
        scale = max(1, degree) ** 2
        assert ((first @ values)[inner] - slope).abs().max() < 1e-14 * num_points**2 * scale
        ends = torch.tensor([(-1.0) ** (degree - 1), 1.0], dtype=torch.float64) * degree**2 / half
        torch.testing.assert_close((first @ values)[[0, -1]], ends, rtol=1e-11, atol=1e-11)
        curvature = degree**2 * (degree**2 - 1) / 3 / half**2
        expected = torch.tensor([(-1.0) ** degree, 1.0], dtype=torch.float64) * curvature
        torch.testing.assert_close(
            (second @ values)[[0, -1]], expected, rtol=1e-10, atol=1e-14 * num_points**4
        )


@pytest.mark.parametrize("num_points", [7, 12])
def test_periodic_matrices_are_exact_for_waves(num_points):
    axis = Axis("x", 1.0, 3.0, num_points)
    first, second = differentiation_matrices(axis)
    for wave in range((num_points - 1) // 2 + 1):
        k = math.pi * wave
        sine, cosine = torch.sin(k * axis.points), torch.cos(k * axis.points)
        torch.testing.assert_close(first @ sine, k * cosine, rtol=0, atol=1e-12)
        torch.testing.assert_close(second @ cosine, -(k**2) * cosine, rtol=0, atol=1e-11)


def test_rounding_in_derivatives_stays_below_its_bound():
    for num_points in (65, 257):
        axis = Axis("x", -1.0, 1.0, num_points, "chebyshev")
        first, second = differentiation_matrices(axis)
        u = torch.exp(axis.points) * torch.sin(5 * axis.points)
        cos = torch.exp(axis.points) * torch.cos(5 * axis.points)
        assert (first @ u - (u + 5 * cos)).abs().max() < 1e-16 * num_points**2 * 10
        assert (second @ u - (10 * cos - 24 * u)).abs().max() < 1e-16 * num_points**4


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("num_points", [17, 65, 513])
def test_eigenvectors_are_well_conditioned(ends, num_points):
    basis = LineBasis.chebyshev(Axis("x", 0.0, 1.0, num_points, "chebyshev"), *ends)
    condition = torch.linalg.cond(basis.vectors).item()
    assert condition < 1.2 * num_points**0.3  # 2.3, 3.5 and 6.5 of the docstring's law
    assert bool((basis.eigenvalues[1:] < 0).all())
    assert bool((basis.eigenvalues <= 0).all())


def test_smooth_eigenvalues_are_those_of_the_differential_equation():
    axis = Axis("x", 0.0, 2.0, 40, "chebyshev")
    waves = torch.arange(1, 11, dtype=torch.float64)
    dirichlet = LineBasis.chebyshev(axis, *ENDS["dirichlet"]).eigenvalues[:10]
    torch.testing.assert_close(dirichlet, -((math.pi * waves / 2) ** 2), rtol=1e-9, atol=0)
    neumann = LineBasis.chebyshev(axis, *ENDS["neumann"]).eigenvalues[:10]
    assert neumann[0] == 0
    torch.testing.assert_close(neumann[1:], -((math.pi * waves[:9] / 2) ** 2), rtol=1e-9, atol=0)
    mixed = LineBasis.chebyshev(axis, *ENDS["mixed"]).eigenvalues[:10]
    torch.testing.assert_close(mixed, -((math.pi * (waves - 0.5) / 2) ** 2), rtol=1e-9, atol=0)
    # Robin with one on both ends of [0, 1]: 2 k cos k = (k^2 - 1) sin k.
    robin = LineBasis.chebyshev(
        Axis("x", 0.0, 1.0, 40, "chebyshev"), EndCondition(1.0, 1.0), EndCondition(1.0, 1.0)
    )
    k = (-robin.eigenvalues[:8]).sqrt()
    torch.testing.assert_close(2 * k * torch.cos(k), (k**2 - 1) * torch.sin(k), rtol=0, atol=1e-7)


@pytest.mark.parametrize("num_points", [8, 9])
def test_periodic_basis_is_orthonormal_and_diagonalises(num_points):
    axis = Axis("x", 0.0, 3.0, num_points)
    basis = LineBasis.periodic(axis)
    identity = torch.eye(num_points, dtype=torch.float64)
    torch.testing.assert_close(basis.vectors.T @ basis.vectors, identity, rtol=0, atol=1e-14)
    _, second = differentiation_matrices(axis)
    torch.testing.assert_close(second @ basis.vectors, basis.vectors * basis.eigenvalues, rtol=0, atol=1e-11)


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_completed_values_meet_the_end_conditions(ends):
    axis = Axis("x", 0.0, 1.0, 20, "chebyshev")
    basis = LineBasis.chebyshev(axis, *ends)
    first, _ = differentiation_matrices(axis)
    values = basis.completion @ torch.randn(
        18, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    lower, upper = ends
    assert (lower.value * values[0] - lower.slope * (first[0] @ values)).abs().max() < 1e-11
    assert (upper.value * values[-1] + upper.slope * (first[-1] @ values)).abs().max() < 1e-11


def test_bad_input():
    with pytest.raises(ValueError, match="expected a Chebyshev or periodic axis, got 'nodes'"):
        differentiation_matrices(Axis("x", 0.0, 1.0, 8, "nodes"))
    with pytest.raises(ValueError, match="expected conditions that fix both ends"):
        LineBasis.chebyshev(Axis("x", 0.0, 1.0, 8, "chebyshev"), EndCondition(0.0, 0.0), DIRICHLET)
