"""What the Fourier operators promise beyond the contract."""

import pytest
import torch

from pdeops.domains import Grid
from pdeops.operators import FFNO, FNO


@pytest.mark.parametrize("operator_class", [FNO, FFNO])
@pytest.mark.parametrize("shift", [(1, 0), (3, 5)])
def test_commutes_with_shifts_on_a_torus_without_coordinates(
    operator_class: type[FNO | FFNO], shift: tuple[int, int]
) -> None:
    options = {"modes": 4, "width": 8, "num_layers": 2, "projection_width": 8}
    operator = operator_class(1, 1, Grid.periodic((12, 15)), coordinates=False, **options).double()
    values = torch.randn(2, 1, 12, 15, dtype=torch.float64)
    shifted = operator(values.roll(shift, dims=(2, 3)))
    torch.testing.assert_close(shifted, operator(values).roll(shift, dims=(2, 3)), atol=1e-12, rtol=0)
    located = operator_class(1, 1, Grid.periodic((12, 15)), **options).double()
    difference = located(values.roll(shift, dims=(2, 3))) - located(values).roll(shift, dims=(2, 3))
    assert difference.abs().max() > 1e-3


def test_number_of_parameters() -> None:
    modes, width, layers, hidden = 12, 32, 4, 64
    operator = FNO(1, 1, Grid.periodic((64, 64)), modes=modes, width=width, num_layers=layers)
    convolution = 4 * modes**2 * width**2 + width**2 + width
    lift = (1 + 4) * width + width
    head = width * hidden + hidden + hidden + 1
    assert sum(parameter.numel() for parameter in operator.parameters()) == layers * convolution + lift + head


def test_real_and_complex_parameters_are_the_same_operator() -> None:
    grid = Grid.periodic((9, 11))
    options = {"modes": 3, "width": 4, "num_layers": 2}
    real = FNO(1, 1, grid, **options)
    complex_operator = FNO(1, 1, grid, **options, complex_parameters=True)
    state = {
        name: torch.complex(value[:, :, 0], value[:, :, 1]) if value.ndim == 4 else value
        for name, value in real.state_dict().items()
    }
    complex_operator.load_state_dict(state)
    values = torch.randn(2, 1, 9, 11)
    torch.testing.assert_close(complex_operator(values), real(values))
    assert not any(parameter.is_complex() for parameter in real.parameters())


def test_learns_a_derivative() -> None:
    # u -> du/dx is a Fourier multiplier: the network must reach it quickly, also where it was not trained.
    grid = Grid.periodic((32,))
    operator = FNO(1, 1, grid, modes=6, width=12, num_layers=2, projection_width=16)
    optimizer = torch.optim.Adam(operator.parameters(), lr=1e-2)
    wave = torch.arange(1, 5)
    angle = 2 * torch.pi * torch.outer(torch.arange(32) / 32, wave)

    def sample(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = torch.randn(2, number, 1, 4)
        values = a @ torch.cos(angle).T + b @ torch.sin(angle).T
        return values, (b * wave) @ torch.cos(angle).T - (a * wave) @ torch.sin(angle).T

    for _ in range(300):
        values, targets = sample(32)
        optimizer.zero_grad()
        loss = (operator(values) - targets).norm() / targets.norm()
        loss.backward()
        optimizer.step()
    values, targets = sample(64)
    assert (operator(values) - targets).norm() / targets.norm() < 0.1


def test_too_coarse_a_grid_is_refused_at_construction() -> None:
    with pytest.raises(ValueError, match=r"at least \(24, 22\) points, got \(16, 16\)"):
        FNO(1, 1, Grid.periodic((16, 16)), modes=12)
    with pytest.raises(ValueError, match="at least"):
        FFNO(1, 1, Grid.periodic((16, 16)), modes=12)
    with pytest.raises(ValueError, match="chebyshev"):
        FNO(1, 1, Grid.box((16, 16), "chebyshev"))


@pytest.mark.parametrize("operator_class", [FNO, FFNO])
def test_options_out_of_range_are_refused(operator_class: type[FNO | FFNO]) -> None:
    grid = Grid.periodic((16, 16))
    with pytest.raises(ValueError, match="num_layers: expected at least 1"):
        operator_class(1, 1, grid, modes=4, num_layers=0)
    with pytest.raises(ValueError, match=r"modes: expected .* one an axis \(2\)"):
        operator_class(1, 1, grid, modes=(4, 4, 4))
    with pytest.raises(ValueError, match="at least one channel"):
        operator_class(0, 1, grid, modes=4)
