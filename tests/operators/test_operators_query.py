"""The contract of operators that answer at any point, held by one whose answer is a formula."""

import math

import pytest
import torch
from torch import Tensor

from pdeops.domains import Domain, Grid, disk_mesh
from pdeops.operators import Capabilities, OutputPoints, QueryOperator


class Waves(QueryOperator):
    """Two variables, a sin(2 pi x) e^(-t) and a cos(2 pi x) t, with the mean a of the first channel."""

    capabilities = Capabilities(dimensions=frozenset({1}), needs_grid=False, any_query=True)

    def encode(self, values: Tensor, domain: Domain | None = None) -> Tensor:
        return values[:, 0].flatten(1).mean(dim=1)

    def decode(self, code: Tensor, points: Tensor) -> Tensor:
        points = points.expand(len(code), *points.shape[-2:])
        x, t = points[..., 0], points[..., 1]
        waves = torch.stack(
            (torch.sin(2 * math.pi * x) * torch.exp(-t), torch.cos(2 * math.pi * x) * t), dim=1
        )
        return code[:, None, None] * waves


GRID = Grid.periodic((8,))
TIMES = (0.5, 1.0, 1.5)


def make() -> tuple[Waves, Tensor]:
    return Waves(1, 6, GRID, OutputPoints(GRID, TIMES)), torch.tensor([1.0, 3.0]).double()[
        :, None, None
    ].expand(2, 1, 8)


def formula(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
    return torch.sin(2 * math.pi * x) * math.exp(-t), torch.cos(2 * math.pi * x) * t


def test_without_a_query_frames_come_time_major_on_the_domain() -> None:
    operator, values = make()
    output = operator(values)
    x = GRID.points[:, 0]
    expected = torch.stack([wave for t in TIMES for wave in formula(x, t)])
    torch.testing.assert_close(output, torch.stack((expected, 3 * expected)))
    finer = Grid.periodic((16,))
    torch.testing.assert_close(operator(values.repeat(1, 1, 2), finer)[..., ::2], output)


def test_points_of_space_give_all_frames_and_points_of_space_and_time_one_value() -> None:
    operator, values = make()
    x = torch.tensor([[0.1], [0.7], [0.9]]).double()
    frames = operator(values, query=x)
    assert frames.shape == (2, 6, 3)
    for number, t in enumerate(TIMES):
        at = torch.cat((x, torch.full_like(x, t)), dim=1)
        torch.testing.assert_close(operator(values, query=at), frames[:, 2 * number : 2 * number + 2])
    # Own points of each sample.
    own = torch.stack((at, at.flip(0)))
    torch.testing.assert_close(operator(values, query=own)[1], operator(values, query=at)[1].flip(-1))
    torch.testing.assert_close(operator(values, query=own[..., :1])[1], frames[1].flip(-1))


@pytest.mark.parametrize("shape", [(3, 3), (3, 5, 2), (2, 1, 5, 1)])
def test_a_query_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    operator, values = make()
    with pytest.raises(ValueError, match="expected a query of shape"):
        operator(values, query=torch.zeros(shape).double())


def test_the_outputs_may_live_on_another_domain() -> None:
    mesh = disk_mesh(1)

    class Constant(Waves):
        def decode(self, code: Tensor, points: Tensor) -> Tensor:
            return code[:, None, None] * points.expand(len(code), *points.shape[-2:])[..., :1].mT

    operator = Constant(1, 1, GRID, OutputPoints(mesh))
    output = operator(torch.ones(2, 1, 8).double())
    torch.testing.assert_close(output[1, 0], mesh.points[:, 0])


def test_derivatives_are_those_of_the_formula() -> None:
    operator, values = make()
    at = torch.tensor([[0.1, 0.3], [0.7, 0.2]]).double()
    code = operator.encode(values)
    second, mixed = operator.derivatives(code, at, [(2, 0), (1, 1)])
    first, _ = operator.decode(code, at).unbind(1)
    torch.testing.assert_close(second[:, 0], -((2 * math.pi) ** 2) * first)
    slope = 2 * math.pi * torch.cos(2 * math.pi * at[:, 0]) * -torch.exp(-at[:, 1])
    torch.testing.assert_close(mixed[:, 0], values[:, 0, :1] * slope)


def test_channels_are_frames_times_variables() -> None:
    with pytest.raises(ValueError, match="multiple of the 3 frames, got 4"):
        Waves(1, 4, GRID, OutputPoints(GRID, TIMES))
