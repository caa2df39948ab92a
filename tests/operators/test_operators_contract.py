"""What every operator must hold, whatever its architecture; new operators are found by themselves."""

import inspect
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import pdeops.operators
from pdeops.domains import AxisKind, Domain, Field, Grid, Mesh, box_mesh, disk_mesh, integrate, refine_mesh
from pdeops.operators import Operator, SpectralOperator

# Architecture options that make each operator small; everything else is found by itself.
OPTIONS: dict[str, dict[str, Any]] = {
    "FNO": {"modes": 3, "width": 6, "num_layers": 2, "projection_width": 8},
    "LSM": {"width": 8, "depth": 2, "projection_width": 8, "modes": 3, "latent_size": 8},
    "T1": {"modes": 7, "width": 6, "num_layers": 2},
    "T1Published": {"modes": 7, "width": 6, "num_layers": 2},
    "T1UNet": {"modes": 7, "width": 8, "depth": 2},
    "MgNO": {"width": 6, "num_layers": 2, "num_levels": 2},
    "FFNO": {"modes": 4, "width": 6, "num_layers": 2, "projection_width": 8},
    "UNet": {"width": 8, "depth": 2},
    "DeepONet": {"branch": (16, 16), "trunk": (16, 16), "sensors": "projection", "sensor_modes": 2},
    "MIONet": {"branch": (16, 16), "trunk": (16, 16), "sensors": "projection", "sensor_modes": 2},
    "PODDeepONet": {"num_modes": 4, "branch": (8,)},
    "GNO": {"width": 8, "num_layers": 2, "num_heads": 2, "kernel_width": 8, "projection_width": 8},
    "GINO": {"width": 8, "num_layers": 2, "modes": 3, "latent_size": 8, "num_heads": 2, "kernel_width": 8},
    "TransformerOperator": {"width": 8, "num_layers": 2, "num_heads": 2, "num_tokens": 20},
    "Transolver": {"width": 8, "num_layers": 2, "num_slices": 5, "num_heads": 2},
}


def operator_classes() -> dict[str, type[Operator]]:
    """Every operator that `pdeops.operators` shows."""
    shown = {name: getattr(pdeops.operators, name) for name in pdeops.operators.__all__}
    return {
        name: found
        for name, found in shown.items()
        if inspect.isclass(found) and issubclass(found, Operator) and not inspect.isabstract(found)
    }


def build(
    name: str, domain: Domain, *, in_channels: int = 2, out_channels: int = 3, **options: Any
) -> Operator:
    """Build the small configuration of an operator on a domain."""
    operator = operator_classes()[name]
    return operator(in_channels, out_channels, domain, **{**OPTIONS[name], **options})


def example_domains(name: str) -> list[Domain]:
    """Domains of every dimension that the operator names: grids that are not square, of odd sizes, with mixed
    kinds of axes; meshes whose points are even and not."""
    capabilities = operator_classes()[name].capabilities
    grids = [
        Grid.periodic((16,)),
        Grid.periodic((14, 17)),
        Grid.box((24, 16), "cells"),
        Grid.box((13, 17), ("periodic", "nodes"), upper=(2.0, 3.0)),
        Grid.periodic((8, 9, 11)),
    ]
    meshes = [] if capabilities.needs_grid else [box_mesh((16,)), disk_mesh(3), box_mesh((2, 3, 4))]
    return [
        domain
        for domain in (*grids, *meshes)
        if domain.dimension in capabilities.dimensions
        and (isinstance(domain, Mesh) or {axis.kind for axis in domain.axes} <= capabilities.axis_kinds)
    ]


def label(domain: Domain) -> str:
    """Sizes and the last kind of axis of a grid, dimension and points of a mesh."""
    if isinstance(domain, Mesh):
        return f"mesh-{domain.dimension}d-{domain.num_points}"
    return f"{'x'.join(map(str, domain.shape))}-{domain.axes[-1].kind}"


NAMES = sorted(operator_classes())
CASES = [
    pytest.param(name, domain, id=f"{name}-{label(domain)}")
    for name in NAMES
    for domain in (example_domains(name) if name in OPTIONS else ())
]


