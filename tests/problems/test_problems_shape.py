"""Problems whose input is a shape: never folded, the same at every resolution, as they are stated."""

import math

import pytest
import sympy
import torch

from pdeops.domains import Field, Grid, box_mesh, check_mesh, disk_mesh
from pdeops.problems import Burgers1D, ElasticCell, PipeFlow
from pdeops.problems.elastic_cell import von_mises_stress
from pdeops.problems.pipe_flow import cubics

CELL, PIPE = ElasticCell(), PipeFlow()
CASES = [(CELL, (16, 4), (32, 7)), (PIPE, (9, 5), (17, 9))]
IDS = ["cell", "pipe"]


def corner_angles(mesh):
    """Degrees, one a corner of a triangle."""
    corners = mesh.points[mesh.simplices]
    one, other = corners.roll(-1, 1) - corners, corners.roll(1, 1) - corners
    cosine = (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1))
    return torch.rad2deg(torch.acos(cosine))


def test_no_hole_of_two_hundred_folds_a_cell():
    mesh = CELL.default_domain((96, 10))
    inputs = CELL.sample_inputs(mesh, range(200))
    hole = mesh.boundary("hole").indices
    for sample in range(200):
        image = CELL.image(inputs, sample)
        check_mesh(image)
        assert corner_angles(image).min() > 8
        # The cell itself stays; the hole is what was drawn.
        outer = image.points[(mesh.points == 0) | (mesh.points == 1)]
        assert (outer - outer.round()).abs().max() < 1e-15
        radii = (image.points[hole] - 0.5).norm(dim=1)
        assert 0.2 < radii.min() < radii.max() < 0.4


def test_no_pipe_folds_and_all_cells_keep_their_area():
    grid = PIPE.default_domain((33, 9))
    inputs = PIPE.sample_inputs(grid, range(50))
    for sample in range(50):
        image = PIPE.image(inputs, sample)
        check_mesh(image)
        areas = torch.full((512,), 10 / 512, dtype=torch.float64)
        torch.testing.assert_close(image.cell_volumes, areas, rtol=1e-12, atol=0)


def round_hole(mesh, radius):
    return CELL.place(mesh, torch.full((1, mesh.num_points), radius, dtype=torch.float64))


@pytest.mark.parametrize(("problem", "coarse", "fine"), CASES, ids=IDS)
def test_a_seed_is_the_same_shape_at_every_resolution(problem, coarse, fine):
    few = problem.sample_inputs(problem.default_domain(coarse), [7, 8])
    assert not torch.equal(*few["position_y"].values)
    many = problem.sample_inputs(problem.default_domain(fine), [8])
    assert tuple(few) == ("position_x", "position_y")
    for name, field in few.items():
        assert field.values.dtype == torch.float64
        shared = many[name].values.reshape(fine)[::2, ::2]
        torch.testing.assert_close(field.values[1].reshape(coarse), shared, rtol=0, atol=1e-13)


def test_the_default_mesh_of_the_cell_is_symmetric_and_counts_as_stated():
    mesh = CELL.default_domain((96, 10))
    assert mesh.num_points == 960
    assert {name: len(facets) for name, facets in mesh.boundaries.items()} == {
        "x_lower": 24, "x_upper": 24, "y_lower": 24, "y_upper": 24, "hole": 96,
    }  # fmt: skip
    # The cell without the polygon of 96 corners.
    assert mesh.volume == pytest.approx(1 - 48 * 0.3**2 * math.sin(math.pi / 48), abs=0.001)
    weights = mesh.quadrature_weights
    torch.testing.assert_close(mesh.points.T @ weights, 0.5 * weights.sum().expand(2), rtol=0, atol=1e-14)


def test_a_round_hole_of_the_reference_radius_moves_nothing():
    mesh = CELL.default_domain((24, 5))
    inputs = round_hole(mesh, 0.3)
    torch.testing.assert_close(CELL.image(inputs).points, mesh.points, rtol=0, atol=1e-15)


