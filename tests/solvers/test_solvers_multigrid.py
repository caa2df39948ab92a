"""The flux-balance matrix, the transfer between levels, and the V-cycle."""

import math

import pytest
import torch

from solvers import FluxBalance, Multigrid, UnknownAxis

SHAPES = [(11,), (8, 8), (9, 12), (13, 7), (5, 4, 7)]


def random_operator(shape, batch=2, contrast=10.0):
    """Transmissibilities between 1 and the contrast."""
    transmissibilities = []
    for dim in range(len(shape)):
        faces = list(shape)
        faces[dim] += 1
        transmissibilities.append(contrast ** torch.rand(batch, *faces, dtype=torch.float64))
    return FluxBalance(tuple(transmissibilities))


def cells(count, width=1.0, gap=0.0):
    return CellAxis(torch.full((count,), width, dtype=torch.float64), gap)


@pytest.mark.parametrize("shape", SHAPES)
class TestFluxBalance:
    def test_it_is_the_sum_over_faces(self, shape):
        operator = random_operator(shape)
        values = torch.randn(2, *shape, dtype=torch.float64)
        expected = torch.zeros_like(values)
        for dim, faces in enumerate(operator.transmissibilities, start=1):
            end = torch.zeros_like(values.narrow(dim, 0, 1))
            flux = faces * torch.cat([end, values, end], dim).diff(dim=dim)
            expected -= flux.diff(dim=dim)
        torch.testing.assert_close(operator(values), expected, rtol=1e-12, atol=1e-12)

    def test_it_is_symmetric_positive_definite_with_the_bound_that_the_smoother_uses(self, shape):
        operator = random_operator(shape)
        dense = operator.dense()
        torch.testing.assert_close(dense, dense.mT, rtol=0, atol=1e-14)
        scale = operator.diagonal.flatten(1).rsqrt()
        eigenvalues = torch.linalg.eigvalsh(scale[:, :, None] * dense * scale[:, None, :])
        assert eigenvalues.min() > 0
        assert eigenvalues.max() < 2

    def test_coarsening_sums_parallel_faces(self, shape):
        operator = random_operator(shape)
        dims = range(len(shape))
        coarse = operator.coarsened({dim: torch.ones((shape[dim] + 1) // 2 + 1).double() for dim in dims})
        assert coarse.shape == tuple((n + 1) // 2 for n in shape)
        # Without the change of distance this is the Galerkin product with piecewise constant interpolation.
        constant = torch.ones(1, *shape, dtype=torch.float64)
        ones = torch.ones(1, *coarse.shape, dtype=torch.float64)
        fine_sum = operator(constant.expand(2, *shape)).flatten(1).sum(1)
        torch.testing.assert_close(coarse(ones.expand(2, *coarse.shape)).flatten(1).sum(1), fine_sum)


@pytest.mark.parametrize("count", [2, 3, 8, 9])
@pytest.mark.parametrize("gap", [0.0, 0.5])
class TestCellAxis:
    def test_restriction_is_the_transpose_of_interpolation(self, count, gap):
        axis = cells(count, 1.0, gap)
        coarse = torch.randn(3, (count + 1) // 2, 4, dtype=torch.float64)
        fine = torch.randn(3, count, 4, dtype=torch.float64)
        left = (axis.interpolate(coarse, 1) * fine).sum()
        right = (coarse * axis.restrict(fine, 1)).sum()
        assert left.item() == pytest.approx(right.item(), rel=1e-12)

    def test_linear_functions_are_interpolated_exactly_down_to_the_boundary(self, count, gap):
        axis = cells(count, 0.7, 0.7 * gap)
        coarse = axis.joined()
        position = axis.widths.cumsum(0) - axis.widths / 2 + axis.gap
        coarse_position = coarse.widths.cumsum(0) - coarse.widths / 2 + coarse.gap
        # Zero at the lower end; at the upper end the zero beyond counts, so the last pair is left out.
        inner = slice(0, 2 * (coarse.num_cells - 1))
        result = axis.interpolate(coarse_position[None], 1)[0]
        torch.testing.assert_close(result[inner], position[inner], rtol=1e-12, atol=1e-12)

    def test_face_factors_turn_fine_into_coarse_distances(self, count, gap):
        axis = cells(count, 1.0, gap)
        coarse = axis.joined()
        assert coarse.widths.sum() == axis.widths.sum()
        kept = [min(2 * i, count) for i in range(coarse.num_cells + 1)]
        torch.testing.assert_close(axis.face_factors * coarse.distances, axis.distances[kept])


class TestMultigrid:
    @pytest.mark.parametrize("shape", [(16, 16), (19, 12), (5, 40), (9, 8, 7), (150,)])
    def test_a_cycle_is_symmetric_positive_definite(self, shape):
        operator = random_operator(shape, batch=1, contrast=100.0)
        cycle = Multigrid(operator, [cells(n) for n in shape])
        assert cycle.num_levels > 1
        size = math.prod(shape)
        identity = torch.eye(size, dtype=torch.float64).reshape(size, 1, *shape)
        columns = torch.stack([cycle(column) for column in identity]).reshape(size, size)
        torch.testing.assert_close(columns, columns.mT, rtol=0, atol=1e-12 * columns.abs().max().item())
        assert torch.linalg.eigvalsh(columns).min() > 0

    def test_small_systems_are_solved_directly(self):
        operator = random_operator((8, 8))
        values = torch.randn(2, 8, 8, dtype=torch.float64)
        torch.testing.assert_close(Multigrid(operator, [cells(8), cells(8)])(operator(values)), values)

    @pytest.mark.parametrize("num_points", [32, 85, 256])
    @pytest.mark.parametrize("gap", [0.0, 0.5], ids=["cells", "nodes"])
    def test_every_cycle_shrinks_the_error_by_the_same_factor_on_every_grid(self, num_points, gap):
        shape = (num_points, num_points)
        axis = cells(num_points, 1.0, gap)
        faces = (1 / axis.distances)[None, :, None].expand(1, num_points + 1, num_points)
        laplacian = FluxBalance((faces, faces.mT))
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
        first = FluxBalance(tuple(t[:1] for t in operator.transmissibilities))
        residual = torch.randn(2, 20, 20, dtype=torch.float64)
        axes = [cells(20), cells(20)]
        together = Multigrid(operator, axes)(residual)
        torch.testing.assert_close(together[:1], Multigrid(first, axes)(residual[:1]), rtol=1e-13, atol=1e-15)
