"""Data sets: made by a solver or brought along, stored in one HDF5 layout, and loaded for training."""

from typing import TYPE_CHECKING, Any

from pdeops.data.batch import Batch
from pdeops.data.dataset import FieldDataset
from pdeops.data.generation import generate, generate_from
from pdeops.data.loaders import make_loader
from pdeops.data.normaliser import ChannelStatistics, Normaliser, full_precision
from pdeops.data.readers import import_arrays, read_arrays
from pdeops.data.recipe import Recipe, ReferenceSolver, dataset_key
from pdeops.data.restriction import restrict
from pdeops.data.samplers import EpochSampler
from pdeops.data.samples import MemorySamples, SampleLayout, Samples, StoreSamples
from pdeops.data.schema import StoreError
from pdeops.data.store import Store
from pdeops.data.windows import Window

if TYPE_CHECKING:
    from pdeops.data.datamodule import PDEDataModule

__all__ = [
    "Batch",
    "ChannelStatistics",
    "EpochSampler",
    "FieldDataset",
    "MemorySamples",
    "Normaliser",
    "PDEDataModule",
    "Recipe",
    "ReferenceSolver",
    "SampleLayout",
    "Samples",
    "Store",
    "StoreError",
    "StoreSamples",
    "Window",
    "dataset_key",
    "full_precision",
    "generate",
    "generate_from",
    "import_arrays",
    "make_loader",
    "read_arrays",
    "restrict",
]


def __getattr__(name: str) -> Any:
    # Lightning takes seconds to import, which the processes that generate data should not pay for.
    if name == "PDEDataModule":
        from pdeops.data.datamodule import PDEDataModule

        return PDEDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
