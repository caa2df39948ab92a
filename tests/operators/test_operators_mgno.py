"""What MgNO promises beyond the contract."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import nn

from pdeops.domains import Grid
from pdeops.operators import MgNO

CONF = Path(__file__).parents[2] / "conf"


def number_of_parameters(operator: nn.Module) -> int:
    return sum(parameter.numel() for parameter in operator.parameters())


def stencil_count(shapes: list[int], channels: int, width: int, *, coarsest: int = 2) -> int:
    """Weights of a published cycle in two dimensions, counted from its formula."""
    levels = len(shapes) - 1
    pairs = 1 + 2 * (levels - 1) + 2 * coarsest  # S and A, but no A where the iteration starts from zero
    up = sum((4 - fine % 2) ** 2 for fine in shapes[:-1])
    return 9 * channels * width * pairs + levels * 9 * (width**2 + channels**2) + up * width**2


@pytest.mark.parametrize(
    ("experiment", "shapes", "layers", "published"),
    [
        ("mgno_darcy_rough", [256, 128, 64, 32, 16, 8], 4, 572_661),
        ("mgno_darcy", [211, 106, 53, 27, 14, 7], 5, 678_093),
    ],
)
def test_published_numbers_of_parameters(
    experiment: str, shapes: list[int], layers: int, published: int
) -> None:
    width = 24
    counted = sum(
        stencil_count(shapes, channels, width) + channels * width + width
        for channels in [1] + [width] * (layers - 1)
    )
    assert counted + width == published
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", overrides=[f"experiment={experiment}"])
    assert list(config.data.resolution) == [shapes[0]] * 2
    operator = instantiate(config.model)(1, 1, Grid.box((shapes[0],) * 2, "cells"))
    assert number_of_parameters(operator) == published
    # The rate of the published training: half of it first, all of it after a fifth of the epochs.
    optimizer = torch.optim.SGD(operator.parameters(), lr=config.optimizer.lr)
    scheduler = instantiate(config.scheduler.factory)(optimizer, total_steps=config.trainer.max_epochs)
    rates = []
    for _ in range(config.trainer.max_epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(rates) < config.trainer.max_epochs else None
    assert rates[0] == pytest.approx(2.5e-4)
    assert rates.index(max(rates)) in (98, 99, 100)
    assert rates[-1] == pytest.approx(2.5e-6)


@pytest.mark.parametrize(
    ("size", "levels"), [(256, 6), (211, 6), (128, 5), (64, 4), (43, 4), (40, 4), (10, 2), (9, 2), (8, 1)]
)
def test_levels_leave_five_points_or_more(size: int, levels: int) -> None:
    for grid in (Grid.periodic((size,)), Grid.box((size, 300), "nodes")):
        assert MgNO(1, 1, grid, width=2, num_layers=1).num_levels == levels


@pytest.mark.parametrize("restrict", ["residual", "input"])
@pytest.mark.parametrize("shared", [False, True])
def test_without_activation_and_bias_it_is_linear(restrict: str, shared: bool) -> None:
    options = {"width": 3, "num_layers": 3, "num_levels": 3, "post": 1}
    grid = Grid.box((11, 14), ("nodes", "periodic"))
    operator = MgNO(2, 1, grid, restrict=restrict, shared=shared, coordinates=False, **options).double()
    operator.activation = nn.Identity()
    first, second = torch.randn(2, 3, 2, 11, 14, dtype=torch.float64)
    affine = operator(0.3 * first - 2 * second) - (0.3 * operator(first) - 2 * operator(second))
    assert affine.abs().max() > 1e-3
    for pointwise in operator.pointwise:
        nn.init.zeros_(pointwise.bias)
    assert operator(torch.zeros_like(first)).abs().max() == 0
    sum_of_images = 0.3 * operator(first) - 2 * operator(second)
    assert sum_of_images.abs().max() > 1e-3
    torch.testing.assert_close(operator(0.3 * first - 2 * second), sum_of_images, atol=1e-13, rtol=0)
    # A GELU keeps the zero, but not the sums.
    operator.activation = nn.GELU()
    assert operator(torch.zeros_like(first)).abs().max() == 0
    assert (operator(2 * first) - 2 * operator(first)).abs().max() > 1e-4


@pytest.mark.parametrize("restrict", ["residual", "input"])
@pytest.mark.parametrize(
    ("shape", "levels", "shift"),
    [
        ((24,), 3, (4,)),
        ((32,), 4, (24,)),
        ((16, 24), 3, (4, 0)),
        ((16, 24), 4, (8, 16)),
        ((8, 4, 12), 2, (0, 2, 6)),
    ],
)
def test_commutes_with_shifts_by_the_coarsest_spacing_on_a_torus(
    shape: tuple[int, ...], levels: int, shift: tuple[int, ...], restrict: str
) -> None:
    options = {"width": 4, "num_layers": 2, "num_levels": levels, "restrict": restrict, "post": 1}
    operator = MgNO(2, 1, Grid.periodic(shape), coordinates=False, **options).double()
    dims = tuple(range(2, 2 + len(shape)))
    values = torch.randn(2, 2, *shape, dtype=torch.float64)
    shifted = operator(values.roll(shift, dims=dims))
    torch.testing.assert_close(shifted, operator(values).roll(shift, dims=dims), atol=1e-13, rtol=0)
    half = tuple(number // 2 for number in shift)
    difference = operator(values.roll(half, dims=dims)) - operator(values).roll(half, dims=dims)
    assert difference.abs().max() > 1e-4
    # Walls tell places apart.
    walls = MgNO(2, 1, Grid.box(shape, "cells"), coordinates=False, **options).double()
    difference = walls(values.roll(shift, dims=dims)) - walls(values).roll(shift, dims=dims)
    assert difference.abs().max() > 1e-4


def test_closes_on_the_periodic_axis_only() -> None:
    options = {"width": 4, "num_layers": 2, "num_levels": 3, "coordinates": False}
    operator = MgNO(1, 1, Grid.box((16, 12), ("periodic", "nodes")), **options).double()
    values = torch.randn(1, 1, 16, 12, dtype=torch.float64)
    error = (operator(values.roll(4, dims=2)) - operator(values).roll(4, dims=2)).abs().max()
    assert error < 1e-13
    error = (operator(values.roll(4, dims=3)) - operator(values).roll(4, dims=3)).abs().max()
    assert error > 1e-4


def test_another_grid_works_where_its_levels_are_even_and_odd_alike() -> None:
    operator = MgNO(1, 1, Grid.periodic((16, 12)), width=4, num_layers=2, num_levels=3)
    finer = Grid.periodic((32, 20))
    assert operator(torch.randn(2, 1, 32, 20), finer).shape == (2, 1, 32, 20)
    # On a torus a field that repeats has an image that repeats.
    operator = MgNO(1, 1, Grid.periodic((16, 12)), width=4, num_layers=2, num_levels=3, coordinates=False)
    values = torch.randn(2, 1, 16, 12)
    repeated = operator(values.repeat(1, 1, 2, 1), Grid.periodic((32, 12)))
    torch.testing.assert_close(repeated, operator(values).repeat(1, 1, 2, 1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="levels are even and odd like those"):
        operator(torch.zeros(1, 1, 18, 12), Grid.periodic((18, 12)))
    with pytest.raises(ValueError, match="kinds periodic, periodic as in training, got periodic, cells"):
        operator(torch.zeros(1, 1, 16, 12), Grid.box((16, 12), ("periodic", "cells")))


def test_channels_stay_adjacent_in_memory() -> None:
    operator = MgNO(1, 1, Grid.box((16, 16), "cells"), width=4, num_layers=3, num_levels=3)
    found = []
    operator.head.register_forward_pre_hook(
        lambda module, arguments: found.append(arguments[0].is_contiguous(memory_format=torch.channels_last))
    )
    operator(torch.randn(2, 1, 16, 16))
    assert found == [True]


@pytest.mark.usefixtures("unchecked")
def test_options_out_of_range_are_refused() -> None:
    grid = Grid.periodic((16, 16))
    with pytest.raises(ValueError, match="num_layers: expected at least 1"):
        MgNO(1, 1, grid, num_layers=0)
    with pytest.raises(
        ValueError, match=r"at least 17 points an axis for 5 levels, got \(16, 16\); try fewer"
    ):
        MgNO(1, 1, grid, num_levels=5)
    with pytest.raises(ValueError, match="num_levels: expected at least 1"):
        MgNO(1, 1, grid, num_levels=0)
    with pytest.raises(ValueError, match="boundary: expected one of zeros, dirichlet, neumann, got 'robin'"):
        MgNO(1, 1, grid, boundary="robin")
    with pytest.raises(ValueError, match="restrict: expected one of residual, input, got 'nothing'"):
        MgNO(1, 1, grid, restrict="nothing")
    with pytest.raises(ValueError, match="smoothing steps"):
        MgNO(1, 1, grid, pre=0, post=0)
