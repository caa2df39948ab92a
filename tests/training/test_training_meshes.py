"""Losses, metrics, training, resuming and loading on meshes."""

import math
from functools import partial

import pytest
import torch
from heat_training import make_trainer
from mesh_training import NAME, PointwiseLinear, make_data, make_file, uneven_mesh

import pdeops
from pdeops.data.stored_meshes import same_domain
from pdeops.domains import Field, Mesh
from pdeops.training import RelativeH1, RelativeL2, SupervisedOperator, describe, trivial
from pdeops.training.metrics import RelativeError


def make_module(data, lr=0.1):
    torch.manual_seed(1)
    return SupervisedOperator(
        PointwiseLinear(data.in_channels, data.out_channels, data.input_domain),
        RelativeL2(),
        partial(torch.optim.Adam, lr=lr),
        input_normaliser=data.input_normaliser,
        output_normaliser=data.output_normaliser,
        artefact=describe({"_target_": NAME, "_partial_": True}, data),
    )


def test_relative_l2_is_the_ratio_of_integrals():
    # Nodal weights integrate linear functions exactly: the squares of target and error are 1 + x and x.
    mesh = uneven_mesh()
    x = mesh.points[:, 0]
    target = (1 + x).sqrt().expand(2, 1, -1).clone()
    prediction = target + x.sqrt()
    expected = math.sqrt(0.5 / 1.5)
    metric = RelativeError("l2")
    metric.update(prediction, target, mesh)
    assert metric.compute().item() == pytest.approx(expected, rel=1e-13)
    assert RelativeL2()(prediction, target, mesh).item() == pytest.approx(expected, rel=1e-13)
    # A mean over the points would be far off, for they crowd where x is small.
    assert abs(math.sqrt(x.mean() / (1 + x).mean()) - expected) > 0.1


def test_relative_h1_takes_the_gradient_of_the_linear_function_on_each_cell():
    # Error 2x - 3y + c, target 5y: gradients (2, -3) and (0, 5) on a square of area one.
    mesh = uneven_mesh()
    x, y = mesh.points.T
    weights = mesh.quadrature_weights
    error, target = 2 * x - 3 * y + 1, 5 * y
    expected = math.sqrt(((error**2 @ weights) + 13) / ((target**2 @ weights) + 25))
    metric = RelativeError("h1")
    fields = [values.expand(1, 1, -1) for values in (target + error, target)]
    metric.update(*fields, mesh)
    assert metric.compute().item() == pytest.approx(expected, rel=1e-13)
    assert RelativeH1()(*fields, mesh).item() == pytest.approx(expected, rel=1e-13)


def test_normalisers_are_fitted_over_samples_and_points(tmp_path):
    data = make_data(make_file(tmp_path / "data.h5", uneven_mesh()))
    source = torch.randn(12, 49, generator=torch.Generator().manual_seed(0)).double()[:7]
    assert data.input_normaliser.mean.item() == pytest.approx(source.mean().item(), rel=1e-6)
    assert data.output_normaliser.deviation.item() == pytest.approx(
        3 * source.std(correction=0).item(), rel=1e-6
    )


def test_training_finds_the_map_and_a_loaded_surrogate_is_the_same(tmp_path):
    mesh = uneven_mesh()
    data = make_data(make_file(tmp_path / "data.h5", mesh))
    module, trainer = make_module(data), make_trainer(tmp_path / "run", max_epochs=60)
    trainer.fit(module, datamodule=data)
    (metrics,) = trainer.test(module, datamodule=data, verbose=False)
    assert metrics["test/relative_l2"] < 1e-2 < metrics["test/training_mean_relative_l2"]
    assert metrics["test/zero_relative_l2"] == pytest.approx(1.0, rel=1e-12)
    mean = trivial.training_mean(data.train_dataloader())
    test = data.dataset("test")[[0, 1, 2]].targets
    expected = (
        Field(mean.expand(3, 1, -1), mesh, test.channels).relative_error(test.to(dtype=torch.float64)).mean()
    )
    assert metrics["test/training_mean_relative_l2"] == pytest.approx(expected.item(), rel=1e-6)

    surrogate = pdeops.load(tmp_path / "run")
    # The same mesh, as another object: from another file, say.
    again = Mesh(mesh.points.clone(), mesh.simplices.clone(), dict(mesh.boundaries))
    source = torch.linspace(-1, 1, 49).expand(2, 1, -1).double()
    prediction = surrogate.predict({"source": Field(source, again, ("source",))})
    assert prediction.domain is again
    torch.testing.assert_close(prediction.values.double(), 3 * source + 1, rtol=0, atol=0.05)
    assert torch.equal(prediction.values, surrogate.predict(source).values)
    assert same_domain(surrogate.predict(source).domain, mesh)
    assert surrogate.predict(source, domain=again).values.shape == (2, 1, 49)
    moved = Mesh(2 * mesh.points, mesh.simplices, mesh.boundaries)
    with pytest.raises(ValueError, match="does not carry over to other resolutions"):
        surrogate.predict(Field(source, moved, ("source",)))


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    path = make_file(tmp_path / "data.h5", uneven_mesh())
    weights = []
    for name, stops in (("whole", (3,)), ("halves", (1, 3))):
        for epochs in stops:
            data = make_data(path)
            trainer, module = make_trainer(tmp_path / name, max_epochs=epochs), make_module(data)
            last = tmp_path / name / "checkpoints" / "last.ckpt"
            trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None, weights_only=True)
        weights.append(module.operator.map.weight.detach())
    assert torch.equal(*weights)
