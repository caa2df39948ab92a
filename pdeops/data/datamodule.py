"""The data of a training as Lightning wants it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from pdeops.data.batch import Batch
from pdeops.data.dataset import FieldDataset
from pdeops.data.generation import generate_from
from pdeops.data.loaders import make_loader
from pdeops.data.normaliser import ChannelStatistics, Normaliser
from pdeops.data.recipe import Recipe
from pdeops.data.samplers import EpochSampler
from pdeops.data.samples import Samples, StoreSamples
from pdeops.data.schema import SPLITS
from pdeops.data.store import Store
from pdeops.data.unsolved import draw_inputs
from pdeops.data.windows import Window
from pdeops.domains import Domain, Grid
from pdeops.problems import Problem


class PDEDataModule(LightningDataModule):
    """Generate a data set where it is missing, and load it.

    The file is named after the key of the recipe, so a changed setting makes a new file and an old one is
    never mistaken for it. Splits are by trajectory: windows of one trajectory never fall into two splits.

    Args:
        recipe: What to generate; None to train on a file given by ``path``.
        directory: Where generated files are kept.
        path: An own file (see `import_arrays`), used as it is; nothing is generated.
        window: Time window; None for a steady problem, and `Window()`, each frame to the next, for others.
        solve_training: Whether solutions of the training samples are made. If not, only their inputs are
            drawn, the same ones, and their batches have no targets.
        num_queries: Points of each training pair at which its target is used, see `FieldDataset`; all by
            default. Validation and test use all.
        shape: Points an axis to train on, coarser than the file, see `restrict`; as stored by default.
        batch_size: Pairs a step.
        num_workers: Processes that prepare batches; 0 is fastest for data in memory.
        generation_workers: Processes that generate; 0 is this one, None one a processor.
        normalise: Which of ``input_normaliser`` and ``output_normaliser`` are fitted and not the identity:
            ``"both"``, ``"inputs"``, ``"outputs"`` or ``"none"``.
        seed: Seed of the order of the training pairs.
        memory_limit: Bytes up to which a split is held in memory as float32 (a process each has its own);
            larger ones are read from the file batch by batch.
        progress: Whether generation shows a progress bar.

    Raises:
        ValueError: Neither a recipe nor a path is given, or a number is out of range.

    Example:
        >>> data = PDEDataModule(recipe, batch_size=32)  # doctest: +SKIP
        >>> data.prepare_data()  # doctest: +SKIP
        >>> data.setup()  # doctest: +SKIP
        >>> data.in_channels, data.out_channels  # doctest: +SKIP
        (1, 1)
    """

    input_normaliser: Normaliser
    output_normaliser: Normaliser

    def __init__(
        self,
        recipe: Recipe | None = None,
        directory: str | Path = "datasets",
        *,
        path: str | Path | None = None,
        window: Window | None = None,
        solve_training: bool = True,
        num_queries: int | None = None,
        shape: Sequence[int] | None = None,
        batch_size: int = 16,
        num_workers: int = 0,
        generation_workers: int | None = 0,
        normalise: str = "both",
        seed: int = 0,
        memory_limit: float = 4e9,
        progress: bool = True,
    ) -> None:
        super().__init__()
        for name, number, minimum in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0)):
            if number < minimum:
                raise ValueError(f"data module: {name}: expected at least {minimum}, got {number}")
        if normalise not in ("both", "inputs", "outputs", "none"):
            raise ValueError(
                f"data module: normalise: expected 'both', 'inputs', 'outputs' or 'none', got {normalise!r}"
            )
        self.recipe = recipe
        self.generated = path is None
        self.solve_training = solve_training or not self.generated
        if not self.solve_training and normalise in ("both", "outputs"):
            raise ValueError(
                "data module: normalise: expected 'inputs' or 'none' without solutions of the training "
                f"samples, got {normalise!r}"
            )
        self.path = _file(self._solved(recipe), directory, path)
        self.window = window
        self.num_queries = num_queries
        self.shape = shape
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.generation_workers = generation_workers
        self.normalise = normalise
        self.seed = seed
        self.memory_limit = memory_limit
        self.progress = progress
        self._datasets: dict[str, FieldDataset] = {}
        self._resumed_epoch: int | None = None

    def prepare_data(self) -> None:
        """Generate what is missing. Lightning calls it in one process a node; others wait for it."""
        recipe = self._solved(self.recipe)
        if self.generated and recipe is not None:
            generate_from(recipe, self.path, num_workers=self.generation_workers, progress=self.progress)

    def _solved(self, recipe: Recipe | None) -> Recipe | None:
        """The recipe of what is solved: held-out samples come first, so they stay the same."""
        if recipe is None or self.solve_training:
            return recipe
        held_out = recipe.num_test + recipe.num_validation
        if not held_out:
            raise ValueError(
                "data module: expected samples to solve for validation or test, got none; try num_test=100"
            )
        return replace(recipe, num_samples=held_out)

    def setup(self, stage: str | None = None) -> None:
        """Open the file, and fit the normalisers on the training split; every stage shares one set-up.

        Raises:
            FileNotFoundError: There is no such file.
            StoreError: It is damaged or not a data set.
            ValueError: It holds another problem, or window or shape do not fit.
        """
        if self._datasets:
            return
        self.store = Store.open(self.path)
        self._require_same_problem()
        outputs = self.store.layouts["outputs"]
        if self.window is None and outputs.times is not None:
            self.window = Window()
        domain = None if self.shape is None else self._coarser(outputs.domain, self.shape)
        datasets = {
            split: FieldDataset(
                self._samples(split, domain),
                self.window,
                num_queries=self.num_queries if split == "train" else None,
                seed=self.seed,
            )
            for split in SPLITS
        }
        if not len(datasets["train"]):
            raise ValueError(f"{self.path}: expected training samples, got none; try a larger num_samples")
        self.input_normaliser, self.output_normaliser = self._fit_normalisers(datasets["train"])
        self._datasets = datasets

    def _samples(self, split: str, domain: Grid | None) -> Samples:
        samples = StoreSamples(self.store, self.store.split(split), domain)
        if split == "train" and not self.solve_training and self.recipe is not None:
            drawn = range(self.store.num_samples, self.recipe.num_samples)
            return draw_inputs(self.recipe, drawn, samples.layout, domain)
        share = samples.num_samples / max(self.store.num_samples, 1)
        fits = share * self.store.num_values * 4 <= self.memory_limit
        return samples.in_memory() if fits else samples

    def _require_same_problem(self) -> None:
        metadata = self.store.metadata
        if self.recipe is None or not metadata.problem:
            return
        wanted = (self.recipe.problem.name, dict(self.recipe.problem.parameters))
        if wanted != (metadata.problem, metadata.problem_parameters):
            raise ValueError(
                f"{self.path}: expected data of {wanted[0]} with {wanted[1]}, got {metadata.problem} with "
                f"{metadata.problem_parameters}; try the matching problem, or another path"
            )

    def _coarser(self, domain: Domain, shape: Sequence[int]) -> Grid:
        if not isinstance(domain, Grid):
            raise ValueError(
                "data module: shape: expected data on a grid, got data on a mesh; try shape=None"
            )
        if len(shape) != domain.dimension:
            raise ValueError(f"data module: shape: expected {domain.dimension} numbers, got {tuple(shape)}")
        return domain.with_shape(tuple(shape))

    def _fit_normalisers(self, train: FieldDataset) -> tuple[Normaliser, Normaliser]:
        """Fit in one pass over the training pairs; frames of the same channel share their statistics.

        A model that is fed its own output sees every frame in every place, so the places must not differ.
        """
        window = self.window or Window()
        num_frame_channels = len(train.samples.layout.frame_channels)
        num_history = 0 if self.window is None else window.input_frames * num_frame_channels
        history, static, target = ChannelStatistics(), ChannelStatistics(), ChannelStatistics()
        for batch in make_loader(train, batch_size=max(self.batch_size, 64)):
            inputs = batch.inputs.values
            if num_history:
                history.update(inputs[:, :num_history].unflatten(1, (-1, num_frame_channels)).flatten(0, 1))
            if inputs.shape[1] > num_history:
                static.update(inputs[:, num_history:])
            if train.samples.solved:
                target.update(batch.targets.values.unflatten(1, (-1, num_frame_channels)).flatten(0, 1))
        parts = []
        if num_history:
            parts.append(Normaliser(*history.result()).repeat(window.input_frames))
        if len(train.input_channels) > num_history:
            parts.append(Normaliser(*static.result()))
        inputs = parts[0] if len(parts) == 1 else parts[0].concatenate(parts[1])
        if self.normalise in ("outputs", "none"):
            inputs = Normaliser.identity(inputs.num_channels)
        if self.normalise in ("inputs", "none"):
            outputs = Normaliser.identity(num_frame_channels)
        else:
            outputs = Normaliser(*target.result())
        return inputs, outputs.repeat(self.out_frames)

    def training_pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of the training split in order, normalised, batch by batch.

        Raises:
            ValueError: Nothing is known of the targets.
        """
        if not self.dataset("train").samples.solved:
            raise ValueError(
                "data module: expected solutions of the training samples to look at, got inputs alone; try "
                "solve_training=True"
            )
        for batch in make_loader(self.dataset("train"), batch_size=self.batch_size):
            yield self.input_normaliser(batch.inputs.values), self.output_normaliser(batch.targets.values)

    @property
    def time_step(self) -> float | None:
        """Time between two frames of the window; None for a steady problem."""
        times = self.dataset("train").samples.layout.times
        if self.window is None or times is None or len(times) < 2:
            return None
        return (times[1] - times[0]) * self.window.stride

    @property
    def out_frames(self) -> int:
        """Frames that one call of the model predicts."""
        return 1 if self.window is None else self.window.frames_per_call

    def dataset(self, split: str) -> FieldDataset:
        """Return the pairs of a split.

        Args:
            split: ``"train"``, ``"validation"`` or ``"test"``.

        Returns:
            The dataset.

        Raises:
            RuntimeError: `setup` was not called.
        """
        if not self._datasets:
            raise RuntimeError("data module: expected setup() first; try prepare_data() and setup()")
        return self._datasets[split]

    @property
    def problem(self) -> Problem | None:
        """The problem of the recipe; None for an own file without one."""
        return None if self.recipe is None else self.recipe.problem

    @property
    def in_channels(self) -> int:
        """Channels that a model gets: input frames times variables, and the static inputs."""
        return len(self.dataset("train").input_channels)

    @property
    def out_channels(self) -> int:
        """Channels that one call of a model gives: frames a call times variables."""
        return self.out_frames * len(self.dataset("train").samples.layout.frame_channels)

    @property
    def input_domain(self) -> Domain:
        """Where the inputs live."""
        return self.dataset("train").input_domain

    @property
    def output_domain(self) -> Domain:
        """Where the targets live."""
        return self.dataset("train").output_domain

    def train_dataloader(self) -> DataLoader:
        """Pairs in an order that depends on (seed, epoch) only, dealt out over the processes of a run."""
        trainer = self.trainer
        loader = make_loader(
            self.dataset("train"),
            batch_size=self.batch_size,
            shuffle_seed=self.seed,
            num_workers=self.num_workers,
            num_replicas=1 if trainer is None else trainer.world_size,
            rank=0 if trainer is None else trainer.global_rank,
        )
        if trainer is not None and isinstance(loader.sampler, EpochSampler):
            # Lightning sets the epoch of a resumed run only after processes of the loader began to fetch, and
            # asks for the loader before it restores the epoch where a schedule needs the number of steps.
            first = self._resumed_epoch
            loader.sampler.set_epoch(trainer.current_epoch if first is None else first)
            self._resumed_epoch = None
        return loader

    def state_dict(self) -> dict[str, int]:
        """Return the epoch that a resumed run starts with, for the checkpoint."""
        if self.trainer is None:
            return {"next_epoch": 0}
        progress = self.trainer.fit_loop.epoch_progress.current
        return {"next_epoch": progress.processed}  # type: ignore[attr-defined]  # declared for its base class

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Take the epoch of a resumed run from its checkpoint."""
        self._resumed_epoch = state_dict["next_epoch"]

    def val_dataloader(self) -> DataLoader | list:
        """Validation pairs in order; an empty list if there are none."""
        return self._in_order("validation")

    def test_dataloader(self) -> DataLoader | list:
        """Test pairs in order; an empty list if there are none."""
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader | list:
        """Test pairs in order; their targets serve to compare with."""
        return self._in_order("test")

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Put a batch on this process's own domains: what a process of the loader sends are copies.

        Meshes are compared by identity, and what an operator or a norm keeps for one would be computed anew
        for every copy.
        """
        return batch.on(self.input_domain, self.output_domain)

    def _in_order(self, split: str) -> DataLoader | list:
        dataset = self.dataset(split)
        if not len(dataset):
            return []
        return make_loader(dataset, batch_size=self.batch_size, num_workers=self.num_workers)


def _file(recipe: Recipe | None, directory: str | Path, path: str | Path | None) -> Path:
    if path is not None:
        return Path(path)
    if recipe is None:
        raise ValueError("data module: expected a recipe or a path, got neither; try PDEDataModule(recipe)")
    return Path(directory) / recipe.file_name
