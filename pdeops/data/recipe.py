"""What a generated data set depends on, and the key that names it."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy
import torch
from torch import Tensor

from pdeops.data.restriction import restrict
from pdeops.data.schema import Metadata, library_version
from pdeops.data.stored_meshes import domain_settings
from pdeops.domains import Domain, Field, Grid, Mesh
from pdeops.problems import Problem

# Raise it when this library makes other numbers from the same settings.
GENERATION_VERSION = 1


@runtime_checkable
class ReferenceSolver(Protocol):
    """What generation asks of a solver; those of the package ``solvers`` have it."""

    @property
    def settings(self) -> dict[str, Any]:
        """Plain numerical settings; part of the key."""

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None
    ) -> Field:
        """Solve a batch of instances."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that the numbers of a generated data set depend on, and nothing else.

    How the work is cut over processes is not part of it: batches of ``solver_batch_size`` samples are solved
    as a whole by one process on one thread, so any number of workers gives the same bits.

    Args:
        problem: The problem, with its parameters.
        solver: The solver, with its settings.
        domain: Grid or mesh of the stored fields, one for all samples.
        times: Times of the stored frames, ascending from 0 on; None for a steady problem.
        num_samples: Number of samples of all splits.
        seed: Seed of the inputs; sample ``i`` depends on (seed, i) only.
        num_validation: Number of validation samples.
        num_test: Number of test samples. They come first, validation next, so that a larger training set
            keeps the same test set.
        solver_domain: Finer domain to solve on, see `restrict`; the stored one by default.
        solver_batch_size: Number of samples solved at once. 8 to 64 keeps two-dimensional spectral solvers
            in the cache.
        dtype: Type of the stored numbers; float32 (half the size, 7 digits) or float64.
        device: Where the solver works. Other devices round differently, so it is part of the key.

    Raises:
        ValueError: A number, time or name is out of range, a domain does not fit the problem, or the two
            domains do not fit each other.
        TypeError: The stored domain is no domain.
    """

    problem: Problem
    solver: ReferenceSolver
    domain: Domain
    times: tuple[float, ...] | None
    num_samples: int
    seed: int
    num_validation: int = 0
    num_test: int = 0
    solver_domain: Domain | None = None
    solver_batch_size: int = 16
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check all settings, before any computing."""
        if self.times is not None:
            object.__setattr__(self, "times", tuple(float(time) for time in self.times))
        if not isinstance(self.domain, (Grid, Mesh)):
            raise TypeError(
                f"generation: expected a Grid or Mesh to store on, got {type(self.domain).__name__}"
            )
        for name, minimum in (
            ("num_samples", 1),
            ("solver_batch_size", 1),
            ("seed", 0),
            ("num_validation", 0),
            ("num_test", 0),
        ):
            if getattr(self, name) < minimum:
                raise ValueError(
                    f"generation: {name}: expected at least {minimum}, got {getattr(self, name)}"
                )
        if self.num_validation + self.num_test > self.num_samples:
            raise ValueError(
                f"generation: expected at most num_samples = {self.num_samples} samples held out, got "
                f"{self.num_validation} for validation and {self.num_test} for test; try more samples"
            )
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"generation: dtype: expected 'float32' or 'float64', got {self.dtype!r}")
        self._check_times()
        self.problem.check_domain(self.solver_grid)
        self._check_restriction()

    def _check_restriction(self) -> None:
        """Restrict zeros, so that domains that do not nest are refused before anything is solved."""
        zeros = torch.zeros(1, 1, *self.solver_grid.shape)
        restrict(Field(zeros, self.solver_grid, ("zero",)), self.domain)

    def _check_times(self) -> None:
        name = self.problem.name
        if self.problem.steady:
            if self.times is not None:
                raise ValueError(f"generation: {name} is steady: expected times None, got {self.times}")
            return
        times = self.times or ()
        ascending = all(a < b for a, b in itertools.pairwise(times))
        if not times or times[0] < 0 or not ascending or not all(map(math.isfinite, times)):
            raise ValueError(
                f"generation: {name} depends on time: expected ascending times from 0 on, got {self.times}; "
                "try (0.0, 1.0)"
            )

    @property
    def solver_grid(self) -> Domain:
        """The grid or mesh that is solved on."""
        return self.domain if self.solver_domain is None else self.solver_domain

    @property
    def num_batches(self) -> int:
        """Number of batches; the last one may be smaller."""
        return math.ceil(self.num_samples / self.solver_batch_size)

    def batch_samples(self, batch: int) -> range:
        """Return the sample numbers of a batch."""
        start = batch * self.solver_batch_size
        return range(start, min(start + self.solver_batch_size, self.num_samples))

    @property
    def split(self) -> numpy.ndarray:
        """Split code of each sample: test (2) first, then validation (1), then train (0)."""
        split = numpy.zeros(self.num_samples, dtype=numpy.uint8)
        split[: self.num_test] = 2
        split[self.num_test : self.num_test + self.num_validation] = 1
        return split

    @property
    def num_bytes(self) -> int:
        """Bytes of all values, with one channel a variable."""
        frames = len(self.times or (0.0,))
        channels = len(self.problem.inputs) + frames * len(self.problem.outputs)
        itemsize = numpy.dtype(self.dtype).itemsize
        return self.num_samples * channels * self.domain.num_points * itemsize

    @property
    def settings(self) -> dict[str, Any]:
        """Plain containers of everything that changes the numbers."""
        return {
            "generation_version": GENERATION_VERSION,
            "problem": self.problem.name,
            "problem_class": import_path(self.problem),
            "problem_parameters": dict(self.problem.parameters),
            "solver": import_path(self.solver),
            "solver_settings": dict(self.solver.settings),
            "domain": domain_settings(self.domain),
            "solver_domain": domain_settings(self.solver_grid),
            "times": None if self.times is None else list(self.times),
            "num_samples": self.num_samples,
            "seed": self.seed,
            "num_validation": self.num_validation,
            "num_test": self.num_test,
            "solver_batch_size": self.solver_batch_size,
            "dtype": self.dtype,
            "device": torch.device(self.device).type,
        }

    @property
    def key(self) -> str:
        """Digest of `settings`, 64 hexadecimal digits."""
        return dataset_key(self.settings)

    @property
    def file_name(self) -> str:
        """Name of the file: the problem's name and the first 16 digits of the key."""
        return f"{self.problem.name}-{self.key[:16]}.h5"

    @property
    def metadata(self) -> Metadata:
        """What is written into the file."""
        settings = self.settings
        return Metadata(
            problem=self.problem.name,
            problem_parameters=settings["problem_parameters"],
            solver=settings["solver"],
            solver_settings=settings["solver_settings"],
            seed=self.seed,
            key=self.key,
            settings=settings,
            initial_inputs=initial_inputs(self.problem),
            library_version=library_version(),
        )


