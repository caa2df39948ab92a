"""Say where a loss that is not finite came from."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning import LightningModule
from torch import Tensor

from pdeops.data import Batch


def explain_loss(loss: Tensor, batch: Batch, batch_index: int, module: LightningModule) -> str:
    """Describe a loss that is NaN or infinite.

    Args:
        loss: The loss.
        batch: What it was computed from.
        batch_index: Number of the batch in its epoch.
        module: The module in training; it knows step, epoch and the checkpoints.

    Returns:
        The message: when, whether the data or the weights were at fault, and how to go on.
    """
    trainer = module.trainer
    targets = None if batch.targets is None else batch.targets.values
    causes = [
        f"{name}: {_state(values)}"
        for name, values in (("inputs", batch.inputs.values), ("targets", targets))
        if values is not None
    ]
    parameters = torch.nn.utils.parameters_to_vector(module.parameters())
    causes.append(f"weights: {_state(parameters)}")
    energy = None if targets is None else targets.flatten(start_dim=1).abs().amax(dim=1)
    vanishing = [] if energy is None else torch.nonzero(energy == 0).flatten().tolist()
    if vanishing:
        causes.append(
            f"targets that are zero everywhere, to which no relative error exists: samples {vanishing}"
        )
    callback = trainer.checkpoint_callback
    last = getattr(callback, "last_model_path", "")
    where = (
        f"the last good checkpoint is {last}"
        if last and Path(last).is_file()
        else "there is no checkpoint yet"
    )
    return (
        f"loss: expected a finite number, got {loss.item()} at step {trainer.global_step}, "
        f"epoch {trainer.current_epoch}, batch {batch_index} ({'; '.join(causes)}); {where}; "
        "try a smaller learning rate or trainer.gradient_clip_val=1.0, or mend the data that is named"
    )


def _state(values: Tensor) -> str:
    num_nan = int(torch.isnan(values).sum())
    num_infinite = int(torch.isinf(values).sum())
    if num_nan or num_infinite:
        return f"{num_nan} NaN and {num_infinite} infinite of {values.numel()} numbers"
    return "all finite"