def make(name: str, domain: Domain, **options: object) -> tuple[Operator, torch.Tensor]:
    torch.manual_seed(1)
    operator = build(name, domain, **options)
    with torch.no_grad():
        # Away from the start, which may hold exact zeros on purpose (a head that begins silent).
        for parameter in operator.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return operator, torch.randn(3, 2, *domain.shape)


def smooth(domain: Domain) -> torch.Tensor:
    """The same smooth function on every domain of a box: waves that close, and cosines between walls."""
    first, second = torch.ones(domain.shape).double(), torch.ones(domain.shape).double()
    for fraction, closes in fractions(domain):
        if closes:
            first = first * (1 + torch.cos(2 * math.pi * fraction))
            second = second + torch.sin(2 * math.pi * fraction)
        else:
            first = first * torch.cos(math.pi * fraction)
            second = second + torch.cos(2 * math.pi * fraction)
    return torch.stack((first, second))[None]


def fractions(domain: Domain) -> list[tuple[torch.Tensor, bool]]:
    """Each coordinate from 0 to 1 over the box around the domain, and whether it closes."""
    if isinstance(domain, Mesh):
        lower, upper = domain.points.amin(dim=0), domain.points.amax(dim=0)
        return [(fraction, False) for fraction in ((domain.points - lower) / (upper - lower)).T]
    return [
        ((coordinate - axis.lower) / axis.length, axis.is_periodic)
        for axis, coordinate in zip(domain.axes, domain.coordinates, strict=True)
    ]


def finer(domain: Domain, doublings: int) -> Domain:
    """The same domain with half the spacing, some times over."""
    if isinstance(domain, Mesh):
        return refine_mesh(domain, doublings)
    factor = 2**doublings
    # Nodes are refined by their intervals, so that the box stays. The examples have 16 or 24 intervals from
    # wall to wall, so that a strip of an eighth is a whole number of points.
    return domain.with_shape(
        [
            factor * (axis.num_points - 1) + 1 if axis.kind is AxisKind.NODES else factor * axis.num_points
            for axis in domain.axes
        ]
    )


def relative_change(coarse: Field, fine: Field) -> torch.Tensor:
    """Norm of the difference of two outputs over the norm of the finer one."""
    if isinstance(fine.domain, Mesh):
        # A refined mesh has the points of the coarse one first.
        values = fine.values[..., : coarse.domain.num_points]
        squares = integrate(torch.stack(((coarse.values - values).square(), values.square())), coarse.domain)
        return (squares[0].sum() / squares[1].sum()).sqrt()
    return (coarse.resample(fine.domain).values - fine.values).norm() / fine.values.norm()


