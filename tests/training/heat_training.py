"""A training small enough for tests: the heat equation, whose solution operator is a multiplier.

As a program it trains in a process of its own, to be killed or to be one of two.
"""

import argparse
import json
import math
import warnings
from functools import partial
from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from torch import nn

from pdeops.data import PDEDataModule, Window, import_arrays
from pdeops.domains import Grid
from pdeops.layers import TruncatedTransform
from pdeops.operators import FNO, T1, Capabilities, SpectralOperator
from pdeops.training import (
    EpochSeed,
    FrequencyRelativeL2,
    MetricsFile,
    RelativeL2,
    RunCheckpoints,
    SupervisedOperator,
    Timing,
    describe,
)

GRID = Grid.periodic((16,))
DIFFUSIVITY = 0.02
TIMES = tuple(0.1 * frame for frame in range(6))
NAME = "heat_training.LinearSpectral"


def decay(time):
    """What the heat equation leaves of each basis function of `LinearSpectral` after a time."""
    wavenumbers = torch.tensor([0, 1, 1, 2, 2, 3, 3])
    return torch.exp(-DIFFUSIVITY * (2 * math.pi * wavenumbers) ** 2 * time)


def trajectories(num_samples, seed=0):
    """Exact solutions, band-limited, with a mean of 3: shape (samples, times, channels, points)."""
    generator = torch.Generator().manual_seed(seed)
    transform = TruncatedTransform.of_grid(GRID, modes=(7,))
    start = torch.randn(num_samples, 1, 7, generator=generator, dtype=torch.float64)
    start[..., 0] += 3
    frames = [transform.inverse(start * decay(time), GRID.shape) for time in TIMES]
    return torch.stack(frames, dim=1)


def make_file(path, num_samples=19, num_validation=3, num_test=5):
    """Store trajectories with a static channel, the coordinate."""
    (x,) = GRID.coordinates
    return import_arrays(
        path,
        {"coordinate": x.expand(num_samples, 16)},
        trajectories(num_samples),
        GRID,
        times=TIMES,
        output_channels=("temperature",),
        num_validation=num_validation,
        num_test=num_test,
    )


def make_data(path, *, batch_size=4, window=None, num_workers=0):
    window = window or Window(input_frames=1, output_frames=1, starts="first")
    data = PDEDataModule(path=path, window=window, batch_size=batch_size, num_workers=num_workers)
    data.prepare_data()
    data.setup()
    return data


class LinearSpectral(SpectralOperator):
    """A learned multiplier of each channel and basis function, with dropout to draw random numbers."""

    capabilities = Capabilities(dimensions=frozenset({1}))

    def __init__(self, in_channels, out_channels, domain, *, dropout=0.0, modes=7):
        super().__init__(in_channels, out_channels, domain)
        self.transform = TruncatedTransform.of_grid(domain, modes=(modes,))
        self.weight = nn.Parameter(torch.full((out_channels, in_channels, modes), 0.5))
        self.offset = nn.Parameter(torch.zeros(out_channels, modes))
        self.dropout = nn.Dropout(dropout)

    def coefficients(self, values, domain=None):
        kept = self.dropout(self.transform(values))
        return torch.einsum("oim,bim->bom", self.weight, kept) + self.offset

    def forward(self, values, domain=None, query=None):
        return self.transform.inverse(self.coefficients(values, domain), values.shape[2:])


def make_module(data, *, loss=None, scheduler=None, interval="epoch", dropout=0.0, lr=0.02, **options):
    torch.manual_seed(1)
    description = {"_target_": NAME, "_partial_": True, "dropout": dropout}
    operator = LinearSpectral(data.in_channels, data.out_channels, data.input_domain, dropout=dropout)
    return SupervisedOperator(
        operator,
        loss or RelativeL2(),
        partial(torch.optim.Adam, lr=lr),
        scheduler,
        scheduler_interval=interval,
        input_normaliser=data.input_normaliser,
        output_normaliser=data.output_normaliser,
        window=data.window,
        artefact=describe(description, data),
        **options,
    )


def small_fno(data, **options):
    torch.manual_seed(2)
    return FNO(
        data.in_channels, data.out_channels, data.input_domain, modes=4, width=6, num_layers=2, **options
    )


def make_trainer(run, *, max_epochs=2, **options):
    callbacks = [
        RunCheckpoints(run / "checkpoints"),
        MetricsFile(run / "metrics.csv"),
        EpochSeed(5),
        Timing(),
    ]
    return Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        callbacks=callbacks,
        logger=False,
        default_root_dir=run,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


class RecordSamples(Callback):
    """Write which samples each process trains on: a line a batch, known by their first number."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        path = Path(trainer.default_root_dir) / f"samples_{trainer.global_rank}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write(json.dumps(batch.inputs.values[:, 0, 0].tolist()) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("run", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument(
        "--num-steps", type=int, help="length of the schedule; that of the training by default"
    )
    parser.add_argument("--resume", type=Path, help="checkpoint to go on from")
    parser.add_argument("--model", choices=("linear", "complex", "t1"), default="linear")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    data = make_data(arguments.file, batch_size=arguments.batch_size)
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR)
    if arguments.num_steps:
        cosine = partial(cosine, T_max=arguments.num_steps)
    loss = FrequencyRelativeL2() if arguments.model == "t1" else RelativeL2()
    module = make_module(data, loss=loss, scheduler=cosine, interval="step", compile=arguments.compile)
    if arguments.model == "complex":
        module.operator = small_fno(data, complex_parameters=True)
    elif arguments.model == "t1":
        module.operator = T1(data.in_channels, data.out_channels, data.input_domain, modes=4, width=4)
    strategy = "ddp" if arguments.devices > 1 else "auto"
    trainer = make_trainer(
        arguments.run, max_epochs=arguments.epochs, devices=arguments.devices, strategy=strategy
    )
    trainer.callbacks.append(RecordSamples())
    trainer.fit(module, datamodule=data, ckpt_path=arguments.resume, weights_only=True)
    (metrics,) = trainer.test(module, datamodule=data, verbose=False)
    if trainer.is_global_zero:
        (arguments.run / "test.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    main()