def dataset_key(settings: Mapping[str, Any]) -> str:
    """Digest of plain settings: equal settings give equal keys, in any order of the entries.

    Args:
        settings: Numbers, strings, None, lists and dictionaries of them.

    Returns:
        SHA-256 of the canonical JSON, 64 hexadecimal digits.

    Raises:
        TypeError: A setting is not plain.
        ValueError: A number is not finite.
    """
    try:
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise TypeError(
            f"dataset key: expected numbers, strings, lists and dictionaries, got {error}; "
            "try plain values in the settings of the problem and the solver"
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()


def import_path(thing: object) -> str:
    """Return ``module.Class`` of an object."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def initial_inputs(problem: Problem) -> tuple[str, ...]:
    """Return the inputs that are the state at time 0, in the order of the outputs."""
    return problem.initial_inputs


def sample_seeds(seed: int, samples: Sequence[int]) -> list[int]:
    """Return one independent seed a sample, which depends on (seed, sample) only.

    Args:
        seed: Seed of the data set.
        samples: Sample numbers.

    Returns:
        Seeds below 2^63, as PyTorch's generators take them.

    Source: O'Neill (2015), the seed sequence of NumPy, https://www.pcg-random.org/posts/developing-a-seed_seq-alternative.html
    """
    states = (
        numpy.random.SeedSequence((seed, sample)).generate_state(1, numpy.uint64)[0] for sample in samples
    )
    return [int(state) >> 1 for state in states]