def test_every_operator_has_an_example() -> None:
    assert sorted(OPTIONS) == NAMES


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_output_lies_on_the_domain_and_every_parameter_gets_a_gradient(name: str, domain: Domain) -> None:
    operator, values = make(name, domain)
    output = operator(values)
    assert output.shape == (3, 3, *domain.shape)
    assert output.dtype == torch.float32
    output.square().mean().backward()
    for parameter_name, parameter in operator.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_each_input_channel_moves_each_output_channel(name: str, domain: Domain) -> None:
    operator, values = make(name, domain)
    reference = operator(values)
    for channel in range(2):
        moved = values.clone()
        moved[:, channel] += torch.randn_like(moved[:, channel])
        change = (operator(moved) - reference).flatten(start_dim=2).norm(dim=2)
        assert (change > 1e-5 * reference.flatten(start_dim=2).norm(dim=2)).all()


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_samples_of_a_batch_do_not_see_each_other(name: str, domain: Domain) -> None:
    operator, values = make(name, domain)
    # As in a prediction: batch normalisation, where an operator has it, mixes samples in training only.
    operator.eval()
    changed = values.clone()
    changed[1:] = torch.randn_like(changed[1:])
    torch.testing.assert_close(operator(changed)[:1], operator(values)[:1], rtol=0, atol=0)
    # Batch size changes the blocking of a product, thus the order of its sums, but no more.
    torch.testing.assert_close(operator(values[1:2]), operator(values)[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_save_and_load_bit_for_bit(name: str, domain: Domain, tmp_path: Path) -> None:
    operator, values = make(name, domain)
    # A training step moves running means, where there are any; predictions need them.
    before = operator.eval()(values)
    operator.train()(values)
    torch.save(operator.state_dict(), tmp_path / "weights.pt")
    restored = build(name, domain).eval()
    restored.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    prediction = operator.eval()(values)
    assert torch.equal(restored(values), prediction)
    has_running_means = any(key.endswith("running_mean") for key in operator.state_dict())
    assert torch.equal(before, prediction) != has_running_means


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_output_converges_when_the_domain_is_refined(name: str, domain: Domain) -> None:
    operator, _ = make(name, domain)
    operator = operator.double()
    if not operator.capabilities.changes_resolution:
        pytest.skip("does not say so")
    outputs = []
    for doublings in range(2 if domain.dimension == 3 and isinstance(domain, Grid) else 3):
        fine = finer(domain, doublings)
        with torch.no_grad():
            outputs.append(Field(operator(smooth(fine), fine), fine, ("a", "b", "c")))
    steps = [relative_change(coarse, fine) for coarse, fine in itertools.pairwise(outputs)]
    if not domain.boundary_names:
        # Smooth functions on a torus: what the activation aliases is all that differs.
        assert steps[0] < 1e-2
        assert len(steps) == 1 or steps[1] < 0.1 * steps[0] + 1e-6
    else:
        # A strip behind a wall is rounded to whole points, and the field jumps there: first order. The lumped
        # weights of a mesh are of second order.
        assert steps[1] < 0.75 * steps[0] + 1e-6
        assert steps[1] < 0.1


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_autocast_stays_close(name: str, domain: Domain) -> None:
    operator, values = make(name, domain)
    reference = operator(values)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = operator(values)
    output.float().square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in operator.parameters())
    # bfloat16 carries 8 bits: 0.4 % an operation, a few of them in a row.
    assert (output.float() - reference).norm() / reference.norm() < 0.05


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_the_same_numbers_every_time(name: str, domain: Domain) -> None:
    runs = []
    for _ in range(2):
        operator, values = make(name, domain)
        output = operator(values)
        output.square().mean().backward()
        runs.append([output, *(parameter.grad for parameter in operator.parameters())])
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", NAMES)
def test_compiled_equals_eager(name: str) -> None:
    operator, values = make(name, Grid.periodic((14, 17)))
    compiled = torch.compile(operator, dynamic=False)
    torch.testing.assert_close(compiled(values), operator(values), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_errors_say_what_fits(name: str) -> None:
    operator, values = make(name, Grid.periodic((14, 17)))
    with pytest.raises(ValueError, match="expected values of shape"):
        operator(values[:, :1])
    with pytest.raises(ValueError, match="expected values of shape"):
        operator(torch.zeros(1, 2, 20, 20))
    if not operator.capabilities.any_query:
        with pytest.raises(ValueError, match="query=None"):
            operator(values, query=torch.zeros(4, 2))
    mesh = Mesh(torch.eye(3, 2).double(), torch.tensor([[0, 1, 2]]))
    if operator.capabilities.needs_grid:
        assert "expected a grid" in type(operator).misfit(mesh)
    else:
        assert type(operator).misfit(mesh) is None
        with pytest.raises(ValueError, match="expected values of shape"):
            operator(torch.zeros(1, 2, 4), mesh)
    for kind in set(AxisKind) - operator.capabilities.axis_kinds:
        assert str(kind) in type(operator).misfit(Grid.box((14, 17), kind))


@pytest.mark.parametrize(("name", "domain"), CASES)
def test_coefficients_are_those_of_the_output(name: str, domain: Domain) -> None:
    operator, values = make(name, domain)
    if not isinstance(operator, SpectralOperator):
        pytest.skip("not a spectral operator")
    coefficients = operator.coefficients(values)
    assert coefficients.shape == (3, 3, *operator.transform.modes)
    torch.testing.assert_close(
        operator.transform.inverse(coefficients, domain.shape), operator(values), rtol=1e-4, atol=1e-5
    )
