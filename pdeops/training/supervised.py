"""Supervised training of a neural operator, in one shot or through a rollout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

import torch
from jaxtyping import Float, Int64
from lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pdeops.data import Batch, Normaliser, Window, full_precision
from pdeops.domains import Field, Grid
from pdeops.operators import Operator, QueryOperator, SpectralOperator
from pdeops.training import trivial
from pdeops.training.artefact import ARTEFACT_KEY
from pdeops.training.distributed import leave_group_at_exit, num_genuine_samples
from pdeops.training.frequency_loss import FrequencyRelativeL2, physical_coefficients
from pdeops.training.losses import FieldLoss
from pdeops.training.metrics import RelativeError
from pdeops.training.not_finite import explain_loss
from pdeops.training.optimisation import OptimizerFactory, SchedulerFactory, scheduler_config
from pdeops.training.rollout import unroll
from pdeops.training.spectrum_metric import SpectrumError

Stage = Literal["validation", "test"]


class SupervisedOperator(LightningModule):
    r"""Fit an operator :math:`G_\theta` to pairs of input and target fields.

    .. math:: \min_\theta \; \frac{1}{N} \sum_i \ell\bigl(D(G_\theta(E(a_i))), \, u_i\bigr)

    :math:`E` normalises inputs and :math:`D` takes outputs back to physical units, in which loss and
    metrics are measured, in single precision at least: only the operator runs in a lower one. With a
    window, :math:`G_\theta` predicts ``frames_per_call`` frames at once and is fed its own output until all
    target frames are there; gradients run through the whole rollout.

    Logged: ``train/loss``; ``validation/relative_l2``, ``validation/relative_h1``; the same under ``test/``,
    with the relative L2 error of what knows nothing (``test/zero_relative_l2``,
    ``test/training_mean_relative_l2`` and, where inputs are earlier frames of the outputs,
    ``test/persistence_relative_l2``), and ``test/spectrum_decades`` (`SpectrumError`) on periodic grids.
    Gradient clipping, precision and accumulation are the Trainer's.

    Args:
        operator: Maps (batch, in_channels, *shape) to (batch, out_channels, *shape), normalised units.
        loss: ``loss(prediction, target, domain)``, physical units; or a `FrequencyRelativeL2`.
        optimizer: Makes the optimizer from the parameters (a partial).
        scheduler: Makes the learning-rate scheduler from the optimizer (a partial), or None. A length that
            it asks for and is not given (``total_steps``, ``T_max``) is that of the training.
        scheduler_interval: When the scheduler steps, ``"step"`` or ``"epoch"``.
        input_normaliser: Module that normalises inputs; None for raw inputs.
        output_normaliser: Module whose ``inverse`` takes outputs to physical units; None for raw outputs.
        window: Frames in, frames out and frames a call; None for one call.
        compile: Compile the operator (slow first step, faster ones after it).
        artefact: Plain containers stored in every checkpoint, from `describe`; what `pdeops.load` needs.

    Raises:
        FloatingPointError: The loss is not finite; the message says when, and whether the data was.

    Failure mode: Long rollouts keep the activations of every call: memory grows with the target frames.
    """

    def __init__(
        self,
        operator: Operator,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        *,
        scheduler_interval: Literal["step", "epoch"] = "epoch",
        input_normaliser: Normaliser | None = None,
        output_normaliser: Normaliser | None = None,
        window: Window | None = None,
        compile: bool = False,
        artefact: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(loss, FrequencyRelativeL2) and not isinstance(operator, SpectralOperator):
            raise TypeError(
                f"frequency loss: expected a spectral operator with coefficients and a transform, "
                f"got {type(operator).__name__}; try RelativeL2"
            )
        self.operator = operator
        self.loss = loss
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.scheduler_interval = scheduler_interval
        self.input_normaliser = input_normaliser
        self.output_normaliser = output_normaliser
        self.window = window
        self.compile_operator = compile
        self.artefact = dict(artefact or {})
        self.validation_metrics = _relative_errors()
        self.test_metrics = _relative_errors()
        self.trivial_metrics = nn.ModuleDict(
            {name: RelativeError() for name in ("zero", "training_mean", "persistence")}
        )
        grid = operator.domain
        self.spectrum_metric = SpectrumError(grid) if isinstance(grid, Grid) and grid.is_periodic else None
        self._training_mean: Tensor | None = None
        self._compiled = False

    def setup(self, stage: str) -> None:
        """Compile in the process that runs: compiled code cannot travel to another one."""
        leave_group_at_exit()
        if self.compile_operator and not self._compiled:
            # Compiled in place, so that the names in the checkpoint stay those of the plain operator.
            self.operator.compile()
            if isinstance(self.operator, SpectralOperator):
                self.operator.coefficients = torch.compile(self.operator.coefficients)  # type: ignore[method-assign]
            self._compiled = True

    def forward(self, inputs: Field) -> Float[Tensor, "batch channels *shape"]:
        """Predict all target frames on the domain of the inputs.

        Args:
            inputs: Physical units, window and static channels folded into the channels.

        Returns:
            Physical units, shape (batch, output frames * variables, *shape).
        """
        return torch.cat(list(self._calls(inputs, self.num_calls)), dim=1)

    def at_points(
        self, inputs: Field, chosen: Int64[Tensor, "batch queries"]
    ) -> Float[Tensor, "batch variables queries"]:
        """Predict at some points of the training targets, others for each sample.

        Args:
            inputs: Physical units, as in `forward`.
            chosen: Numbers of the points, counted over the frames and then the points of the domain.

        Returns:
            Physical units.
        """
        operator = self.operator
        values = self._normalise(self._cast(inputs.values))
        if isinstance(operator, QueryOperator):
            answer = operator(values, inputs.domain, operator.output.points.to(values)[chosen])
        else:
            answer = operator(values, inputs.domain).unflatten(1, (-1, self.num_variables))
            answer = take_points(answer.transpose(1, 2).flatten(2), chosen)
        answer = full_precision(answer)
        if self.output_normaliser is None:
            return answer
        return self.output_normaliser.first(self.num_variables).inverse(answer)

    @property
    def num_calls(self) -> int:
        """How often the operator is called for one target."""
        return 1 if self.window is None else self.window.num_calls

    def training_step(self, batch: Batch, batch_index: int) -> Float[Tensor, ""]:
        """Compute the loss of a batch."""
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            raise FloatingPointError(explain_loss(loss, batch, batch_index, self))
        self.log(
            "train/loss",
            loss,
            on_step=True,
            on_epoch=True,
            prog_bar=True,
            batch_size=batch.batch_size,
            sync_dist=True,
        )
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Add a batch to the validation errors."""
        self._evaluate(batch, batch_index, self.validation_metrics, "validation")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Add a batch to the test errors, those of the trivial predictors included."""
        genuine, prediction = self._evaluate(batch, batch_index, self.test_metrics, "test")
        targets = trivial.require_targets(batch).sample(slice(genuine))
        inputs = batch.inputs.sample(slice(genuine))
        if self.spectrum_metric is not None and targets.domain == self.spectrum_metric.grid:
            self.spectrum_metric.update(prediction, targets.values)
            self.log(
                "test/spectrum_decades", self.spectrum_metric, on_epoch=True, batch_size=batch.batch_size
            )
        for name, prediction in self._trivial_predictions(inputs, targets):
            metric = cast(RelativeError, self.trivial_metrics[name])
            metric.update(prediction, targets.values, targets.domain)
            self.log(f"test/{name}_relative_l2", metric, on_epoch=True, batch_size=batch.batch_size)

    def on_test_start(self) -> None:
        """Compute the training mean, where a data module with training data is there."""
        datamodule = getattr(self.trainer, "datamodule", None)
        if datamodule is None:
            return
        loader = datamodule.train_dataloader()
        # Every sample once and in order: the training loader may shuffle and drop the last batch.
        plain = DataLoader(loader.dataset, batch_size=loader.batch_size, collate_fn=loader.collate_fn)
        self._training_mean = trivial.training_mean(plain)

    def configure_optimizers(self) -> Any:
        """Build the optimizer, and the scheduler with the length of the training."""
        optimizer = self.make_optimizer(self.operator.parameters())
        if self.make_scheduler is None:
            return optimizer
        trainer, interval = self.trainer, self.scheduler_interval
        length = trainer.estimated_stepping_batches if interval == "step" else trainer.max_epochs
        config = scheduler_config(self.make_scheduler, optimizer, interval, length)
        return {"optimizer": optimizer, "lr_scheduler": config}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what is needed to use the operator elsewhere."""
        checkpoint[ARTEFACT_KEY] = self.artefact

    def _loss(self, batch: Batch) -> Tensor:
        inputs, targets = batch.inputs, trivial.require_targets(batch)
        in_frequency = isinstance(self.loss, FrequencyRelativeL2)
        if batch.chosen is not None:
            prediction = self.at_points(inputs, batch.chosen)
        else:
            prediction = self._coefficients(inputs) if in_frequency else self(inputs)
        # Half precision is for the operator; sums of squares and differences of near numbers lose all in it.
        with torch.autocast(prediction.device.type, enabled=False):
            values = targets.values.to(prediction)
            if batch.chosen is not None:
                known = values.unflatten(1, (-1, self.num_variables)).transpose(1, 2).flatten(2)
                return cast(FieldLoss, self.loss).at_points(prediction, take_points(known, batch.chosen))
            if in_frequency:
                operator = cast(SpectralOperator, self.operator)
                return self.loss(prediction, values, targets.domain, operator.transform)
            return self.loss(prediction, values, targets.domain)

    def _calls(self, inputs: Field, num_calls: int) -> Iterator[Tensor]:
        """Physical outputs of the calls of a rollout."""

        def step(values: Tensor) -> Tensor:
            return self._denormalise(self.operator(self._normalise(values), inputs.domain))

        return unroll(
            step,
            self._cast(inputs.values),
            num_calls=num_calls,
            history_channels=self.history_channels(inputs.values.shape[1]),
        )

    def _coefficients(self, inputs: Field) -> Tensor:
        """Physical coefficients of all calls; only what is fed back is transformed to values."""
        operator = cast(SpectralOperator, self.operator)
        transform = operator.transform
        calls: list[Tensor] = []

        def step(values: Tensor) -> Tensor:
            coefficients = full_precision(operator.coefficients(self._normalise(values), inputs.domain))
            with torch.autocast(values.device.type, enabled=False):
                calls.append(
                    physical_coefficients(coefficients, self._denormalise, transform, inputs.domain.shape)
                )
                last = len(calls) == self.num_calls
                return calls[-1] if last else transform.inverse(calls[-1], inputs.domain.shape)

        values = self._cast(inputs.values)
        for _ in unroll(
            step, values, num_calls=self.num_calls, history_channels=self.history_channels(values.shape[1])
        ):
            pass
        return torch.cat(calls, dim=1)

    def history_channels(self, in_channels: int) -> int:
        """Number of input channels that are past frames; the others are static.

        Args:
            in_channels: Number of all input channels.

        Returns:
            Input frames times the variables of a frame; 0 without a window.
        """
        return 0 if self.window is None else min(in_channels, self.window.input_frames * self.num_variables)

    @property
    def num_variables(self) -> int:
        """Number of variables a predicted frame."""
        frames = 1 if self.window is None else self.window.frames_per_call
        return self.operator.out_channels // frames

    def _evaluate(
        self, batch: Batch, batch_index: int, metrics: nn.ModuleDict, stage: Stage
    ) -> tuple[int, Tensor]:
        genuine = num_genuine_samples(self.trainer, stage, batch_index, batch.batch_size)
        prediction = self(batch.inputs)[:genuine]
        targets = trivial.require_targets(batch).sample(slice(genuine))
        for kind, module in metrics.items():
            metric = cast(RelativeError, module)
            metric.update(prediction, targets.values, targets.domain)
            self.log(
                f"{stage}/relative_{kind}",
                metric,
                on_epoch=True,
                prog_bar=kind == "l2",
                batch_size=batch.batch_size,
            )
        return genuine, prediction

    def _trivial_predictions(self, inputs: Field, targets: Field) -> Iterator[tuple[str, Tensor]]:
        yield "zero", trivial.zero(targets)
        mean = self._training_mean
        if mean is not None and mean.shape == targets.values.shape[1:]:
            yield "training_mean", mean.to(targets.values).expand_as(targets.values)
        num_frames = 1 if self.window is None else self.window.output_frames
        num_variables = targets.values.shape[1] // num_frames
        if trivial.same_variables(inputs.channels, targets.channels[:num_variables]):
            history = max(self.history_channels(inputs.values.shape[1]), num_variables)
            yield "persistence", trivial.persistence(inputs, num_variables, history, num_frames)

    def _normalise(self, values: Tensor) -> Tensor:
        return values if self.input_normaliser is None else self._cast(self.input_normaliser(values))

    def _denormalise(self, values: Tensor) -> Tensor:
        values = full_precision(values)
        return values if self.output_normaliser is None else self.output_normaliser.inverse(values)

    def _cast(self, values: Tensor) -> Tensor:
        return values.to(next(self.operator.parameters()).dtype.to_real())


def take_points(
    values: Float[Tensor, "batch variables points"], chosen: Int64[Tensor, "batch queries"]
) -> Float[Tensor, "batch variables queries"]:
    """Values of each sample at points of its own."""
    return values.gather(2, chosen[:, None].expand(-1, values.shape[1], -1))


def _relative_errors() -> nn.ModuleDict:
    return nn.ModuleDict({"l2": RelativeError("l2"), "h1": RelativeError("h1")})
