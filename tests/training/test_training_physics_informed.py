"""Training on equations: derivatives in physical units, gradients, nothing of solutions, and going on."""

import csv
from dataclasses import replace
from functools import partial

import pytest
import torch
from formula_operator import FormulaOperator, SmallBranchAndTrunk
from heat_training import make_trainer

from pdeops.data import Batch, Normaliser, PDEDataModule, Recipe, Window
from pdeops.domains import Field, Grid
from pdeops.operators import FNO, OutputPoints
from pdeops.problems import ExactSolution, HeatEquation, NavierStokes2D, Poisson
from pdeops.training import (
    PhysicsInformedLoss,
    PhysicsInformedOperator,
    RelativeL2,
    describe,
    find_checkpoint,
    physics_misfit,
    read_checkpoint,
)
from pdeops.training.collocation import seeded
from solvers import SpectralSolver

GRID = Grid.periodic((16,))
HEAT = HeatEquation(dimension=1, diffusivity=0.02)
WINDOW = Window(input_frames=1, output_frames=2, starts="first")
TIMES = (0.1, 0.2)
ADAM = partial(torch.optim.Adam, lr=0.01)


def make_data(folder):
    recipe = Recipe(
        problem=HEAT,
        solver=SpectralSolver(),
        domain=GRID,
        times=(0.0, *TIMES),
        num_samples=13,
        seed=0,
        num_validation=2,
        num_test=3,
    )
    data = PDEDataModule(
        recipe,
        folder,
        window=WINDOW,
        solve_training=False,
        normalise="inputs",
        batch_size=4,
        progress=False,
    )
    data.prepare_data()
    data.setup()
    return data


def make_module(data, *, dropout=0.0, scheduler=None, **options):
    torch.manual_seed(1)
    output = OutputPoints(GRID, TIMES)
    operator = SmallBranchAndTrunk(1, 2, data.input_domain, output, dropout=dropout)
    return PhysicsInformedOperator(
        operator,
        PhysicsInformedLoss(HEAT, num_points=20, num_boundary_points=10, **options),
        ADAM,
        scheduler,
        scheduler_interval="step",
        input_normaliser=data.input_normaliser,
        output_normaliser=data.output_normaliser,
        window=data.window,
        artefact=describe({"_target_": "formula_operator.SmallBranchAndTrunk", "dropout": dropout}, data),
    )


def train(folder, run, max_epochs, *, resume=None, poison=False):
    data = make_data(folder)
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=8)
    module = make_module(data, dropout=0.2, scheduler=cosine)
    if poison:
        plain = module._loss

        def with_wrong_targets(batch):
            nonsense = torch.full((batch.batch_size, 2, 16), torch.nan)
            targets = Field(nonsense, GRID, ("temperature[1]", "temperature[2]"))
            return plain(Batch(batch.inputs, targets))

        module._loss = with_wrong_targets
    trainer = make_trainer(run, max_epochs=max_epochs)
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    return trainer, module, data


def weights(run):
    return read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]


def curve(run):
    with (run / "metrics.csv").open() as stream:
        return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in csv.DictReader(stream)]


