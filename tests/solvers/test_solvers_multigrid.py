"""The flux-balance matrix, the transfer between levels, and the V-cycle."""

import math

import pytest
import torch

from solvers import FluxBalance, Multigrid, UnknownAxis

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


def cells(count, width=1.0):
    """Centres of cells, zero at the outer faces."""
    return UnknownAxis((torch.arange(count).double() + 0.5) * width, 0.0, count * width)


def inner_nodes(count):
    """Nodes with the spacing 1, zero at the outer nodes."""
    return UnknownAxis(torch.arange(1, count + 1).double(), 0.0, count + 1.0)


def insulated(count):
    return UnknownAxis(torch.arange(count).double())


def ring(count):
    return UnknownAxis(torch.arange(count).double(), period=float(count))


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

    def test_coarsening_keeps_what_flows_out(self, shape, periodic):
        operator = random_operator(shape, periodic=periodic)
        axis = ring if periodic else insulated
        coarse = operator.coarsened({number: axis(count) for number, count in enumerate(shape)})
        assert coarse.shape == tuple((n + 1) // 2 for n in shape)
        # For u = 1 only walls and mass take: mass adds up, walls lose what the longer way to them costs.
        torch.testing.assert_close(coarse.mass.flatten(1).sum(1), operator.mass.flatten(1).sum(1))
        ones = torch.ones(2, *coarse.shape, dtype=torch.float64)
        torch.testing.assert_close(coarse(ones), coarse.sinks, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 8, 9])
@pytest.mark.parametrize("make", [cells, inner_nodes, insulated, ring])
class TestUnknownAxis:
    def test_restriction_is_the_transpose_of_interpolation(self, count, make):
        axis = make(count)
        coarse = torch.randn(3, (count + 1) // 2, 4, dtype=torch.float64)
        fine = torch.randn(3, count, 4, dtype=torch.float64)
        left = (axis.interpolate(coarse, 1) * fine).sum()
        right = (coarse * axis.restrict(fine, 1)).sum()
        assert left.item() == pytest.approx(right.item(), rel=1e-12)

    def test_linear_functions_are_interpolated_exactly(self, count, make):
        axis = make(count)
        result = axis.interpolate(axis.joined.positions[None], 1)[0]
        exact = axis.positions.clone()
        if make in (cells, inner_nodes):
            # Zero at the lower end, as x is; the last pair is out, as zero counts beyond the upper end too.
            inner = slice(0, 2 * (axis.joined.num_unknowns - 1))
        else:
            # Constant towards an end that nothing flows through; the period jumps at the end of a ring.
            inner = slice(1, 2 * (axis.joined.num_unknowns - 1))
        torch.testing.assert_close(result[inner], exact[inner], rtol=1e-12, atol=1e-12)

    def test_constants_are_kept_where_nothing_flows_out(self, count, make):
        axis = make(count)
        result = axis.interpolate(torch.ones(1, axis.joined.num_unknowns, dtype=torch.float64), 1)[0]
        if make in (cells, inner_nodes):
            assert result[0] < 1
        else:
            torch.testing.assert_close(result, torch.ones_like(result), rtol=1e-14, atol=0)

    def test_factors_turn_fine_into_coarse_distances(self, count, make):
        axis = make(count)
        coarse = axis.joined
        assert coarse.num_unknowns == (count + 1) // 2
        kept = axis.distances[axis.kept_faces]
        torch.testing.assert_close(axis.face_factors * coarse.distances, kept)
        assert len(coarse.distances) == coarse.num_unknowns - (0 if axis.is_periodic else 1)
        if make is cells:
            ways = torch.stack([coarse.positions[0], count - coarse.positions[-1]])
            torch.testing.assert_close(axis.wall_factors * ways, torch.full((2,), 0.5, dtype=torch.float64))


class TestMultigrid:
    @pytest.mark.parametrize("periodic", [False, True])
    @pytest.mark.parametrize("shape", [(16, 16), (19, 12), (5, 40), (9, 8, 7), (150,)])
    def test_a_cycle_is_symmetric_positive_definite(self, shape, periodic):
        operator = random_operator(shape, batch=1, contrast=100.0, periodic=periodic)
        cycle = Multigrid(operator, [(ring if periodic else cells)(n) for n in shape], dtype=torch.float64)
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
        cycle = Multigrid(operator, [ring(12), ring(10)], dtype=torch.float64)
        basis = torch.linalg.qr(torch.cat([torch.ones(120, 1), torch.randn(120, 119)], 1).double()).Q[:, 1:]
        columns = basis.T @ cycle(basis.T.reshape(119, 12, 10)).reshape(119, 120).T
        torch.testing.assert_close(columns, columns.mT, rtol=0, atol=1e-12)
        assert torch.linalg.eigvalsh(columns).min() > 0

    def test_single_precision_rounds_and_no_more(self):
        operator = random_operator((33, 20), batch=2)
        axes = [cells(33), cells(20)]
        residual = torch.randn(2, 33, 20, dtype=torch.float64)
        exact = Multigrid(operator, axes, dtype=torch.float64)(residual)
        rounded = Multigrid(operator, axes)(residual)
        assert rounded.dtype is torch.float64
        assert (rounded - exact).norm() < 1e-5 * exact.norm()

    def test_small_systems_are_solved_directly(self):
        operator = random_operator((8, 8))
        values = torch.randn(2, 8, 8, dtype=torch.float64)
        cycle = Multigrid(operator, [cells(8), cells(8)], dtype=torch.float64)
        torch.testing.assert_close(cycle(operator(values)), values)

    @pytest.mark.parametrize("num_points", [32, 85, 256])
    @pytest.mark.parametrize("make", [cells, inner_nodes])
    def test_every_cycle_shrinks_the_error_by_the_same_factor_on_every_grid(self, num_points, make):
        shape, axis = (num_points, num_points), make(num_points)
        faces = torch.ones(1, num_points - 1, num_points, dtype=torch.float64)
        walls = torch.full((1, 2, num_points), 2.0 if make is cells else 1.0, dtype=torch.float64)
        laplacian = FluxBalance((faces, faces.mT), (walls, walls.mT), torch.zeros(1, *shape).double())
        cycle = Multigrid(laplacian, [axis, axis])
        error = torch.randn(1, *shape, dtype=torch.float64)
        for _ in range(12):
            previous = (error * laplacian(error)).sum()
            error = error - cycle(laplacian(error))
        factor = ((error * laplacian(error)).sum() / previous).sqrt()
        # What the smoother leaves of the waves that the coarse grid does not hold: 1 / T_2(5/3) for degree 2.
        assert factor < 1 / (2 * (5 / 3) ** 2 - 1)

    def test_stretched_cells_are_made_square_first(self):
        operator = random_operator((64, 64), batch=1)
        cycle = Multigrid(operator, [cells(64, 1.0), cells(64, 8.0)])
        assert cycle.coarsened_dims[:4] == [[0], [0], [0], [0, 1]]

    def test_samples_do_not_mix(self):
        operator = random_operator((20, 20), batch=2)
        first = FluxBalance(
            tuple(t[:1] for t in operator.faces), tuple(t[:1] for t in operator.walls), operator.mass[:1]
        )
        residual = torch.randn(2, 20, 20, dtype=torch.float64)
        axes = [cells(20), cells(20)]
        together = Multigrid(operator, axes)(residual)
        torch.testing.assert_close(together[:1], Multigrid(first, axes)(residual[:1]), rtol=1e-6, atol=1e-7)
