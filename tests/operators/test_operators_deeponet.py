"""DeepONet, MIONet and POD-DeepONet against their formulas."""

import math
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from pdeops.domains import Field, Grid, disk_mesh
from pdeops.operators import DeepONet, MIONet, OutputPoints, PODDeepONet, QueryOperator

GRID = Grid.box((5, 4), ("periodic", "nodes"), upper=(2.0, 3.0))
FRAMES = OutputPoints(GRID, (0.5, 1.0))
SMALL: dict[str, Any] = {"branch": (6, 7, 5), "trunk": (4, 3, 5)}
ORDERS = [(0, 0, 0), (2, 0, 0), (0, 1, 1), (4, 0, 0), (0, 0, 3), (1, 1, 1)]


def shaken(operator: torch.nn.Module) -> Any:
    """Double precision, with biases that are not zero."""
    operator = operator.double()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return operator


def as_arrays(operator: torch.nn.Module) -> dict[str, numpy.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in operator.named_parameters()}


def network(weights: dict[str, numpy.ndarray], name: str, row: numpy.ndarray, activate_last: bool) -> Any:
    """One row through a network, unit by unit."""
    num_layers = sum(key.startswith(f"{name}.layers.") for key in weights) // 2
    for layer in range(num_layers):
        matrix, bias = (weights[f"{name}.layers.{layer}.{part}"] for part in ("weight", "bias"))
        row = numpy.array([sum(w * x for w, x in zip(line, row, strict=True)) for line in matrix]) + bias
        if layer < num_layers - 1 or activate_last:
            row = numpy.tanh(row)
    return row


def features(point: numpy.ndarray) -> numpy.ndarray:
    """Two waves of x, which has the period 2, y from [0, 3], t from [0, 1]."""
    angle = math.pi * point[0]
    waves = [math.cos(angle), math.cos(2 * angle), math.sin(angle), math.sin(2 * angle)]
    return numpy.array([*waves, 2 * point[1] / 3 - 1, 2 * point[2] - 1])


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("layout", ["shared", "own"])
def test_it_is_the_sum_of_products_of_the_formula(stacked: bool, layout: str) -> None:
    operator = shaken(DeepONet(2, 6, GRID, FRAMES, **SMALL, stacked=stacked, harmonics=2))
    weights = as_arrays(operator)
    values = torch.randn(3, 2, 5, 4).double()
    points = torch.rand(*((3,) if layout == "own" else ()), 4, 3).double()
    answer = operator(values, query=points)
    assert answer.shape == (3, 3, 4)
    for sample in range(3):
        sensors = values[sample].flatten().numpy()
        if stacked:
            coefficients = numpy.empty(15)
            for number in range(15):
                row = sensors
                for layer in range(3):
                    row = row @ weights[f"branch.weights.{layer}"][number]
                    row = row + weights[f"branch.biases.{layer}"][number, 0]
                    row = numpy.tanh(row) if layer < 2 else row
                coefficients[number] = row[0]
        else:
            coefficients = network(weights, "branch", sensors, activate_last=False)
        for place in range(4):
            point = (points[sample] if layout == "own" else points)[place].numpy()
            trunk = network(weights, "trunk", features(point), activate_last=True)
            for variable in range(3):
                total = weights["bias"][variable]
                for k in range(5):
                    total += coefficients[5 * variable + k] * trunk[k]
                assert answer[sample, variable, place].item() == pytest.approx(total, rel=1e-11)


def test_the_three_layouts_agree() -> None:
    operator = shaken(DeepONet(2, 6, GRID, FRAMES, **SMALL))
    values = torch.randn(3, 2, 5, 4).double()
    on_domain = operator(values)
    assert on_domain.shape == (3, 6, 5, 4)
    in_space = operator(values, query=GRID.points)
    torch.testing.assert_close(in_space.unflatten(-1, (5, 4)), on_domain, rtol=0, atol=1e-13)
    own = operator(values, query=FRAMES.points.expand(3, -1, -1))
    as_frames = own.unflatten(-1, (2, 20)).transpose(1, 2).flatten(1, 2)
    torch.testing.assert_close(as_frames, in_space, rtol=0, atol=1e-13)
    single = DeepONet(2, 2, GRID, FRAMES, **SMALL).double()
    shared = single(values, query=FRAMES.points)
    torch.testing.assert_close(
        single(values, query=FRAMES.points.expand(3, -1, -1)), shared, rtol=0, atol=1e-13
    )