def test_points_go_along_their_ray_by_shares_of_the_way():
    mesh = CELL.default_domain((16, 5))
    inputs = round_hole(mesh, 0.2)
    moved = CELL.image(inputs).points.reshape(16, 5, 2) - 0.5
    # Ray 2 points down: from the hole at 0.2 to the side at 0.5 in four steps.
    torch.testing.assert_close(moved[2, :, 0], torch.zeros(5).double(), rtol=0, atol=1e-15)
    torch.testing.assert_close(
        moved[2, :, 1], -torch.linspace(0.2, 0.5, 5, dtype=torch.float64), rtol=0, atol=1e-15
    )


def test_holes_have_the_spread_of_their_random_field():
    mesh = CELL.default_domain((16, 2))
    inputs = CELL.sample_inputs(mesh, range(600))
    points = torch.stack([inputs[name].values[:, 0] for name in ("position_x", "position_y")], dim=-1) - 0.5
    share = (points[:, mesh.boundary("hole").indices].norm(dim=-1) - 0.2) / 0.2
    exponent = torch.log(1 / share - 1)
    # Variance of the sum of waves: sigma^2 / (2 pi) times 2 / (k^2 + 9)^3 for each k.
    expected = 60**2 / math.pi * sum((k**2 + 9) ** -3 for k in range(1, 9))
    assert exponent.square().mean().item() == pytest.approx(expected, rel=0.1)


def test_centre_lines_go_through_their_nodes_with_their_slopes():
    heights = torch.tensor([[0.5, -1.0, 2.0, 0.0, 1.0]], dtype=torch.float64)
    slopes = torch.tensor([[1.0, -1.0, 0.3, 0.0, -0.7]], dtype=torch.float64)
    grid = PIPE.default_domain((4001, 3))
    inputs = PIPE.place(grid, heights, slopes)
    x, y = (inputs[name].values[0, 0, :, 1] for name in ("position_x", "position_y"))
    torch.testing.assert_close(y[::1000], heights[0] - 0.5, rtol=0, atol=1e-13)
    forward = (-3 * y[:-1000:1000] + 4 * y[1:-999:1000] - y[2:-998:1000]) / (2 * (x[1] - x[0]))
    backward = (3 * y[1000::1000] - 4 * y[999::1000] + y[998::1000]) / (2 * (x[1] - x[0]))
    torch.testing.assert_close(forward, slopes[0, :-1], rtol=0, atol=1e-4)
    torch.testing.assert_close(backward, slopes[0, 1:], rtol=0, atol=1e-4)
    # Walls at half the width above and below, over the same x.
    torch.testing.assert_close(inputs["position_y"].values[0, 0, :, 2] - y, torch.full_like(y, 0.5))


def test_cubics_are_exact_for_cubics():
    nodes, places = torch.linspace(0, 1, 5).double(), torch.linspace(0, 1, 31).double()
    cubic = 2 * nodes**3 - nodes**2 + 3
    slope = (6 * nodes**2 - 2 * nodes) / 4
    found = cubics(cubic[None], slope[None], places)[0]
    torch.testing.assert_close(found, 2 * places**3 - places**2 + 3, rtol=0, atol=1e-14)


def test_heights_of_nodes_are_uniform():
    inputs = PIPE.sample_inputs(PIPE.default_domain((5, 3)), range(600))
    middle = inputs["position_y"].values[:, 0, :, 1]
    assert middle[:, 0].abs().max() < 1e-14
    # The difference of two uniform heights between -2 and 2.
    torch.testing.assert_close(
        middle[:, 1:].square().mean(0), torch.full((4,), 8 / 3).double(), rtol=0.15, atol=0
    )
    assert 3 < middle.abs().max() < 4


