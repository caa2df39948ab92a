"""Training of an operator that can be exact, on the heat equation."""

import math
import re
from dataclasses import replace
from functools import partial

import pytest
import torch
from heat_training import (
    GRID,
    TIMES,
    LinearSpectral,
    decay,
    make_data,
    make_file,
    make_module,
    make_trainer,
    small_fno,
    trajectories,
)

from pdeops.data import Batch, Normaliser, Window
from pdeops.domains import Field, Grid
from pdeops.operators import FNO, DeepONet, OutputPoints
from pdeops.training import (
    FrequencyRelativeL2,
    MeanSquared,
    RelativeH1,
    RelativeL2,
    SupervisedOperator,
    read_metrics,
)
from pdeops.training.optimisation import scheduler_config


@pytest.fixture
def file(tmp_path):
    return make_file(tmp_path / "heat.h5")


ROLLOUT = Window(input_frames=1, output_frames=3, frames_per_call=1, starts="first")


def exact_module(data, **options):
    """A module whose weights are the solution operator of the heat equation in normalised units."""
    module = make_module(data, **options)
    normaliser = data.output_normaliser
    mean, deviation = normaliser.mean[0], normaliser.deviation[0]
    given = data.input_normaliser
    multiplier = decay(TIMES[1]).float()
    with torch.no_grad():
        module.operator.weight.zero_()
        module.operator.weight[0, 0] = multiplier * given.deviation[0] / deviation
        # The constant function keeps its mean through the heat equation.
        module.operator.offset.zero_()
        module.operator.offset[0, 0] = (given.mean[0] - mean) / deviation
    return module


@pytest.mark.parametrize("window", [None, ROLLOUT])
@pytest.mark.parametrize("loss", [RelativeL2(), FrequencyRelativeL2()])
def test_the_exact_operator_has_no_loss_in_one_shot_and_through_a_rollout(file, window, loss):
    data = make_data(file, window=window)
    module = exact_module(data, loss=loss)
    batch = data.dataset("train")[[0, 1, 2]]
    assert module._loss(batch).item() < 1e-5
    torch.testing.assert_close(module(batch.inputs), batch.targets.values, rtol=1e-4, atol=1e-5)


def test_frequency_and_data_loss_agree_through_a_rollout_with_their_gradients(file):
    data = make_data(file, window=ROLLOUT)
    batch = data.dataset("train")[[0, 1, 2]]
    losses, gradients = [], []
    for loss in (RelativeL2(), FrequencyRelativeL2()):
        module = make_module(data, loss=loss).double()
        value = module._loss(batch)
        value.backward()
        losses.append(value.item())
        gradients.append(module.operator.weight.grad)
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    assert losses[0] > 0.05
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-8, atol=1e-10)


def test_training_finds_the_solution_operator(file, tmp_path):
    data = make_data(file)
    module = make_module(data, lr=0.03)
    trainer = make_trainer(tmp_path / "run", max_epochs=60)
    trainer.fit(module, datamodule=data)
    (metrics,) = trainer.test(module, datamodule=data, ckpt_path="best", verbose=False)
    assert metrics["test/relative_l2"] < 0.02
    assert metrics["test/zero_relative_l2"] == pytest.approx(1.0, abs=1e-12)
    assert metrics["test/relative_l2"] < 0.3 * metrics["test/persistence_relative_l2"]
    assert metrics["test/persistence_relative_l2"] < metrics["test/training_mean_relative_l2"] < 1
    curve = read_metrics(tmp_path / "run" / "metrics.csv")
    assert [row["epoch"] for row in curve] == list(range(60))
    assert curve[-1]["train/loss"] < 0.2 * curve[0]["train/loss"]
    assert 0 < curve[-1]["time/train_step"] < 1
    assert metrics["time/inference_per_sample"] > 0


def test_test_errors_of_trivial_predictors_are_those_of_their_formulas(file, tmp_path):
    data = make_data(file, batch_size=3)
    trainer = make_trainer(tmp_path / "run")
    (metrics,) = trainer.test(make_module(data), datamodule=data, verbose=False)
    frames = trajectories(19).float().double()
    train, test = frames[:11], frames[14:]
    start, target = test[:, 0, 0], test[:, 1, 0]

    def mean_error(prediction):
        return ((prediction - target).norm(dim=-1) / target.norm(dim=-1)).mean().item()

    assert metrics["test/persistence_relative_l2"] == pytest.approx(mean_error(start), rel=1e-6)
    expected = mean_error(train[:, 1, 0].mean(dim=0))
    assert metrics["test/training_mean_relative_l2"] == pytest.approx(expected, rel=1e-6)


def test_validation_errors_do_not_depend_on_the_batch_size(file, tmp_path):
    results = []
    for batch_size in (1, 2, 3):
        data = make_data(file, batch_size=batch_size)
        trainer = make_trainer(tmp_path / "run")
        (metrics,) = trainer.validate(make_module(data), datamodule=data, verbose=False)
        results.append((metrics["validation/relative_l2"], metrics["validation/relative_h1"]))
    assert results[1] == pytest.approx(results[0], rel=1e-6)
    assert results[2] == pytest.approx(results[0], rel=1e-6)