def test_four_epochs_equal_two_and_two_more_bit_for_bit(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(tmp_path, whole, 4)
    train(tmp_path, parts, 2)
    torch.rand(17)  # whatever happened to the random numbers in between
    train(tmp_path, parts, 4, resume=find_checkpoint(parts))
    assert curve(parts) == curve(whole)
    assert [row["epoch"] for row in curve(whole)] == ["0", "1", "2", "3"]
    for name, value in weights(whole).items():
        assert torch.equal(weights(parts)[name], value), name


def test_targets_are_never_looked_at(tmp_path):
    train(tmp_path, tmp_path / "clean", 2)
    train(tmp_path, tmp_path / "poisoned", 2, poison=True)
    clean, poisoned = (weights(tmp_path / name) for name in ("clean", "poisoned"))
    assert all(bool(value.isfinite().all()) for value in clean.values())
    for name, value in clean.items():
        assert torch.equal(poisoned[name], value), name


def test_every_step_has_points_of_its_own(tmp_path):
    data = make_data(tmp_path)
    module = make_module(data)
    steps, plain = [], module.loss.parts

    def recorded(answer, inputs, final_time, generator):
        steps.append(generator.initial_seed())
        return plain(answer, inputs, final_time, generator)

    module.loss.parts = recorded
    make_trainer(tmp_path / "run", max_epochs=3).fit(module, datamodule=data)
    assert len(set(steps)) == len(steps) == 6  # eight samples in batches of four
    assert steps[4] == seeded(0, 4).initial_seed()


def test_validation_and_test_compare_with_solutions(tmp_path):
    trainer, module, data = train(tmp_path, tmp_path / "run", 1)
    (metrics,) = trainer.test(module, datamodule=data, verbose=False)
    batch = next(iter(data.test_dataloader()))
    with torch.no_grad():
        prediction = Field(module.eval()(batch.inputs), GRID, batch.targets.channels)
    expected = prediction.relative_error(batch.targets).mean().item()
    assert metrics["test/relative_l2"] == pytest.approx(expected, rel=1e-5)
    assert "test/training_mean_relative_l2" not in metrics
    assert metrics["test/zero_relative_l2"] == pytest.approx(1)


def exact_module(normaliser, weight=1.0):
    """A module whose operator is the sine mode in the normaliser's units, and the inputs of the mode."""
    exact = HEAT.exact_solutions()["sine_mode"]
    mean, deviation = (buffer.item() for buffer in (normaliser.mean[0], normaliser.deviation[0]))
    units = {name: item for name, item in exact.expressions.items()}
    units["temperature"] = (exact.expressions["temperature"] - mean) / deviation
    operator = FormulaOperator(ExactSolution(exact.problem, units, "normalised"), GRID, TIMES)
    with torch.no_grad():
        operator.weight.fill_(weight)
    module = PhysicsInformedOperator(
        operator,
        PhysicsInformedLoss(exact.problem, num_points=30, num_boundary_points=8),
        ADAM,
        output_normaliser=normaliser,
        window=WINDOW,
    )
    inputs = exact.inputs(GRID)["initial_temperature"]
    return module.double(), Field(inputs.values, GRID, ("temperature",))


def test_residuals_are_in_physical_units():
    """Mean 4 and deviation 1/2 are exact in float32: the solution still leaves nothing."""
    normaliser = Normaliser(torch.tensor([4.0, 4.0]), torch.tensor([0.5, 0.5]))
    module, inputs = exact_module(normaliser)
    assert module._loss(Batch(inputs)).item() < 1e-24
    # An answer that is 4 too low has the residual of its initial values alone: 4^2.
    module, inputs = exact_module(normaliser)
    normaliser.mean.zero_()
    assert module._loss(Batch(inputs)).item() == pytest.approx(16, rel=1e-9)


def test_the_gradient_is_that_of_finite_differences():
    normaliser = Normaliser(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0]))
    module, inputs = exact_module(normaliser, weight=1.3)
    loss = module._loss(Batch(inputs))
    (slope,) = torch.autograd.grad(loss, module.operator.weight)
    step, sides = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            module.operator.weight.fill_(1.3 + sign * step)
        sides.append(module._loss(Batch(inputs)).item())
    assert slope.item() == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-7)
    assert abs(slope.item()) > 0.01


def test_every_weight_of_a_network_gets_the_gradient_of_finite_differences(tmp_path):
    data = make_data(tmp_path)
    module = make_module(data, initial_weight=3.0).double()
    batch = Batch(data.dataset("train")[[0, 1, 2]].inputs.to(dtype=torch.float64))
    module._loss(batch).backward()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.operator.named_parameters():
        direction = torch.randn(parameter.shape, generator=generator).double()
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * 1e-5 * direction
            sides.append(module._loss(batch).item())
            with torch.no_grad():
                parameter -= sign * 1e-5 * direction
        along = (parameter.grad * direction).sum().item()
        assert along == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-9), name


def test_weights_of_the_parts_add_up():
    normaliser = Normaliser.identity(2)
    module, inputs = exact_module(normaliser, weight=1.5)
    loss = module.loss
    total = module._loss(Batch(inputs)).item()
    loss.weights = {"residual": 0.0, "initial": 1.0, "boundary": 1.0}
    # Half the initial state is too much, and its points are drawn after those of the equation.
    drawn = module._loss(Batch(inputs)).item()
    assert 0 < drawn < 0.25
    assert total > 0
    loss.weights = {"residual": 0.0, "initial": 7.0, "boundary": 1.0}
    assert module._loss(Batch(inputs)).item() == pytest.approx(7 * drawn, rel=1e-12)


def test_what_does_not_fit_is_refused():
    assert physics_misfit(SmallBranchAndTrunk, Poisson(dimension=1), None) is None
    assert "answers at any point, got FNO" in physics_misfit(FNO, HEAT, WINDOW)
    assert "unknowns ['stream_function']" in physics_misfit(SmallBranchAndTrunk, NavierStokes2D(), WINDOW)
    for changes in ({"first_frame": 1}, {"frames_per_call": 1}, {"input_frames": 2}, {"output_frames": 1}):
        settings = {"frames_per_call": 0, **changes}
        assert "window of one call" in physics_misfit(
            SmallBranchAndTrunk, HEAT, replace(WINDOW, **settings)
        ), changes
    with pytest.raises(TypeError, match="expected a PhysicsInformedLoss, got RelativeL2"):
        PhysicsInformedOperator(SmallBranchAndTrunk(1, 1, GRID), RelativeL2(), ADAM)
    for options in ({"num_points": 0}, {"boundary_weight": -1.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            PhysicsInformedLoss(HEAT, **options)


def test_autocast_does_not_lower_the_precision_of_the_residual():
    normaliser = Normaliser.identity(2)
    module, inputs = exact_module(normaliser)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert module._loss(Batch(inputs)).item() < 1e-24
