"""An operator that changes resolution is a map of functions: what it answers depends on the points only as
far as their quadrature errs. Operators are found by themselves, by what they say."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import pytest
import torch
from operators.test_operators_contract import OPTIONS, build, operator_classes
from scipy.spatial import Delaunay
from torch import Tensor

from pdeops.domains import Domain, Grid, Mesh, box_mesh
from pdeops.operators import Operator, QueryOperator, UNet

QUERIES = torch.tensor([[0.13, 0.21], [0.5, 0.45], [0.92, 0.3], [0.31, 0.88], [0.77, 0.71]]).double()
CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).double()


@dataclass(frozen=True, eq=False)
class WeightedPoints(Mesh):
    """Points with weights of their own in place of those of the cells."""

    weights: Tensor | None = None

    @property
    def quadrature_weights(self) -> Tensor:
        return self.weights


def training_mesh() -> Mesh:
    return box_mesh((8, 8))


def found() -> list[str]:
    """Operators that say, on a mesh, that they change resolution."""
    names = []
    for name, kind in operator_classes().items():
        if not kind.capabilities.needs_grid:
            operator = build(name, training_mesh())
            if operator.capabilities.changes_resolution:
                names.append(name)
    return names


NAMES = found()
SIZES = (8, 16, 32)


def uniform(cells: int) -> Mesh:
    return box_mesh((cells, cells))


def graded(cells: int) -> Mesh:
    """Cells that grow by a factor of nine from the origin to the opposite corner, each way."""
    mesh = box_mesh((cells, cells))
    return Mesh(mesh.points * (0.2 + 0.8 * mesh.points), mesh.simplices)


def scattered(cells: int) -> Mesh:
    """Delaunay's triangles of points at random, as many as in `uniform`; none is a point of another size."""
    random = numpy.random.default_rng(cells)
    side = numpy.concatenate(([0.0], numpy.sort(random.random(cells - 1))))
    zero, one = numpy.zeros(cells), numpy.ones(cells)
    sides = [(side, zero), (one, side), (1 - side, one), (zero, 1 - side)]
    boundary = numpy.concatenate([numpy.stack(pair, axis=1) for pair in sides])
    points = numpy.concatenate((boundary, random.random(((cells - 1) ** 2, 2))))
    corners = points[simplices := Delaunay(points).simplices]
    edges = corners[:, 1:] - corners[:, :1]
    # Three points of a side make a flat cell.
    kept = simplices[numpy.abs(numpy.linalg.det(edges)) > 1e-12]
    return Mesh(torch.from_numpy(points), torch.from_numpy(kept.astype(numpy.int64)))


def field(domain: Domain) -> Tensor:
    """The same smooth functions on every domain."""
    x, y = domain.points.T
    first = torch.cos(math.pi * x) * y + x
    second = torch.sin(2 * x + 3 * y)
    return torch.stack((first, second)).reshape(1, 2, *domain.shape)


def operator_of(name: str) -> Operator:
    torch.manual_seed(3)
    operator = build(name, training_mesh()).double()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return operator


def answers(operator: Operator, domain: Domain) -> Tensor:
    """Output at fixed points: anywhere, or in the corners, which every domain has."""
    with torch.no_grad():
        if isinstance(operator, QueryOperator):
            return operator(field(domain), domain, query=QUERIES)[0]
        output = operator(field(domain), domain).flatten(2)[0]
    return output[:, torch.cdist(CORNERS, domain.points).argmin(dim=1)]


def errors(operator: Operator, domains: list[Domain]) -> list[float]:
    """Distance to the answers on a fine grid of Chebyshev points, whose weights are of high order."""
    exact = answers(operator, Grid.box((41, 41), "chebyshev"))
    return [((answers(operator, domain) - exact).norm() / exact.norm()).item() for domain in domains]


def order(values: list[float]) -> float:
    """Mean order over the sizes, each half as wide as the one before."""
    return math.log2(values[0] / values[-1]) / (len(values) - 1)


def test_the_suite_holds_what_it_should() -> None:
    assert {"GNO", "GINO", "TransformerOperator", "Transolver"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [uniform, graded, scattered])
def test_converges_at_the_order_of_the_weights(name: str, kind: Callable[[int], Mesh]) -> None:
    measured = errors(operator_of(name), [kind(cells) for cells in SIZES])
    # Weights of linear elements are of second order: the measured one is nearer to 2 than to 1. Of one random
    # mesh to the next the constant changes, so all sizes count there.
    assert order(measured if kind is scattered else measured[1:]) > 1.5, measured
    assert measured[-1] < 0.005, measured


