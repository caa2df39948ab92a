"""Linear interpolation to twice as many points."""

import pytest
import torch
from torch.nn import functional

from pdeops.layers import double_points, doubling_matrix


@pytest.mark.parametrize(("alignment", "align_corners"), [("cells", False), ("corners", True)])
def test_between_walls_it_is_the_interpolation_of_torch(alignment: str, align_corners: bool) -> None:
    values = torch.randn(2, 3, 5, 4).double()
    expected = functional.interpolate(values, scale_factor=2, mode="bilinear", align_corners=align_corners)
    result = double_points(values.movedim(1, -1), [alignment] * 2).movedim(-1, 1)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-14)
    volume = torch.randn(1, 2, 2, 3, 4).double()
    expected = functional.interpolate(volume, scale_factor=2, mode="trilinear", align_corners=align_corners)
    result = double_points(volume.movedim(1, -1), [alignment] * 3).movedim(-1, 1)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-14)


def test_linear_functions_are_exact() -> None:
    corners = doubling_matrix(6, "corners") @ torch.linspace(-1, 3, 6).double()
    torch.testing.assert_close(corners, torch.linspace(-1, 3, 12).double())
    cells = doubling_matrix(6, "cells") @ (torch.arange(6).double() + 0.5)
    torch.testing.assert_close(cells[1:-1], ((torch.arange(12).double() + 0.5) / 2)[1:-1])


def test_periodic_doubling_commutes_with_shifts_and_walls_do_not() -> None:
    values = torch.randn(7).double()
    periodic = doubling_matrix(7, "periodic")
    torch.testing.assert_close(periodic @ values.roll(1), (periodic @ values).roll(2))
    walls = doubling_matrix(7, "cells")
    assert (walls @ values.roll(1) - (walls @ values).roll(2)).abs().max() > 0.1


def test_each_axis_has_its_own_alignment() -> None:
    values = torch.randn(1, 4, 5, 1).double()
    expected = torch.einsum(
        "ij,bjlc,kl->bikc", doubling_matrix(4, "periodic"), values, doubling_matrix(5, "cells")
    )
    torch.testing.assert_close(double_points(values, ["periodic", "cells"]), expected)
