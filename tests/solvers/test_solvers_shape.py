"""Problems on shapes: closed forms, balances of forces and of volume, symmetries, refinement."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import sympy
import torch
from shape_flows import KirschPlate

from pdeops.domains import Grid, box_mesh
from pdeops.problems import ElasticCell, Neumann, PipeFlow, Stokes, Variable
from solvers import FiniteElementSolver, ShapeSolver, SolverError, solve

CELL, PIPE = ElasticCell(), PipeFlow()


def solved(problem, shape, seeds=(0,)):
    domain = problem.default_domain(shape)
    return solve(problem, domain, inputs=problem.sample_inputs(domain, seeds))


def order(coarse, fine):
    return math.log2(float(coarse) / float(fine))


@dataclass(frozen=True, kw_only=True)
class CellForces(ElasticCell):
    """The components of the stress that pull along y."""

    outputs: ClassVar[tuple[Variable, ...]] = (Variable("along"), Variable("aside"))

    @property
    def observables(self) -> Mapping[str, sympy.Expr]:
        stress = self.equation.stress
        return {"along": stress[1, 1], "aside": stress[0, 1]}


def test_hoop_stress_at_a_small_hole_is_three_times_the_tension():
    # Kirsch: 3 along x where the hole is widest, nothing along y, Poisson's ratio of it along z.
    solution = solved(KirschPlate(), (33, 33))
    assert solution.values[0, 0, 0, -1].item() == pytest.approx(3 * math.sqrt(1 - 0.3 + 0.09), rel=2e-3)
    # And a pressure of one, across, where the tension meets it.
    assert solution.values[0, 0, 0, 0].item() == pytest.approx(math.sqrt(1 - 0.3 + 0.09), rel=3e-2)


def test_forces_in_the_cell_balance_the_traction_whatever_the_hole():
    # The work on the displacement (0, y), which the clamp does not feel: the integral of sigma_yy over the
    # body is the traction times height times width. On (y, 0) nothing works: sigma_xy has mean zero.
    problem = CellForces(traction=2.5, poisson_ratio=0.4)
    mesh = problem.default_domain((32, 5))
    inputs = problem.sample_inputs(mesh, [0, 1, 2])
    stress = solve(problem, mesh, inputs=inputs).values
    for sample in range(3):
        weights = problem.image(inputs, sample).quadrature_weights
        along, aside = (stress[sample] * weights).sum(-1).tolist()
        assert along == pytest.approx(2.5, abs=1e-10)
        assert aside == pytest.approx(0, abs=1e-10)


def test_stress_around_a_round_hole_is_symmetric():
    mesh = CELL.default_domain((32, 6))
    inputs = CELL.place(mesh, torch.full((1, mesh.num_points), 0.25, dtype=torch.float64))
    stress = solve(CELL, mesh, inputs=inputs).values.flatten()
    mirrored = mesh.points * torch.tensor([-1.0, 1.0]).double() + torch.tensor([1.0, 0.0]).double()
    distance, partner = torch.cdist(mirrored, mesh.points, compute_mode="donot_use_mm_for_euclid_dist").min(
        dim=1
    )
    assert distance.max() < 1e-12
    torch.testing.assert_close(stress, stress[partner], rtol=1e-9, atol=1e-9)
    # The hole weakens the section at mid height most: by more than what is left of it, and at its edge.
    x, y = mesh.points[stress.argmax()].tolist()
    assert abs(x - 0.5) == pytest.approx(0.3, abs=0.01)
    assert abs(y - 0.5) < 0.1
    assert stress.max() > 1 / (1 - 2 * 0.25)


def test_stress_scales_with_the_traction_and_not_with_stiffness():
    mesh = CELL.default_domain((16, 4))
    inputs = CELL.sample_inputs(mesh, [5])
    one, three = (solve(replace(CELL, traction=t), mesh, inputs=inputs).values for t in (1.0, 3.0))
    torch.testing.assert_close(three, 3 * one, rtol=1e-9, atol=1e-12)


def test_stress_converges_away_from_the_clamped_corners():
    shapes = ((32, 7), (64, 13), (128, 25))
    values = [solved(CELL, shape, [0, 1]).values.reshape(2, *shape) for shape in shapes]
    mesh = CELL.default_domain(shapes[0])
    weights = (mesh.quadrature_weights * (mesh.points[:, 1] > 0.15)).reshape(shapes[0])
    errors = [
        ((value[:, ::step, ::step] - values[2][:, ::4, ::4]) ** 2 * weights).sum().sqrt()
        for value, step in zip(values, (1, 2), strict=False)
    ]
    # Errors of second order are 1, 1/4 and 1/16: against the third, 15/16 and 3/16.
    assert order(*errors) == pytest.approx(math.log2(5), abs=0.5)


def test_a_straight_pipe_has_poiseuille_flow():
    grid = PIPE.default_domain((9, 7))
    level = torch.zeros(1, 5).double()
    velocity = solve(PIPE, grid, inputs=PIPE.place(grid, level, level)).values[0, 0]
    y = grid.coordinates[1]
    torch.testing.assert_close(velocity, 4 * y * (1 - y), rtol=0, atol=1e-10)


def simpson(values):
    """Integral over the last axis, of length 1, with an odd number of points."""
    weights = torch.ones(values.shape[-1]).double()
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return values @ weights / weights.sum()


def test_as_much_flows_through_every_section_as_comes_in():
    errors = []
    for shape in ((33, 9), (65, 17)):
        flux = simpson(solved(PIPE, shape, [0, 1, 2]).values[:, 0])
        torch.testing.assert_close(
            flux[:, 0], torch.full((3,), 2 / 3, dtype=torch.float64), rtol=0, atol=1e-12
        )
        errors.append((flux - 2 / 3).square().mean().sqrt())
    assert errors[1] < 1e-3
    assert order(*errors) > 2


def test_flow_converges_with_the_grid():
    values = [solved(PIPE, (16 * size + 1, 4 * size + 1)).values for size in (2, 4, 8)]
    reference = values[2][..., ::4, ::4]
    errors = [
        (value[..., ::step, ::step] - reference).norm() for value, step in zip(values, (1, 2), strict=False)
    ]
    assert errors[1] < 5e-3 * reference.norm()
    assert order(*errors) == pytest.approx(2, abs=0.5)


def test_a_mirrored_pipe_has_the_mirrored_flow():
    # The triangles are not mirrored: the two flows differ by the error of discretisation.
    random = torch.rand(2, 2, 5).double() - 0.5
    heights, slopes = 4 * random[0], 2 * random[1]
    differences = []
    for shape in ((33, 9), (65, 17)):
        grid = PIPE.default_domain(shape)
        one = solve(PIPE, grid, inputs=PIPE.place(grid, heights, slopes)).values
        other = solve(PIPE, grid, inputs=PIPE.place(grid, -heights, -slopes)).values.flip(-1)
        differences.append((one - other).norm() / one.norm())
    assert differences[1] < 1e-3
    assert order(*differences) > 1.75


@pytest.mark.parametrize(("problem", "shape"), [(CELL, (16, 4)), (PIPE, (17, 5))], ids=["cell", "pipe"])
def test_samples_do_not_depend_on_the_batch(problem, shape):
    together = solved(problem, shape, [3, 4])
    assert together.report.solver == "ShapeSolver"
    assert together.channels == tuple(variable.name for variable in problem.outputs)
    assert together.values.shape == (2, 1, *together.domain.shape)
    assert torch.equal(solved(problem, shape, [4]).values[0], together.values[1])


def test_a_folded_shape_is_named():
    grid = PIPE.default_domain((9, 5))
    inputs = PIPE.sample_inputs(grid, [0, 1])
    inputs["position_y"].values[1, 0, 4, 2] += 1.0
    with pytest.raises(ValueError, match=r"pipe: sample 1: mesh: .*inverted"):
        solve(PIPE, grid, inputs=inputs)


def test_a_body_that_can_move_is_named():
    class Loose(ElasticCell):
        @property
        def equation(self):
            inner = super().equation
            return replace(inner, boundary_x={"default": inner.boundary_x["default"]})

    with pytest.raises(SolverError, match=r"sample 0: .*pivots"):
        solved(Loose(), (16, 4))


def test_what_does_not_fit():
    grid = PIPE.default_domain((5, 5))
    assert "input is a shape, got Stokes" in ShapeSolver().unsuited(Stokes(), box_mesh((2, 2)))
    assert "got PipeFlow" in FiniteElementSolver().unsuited(PIPE, grid)
    with pytest.raises(ValueError, match=r"pipe: expected a grid on x in \[0, 1\]"):
        solve(PIPE, Grid.box((5, 5), upper=(10.0, 1.0)))


def test_a_flow_that_nothing_holds_is_singular():
    free = {"default": Neumann()}
    with pytest.raises(SolverError, match="leave a constant or a motion free"):
        solve(Stokes(boundary_x=free, boundary_y=free), box_mesh((5, 4)))
