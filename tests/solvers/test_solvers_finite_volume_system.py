"""Finite volumes from arrays: a dense oracle for every kind of wall, masks, conservation, bad data."""

import itertools
import math

import pytest
import torch
from finite_volume_oracle import dense_solution, dense_system

from pdeops.domains import Grid
from solvers import FiniteVolumeSystem, SolveStatus, Wall


def wave(scale):
    """A function of the numbers of the points along a wall."""
    return lambda *numbers: scale + math.sin(1 + sum((2 + k) * n for k, n in enumerate(numbers)))


DIRICHLET, NEUMANN, ROBIN = ("dirichlet", wave(1.0)), ("neumann", wave(0.5)), ("robin", wave(1.5), wave(-1.0))
CASES = [
    ((7,), "cells", [DIRICHLET, ROBIN]),
    ((6,), "nodes", [NEUMANN, DIRICHLET]),
    ((5, 6), "cells", [DIRICHLET, NEUMANN, ROBIN, DIRICHLET]),
    ((6, 5), "nodes", [DIRICHLET, NEUMANN, ROBIN, DIRICHLET]),
    ((5, 5), "nodes", [ROBIN, ROBIN, NEUMANN, ROBIN]),
    ((7, 6), ("periodic", "nodes"), [DIRICHLET, ROBIN]),
    ((2, 6), ("periodic", "cells"), [ROBIN, NEUMANN]),
    ((1, 6), ("cells", "cells"), [NEUMANN, NEUMANN, ROBIN, DIRICHLET]),
    ((4, 3, 5), ("cells", "nodes", "periodic"), [ROBIN, DIRICHLET, DIRICHLET, NEUMANN]),
    ((4, 4, 3), "nodes", [NEUMANN, DIRICHLET, ROBIN, NEUMANN, NEUMANN, ROBIN]),
]


def box(shape, kind):
    return Grid.box(shape, kind, lower=[-0.5] * len(shape), upper=[1.0, 0.7, 0.9][: len(shape)])


def tabulated(grid, name, data):
    """A wall as arrays, from functions of the numbers of the points."""
    axis_name = name.rsplit("_", 1)[0]
    counts = [axis.num_points for axis in grid.axes if axis.name != axis_name]
    kind, *functions = data
    points = list(itertools.product(*map(range, counts)))
    arrays = [torch.tensor([f(*p) for p in points], dtype=torch.float64).reshape(counts) for f in functions]
    return getattr(Wall, kind)(*arrays)


def random_data(grid, seed=0):
    generator = torch.Generator().manual_seed(seed)
    diffusion = 10 ** torch.rand(grid.shape, generator=generator, dtype=torch.float64)
    source = torch.randn(grid.shape, generator=generator, dtype=torch.float64)
    reaction = torch.rand(grid.shape, generator=generator, dtype=torch.float64)
    mask = torch.rand(grid.shape, generator=generator) > 0.25
    return diffusion, source, reaction, mask