def test_a_loss_that_is_not_finite_says_where_it_came_from(file, tmp_path):
    data = make_data(file)
    data.dataset("train").samples._frames[4, 1, 0, 3] = math.nan
    with pytest.raises(FloatingPointError) as raised:
        make_trainer(tmp_path / "run").fit(make_module(data), datamodule=data)
    message = str(raised.value)
    assert "epoch 0, batch" in message
    assert re.search(
        "inputs: all finite; targets: 1 NaN and 0 infinite of (48|64) numbers; weights: all finite", message
    )
    assert "there is no checkpoint yet" in message


def test_targets_that_vanish_are_named(file, tmp_path):
    data = make_data(file)
    data.dataset("train").samples._frames[:] = 0
    with pytest.raises(FloatingPointError, match=r"zero everywhere.*samples \[0, 1, 2, 3\]"):
        make_trainer(tmp_path / "run").fit(make_module(data), datamodule=data)


def test_a_loss_that_explodes_later_names_the_last_checkpoint(file, tmp_path):
    class Exploding(LinearSpectral):
        calls = 0

        def forward(self, values, domain=None, query=None):
            self.calls += self.training
            return super().forward(values, domain) * (math.inf if self.calls > 4 else 1)

    data = make_data(file)
    module = make_module(data)
    module.operator = Exploding(data.in_channels, data.out_channels, data.input_domain)
    with pytest.raises(FloatingPointError, match=r"epoch 1.*last good checkpoint is .*last\.ckpt"):
        make_trainer(tmp_path / "run").fit(module, datamodule=data)


@pytest.mark.parametrize(("interval", "length"), [("step", 30), ("epoch", 10)])
def test_schedulers_get_the_length_of_the_training_in_their_own_interval(interval, length):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedulers = torch.optim.lr_scheduler
    cosine = scheduler_config(partial(schedulers.CosineAnnealingLR), optimizer, interval, length)
    assert cosine["scheduler"].T_max == length
    assert cosine["interval"] == interval
    cycle = scheduler_config(partial(schedulers.OneCycleLR, max_lr=0.1), optimizer, interval, length)
    assert cycle["scheduler"].total_steps == length
    fixed = scheduler_config(partial(schedulers.CosineAnnealingLR, T_max=7), optimizer, interval, length)
    assert fixed["scheduler"].T_max == 7
    plateau = scheduler_config(schedulers.ReduceLROnPlateau, optimizer, interval, length)
    assert plateau["monitor"] == "validation/relative_l2"


def test_a_training_too_short_for_its_cycle_says_so():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, pct_start=0.1)
    with pytest.raises(ValueError, match="got 10 steps"):
        scheduler_config(cycle, optimizer, "step", 10)


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_cosine_ends_at_rate_zero(file, tmp_path, interval):
    data = make_data(file)
    trainer = make_trainer(tmp_path / "run", max_epochs=3)
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR)
    trainer.fit(make_module(data, scheduler=cosine, interval=interval, lr=0.02), datamodule=data)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)


def test_an_operator_without_coefficients_cannot_train_in_frequency_space():
    operator = FNO(1, 1, GRID, modes=2, width=2, num_layers=1)
    with pytest.raises(TypeError, match="expected a spectral operator"):
        SupervisedOperator(operator, FrequencyRelativeL2(), partial(torch.optim.Adam))


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions_train(file, tmp_path, precision):
    data = make_data(file)
    trainer = make_trainer(tmp_path / "run", precision=precision)
    trainer.fit(make_module(data), datamodule=data)
    assert read_metrics(tmp_path / "run" / "metrics.csv")[-1]["train/loss"] < 1