@pytest.mark.usefixtures("unchecked")
def test_points_for_another_number_of_samples_are_refused() -> None:
    operator = DeepONet(2, 6, GRID, FRAMES, **SMALL)
    code = operator.encode(torch.randn(3, 2, 5, 4))
    for samples in (1, 2):
        with pytest.raises(ValueError, match=f"expected points for 3 samples, got {samples}"):
            operator.decode(code, torch.rand(samples, 4, 3))
        with pytest.raises(ValueError, match="expected a query of shape"):
            operator(torch.randn(3, 2, 5, 4), query=torch.rand(samples, 4, 3))


def test_without_bias_an_input_without_effect_gives_zero() -> None:
    operator = DeepONet(2, 6, GRID, FRAMES, **SMALL, bias=False)
    assert "bias" not in dict(operator.named_parameters())
    # Biases begin as zeros, so a zero input has zero coefficients.
    assert not operator(torch.zeros(1, 2, 5, 4)).any()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"modified": True, "branch": (6, 6, 5), "trunk": (4, 4, 5)},
        {"lift": "sin(x)*t + y", "factor": "exp(-x)*y*t"},
        {"lift": ["x", "y", "t**2"]},
        {"factor": "x*(2 - x)*t", "bias": False},
    ],
    ids=["plain", "modified", "lift and factor", "lift", "factor"],
)
@pytest.mark.parametrize("layout", ["shared", "own"])
def test_derivatives_are_those_of_automatic_differentiation(options: dict[str, Any], layout: str) -> None:
    operator = shaken(DeepONet(2, 6, GRID, FRAMES, **{**SMALL, **options}, harmonics=2))
    code = operator.encode(torch.randn(3, 2, 5, 4).double())
    points = torch.rand(*((3,) if layout == "own" else ()), 4, 3).double()
    found = operator.derivatives(code, points, ORDERS)
    for answer, expected in zip(
        found, QueryOperator.derivatives(operator, code, points, ORDERS), strict=True
    ):
        torch.testing.assert_close(answer, expected, rtol=1e-10, atol=1e-10)
    # Reverse mode, and differences of values.
    moving = points.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(operator.decode(code, moving)[:, 1].sum(), moving)
    (by_time,) = operator.derivatives(code, points, [(0, 0, 1)])
    total = by_time[:, 1] if layout == "own" else by_time[:, 1].sum(dim=0)
    torch.testing.assert_close(slopes[..., 2], total.detach(), rtol=1e-10, atol=1e-10)
    step = torch.tensor([1e-4, 0.0, 0.0]).double()
    forward, backward = (operator.decode(code, points + sign * step) for sign in (1, -1))
    curvature = (forward - 2 * operator.decode(code, points) + backward) / 1e-8
    torch.testing.assert_close(found[1], curvature, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_a_residual_by_the_weights_is_the_difference_of_residuals() -> None:
    operator = shaken(DeepONet(1, 2, GRID, FRAMES, **SMALL, factor="t"))
    values, points = torch.randn(3, 1, 5, 4).double(), torch.rand(6, 3).double()

    def residual() -> Tensor:
        u, u_xx, u_t = operator.derivatives(
            operator.encode(values), points, [(0, 0, 0), (2, 0, 0), (0, 0, 1)]
        )
        return (u_t - 0.1 * u_xx + u * u).square().mean()

    residual().backward()
    for name, parameter in operator.named_parameters():
        direction = torch.randn_like(parameter)
        slope = (parameter.grad * direction).sum().item()
        with torch.no_grad():
            parameter += 1e-5 * direction
            upper = residual().item()
            parameter -= 2e-5 * direction
            lower = residual().item()
            parameter += 1e-5 * direction
        assert slope == pytest.approx((upper - lower) / 2e-5, rel=1e-5, abs=1e-8), name


def test_conditions_hold_exactly_and_the_output_has_the_period() -> None:
    operator = DeepONet(2, 6, GRID, FRAMES, **SMALL, lift="cos(pi*x)*(1 + y)", factor="y*(3 - y)*t")
    values, x = torch.randn(4, 2, 5, 4), torch.rand(9, 3)
    for column, value in ((1, 0.0), (1, 3.0), (2, 0.0)):
        points = x.clone()
        points[:, column] = value
        expected = torch.cos(math.pi * points[:, 0]) * (1 + points[:, 1])
        torch.testing.assert_close(
            operator(values, query=points), expected.expand(4, 3, 9), rtol=1e-6, atol=1e-6
        )
    code = shaken(operator).encode(values.double())
    moved = x.double() + torch.tensor([2.0, 0.0, 0.0])
    here, there = (operator.derivatives(code, points, ORDERS) for points in (x.double(), moved))
    for left, right in zip(here, there, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)


def test_a_projection_answers_alike_for_a_function_of_its_basis_on_a_grid_and_a_mesh() -> None:
    disk = disk_mesh(3)
    operator = DeepONet(1, 1, disk, **SMALL, sensors="projection", sensor_modes=3)
    assert operator.capabilities.changes_resolution
    assert not DeepONet(1, 1, disk, **SMALL).capabilities.changes_resolution
    assert not DeepONet.capabilities.changes_resolution
    operator = shaken(operator)
    finer, query = disk_mesh(5), torch.rand(6, 2).double() * 0.5
    answers = [
        operator((x * y**2 + 0.5 * x - 1).reshape(1, 1, *domain.shape), domain, query)
        for domain in (
            disk,
            finer,
            Grid.box((7, 9), lower=(-1, -1)),
            Grid.box((8, 5), "chebyshev", lower=(-1, -1)),
        )
        for x, y in [domain.points.T]
    ]
    torch.testing.assert_close(answers[1], answers[2], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(answers[2], answers[3], rtol=1e-12, atol=1e-12)
    # The matrix of the training domain is kept in single precision.
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-6, atol=1e-6)


def test_mionet_is_the_product_of_its_branches_and_linear_where_it_says_so() -> None:
    operator = shaken(MIONet(2, 6, GRID, FRAMES, **SMALL, linear=(1,), bias=False))
    weights = as_arrays(operator)
    values, points = torch.randn(3, 2, 5, 4).double(), torch.rand(4, 3).double()
    answer = operator(values, query=points)
    for sample in range(3):
        first, second = values[sample].flatten(1).numpy()
        product = network(weights, "branches.0", first, False) * (weights["branches.1.weight"] @ second)
        for place in range(4):
            waves = features(points[place].numpy())[[0, 2, 4, 5]]
            trunk = network(weights, "trunk", waves, activate_last=True)
            for variable in range(3):
                expected = product[5 * variable : 5 * variable + 5] @ trunk
                assert answer[sample, variable, place].item() == pytest.approx(expected, rel=1e-11)
    doubled = values * torch.tensor([1.0, 2.0])[:, None, None]
    torch.testing.assert_close(operator(doubled, query=points), 2 * answer, rtol=1e-12, atol=1e-12)


def low_rank_pairs(rank: int, num_samples: int = 40) -> list[tuple[Tensor, Tensor]]:
    """Targets of three variables at two times that lie in a space of a small dimension."""
    inputs = torch.randn(num_samples, 2, 5, 4).double()
    targets = 1 + (torch.randn(num_samples, rank).double() @ torch.randn(rank, 120).double())
    return list(zip(inputs.split(7), targets.reshape(-1, 6, 5, 4).split(7), strict=True))


def test_pod_modes_are_orthonormal_fields_that_hold_what_was_trained_on() -> None:
    operator = PODDeepONet(2, 6, GRID, FRAMES, num_modes=4, branch=(5,)).double()
    pairs = low_rank_pairs(4)
    operator.prepare(pairs)
    weights = GRID.quadrature_weights.flatten().repeat(6)
    torch.testing.assert_close(
        (operator.modes * weights) @ operator.modes.T, torch.eye(4).double(), rtol=0, atol=1e-12
    )
    targets = torch.cat([target for _, target in pairs])
    centred = (targets - targets.mean(dim=0)).flatten(1)
    code = (centred * weights) @ operator.modes.T / operator.deviations
    torch.testing.assert_close(code.square().mean(dim=0), torch.ones(4).double(), rtol=1e-10, atol=0)
    frames = operator.decode(code, FRAMES.points).unflatten(-1, (2, 5, 4)).transpose(1, 2).flatten(1, 2)
    torch.testing.assert_close(frames, targets, rtol=0, atol=1e-10)
    # What `forward` gives on the domain is the same sum.
    operator.branch.forward = lambda _: code
    torch.testing.assert_close(operator(torch.zeros(40, 2, 5, 4).double()), targets, rtol=0, atol=1e-10)


def test_pod_modes_travel_with_the_operator() -> None:
    operator = PODDeepONet(2, 6, GRID, FRAMES, num_modes=3, branch=(5,))
    operator.prepare(low_rank_pairs(8))
    assert operator.modes.dtype == torch.float32
    restored = PODDeepONet(2, 6, GRID, FRAMES, num_modes=3, branch=(5,))
    values = torch.randn(2, 2, 5, 4)
    assert not torch.allclose(restored(values), operator(values))
    restored.load_state_dict(operator.state_dict())
    assert torch.equal(restored(values), operator(values))
    assert restored.double().modes.dtype == torch.float64
    with pytest.raises(ValueError, match="at least 3 samples"):
        operator.prepare([pair for pair in low_rank_pairs(2, 2)])


def test_pod_modes_are_interpolated_in_space_and_linearly_in_time() -> None:
    operator = shaken(PODDeepONet(2, 6, GRID, FRAMES, num_modes=4, branch=(5,)))
    operator.prepare(low_rank_pairs(6))
    values, points = torch.randn(3, 2, 5, 4).double(), torch.rand(3, 7, 2).double()
    on_domain = Field(operator(values), GRID, tuple("abcdef"))
    expected = torch.stack([on_domain.sample(i).at(points[i])[0] for i in range(3)])
    torch.testing.assert_close(operator(values, query=points), expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(
        operator(values, query=points[0]), on_domain.at(points[0]), rtol=1e-11, atol=1e-11
    )
    in_time = torch.cat((points, torch.full((3, 7, 1), 0.6, dtype=torch.float64)), dim=-1)
    between = 0.8 * expected[:, :3] + 0.2 * expected[:, 3:]
    torch.testing.assert_close(operator(values, query=in_time), between, rtol=1e-11, atol=1e-11)
    in_time[..., 2] = 1.5
    with pytest.raises(ValueError, match=r"expected times from 0.5 to 1"):
        operator(values, query=in_time)
    with pytest.raises(NotImplementedError, match="try DeepONet"):
        operator.derivatives(operator.encode(values), points, [(1, 0, 0)])


def test_errors_say_what_is_expected() -> None:
    for build in (DeepONet, MIONet):
        with pytest.raises(ValueError, match="the same last width"):
            build(1, 1, GRID, branch=(4, 5), trunk=(4, 6))
        with pytest.raises(ValueError, match="one formula, or one for each of 3 variables"):
            build(1, 6, GRID, FRAMES, **SMALL, lift=["x", "y"])
        with pytest.raises(ValueError, match="got 'z'"):
            build(1, 6, GRID, FRAMES, **SMALL, factor="x*z")
    with pytest.raises(ValueError, match="stacked or modified"):
        DeepONet(1, 1, GRID, **SMALL, stacked=True, modified=True)
    with pytest.raises(ValueError, match="channels from 0 to 1"):
        MIONet(2, 1, GRID, **SMALL, linear=(2,))
    with pytest.raises(ValueError, match="expected 1 to 20"):
        PODDeepONet(1, 1, GRID, num_modes=21)
    with pytest.raises(ValueError, match="try sensors=projection"):
        DeepONet(1, 1, Grid.box((5,)), **SMALL)(torch.zeros(1, 1, 9), Grid.box((9,)))


def integrated(num_functions: int) -> tuple[Tensor, Tensor]:
    """Sums of four waves on 33 points of [0, 1], and their integrals from 0, which vanish there."""
    x = torch.linspace(0, 1, 33).double()
    frequencies = math.pi * torch.arange(1, 5).double()[:, None]
    first, second = torch.randn(2, num_functions, 4).double() / torch.arange(1, 5)
    inputs = first @ torch.cos(frequencies * x) + second @ torch.sin(frequencies * x)
    outputs = first @ (torch.sin(frequencies * x) / frequencies)
    outputs = outputs + second @ ((1 - torch.cos(frequencies * x)) / frequencies)
    return inputs.float()[:, None], outputs.float()[:, None]


@pytest.mark.parametrize("kind", ["deeponet", "pod"])
def test_the_antiderivative_is_learnt(kind: str) -> None:
    """The map is linear, and so is a branch of one layer; the inputs span 8 dimensions."""
    grid, sensors = Grid.box((33,)), {"sensors": "projection", "sensor_modes": 10}
    inputs, outputs = integrated(300)
    operator: QueryOperator
    if kind == "pod":
        operator = PODDeepONet(1, 1, grid, num_modes=8, branch=(), **sensors)
        operator.prepare([(inputs[:200], outputs[:200])])
    else:
        operator = DeepONet(1, 1, grid, branch=(40,), trunk=(40, 40), factor="x", **sensors)
    optimizer = torch.optim.LBFGS(operator.parameters(), max_iter=800, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (operator(inputs[:200]) - outputs[:200]).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    held_out = outputs[200:]
    assert (operator(inputs[200:]) - held_out).norm() < 0.01 * held_out.norm()
