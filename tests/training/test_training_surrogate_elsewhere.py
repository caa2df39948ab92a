"""Predictions on other domains than those of training: interpolated on meshes, or read there."""

import pytest
import torch
from mesh_training import PointwiseLinear, uneven_mesh

from pdeops import __version__
from pdeops.domains import Field, Grid, Mesh, box_mesh, l_shape_mesh
from pdeops.operators import Capabilities
from pdeops.training import Surrogate
from pdeops.training.artefact import Artefact


class Carrying(PointwiseLinear):
    """The same at any points."""

    capabilities = Capabilities(frozenset({1, 2, 3}), needs_grid=False)


def surrogate_on(domain, operator=PointwiseLinear):
    """A surrogate of the map from u to 2 u + 1."""
    made = operator(1, 1, domain)
    torch.nn.init.constant_(made.map.weight, 2.0)
    torch.nn.init.constant_(made.map.bias, 1.0)
    artefact = Artefact(
        operator={},
        input_channels=("source",),
        variables=("potential",),
        units={},
        input_domain=domain,
        output_domain=domain,
        window=None,
        time_step=None,
        problem="",
        parameters={},
        versions={"pdeops": __version__},
    )
    return Surrogate(made.double(), artefact)


def linear(domain):
    """A linear function as a field."""
    values = domain.points @ torch.tensor([2.0, 3.0]).double()
    return Field(values.reshape(1, 1, *domain.shape), domain, ("source",))


@pytest.mark.parametrize(
    "domain", [box_mesh((5, 4)), Grid.box((5, 7), "nodes"), Grid.box((6, 3), "cells", upper=(0.5, 0.5))]
)
def test_a_prediction_on_a_mesh_is_given_on_another_domain_inside(domain):
    mesh = uneven_mesh()
    prediction = surrogate_on(mesh).predict(linear(mesh), domain)
    assert prediction.domain is domain
    torch.testing.assert_close(prediction.values, 2 * linear(domain).values + 1, rtol=0, atol=1e-12)


def test_what_lies_outside_is_refused():
    mesh = l_shape_mesh(2)
    with pytest.raises(ValueError, match=r"expected points inside, got .* outside"):
        surrogate_on(mesh).predict(linear(mesh), Grid.box((4, 4), "nodes"))


def test_inputs_on_a_mesh_of_the_grids_box_are_read_and_others_are_not():
    surrogate = surrogate_on(Grid.box((4, 4), "cells"), Carrying)
    mesh = uneven_mesh()
    found = surrogate.predict(linear(mesh))
    torch.testing.assert_close(found.values, 2 * linear(mesh).values + 1, rtol=0, atol=1e-12)
    corner = l_shape_mesh(2)
    same_ends = Mesh((corner.points + 1) / 2, corner.simplices, corner.boundaries)
    for other in (box_mesh((4, 4), upper=(2.0, 1.0)), same_ends):
        with pytest.raises(ValueError, match="predict: expected inputs on"):
            surrogate.predict(linear(other))