@pytest.mark.parametrize("loss", ["data", "frequency"])
def test_under_bf16_only_the_operator_is_rounded(file, loss):
    data = make_data(file, window=ROLLOUT if loss == "frequency" else None)
    module = make_module(data, loss=FrequencyRelativeL2() if loss == "frequency" else RelativeL2())
    if loss == "data":
        module.operator = small_fno(data)
    batch = data.dataset("train")[[0, 1, 2]]
    outputs = []
    module.operator.register_forward_hook(lambda _module, _inputs, output: outputs.append(output.detach()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, prediction = module._loss(batch), module(batch.inputs)
    assert value.dtype == prediction.dtype == torch.float32
    if loss == "data":
        assert outputs[0].dtype == torch.bfloat16
        # By hand in double precision from what the operator gave, in half precision, and the whole targets.
        normaliser = data.output_normaliser
        mean, deviation = normaliser.mean.double()[0], normaliser.deviation.double()[0]
        difference = outputs[0].double() * deviation + mean - batch.targets.values.double()
        expected = (difference.norm(dim=-1) / batch.targets.values.double().norm(dim=-1)).mean().item()
        assert value.item() == pytest.approx(expected, rel=1e-6)
        rounded = outputs[0].double() * deviation + mean - batch.targets.values.bfloat16().double()
        other = (rounded.norm(dim=-1) / batch.targets.values.double().norm(dim=-1)).mean().item()
        assert abs(other - expected) > 1e-5 * expected, "rounded targets would be seen"
    else:
        expected = RelativeL2()(prediction, batch.targets.values, GRID).item()
        assert value.item() == pytest.approx(expected, rel=1e-2), "half precision in the operator only"


def test_clipping_bounds_the_norm_of_the_gradient_of_a_step(file, tmp_path):
    def norm_of(gradients):
        return torch.cat([gradient.flatten() for gradient in gradients]).norm().item()

    data = make_data(file, batch_size=11)
    first = make_module(data)
    first._loss(data.dataset("train")[list(range(11))]).backward()
    free = norm_of(parameter.grad for parameter in first.operator.parameters())
    bound = 0.25 * free
    module = make_module(data)
    module.make_optimizer = partial(torch.optim.SGD, lr=1.0)
    before = [parameter.detach().clone() for parameter in module.operator.parameters()]
    trainer = make_trainer(tmp_path / "run", max_epochs=1, gradient_clip_val=bound)
    trainer.fit(module, datamodule=data)
    # Plain gradient descent with rate 1: the step is the clipped gradient.
    steps = [old - new.detach() for old, new in zip(before, module.operator.parameters(), strict=True)]
    assert norm_of(steps) == pytest.approx(bound, rel=1e-4)


def test_static_channels_reach_every_call_of_a_rollout(file):
    data = make_data(file, window=ROLLOUT)
    module = make_module(data)
    batch = data.dataset("train")[[0, 1]]
    seen = []
    module.operator.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0][:, 1]))
    module(batch.inputs)
    assert len(seen) == 3
    expected = data.input_normaliser(batch.inputs.values)[:, 1]
    for static in seen:
        torch.testing.assert_close(static, expected)


def test_a_loss_at_chosen_points_sees_these_points_only(file):
    data = make_data(file, window=Window(output_frames=3, starts="first"))
    data.num_queries = 4
    data._datasets = {}
    data.setup()
    module = make_module(data, loss=MeanSquared())
    batch = data.dataset("train")[[0, 1, 2]]
    chosen = batch.chosen
    prediction = module(batch.inputs).flatten(1)
    target = batch.targets.values.flatten(1)
    # One variable: the channels are the frames, so channels and points in one row are frame by frame.
    rows = torch.arange(3)[:, None]
    expected = (prediction - target)[rows, chosen].square().mean()
    torch.testing.assert_close(module._loss(batch), expected)
    # What is not chosen may be anything.
    hidden = torch.full_like(target, torch.nan)
    hidden[rows, chosen] = target[rows, chosen]
    poisoned = Batch(
        batch.inputs, replace(batch.targets, values=hidden.reshape(batch.targets.values.shape)), chosen
    )
    torch.testing.assert_close(module._loss(poisoned), expected)
    assert data.dataset("validation")[[0]].chosen is None


def test_two_variables_at_chosen_points_are_those_of_the_frames():
    """On the grid and at its points alike: variables apart, frame by frame."""
    grid, window = Grid.periodic((4,)), Window(output_frames=3, starts="first")
    adam = partial(torch.optim.Adam, lr=1e-3)
    query = DeepONet(2, 6, grid, OutputPoints(grid, (1.0, 2.0, 3.0)), branch=(8,), trunk=(8,))
    plain = FNO(2, 6, grid, modes=2, width=4)
    inputs = Field(torch.randn(5, 2, 4), grid, ("u", "v"))
    chosen = torch.stack([torch.randperm(12)[:7] for _ in range(5)])
    mean, deviation = torch.tensor([1.0, -2.0]).repeat(3), torch.tensor([0.5, 4.0]).repeat(3)
    for operator in (query, plain):
        module = SupervisedOperator(
            operator, MeanSquared(), adam, output_normaliser=Normaliser(mean, deviation), window=window
        )
        frames = module(inputs).unflatten(1, (3, 2))
        found = module.at_points(inputs, chosen)
        for sample, row in enumerate(chosen.tolist()):
            for number, point in enumerate(row):
                expected = frames[sample, point // 4, :, point % 4]
                torch.testing.assert_close(found[sample, :, number], expected, rtol=1e-5, atol=1e-5)


def test_mean_square_of_a_known_field():
    grid = Grid.periodic((16,), lengths=(3.0,))
    wave = torch.sin(2 * math.pi / 3 * grid.points[:, 0])
    target = torch.stack((wave, 0 * wave))[None]
    loss = MeanSquared()
    # The mean of the square of a sine is a half, whatever the length of the box.
    torch.testing.assert_close(loss(3 * target, target, grid).item(), 2.0)
    torch.testing.assert_close(loss.at_points(target + 1, target).item(), 2.0)
    with pytest.raises(TypeError, match="mean_squared"):
        RelativeH1().at_points(target, target)
