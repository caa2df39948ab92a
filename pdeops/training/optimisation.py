"""Optimizers and learning-rate schedulers from partials."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Literal

from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

OptimizerFactory = Callable[[Iterable[Parameter]], Optimizer]
SchedulerFactory = Callable[..., LRScheduler | ReduceLROnPlateau]

# What torch's schedulers call the length of the whole training.
LENGTH_ARGUMENTS = ("total_steps", "T_max")


def scheduler_config(
    factory: SchedulerFactory,
    optimizer: Optimizer,
    interval: Literal["step", "epoch"],
    length: float | None,
) -> dict[str, Any]:
    """Build a scheduler and say to Lightning when it steps.

    A scheduler that needs the length of the training (``OneCycleLR``, ``CosineAnnealingLR``) gets it, unless
    its partial already fixes it.

    Args:
        factory: Partial of a scheduler, still without its optimizer.
        optimizer: The optimizer.
        interval: ``"step"`` or ``"epoch"``.
        length: Number of steps or epochs (of the interval) of the whole training; None, -1 or infinite when
            it has no end.

    Returns:
        Lightning's ``lr_scheduler`` entry.

    Raises:
        ValueError: The interval is unknown, or the length is needed and the training has none.

    Failure mode: ``ReduceLROnPlateau`` steps after the checkpoint of its epoch is written, so a resumed
        run lags by one of its steps; the other schedulers resume exactly.
    """
    if interval not in ("step", "epoch"):
        raise ValueError(f"scheduler interval: expected 'step' or 'epoch', got {interval!r}")
    given = factory.keywords if isinstance(factory, functools.partial) else {}
    target = factory.func if isinstance(factory, functools.partial) else factory
    accepted = inspect.signature(target).parameters
    missing = [name for name in LENGTH_ARGUMENTS if name in accepted and given.get(name) is None]
    if "epochs" in given and "steps_per_epoch" in given:
        missing = []
    if missing and (length is None or length in (-1, float("inf"))):
        raise ValueError(
            f"scheduler: {missing[0]}: expected a training of known length, got an endless one; "
            f"try trainer.max_epochs, or give {missing[0]}"
        )
    try:
        scheduler = factory(optimizer, **{name: int(length or 0) for name in missing})
    except ZeroDivisionError as error:
        # OneCycleLR divides by the length of its warm-up less one step.
        raise ValueError(
            f"scheduler: expected a training long enough for {target}, got {length} {interval}s; "
            "try a longer one, or scheduler=none"
        ) from error
    config: dict[str, Any] = {"scheduler": scheduler, "interval": interval}
    if isinstance(scheduler, ReduceLROnPlateau):
        config["monitor"] = "validation/relative_l2"
    return config
