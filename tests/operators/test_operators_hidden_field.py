"""GNO, GINO and the transformer beyond the contract: derivatives, time, queries of each sample."""

import math

import pytest
import torch
from operators.test_operators_contract import build

from pdeops.domains import Grid, disk_mesh, l_shape_mesh
from pdeops.operators import GINO, GNO, OutputPoints, QueryOperator, TransformerOperator

NAMES = ("GNO", "GINO", "TransformerOperator")
GRID = Grid.box((9, 10), ("periodic", "nodes"))
TIMES = (0.5, 1.0, 2.0)


def make(name: str, times: tuple[float, ...] | None = TIMES) -> tuple[QueryOperator, torch.Tensor]:
    channels = 2 * (1 if times is None else len(times))
    operator = build(name, GRID, out_channels=channels, output=OutputPoints(GRID, times)).double()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return operator, torch.randn(2, 2, 9, 10).double()


@pytest.mark.parametrize("name", NAMES)
def test_frames_are_the_answers_at_their_times(name: str) -> None:
    operator, values = make(name)
    frames = operator(values).unflatten(1, (3, 2))
    for number, time in enumerate(TIMES):
        points = torch.cat((GRID.points, torch.full((90, 1), time).double()), dim=1)
        at_time = operator(values, query=points).unflatten(-1, (9, 10))
        torch.testing.assert_close(frames[:, number], at_time, rtol=1e-6, atol=1e-7)
    assert (frames[:, 0] - frames[:, 2]).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_differences(name: str) -> None:
    operator, values = make(name)
    points = torch.rand(5, 3).double()
    with torch.no_grad():
        code = operator.encode(values)
        orders = [(0, 0, 0), (1, 0, 0), (0, 2, 0), (1, 1, 0), (0, 0, 1)]
        found = operator.derivatives(code, points, orders)
        step = 1e-4
        x, y, t = (step * torch.eye(3).double()).unbind()

        def at(*moves: torch.Tensor) -> torch.Tensor:
            return operator.decode(code, points + sum(moves))

        here = at(0 * x)
        expected = [
            here,
            (at(x) - at(-x)) / (2 * step),
            (at(y) - 2 * here + at(-y)) / step**2,
            (at(x, y) - at(x, -y) - at(-x, y) + at(-x, -y)) / (4 * step**2),
            (at(t) - at(-t)) / (2 * step),
        ]
    for value, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-4 * reference.abs().max().item())
        assert reference.abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_on_derivatives_reaches_the_parameters(name: str) -> None:
    operator, values = make(name, None)
    second = operator.derivatives(operator.encode(values), torch.rand(5, 2).double(), [(2, 0)])[0]
    second.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in operator.leave.parameters())
    assert max(parameter.grad.abs().max() for parameter in operator.leave.parameters()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_closes_around_a_periodic_axis(name: str) -> None:
    operator, values = make(name, None)
    points = torch.rand(6, 2).double()
    around = points + torch.tensor([1.0, 0.0]).double()
    torch.testing.assert_close(
        operator(values, query=around), operator(values, query=points), rtol=1e-6, atol=1e-8
    )


def test_another_space_is_refused() -> None:
    operator, values = make("GINO", None)
    other = Grid.box((9, 10), "nodes")
    with pytest.raises(ValueError, match=r"periods \(1.0, None\)"):
        operator(values, other)
    with pytest.raises(ValueError, match="periods"):
        GNO(1, 1, other, OutputPoints(GRID))


def test_a_point_out_of_reach_is_named() -> None:
    mesh = disk_mesh(2)
    operator = GNO(1, 1, mesh, width=8)
    with pytest.raises(ValueError, match="try a radius of at least"):
        operator(torch.zeros(1, 1, mesh.num_points), query=torch.tensor([[5.0, 0.0]]))


def test_a_field_reaches_one_radius_a_layer() -> None:
    # Three integrals (two layers, one to the query) on a line: nothing is seen from three radii away.
    grid = Grid.box((81,), "nodes")
    operator = GNO(1, 1, grid, width=8, num_layers=2, radius=0.1).double()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    values = torch.zeros(1, 1, 81).double()
    moved = values.clone()
    moved[..., 0] = 1
    change = (operator(moved) - operator(values)).abs()[0, 0]
    distance = grid.points[:, 0]
    assert change[distance > 0.3].max() < 1e-12
    assert change[distance < 0.25].min() > 1e-12


@pytest.mark.parametrize("kind", [GNO, GINO, TransformerOperator])
def test_learns_the_mean_of_a_function_times_a_coordinate(kind: type[QueryOperator]) -> None:
    # a -> x times the mean of a: an integral over the domain, and a coordinate.
    mesh = l_shape_mesh(2)
    weights = (mesh.quadrature_weights / mesh.volume).float()
    x = mesh.points[:, 0].float()
    options = {"num_layers": 2, "width": 16, "num_heads": 2}
    options |= {"GNO": {"radius": 1.5}, "GINO": {"modes": 4, "latent_size": 12}}.get(kind.__name__, {})
    operator = kind(1, 1, mesh, **options)
    optimizer = torch.optim.Adam(operator.parameters(), lr=5e-3)

    def error() -> torch.Tensor:
        values = torch.randn(16, 1, mesh.num_points) + torch.randn(16, 1, 1)
        target = (values @ weights)[..., None] * x
        return (operator(values) - target).norm() / target.norm()

    for _ in range(100):
        optimizer.zero_grad()
        loss = error()
        loss.backward()
        optimizer.step()
    assert error() < 0.2


def test_options_that_do_not_fit_are_refused() -> None:
    for kind in (GNO, GINO, TransformerOperator):
        with pytest.raises(ValueError, match="num_layers"):
            kind(1, 1, GRID, num_layers=0)
    with pytest.raises(ValueError, match="try fewer modes or a finer grid"):
        GINO(1, 1, GRID, modes=10, latent_size=8)
    assert math.isclose(GNO(1, 1, GRID, radius=0.4).radius, 0.4)
