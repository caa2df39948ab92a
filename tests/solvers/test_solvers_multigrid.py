"""The flux-balance matrix, the transfer between levels, and the V-cycle."""

import math

import pytest
import torch

from pdeops.domains import Grid
from solvers import FiniteVolumeSystem, FluxBalance, Multigrid, SolveStatus

SHAPES = [(11,), (8, 8), (9, 12), (13, 7), (5, 4, 7)]


def random_operator(shape, batch=2, contrast=10.0, periodic=False):
    """Transmissibilities between 1 and the contrast, with walls at the ends that are not periodic."""
    faces, walls = [], []
    for axis in range(len(shape)):
        counts, ends = list(shape), list(shape)
        counts[axis] += 0 if periodic else -1
        ends[axis] = 2
        faces.append(contrast ** torch.rand(batch, *counts, dtype=torch.float64))
        walls.append((not periodic) * contrast ** torch.rand(batch, *ends, dtype=torch.float64))
    mass = torch.rand(batch, *shape, dtype=torch.float64)
    return FluxBalance(tuple(faces), tuple(walls), mass)


def line(count, periodic=False, gap=None, batch=1, coefficient=1.0):
    """Unknowns in a row with T = coefficient; zero at a gap beyond the ends, insulated without one."""
    faces = torch.full((batch, count if periodic else count - 1), coefficient, dtype=torch.float64)
    walls = torch.full((batch, 2), 0.0 if gap is None else coefficient / gap, dtype=torch.float64)
    return FluxBalance((faces,), (walls,), torch.zeros(batch, count, dtype=torch.float64))


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (2, 3), (1, 6)])
class TestFluxBalance:
    def test_it_is_the_sum_over_faces(self, shape, periodic):
        operator = random_operator(shape, periodic=periodic)
        values = torch.randn(2, *shape, dtype=torch.float64)
        expected = operator.mass * values
        for dim, (faces, walls) in enumerate(zip(operator.faces, operator.walls, strict=True), start=1):
            if periodic:
                flux = faces * (values.roll(-1, dim) - values)
                expected -= flux - flux.roll(1, dim)
                continue
            lower, upper = walls.split(1, dim)
            all_faces = torch.cat([lower, faces, upper], dim)
            end = torch.zeros_like(values.narrow(dim, 0, 1))
            flux = all_faces * torch.cat([end, values, end], dim).diff(dim=dim)
            expected -= flux.diff(dim=dim)
        torch.testing.assert_close(operator(values), expected, rtol=1e-12, atol=1e-12)

    def test_it_is_symmetric_positive_definite_with_the_bound_that_the_smoother_uses(self, shape, periodic):
        operator = random_operator(shape, periodic=periodic)
        dense = operator.dense()
        torch.testing.assert_close(dense, dense.mT, rtol=0, atol=1e-14)
        scale = operator.diagonal.flatten(1).rsqrt()
        eigenvalues = torch.linalg.eigvalsh(scale[:, :, None] * dense * scale[:, None, :])
        assert eigenvalues.min() > 0
        assert eigenvalues.max() < 2

    def test_joining_one_axis_adds_masses_and_parallel_faces(self, shape, periodic):
        operator = random_operator(shape, periodic=periodic)
        for axis in range(len(shape)):
            coarse, _ = operator.joined(axis)
            assert coarse.shape == tuple((n + 1) // 2 if i == axis else n for i, n in enumerate(shape))
            for other in range(len(shape)):
                if other != axis:
                    fine_sum, coarse_sum = (x.faces[other].sum(axis + 1) for x in (operator, coarse))
                    torch.testing.assert_close(fine_sum, coarse_sum)
            torch.testing.assert_close(coarse.mass.sum(axis + 1), operator.mass.sum(axis + 1))


@pytest.mark.parametrize("count", [2, 3, 8, 9])
@pytest.mark.parametrize(
    "ends",
    [{"gap": 0.5}, {"gap": 1.0}, {"gap": None}, {"periodic": True}],
    ids=["cells", "nodes", "insulated", "periodic"],
)
class TestPairTransfer:
    def test_restriction_is_the_transpose_of_interpolation(self, count, ends):
        operator = random_operator((count, 4), batch=3, periodic="periodic" in ends)
        _, transfer = operator.joined(0)
        coarse = torch.randn(3, (count + 1) // 2, 4, dtype=torch.float64)
        fine = torch.randn(3, count, 4, dtype=torch.float64)
        left = (transfer.interpolate(coarse) * fine).sum()
        right = (coarse * transfer.restrict(fine)).sum()
        assert left.item() == pytest.approx(right.item(), rel=1e-12)

    def test_linear_functions_are_interpolated_exactly(self, count, ends):
        _, transfer = line(count, **ends).joined(0)
        gap = ends.get("gap") or 0.0
        positions = torch.arange(count).double() + gap  # zero at the lower end
        partner = torch.arange(1, count + 1, 2).clamp_max(count - 1)
        joined = (positions[::2] + positions[partner]) / 2
        result = transfer.interpolate(joined[None])[0]
        # An insulated end makes it constant there; the period jumps; zero counts beyond the upper end too.
        inner = slice(0 if gap else 1, 2 * (len(joined) - 1))
        torch.testing.assert_close(result[inner], positions[inner], rtol=1e-12, atol=1e-12)

    def test_constants_are_kept_where_nothing_flows_out(self, count, ends):
        _, transfer = line(count, **ends).joined(0)
        result = transfer.interpolate(torch.ones(1, (count + 1) // 2, dtype=torch.float64))[0]
        if ends.get("gap"):
            assert result[0] < 1
        else:
            torch.testing.assert_close(result, torch.ones_like(result), rtol=1e-14, atol=0)

    def test_resistances_add_up_along_the_axis(self, count, ends):
        # From wall to wall, or once around.
        operator = random_operator((count,), periodic="periodic" in ends)
        coarse, _ = operator.joined(0)

        def resistance(matrix):
            walls = 0 if "periodic" in ends else (1 / matrix.walls[0]).sum(1)
            return (1 / matrix.faces[0]).sum(1) + walls

        torch.testing.assert_close(resistance(coarse), resistance(operator), rtol=1e-12, atol=0)


class TestMultigrid:
    @pytest.mark.parametrize("periodic", [False, True])
    @pytest.mark.parametrize("shape", [(16, 16), (19, 12), (5, 40), (9, 8, 7), (150,)])
    def test_a_cycle_is_symmetric_positive_definite(self, shape, periodic):
        operator = random_operator(shape, batch=1, contrast=100.0, periodic=periodic)
        cycle = Multigrid(operator, [1.0] * len(shape), dtype=torch.float64)
        assert cycle.num_levels > 1
        size = math.prod(shape)
        identity = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
        columns = cycle(identity).reshape(size, size)
        torch.testing.assert_close(columns, columns.mT, rtol=0, atol=1e-12 * columns.abs().max().item())
        assert torch.linalg.eigvalsh(columns).min() > 0

    def test_without_walls_a_cycle_is_definite_on_what_balances(self):
        operator = random_operator((12, 10), batch=1, periodic=True)
        operator = FluxBalance(operator.faces, operator.walls, torch.zeros_like(operator.mass))
        assert operator.is_singular.all()
        cycle = Multigrid(operator, [1.0, 1.0], dtype=torch.float64)
        basis = torch.linalg.qr(torch.cat([torch.ones(120, 1), torch.randn(120, 119)], 1).double()).Q[:, 1:]
        columns = basis.T @ cycle(basis.T.reshape(119, 12, 10)).reshape(119, 120).T
        torch.testing.assert_close(columns, columns.mT, rtol=0, atol=1e-12)
        assert torch.linalg.eigvalsh(columns).min() > 0

    def test_single_precision_rounds_and_no_more(self):
        operator = random_operator((33, 20), batch=2)
        axes = [1.0, 1.0]
        residual = torch.randn(2, 33, 20, dtype=torch.float64)
        exact = Multigrid(operator, axes, dtype=torch.float64)(residual)
        rounded = Multigrid(operator, axes)(residual)
        assert rounded.dtype is torch.float64
        assert (rounded - exact).norm() < 1e-5 * exact.norm()

    def test_small_systems_are_solved_directly(self):
        operator = random_operator((8, 8))
        values = torch.randn(2, 8, 8, dtype=torch.float64)
        cycle = Multigrid(operator, [1.0, 1.0], dtype=torch.float64)
        torch.testing.assert_close(cycle(operator(values)), values)

    @pytest.mark.parametrize("num_points", [32, 85, 256])
    @pytest.mark.parametrize("gap", [0.5, 1.0], ids=["cells", "nodes"])
    def test_every_cycle_shrinks_the_error_by_the_same_factor_on_every_grid(self, num_points, gap):
        shape = (num_points, num_points)
        faces = torch.ones(1, num_points - 1, num_points, dtype=torch.float64)
        walls = torch.full((1, 2, num_points), 1 / gap, dtype=torch.float64)
        laplacian = FluxBalance((faces, faces.mT), (walls, walls.mT), torch.zeros(1, *shape).double())
        cycle = Multigrid(laplacian, [1.0, 1.0])
        error = torch.randn(1, *shape, dtype=torch.float64)
        for _ in range(12):
            previous = (error * laplacian(error)).sum()
            error = error - cycle(laplacian(error))
        factor = ((error * laplacian(error)).sum() / previous).sqrt()
        # What the smoother leaves of the waves that the coarse grid does not hold: 1 / T_2(5/3) for degree 2.
        assert factor < 1 / (2 * (5 / 3) ** 2 - 1)

    def test_high_contrast_inclusions_take_no_more_iterations(self):
        # Interpolation across the jump by a linear function would not converge at all.
        for num_points in (64, 100, 128):
            grid = Grid.box((num_points, num_points), "cells")
            x, y = grid.coordinates
            inside = torch.maximum((x - 0.5).abs(), (y - 0.45).abs()) < 0.25
            diffusion = torch.where(inside, 1e5, 1.0).double()[None]
            source = torch.randn(1, num_points, num_points, dtype=torch.float64)
            outcome = FiniteVolumeSystem(grid, diffusion).solve(source, tolerance=1e-8)
            assert outcome.status is SolveStatus.CONVERGED
            assert outcome.iterations.max() <= 16

    def test_stretched_cells_are_made_square_first(self):
        operator = random_operator((64, 64), batch=1)
        cycle = Multigrid(operator, [1.0, 8.0])
        assert cycle.coarsened_dims[:4] == [[0], [0], [0], [0, 1]]

    def test_samples_do_not_mix(self):
        operator = random_operator((20, 20), batch=2)
        first = FluxBalance(
            tuple(t[:1] for t in operator.faces), tuple(t[:1] for t in operator.walls), operator.mass[:1]
        )
        residual = torch.randn(2, 20, 20, dtype=torch.float64)
        axes = [1.0, 1.0]
        together = Multigrid(operator, axes)(residual)
        torch.testing.assert_close(together[:1], Multigrid(first, axes)(residual[:1]), rtol=1e-6, atol=1e-7)
