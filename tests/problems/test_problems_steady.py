"""The family of elliptic problems: equations, coefficients, samplers."""

import math

import pytest
import sympy
import torch

from pdeops.domains import Grid, Mesh
from pdeops.problems import (
    Darcy2D,
    Dirichlet,
    Helmholtz,
    MultiscalePermeability,
    Neumann,
    Poisson,
    Robin,
    ScreenedPoisson,
    SteadyAllenCahn,
    conditions_of,
)


def test_reaction_and_its_slope():
    problem = SteadyAllenCahn()
    assert not problem.is_linear
    assert problem.reaction_slope == 3 * problem.unknown**2 - 1
    assert problem.reaction_at_zero == 0
    screened = ScreenedPoisson(decay=4.0)
    assert screened.is_linear
    assert screened.reaction_slope == screened.symbol("decay")
    assert Poisson().is_linear
    assert Helmholtz().is_linear


def test_coefficients_take_inputs_numbers_and_coordinates():
    problem = Helmholtz(frequency=30.0, forcing="x")
    grid = Grid.box((5, 4))
    speeds = torch.rand(2, 1, 5, 4, dtype=torch.float64) + 1
    inputs = problem.sample_inputs(grid, [0, 1])
    inputs["sound_speed"].values.copy_(speeds)
    slope = problem.coefficient_values(problem.reaction_slope, inputs, grid)
    torch.testing.assert_close(slope, -((30.0 / speeds[:, 0]) ** 2))
    source = problem.coefficient_values(problem.source, inputs, grid)
    torch.testing.assert_close(source, grid.coordinates[0].expand(2, 5, 4))
    u = torch.rand(2, 5, 4, dtype=torch.float64)
    cubic = SteadyAllenCahn()
    values = cubic.coefficient_values(cubic.reaction, cubic.sample_inputs(grid, [0, 1]), grid, unknown=u)
    torch.testing.assert_close(values, u**3 - u)


def test_conditions_made_for_a_solution():
    x, y = sympy.symbols("x y", real=True)
    kinds = {"x_lower": Neumann, "y_upper": Robin, "default": Dirichlet}
    conditions = conditions_of(x**2 * y, 2 + x, kinds, robin_coefficient="3")
    assert conditions["default"] == Dirichlet(value=str(x**2 * y))
    assert sympy.sympify(conditions["x_lower"].flux).equals(
        -(2 + sympy.Symbol("x")) * 2 * sympy.sympify("x*y")
    )
    assert sympy.sympify(conditions["y_upper"].value).equals(sympy.sympify("(2 + x)*x**2 + 3*x**2*y"))
    with pytest.raises(ValueError, match="expected '<axis>_lower' or '<axis>_upper', got 'default'"):
        conditions_of(x, sympy.Integer(1), {"default": Neumann})


def test_random_sources_have_mean_zero_on_every_kind_of_grid():
    """So Neumann and periodic conditions alone can be solved: cosines and waves sum to zero."""
    for kind in ("nodes", "cells", "periodic", ["periodic", "nodes"]):
        grid = Grid.box((40, 37), kind)
        source = Poisson().sample_inputs(grid, [0, 1])["source"].values
        assert (source * grid.quadrature_weights).sum((1, 2, 3)).abs().max() < 1e-13


def test_benchmark_speed_of_sound_stays_near_its_mean():
    problem = Helmholtz()
    speeds = problem.sample_inputs(problem.default_domain((101, 101)), range(20))["sound_speed"].values
    assert (speeds - 20).abs().max() < 1
    # Small fields pass the tangent unchanged, so the variance is that of the 99 cosines, minus a few percent.
    k = math.pi * torch.arange(10).double()
    powers = (k[:, None] ** 2 + k**2 + 9) ** -2
    assert (speeds - 20).var().item() == pytest.approx(powers.sum().item() - 1 / 81, rel=0.25)


def test_multiscale_permeability_is_the_stated_product():
    grid = Grid.box((7, 5), "cells", lower=(-1.0, -1.0))
    sampler = MultiscalePermeability(num_scales=1)
    values = sampler.sample(grid, [3])[0]
    draw = torch.rand(1, generator=torch.Generator().manual_seed(3), dtype=torch.float64).item()
    wave = math.pi * (1 + draw / 2)
    x, y = (c.double() for c in grid.coordinates)
    expected = (1 + torch.cos(wave * (x + y)) / 2) * (1 + torch.sin(wave * (y - 3 * x)) / 2)
    torch.testing.assert_close(values, expected)
    with pytest.raises(ValueError, match="expected 2 dimensions, got 1"):
        sampler.sample(Grid.box((5,)), [0])


def test_elliptic_problems_take_meshes_of_their_dimension():
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    mesh = Mesh(points, torch.tensor([[0, 1, 2]]), {"rim": torch.tensor([[0, 1], [1, 2], [2, 0]])})
    assert Darcy2D().check_domain(mesh) is mesh
    assert Darcy2D().sample_inputs(mesh, [0])["permeability"].values.shape == (1, 1, 3)
    with pytest.raises(ValueError, match="got a mesh in 2 dimensions; try Poisson"):
        Poisson(dimension=3).check_domain(mesh)
    with pytest.raises(ValueError, match="expected a grid, got a Mesh"):
        Poisson().check_grid(mesh)