def test_the_stress_is_that_of_von_mises():
    # Against the tensor in three dimensions: root of 3/2 of the squares of its part without pressure.
    problem = CELL.equation
    strain = {symbol: sympy.Rational(number, 7) for symbol, number in zip("abcd", (3, -2, 5, 1), strict=True)}
    x, y = problem.space_symbols
    moved = dict(
        zip(
            problem.vector,
            (strain["a"] * x + strain["b"] * y, strain["c"] * x + strain["d"] * y),
            strict=True,
        )
    )
    numbers = {problem.symbol(name): sympy.Rational(str(value)) for name, value in problem.numbers.items()}
    plane = problem.stress.subs(moved).doit().subs(numbers)
    tensor = sympy.diag(plane, sympy.Rational(3, 10) * plane.trace())
    deviator = tensor - tensor.trace() / 3 * sympy.eye(3)
    expected = sympy.sqrt(sympy.Rational(3, 2) * sum(entry**2 for entry in deviator))
    found = von_mises_stress(problem).subs(moved).doit().subs(numbers)
    assert sympy.simplify(found - expected) == 0


@pytest.mark.parametrize("problem", [CELL, PIPE], ids=IDS)
def test_equations_are_those_of_the_inner_problem_in_the_numbers_of_the_outer(problem):
    outputs = [variable.name for variable in (*problem.outputs, *problem.auxiliary)]
    assert len(problem.equations) == len(outputs)
    symbols = set().union(*(item.free_symbols for item in problem.equations))
    assert {symbol.name for symbol in symbols} <= {"x", "y", *problem.numbers}
    text = problem.latex()
    assert "force" not in text
    assert "youngs" not in text
    assert "viscosity" not in text


def test_images_of_other_problems_are_their_domains():
    grid = Grid.periodic((8,))
    assert Burgers1D().image(Burgers1D().sample_inputs(grid, [0])) is grid


def test_images_follow_positions_in_single_precision():
    inputs = PIPE.sample_inputs(PIPE.default_domain((9, 5)), [1])
    stored = {name: field.to(dtype=torch.float32) for name, field in inputs.items()}
    image = PIPE.image(stored)
    assert image.points.dtype == torch.float64
    torch.testing.assert_close(image.points, PIPE.image(inputs).points, rtol=1e-6, atol=1e-6)
    # Points in the order of the grid: values on it are values on the image.
    assert torch.equal(image.points[:, 0], stored["position_x"].values.flatten().double())


def test_there_is_no_residual_on_the_reference_domain():
    grid = PIPE.default_domain((9, 5))
    zeros = Field(torch.zeros(1, 1, 9, 5).double(), grid, ("velocity_x",))
    with pytest.raises(ValueError, match="expected a field on the image"):
        PIPE.residual(zeros, PIPE.sample_inputs(grid, [0]))
    mesh = CELL.default_domain((16, 4))
    stress = Field(torch.zeros(1, 1, 64).double(), mesh, ("stress",))
    with pytest.raises(ValueError, match="expected a grid, got a Mesh"):
        CELL.residual(stress, CELL.sample_inputs(mesh, [0]))


def test_domains_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected a mesh of the cell with a hole, got a Grid; try"):
        CELL.sample_inputs(Grid.box((8, 8)), [0])
    with pytest.raises(ValueError, match="expected parts among"):
        CELL.check_domain(disk_mesh(1))
    with pytest.raises(ValueError, match="expected a boundary part 'hole'"):
        CELL.check_domain(box_mesh((4, 4)))
    with pytest.raises(ValueError, match=r"a multiple of 8.* got \(20, 5\); try"):
        CELL.default_domain((20, 5))
    wide = CELL.default_domain((16, 4))
    with pytest.raises(ValueError, match=r"outside of the round hole of radius 0\.3, got"):
        CELL.check_domain(type(wide)(0.5 + 1.1 * (wide.points - 0.5), wide.simplices, wide.boundaries))
    with pytest.raises(ValueError, match=r"pipe: expected a grid on x in \[0, 1\], y in \[0, 1\] with nodes"):
        PIPE.sample_inputs(Grid.box((8, 8), "cells"), [0])


def test_wrong_settings_say_what_is_expected():
    with pytest.raises(ValueError, match=r"poisson_ratio: expected a number above -1 and below 0\.5"):
        ElasticCell(poisson_ratio=0.5)
    with pytest.raises(ValueError, match="traction: expected a positive number"):
        ElasticCell(traction=0.0)
    with pytest.raises(ValueError, match="slope: expected a non-negative number"):
        PipeFlow(slope=-1.0)
