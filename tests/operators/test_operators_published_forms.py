"""LSM and MgNO in their published options are the networks that were published, weight by weight.

The plain restatements in scripts/benchmarks were written from the formulas, apart from the library.
"""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

from pdeops.domains import Grid
from pdeops.layers import coordinate_channels
from pdeops.operators import LSM, MgNO

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmarks"
LSM_AS_PUBLISHED = {
    "norm": "batch",
    "boundary": "zeros",
    "initialisation": "published",
    "scaled_attention": False,
}


def published(name):
    """A class of the restatements."""
    file = FOLDER / f"published_{name.removeprefix('Published').lower()}.py"
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def copy(source: nn.Module, target: nn.Module) -> None:
    """Copy weights and statistics; a 1x1 convolution may become a linear map."""
    state = {
        name: values.reshape(target.state_dict()[name].shape) for name, values in source.state_dict().items()
    }
    target.load_state_dict(state)


def randomised(model: nn.Module) -> nn.Module:
    """In float64, with weights of norms and statistics that tell their channels apart."""
    for name, values in model.double().state_dict().items():
        if values.ndim == 1 and values.is_floating_point():
            values.copy_(torch.rand_like(values) + (0.5 if "running_var" in name else -0.3))
    return model


@torch.no_grad()
def copy_lsm(source: nn.Module, target: LSM, grid: Grid) -> None:
    # Coordinates c = 2s - 1 in place of s, and the bias is the weight of a constant channel.
    weight, bias = source.lift.weight, source.lift.bias
    field, position = weight[:, :-2], weight[:, -2:] / 2
    constant = bias + position.sum(dim=1)
    target.lift.linear.weight.copy_(torch.cat((field, constant[:, None], position), dim=1))
    ones = torch.ones(*grid.shape, 1, dtype=torch.float64)
    target.lift.positions = torch.cat((ones, coordinate_channels(grid)), dim=-1)
    pyramid = target.pyramid
    copy(source.first, pyramid.entry)
    for before, after in zip(source.down, pyramid.down, strict=True):
        copy(before[1], after)
    for before, after in zip(source.up, reversed(pyramid.up), strict=True):
        copy(before.convolutions, after)
    for before, after in zip(source.blocks, pyramid.blocks, strict=True):
        # Keys and values alternate in the channels.
        for name in ("weight", "bias"):
            both = getattr(before.encode, name).flatten(1) if name == "weight" else before.encode.bias
            getattr(after.key_value, name).copy_(torch.cat((both[0::2], both[1::2])))
        copy(before.decode, after.query)
        after.tokens.copy_(before.tokens)
        after.coefficients.copy_(before.weights)
    copy(source.last, target.exit)
    copy(source.hidden, target.project.first)
    copy(source.project, target.project.second)


def copy_mgno(source: nn.Module, target: MgNO) -> None:
    copy(source.pointwise, target.pointwise)
    copy(source.head, target.head)
    for before, after in zip(source.cycles, target.cycles, strict=True):
        *levels, coarsest = after.levels
        smoothings = [level.pre for level in levels] + [coarsest]
        copy(before.start, smoothings[0].smoothers[0])
        for number, (steps, smoothing) in enumerate(zip(before.smoothing, smoothings, strict=True)):
            first = 1 if number == 0 else 0
            for step, operator, smoother in zip(
                steps, smoothing.operators[first:], smoothing.smoothers[first:], strict=True
            ):
                copy(step.system, operator)
                copy(step.smoother, smoother)
        for number, level in enumerate(levels):
            copy(before.restrict_iterate[number], level.restrict_start)
            copy(before.restrict_right_side[number], level.restrict)
            copy(before.prolong[number], level.prolong.convolution)


def assert_same(first, second, values):
    """Outputs and gradients of the input agree."""
    results = []
    for model in (first, second):
        inputs = values.clone().requires_grad_()
        outputs = model(inputs)
        weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).reshape(outputs.shape)
        (weights * outputs).sum().backward()
        results += [outputs.detach(), inputs.grad]
    assert results[0].std() > 1e-3
    for one, other in zip(results[:2], results[2:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10 * one.abs().max().item())


@pytest.mark.parametrize(
    ("width", "channels", "expected"), [(32, 1, 4_812_801), (64, 1, 19_187_457), (64, 10, 19_188_033)]
)
def test_lsm_has_the_published_count(width, channels, expected):
    model = published("PublishedLSM")(channels, 1, (85, 85), width)
    assert count(model) == expected


@pytest.mark.parametrize(("size", "layers", "expected"), [(256, 4, 572_661), (211, 5, 678_093)])
def test_mgno_has_the_published_count(size, layers, expected):
    assert count(published("PublishedMgNO")(1, 1, (size, size), num_layers=layers)) == expected


@pytest.mark.parametrize("shape", [(32, 48), (43, 37), (33, 16)])
def test_lsm_is_the_published_network(shape):
    torch.manual_seed(0)
    plain = randomised(published("PublishedLSM")(2, 3, shape, 16))
    grid = Grid.box(shape, "nodes")
    ours = LSM(2, 3, grid, width=16, depth=4, **LSM_AS_PUBLISHED).double()
    copy_lsm(plain, ours, grid)
    values = torch.randn(3, 2, *shape, dtype=torch.float64)
    assert_same(plain, ours, values)
    # The running statistics, too, which the passes above have moved.
    assert_same(plain.eval(), ours.eval(), values)


@pytest.mark.parametrize(
    ("shape", "iterations"), [((64, 64), (1, 1, 1, 2)), ((53, 27), (1, 1, 1, 2)), ((40, 21), (2, 2, 1))]
)
def test_mgno_is_the_published_network(shape, iterations):
    torch.manual_seed(0)
    plain = randomised(published("PublishedMgNO")(2, 3, shape, 8, 3, iterations))
    ours = MgNO(
        2,
        3,
        Grid.box(shape, "nodes"),
        width=8,
        num_layers=3,
        num_levels=len(iterations),
        restrict="input",
        pre=iterations[0],
        coarsest=iterations[-1],
    ).double()
    copy_mgno(plain, ours)
    assert count(plain) == count(ours)
    assert_same(plain, ours, torch.randn(2, 2, *shape, dtype=torch.float64))
