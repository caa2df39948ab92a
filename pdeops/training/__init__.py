"""Training of operators: losses, metrics, callbacks, checkpoints and what loads them."""

from pdeops.training.artefact import Artefact, describe, output_points
from pdeops.training.checkpoints import BEST, LAST, RunCheckpoints, find_checkpoint, read_checkpoint
from pdeops.training.equation_residual import EquationResidual
from pdeops.training.frequency_loss import FrequencyRelativeL2
from pdeops.training.load import load
from pdeops.training.losses import FieldLoss, MeanSquared, RelativeH1, RelativeL2
from pdeops.training.metrics import RelativeError
from pdeops.training.metrics_file import MetricsFile, read_metrics
from pdeops.training.physics_informed import PhysicsInformedLoss, PhysicsInformedOperator, physics_misfit
from pdeops.training.seeding import EpochSeed
from pdeops.training.spectrum_metric import SpectrumError
from pdeops.training.supervised import SupervisedOperator
from pdeops.training.surrogate import Surrogate
from pdeops.training.timing import Timing

__all__ = [
    "BEST",
    "LAST",
    "Artefact",
    "EpochSeed",
    "EquationResidual",
    "FieldLoss",
    "FrequencyRelativeL2",
    "MeanSquared",
    "MetricsFile",
    "PhysicsInformedLoss",
    "PhysicsInformedOperator",
    "RelativeError",
    "RelativeH1",
    "RelativeL2",
    "RunCheckpoints",
    "SpectrumError",
    "SupervisedOperator",
    "Surrogate",
    "Timing",
    "describe",
    "find_checkpoint",
    "load",
    "output_points",
    "physics_misfit",
    "read_checkpoint",
    "read_metrics",
]