@pytest.mark.parametrize("mean", ["harmonic", "arithmetic"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("shape", "kind", "data"), CASES)
def test_every_kind_of_wall_agrees_with_dense_elimination(shape, kind, data, masked, mean):
    grid = box(shape, kind)
    walls = dict(zip(grid.boundary_names, data, strict=True))
    diffusion, source, reaction, mask = random_data(grid)
    extra = {"mask": mask, "outside": 0.3} if masked else {}
    expected = dense_solution(
        grid, diffusion, walls=walls, source=source, reaction=reaction, mean=mean, **extra
    )
    arrays = {name: tabulated(grid, name, item) for name, item in walls.items()}
    system = FiniteVolumeSystem(
        grid, diffusion[None], walls=arrays, reaction=reaction[None], face_mean=mean, **extra
    )
    outcome = system.solve(source[None], tolerance=1e-12)
    assert outcome.status is SolveStatus.CONVERGED
    torch.testing.assert_close(outcome.solution[0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("shape", "kind", "data"), CASES)
def test_the_operator_is_the_dense_matrix_of_the_unknowns(shape, kind, data):
    grid = box(shape, kind)
    walls = dict(zip(grid.boundary_names, data, strict=True))
    diffusion, source, reaction, _ = random_data(grid)
    matrix, _ = dense_system(grid, diffusion, walls=walls, source=source, reaction=reaction)
    arrays = {name: tabulated(grid, name, item) for name, item in walls.items()}
    system = FiniteVolumeSystem(grid, diffusion[None], walls=arrays, reaction=reaction[None])
    unknowns = system.inner(torch.arange(grid.num_points).reshape(grid.shape)).flatten()
    dense = system.operator.dense()[0]
    torch.testing.assert_close(dense, matrix[unknowns][:, unknowns], rtol=1e-12, atol=1e-12)
    values = torch.randn(1, *system.operator.shape, dtype=torch.float64)
    product = (dense @ values.flatten()).reshape(values.shape)
    torch.testing.assert_close(system.operator(values), product, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["cells", "nodes", "periodic", ("periodic", "nodes")])
class TestWithoutGivenValues:
    def grid_and_system(self, kind):
        grid = box((12, 9), kind)
        diffusion = random_data(grid)[0][None]
        flux = {name: Wall.neumann(0.25) for name in grid.boundary_names}
        return grid, FiniteVolumeSystem(grid, diffusion, walls=flux), diffusion

    def test_the_solution_has_mean_zero_and_leaves_no_residual(self, kind):
        grid, system, _ = self.grid_and_system(kind)
        source = torch.randn(1, *grid.shape, dtype=torch.float64)
        inflow = sum(0.25 * grid.boundary(name).quadrature_weights.sum() for name in grid.boundary_names)
        weights = grid.quadrature_weights
        source -= ((weights * source).sum() + inflow) / weights.sum()
        outcome = system.solve(source, tolerance=1e-11)
        assert outcome.status is SolveStatus.CONVERGED
        assert (weights * outcome.solution).sum().abs() < 1e-12
        right_side = system.right_side(source)
        assert (system.operator(outcome.solution) - right_side).norm() < 1e-10 * right_side.norm()

    def test_data_that_does_not_balance_is_refused(self, kind):
        grid, system, _ = self.grid_and_system(kind)
        with pytest.raises(ValueError, match=r"integral of the source.*samples \[0\].*take the mean"):
            system.solve(torch.ones(1, *grid.shape, dtype=torch.float64))

    def test_a_reaction_makes_it_solvable(self, kind):
        grid, _, diffusion = self.grid_and_system(kind)
        insulated = {name: Wall.neumann() for name in grid.boundary_names}
        system = FiniteVolumeSystem(grid, diffusion, walls=insulated, reaction=torch.full_like(diffusion, 2))
        solution = system.solve(torch.ones(1, *grid.shape, dtype=torch.float64)).solution
        torch.testing.assert_close(solution, torch.full_like(solution, 0.5), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["cells", "nodes"])
def test_what_the_source_makes_leaves_through_the_walls(kind):
    # Robin on all sides: the flux out is alpha u at the wall, which is a node, or follows from the flux.
    grid, alpha = box((21, 16), kind), 3.0
    diffusion, source, _, _ = random_data(grid)
    walls = {name: Wall.robin(alpha) for name in grid.boundary_names}
    solution = FiniteVolumeSystem(grid, diffusion[None], walls=walls).solve(source[None]).solution[0]
    out = 0.0
    for number, axis in enumerate(grid.axes):
        weights = grid.axes[1 - number].weights
        for position in (0, -1):
            wall = solution.select(number, position)
            if kind == "cells":
                to_wall = 2 * diffusion.select(number, position) / axis.spacing
                wall = to_wall * wall / (alpha + to_wall)
            out += alpha * (weights @ wall).item()
    made = (grid.quadrature_weights * source).sum().item()
    scale = (grid.quadrature_weights * source.abs()).sum().item()
    assert out == pytest.approx(made, abs=1e-8 * scale)


class TestMask:
    def test_a_masked_box_is_the_smaller_box(self):
        # True points 4 .. 11 of 16 nodes: the equations of a box of 10 nodes whose outer ones are known.
        grid = Grid.box((16, 16), "nodes", upper=(15.0, 15.0))
        mask = torch.zeros(16, 16, dtype=torch.bool)
        mask[4:12, 4:12] = True
        small = Grid.box((10, 10), "nodes", lower=(3.0, 3.0), upper=(12.0, 12.0))
        diffusion, source, _, _ = random_data(grid)
        solution = FiniteVolumeSystem(grid, diffusion[None], mask=mask).solve(source[None]).solution
        inside = slice(3, 13)
        alone = FiniteVolumeSystem(small, diffusion[None, inside, inside]).solve(source[None, inside, inside])
        torch.testing.assert_close(solution[:, inside, inside], alone.solution, rtol=0, atol=1e-8)
        assert (solution[:, ~mask] == 0).all()

    def test_the_disk_converges_with_first_order(self):
        # u = (1/4 - r^2) / 4 on a disk of radius 1/2; the staircase lies within a spacing h of the circle,
        # where u falls with the slope 1/4, so the error is below h / 4 by the maximum principle.
        for num_points in (32, 65, 128):
            grid = Grid.box((num_points, num_points), "cells")
            x, y = grid.coordinates
            exact = (0.25 - (x - 0.5) ** 2 - (y - 0.5) ** 2) / 4
            one = torch.ones(1, *grid.shape, dtype=torch.float64)
            solution = FiniteVolumeSystem(grid, one, mask=exact > 0).solve(one).solution[0]
            assert (solution - exact)[exact > 0].abs().max() < 1 / num_points / 4

    @pytest.mark.parametrize("shape", [(63, 63), (128, 128), (255, 255), (40, 40, 40)])
    @pytest.mark.parametrize("name", ["disk", "l_shape", "balls", "points"])
    def test_iterations_stay_bounded(self, name, shape):
        grid = Grid.box(shape, "cells")
        points = grid.coordinates
        generator = torch.Generator().manual_seed(1)
        if name == "disk":
            mask = sum((x - 0.5) ** 2 for x in points) < 0.25
        elif name == "l_shape":
            mask = ~((points[0] > 0.5) & (points[1] > 0.5))
        elif name == "points":
            mask = torch.rand(shape, generator=generator) > 0.01
        else:
            mask = torch.ones(shape, dtype=torch.bool)
            for _ in range(12):
                centre = torch.rand(len(shape), generator=generator)
                radius = 0.03 + 0.07 * torch.rand(1, generator=generator)
                mask &= sum((x - c) ** 2 for x, c in zip(points, centre, strict=True)) > radius**2
        one = torch.ones(1, *shape, dtype=torch.float64)
        source = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
        outcome = FiniteVolumeSystem(grid, one, mask=mask).solve(source, tolerance=1e-8)
        assert outcome.status is SolveStatus.CONVERGED
        # 9 to 12, as without a mask; conjugate gradients alone take hundreds.
        assert outcome.iterations.max() <= 14


@pytest.mark.parametrize("walls", ["dirichlet", "neumann", "robin"])
@pytest.mark.parametrize("kind", ["cells", "nodes", "periodic"])
def test_iterations_do_not_depend_on_size_walls_and_axes(kind, walls):
    iterations = []
    for shape in ((31, 31), (64, 64), (85, 85), (127, 40), (128, 128), (24, 25, 23)):
        grid = Grid.box(shape, kind)
        conditions = {name: getattr(Wall, walls)() for name in grid.boundary_names}
        one = torch.ones(1, *shape, dtype=torch.float64)
        source = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        source -= (grid.quadrature_weights * source).sum() / grid.volume
        outcome = FiniteVolumeSystem(grid, one, walls=conditions).solve(source, tolerance=1e-10)
        assert outcome.status is SolveStatus.CONVERGED
        iterations.append(int(outcome.iterations.max()))
    # 9 to 13 as measured; they would double with every doubling of the points without multigrid.
    assert max(iterations) <= 14


def test_one_matrix_serves_many_sources_and_a_tiny_source_is_solved_as_well():
    grid = box((14, 11), ("nodes", "cells"))
    diffusion, _, _, _ = random_data(grid)
    system = FiniteVolumeSystem(grid, diffusion[None])
    sources = torch.randn(3, *grid.shape, dtype=torch.float64)
    together = system.solve(sources).solution
    for sample in range(3):
        alone = system.solve(sources[sample : sample + 1]).solution
        torch.testing.assert_close(together[sample : sample + 1], alone, rtol=1e-9, atol=1e-12)
    tiny = system.solve(1e-60 * sources).solution
    torch.testing.assert_close(tiny * 1e60, together, rtol=1e-12, atol=1e-14)


def test_a_sample_does_not_depend_on_its_batch():
    grid = box((20, 17), "cells")
    diffusion = torch.stack([random_data(grid, seed)[0] for seed in range(3)])
    sources = torch.stack([random_data(grid, seed)[1] for seed in range(3)])
    together = FiniteVolumeSystem(grid, diffusion).solve(sources)
    for sample in range(3):
        one = slice(sample, sample + 1)
        alone = FiniteVolumeSystem(grid, diffusion[one]).solve(sources[one])
        assert alone.iterations[0] == together.iterations[sample]
        torch.testing.assert_close(alone.solution, together.solution[one], rtol=1e-11, atol=1e-14)


class TestBadData:
    grid = Grid.box((5, 6), "cells")
    one = torch.ones(1, 5, 6, dtype=torch.float64)

    @pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
    def test_diffusion(self, bad):
        diffusion = self.one.repeat(2, 1, 1)
        diffusion[1, 2, 3] = bad
        with pytest.raises(ValueError, match=r"diffusion: expected positive finite values.*samples \[1\]"):
            FiniteVolumeSystem(self.grid, diffusion)

    def test_reaction(self):
        with pytest.raises(ValueError, match=r"reaction: expected values of 0 or more.*minres"):
            FiniteVolumeSystem(self.grid, self.one, reaction=-self.one)

    def test_walls(self):
        with pytest.raises(ValueError, match=r"expected names among .*'x_lower'.*got \['left'\]"):
            FiniteVolumeSystem(self.grid, self.one, walls={"left": Wall.neumann()})
        with pytest.raises(ValueError, match="coefficient of 0 or more"):
            FiniteVolumeSystem(self.grid, self.one, walls={"x_lower": Wall.robin(-1.0)})
        with pytest.raises(ValueError, match=r"expected values of shape \(6,\)"):
            FiniteVolumeSystem(self.grid, self.one, walls={"x_lower": Wall.dirichlet(torch.ones(5))})

    def test_mask(self):
        with pytest.raises(ValueError, match="with a true point or more"):
            FiniteVolumeSystem(self.grid, self.one, mask=torch.zeros(5, 6, dtype=torch.bool))

    def test_shapes_and_axes(self):
        with pytest.raises(ValueError, match=r"diffusion: expected shape"):
            FiniteVolumeSystem(self.grid, self.one[:, :4])
        with pytest.raises(ValueError, match="chebyshev"):
            FiniteVolumeSystem(Grid.box((5, 6), "chebyshev"), self.one)
        with pytest.raises(ValueError, match="3 points or more"):
            FiniteVolumeSystem(Grid.box((2, 6), "nodes"), torch.ones(1, 2, 6, dtype=torch.float64))
