"""The truncated transforms against SciPy, quadrature and each other."""

import math

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdeops.domains import Grid
from pdeops.layers import TruncatedTransform, analysis_matrix, synthesis_matrix

KINDS = ["periodic", "cells", "nodes"]


def values_of(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("method", ["matmul", "fft"])
@pytest.mark.parametrize("num_points", [1, 2, 7, 16])
def test_cells_are_the_orthonormal_dct(num_points: int, method: str) -> None:
    values = values_of(3, num_points)
    transform = TruncatedTransform(["cells"], [num_points], method=method)
    # Ours is orthonormal under the mean, SciPy's under the sum: they differ by the root of n.
    expected = scipy.fft.dct(values.numpy(), norm="ortho") / math.sqrt(num_points)
    np.testing.assert_allclose(transform(values).numpy(), expected, atol=1e-14)


def test_periodic_coefficients_are_those_of_a_known_series() -> None:
    x = torch.arange(11, dtype=torch.float64) / 11
    values = 3 + 2 * torch.cos(2 * math.pi * x) - 5 * torch.sin(2 * math.pi * 2 * x)
    for method in ("matmul", "fft"):
        found = TruncatedTransform(["periodic"], [5], method=method)(values)
        half = 1 / math.sqrt(2)
        expected = torch.tensor([3, 2 * half, 0, 0, -5 * half], dtype=torch.float64)
        torch.testing.assert_close(found, expected, atol=1e-14, rtol=0)


@given(kind=st.sampled_from(KINDS), num_points=st.integers(2, 40), data=st.data())
@settings(max_examples=60, deadline=None)
def test_methods_agree_and_bases_are_orthonormal(kind: str, num_points: int, data: st.DataObject) -> None:
    modes = data.draw(st.integers(1, num_points))
    target = data.draw(st.integers(max(modes, 2), 50))
    identity = analysis_matrix(kind, num_points, modes) @ synthesis_matrix(kind, num_points, modes)
    torch.testing.assert_close(identity, torch.eye(modes, dtype=torch.float64), atol=1e-13, rtol=0)

    values = values_of(2, 3, num_points)
    by_matrix = TruncatedTransform([kind], [modes], method="matmul")
    by_fft = TruncatedTransform([kind], [modes], method="fft")
    coefficients = by_matrix(values)
    torch.testing.assert_close(by_fft(values), coefficients, atol=1e-13, rtol=0)
    torch.testing.assert_close(
        by_fft.inverse(coefficients, [target]), by_matrix.inverse(coefficients, [target]), atol=1e-13, rtol=0
    )
    if modes == num_points:
        torch.testing.assert_close(by_fft.inverse(coefficients, [num_points]), values, atol=1e-12, rtol=0)


@pytest.mark.parametrize("method", ["matmul", "fft"])
def test_parseval_is_the_quadrature_of_the_grid(method: str) -> None:
    grid = Grid.box((9, 12, 7), ("periodic", "cells", "nodes"), upper=(2.0, 3.0, 0.5))
    values = values_of(4, *grid.shape)
    coefficients = TruncatedTransform.of_grid(grid, grid.shape, method=method)(values)
    mean_square = (values**2 * grid.quadrature_weights).sum(dim=(1, 2, 3)) / 3.0
    torch.testing.assert_close((coefficients**2).sum(dim=(1, 2, 3)), mean_square, rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", ["matmul", "fft"])
@pytest.mark.parametrize(("source", "target"), [((16, 16), (32, 32)), ((33, 20), (15, 17))])
def test_waves_of_both_signs_go_to_other_grids_exactly(
    source: tuple[int, int], target: tuple[int, int], method: str
) -> None:
    def field(shape: tuple[int, int]) -> torch.Tensor:
        x, y = Grid.periodic(shape).coordinates
        return torch.cos(2 * math.pi * (3 * x - 2 * y)) + torch.sin(2 * math.pi * (x + 3 * y))

    transform = TruncatedTransform(["periodic", "periodic"], [7, 7], method=method)
    found = transform.inverse(transform(field(source)), target)
    torch.testing.assert_close(found, field(target), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", ["cells", "nodes"])
def test_cosines_go_to_other_grids_exactly(kind: str) -> None:
    def field(num_points: int) -> torch.Tensor:
        (x,) = Grid.box((num_points,), kind).coordinates
        return 1 + torch.cos(3 * math.pi * x) - 2 * torch.cos(5 * math.pi * x)

    transform = TruncatedTransform([kind], [6])
    torch.testing.assert_close(transform.inverse(transform(field(11)), [24]), field(24), atol=1e-13, rtol=0)


@pytest.mark.parametrize("method", ["matmul", "fft"])
@pytest.mark.parametrize("kinds", [("periodic", "nodes"), ("cells", "periodic")])
def test_gradients(kinds: tuple[str, str], method: str) -> None:
    transform = TruncatedTransform(kinds, [4, 3], method=method)
    values = values_of(2, 6, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: transform.inverse(transform(v) ** 2, (7, 4)), values)


def test_autocast_keeps_float32_on_odd_sizes() -> None:
    values = values_of(2, 9, 15).float()
    for method in ("matmul", "fft"):
        transform = TruncatedTransform(["periodic", "cells"], [5, 6], method=method)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            coefficients = transform(values)
            back = transform.inverse(coefficients.bfloat16(), (9, 15))
        assert coefficients.dtype == back.dtype == torch.float32
        torch.testing.assert_close(coefficients, transform(values), rtol=0, atol=0)


def test_matrices_made_in_inference_mode_serve_training() -> None:
    transform = TruncatedTransform(["periodic"], [19], method="matmul")
    values = values_of(2, 53)
    with torch.inference_mode():
        transform(values)
    transform(values.requires_grad_()).sum().backward()
    # The sum of all coefficients has the gradient of the basis: its mean is the constant's 1/n.
    torch.testing.assert_close(values.grad.sum(dim=-1), torch.ones(2, dtype=torch.float64))


def test_errors_name_the_limit() -> None:
    with pytest.raises(ValueError, match="expected 1 to 8 modes on 8 points"):
        TruncatedTransform(["cells"], [9])(torch.zeros(1, 8))
    with pytest.raises(ValueError, match="chebyshev"):
        TruncatedTransform(["chebyshev"], [4])
    with pytest.raises(ValueError, match="expected coefficients"):
        TruncatedTransform(["cells"], [4]).inverse(torch.zeros(1, 5), (8,))