@pytest.mark.parametrize("name", NAMES)
def test_equal_weights_do_not_converge_on_a_graded_mesh(name: str) -> None:
    operator = operator_of(name)
    meshes = [graded(cells) for cells in SIZES]
    equal = [
        WeightedPoints(
            mesh.points, mesh.simplices, {}, torch.full_like(mesh.points[:, 0], 1 / mesh.num_points)
        )
        for mesh in meshes
    ]
    wrong, right = errors(operator, equal), errors(operator, meshes)
    assert wrong[-1] > 10 * right[-1]
    assert order(wrong) < 0.7


def response(operator: Operator, domain: Domain) -> float:
    """How far the output at one point moves with a bump of the input half a box away."""
    bump = (1 - ((domain.points - torch.tensor([0.25, 0.5]).double()) / 0.125).square().sum(dim=1)).clamp_min(
        0
    )
    moved = field(domain) + bump.reshape(1, 1, *domain.shape)
    point = torch.tensor([[0.75, 0.5]]).double()
    with torch.no_grad():
        if isinstance(operator, QueryOperator):
            change = operator(moved, domain, query=point) - operator(field(domain), domain, query=point)
        else:
            change = (operator(moved, domain) - operator(field(domain), domain)).flatten(2)
            change = change[..., torch.cdist(point, domain.points).argmin()]
    return change.norm().item()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_far_away_stays_seen_on_finer_domains(name: str) -> None:
    operator = operator_of(name)
    coarse, fine = (response(operator, uniform(cells)) for cells in (16, 32))
    assert fine > 1e-8
    assert abs(coarse - fine) < 0.1 * fine


def test_a_u_net_loses_sight_on_finer_grids() -> None:
    # The same weights on a grid that is eight times as fine: the reach of convolutions is a number of points.
    torch.manual_seed(3)
    weights = UNet(2, 3, Grid.box((17, 17), "nodes"), **OPTIONS["UNet"]).state_dict()
    seen = []
    for size in (17, 129):
        grid = Grid.box((size, size), "nodes")
        operator = UNet(2, 3, grid, **OPTIONS["UNet"]).double().eval()
        operator.load_state_dict(weights)
        seen.append(response(operator, grid))
    assert seen[0] > 1e-8
    assert seen[1] == 0


@pytest.mark.parametrize("name", NAMES)
def test_points_split_in_two_and_points_without_weight_change_nothing(name: str) -> None:
    operator, mesh = operator_of(name), scattered(8)
    weights = mesh.quadrature_weights
    values = field(mesh)
    expected = _at(operator, values, mesh)
    parts = weights.clone()
    parts[5:25] /= 2
    split = WeightedPoints(
        torch.cat((mesh.points, mesh.points[5:25])), mesh.simplices, {}, torch.cat((parts, parts[5:25]))
    )
    found = _at(operator, torch.cat((values, values[..., 5:25]), dim=-1), split)
    torch.testing.assert_close(found[..., : expected.shape[-1]], expected, rtol=1e-9, atol=1e-11)
    strangers = WeightedPoints(
        torch.cat((mesh.points, torch.rand(20, 2).double())),
        mesh.simplices,
        {},
        torch.cat((weights, weights.new_zeros(20))),
    )
    found = _at(operator, torch.cat((values, 100 * torch.randn(1, 2, 20).double()), dim=-1), strangers)
    torch.testing.assert_close(found[..., : expected.shape[-1]], expected, rtol=1e-9, atol=1e-11)
    # Without the half weights the doubled points count twice.
    doubled = WeightedPoints(split.points, mesh.simplices, {}, torch.cat((weights, weights[5:25])))
    found = _at(operator, torch.cat((values, values[..., 5:25]), dim=-1), doubled)
    assert (found[..., : expected.shape[-1]] - expected).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_points_have_no_order(name: str) -> None:
    operator, mesh = operator_of(name), scattered(8)
    turn = torch.randperm(mesh.num_points)
    shuffled = Mesh(mesh.points[turn], torch.argsort(turn)[mesh.simplices])
    values = field(mesh)
    expected = _at(operator, values, mesh)
    found = _at(operator, values[..., turn], shuffled)
    if not isinstance(operator, QueryOperator):
        expected = expected[..., turn]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if issubclass(operator_classes()[name], QueryOperator)]
)
def test_a_query_does_not_see_other_queries(name: str) -> None:
    operator, mesh = operator_of(name), scattered(8)
    values = torch.cat((field(mesh), 2 * field(mesh)))
    queries = torch.rand(2, 6, 2).double()
    with torch.no_grad():
        together = operator(values, mesh, query=queries)
        for sample, (number, points) in itertools.product(range(2), enumerate(queries)):
            alone = operator(values[sample : sample + 1], mesh, query=points[2:4])
            if sample == number:
                torch.testing.assert_close(together[sample, :, 2:4], alone[0], rtol=1e-9, atol=1e-11)


def _at(operator: Operator, values: Tensor, domain: Domain) -> Tensor:
    """Output at the fixed queries, or on the domain."""
    with torch.no_grad():
        query = QUERIES if isinstance(operator, QueryOperator) else None
        return operator(values, domain, query=query)
